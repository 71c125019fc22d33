from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from distkeras.configurations import check_configuration
from distkeras.errors import ConfigError
from distkeras.punchcard.checks import HDF5, check_model_file
from tests.punchcard.served import CONFIG, tiny

MOST = 1 << 20


def refused(path: Path, most: int = MOST) -> str:
    with pytest.raises(ConfigError) as raised:
        check_model_file(path, most)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_model_is_accepted(tmp_path: Path) -> None:
    check_model_file(tiny(tmp_path / "m.keras"), MOST)


def test_what_unpacks_to_more_than_it_may_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(CONFIG))
        with archive.open("model.weights.h5", "w") as stream:
            stream.write(HDF5)
            for _ in range(64):
                stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 17
    assert "unpacks to 67108872 bytes, more than 1048576" in refused(path)
    bomb = " " * (5 << 20)
    assert "config.json unpacks" in refused(tiny(path, **{"config.json": bomb}), 1 << 30)


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 1000, b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.keras").write_bytes(content)
    assert "is no .keras file" in refused(tmp_path / "m.keras")


def test_a_directory_of_many_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", "")
    assert "and no more" in refused(path)
    # One that says it has three, and is large all the same.
    content = bytearray(path.read_bytes())
    struct.pack_into("<2H", content, len(content) - 14, 3, 3)
    path.write_bytes(content)
    assert "too large" in refused(path)


def test_a_large_zip_says_no_more_in_its_other_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it had more than two gigabytes.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    path = tiny(tmp_path / "m.keras")
    content = path.read_bytes()
    record = len(content) - 98
    assert content[record:].startswith(b"PK\x06\x06")
    check_model_file(path, MOST)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", "")
    many = bytearray(path.read_bytes())
    # Three members, and a directory of a few bytes, as far as the usual record knows.
    struct.pack_into("<2H2L", many, len(many) - 14, 3, 3, 150, 0)
    for members in (1000, 3):
        struct.pack_into("<2Q", many, len(many) - 74, members, members)
        path.write_bytes(many)
        assert ("too large" if members == 3 else "and no more") in refused(path)
    # Where one version of Python looks, and another does not.
    for at in (0, record - 1):
        moved = bytearray(content)
        struct.pack_into("<Q", moved, len(moved) - 34, at)
        path.write_bytes(moved)
        assert "damaged" in refused(path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "assets/x", "config.JSON"])
def test_another_member_is_refused(tmp_path: Path, name: str) -> None:
    assert "and no more" in refused(tiny(tmp_path / "m.keras", **{name: "x"}))
    path = tmp_path / "n.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member in (name, "config.json", "metadata.json"):
            archive.writestr(member, "{}")
    assert "and no more" in refused(path)


@pytest.mark.parametrize("cut", [10, 100, 200])
def test_damage_is_told(tmp_path: Path, cut: int) -> None:
    path = tiny(tmp_path / "m.keras")
    content = bytearray(path.read_bytes())
    content[cut : cut + 60] = bytes(60)
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("model.weights.h5", b"no weights"),
        ("config.json", b"{"),
        ("config.json", b"\xff\xfe"),
        ("config.json", b"[" * 100_000),
        ("config.json", b"9" * 10_000),
        ("metadata.json", b""),
    ],
)
def test_a_member_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, member: str, content: bytes
) -> None:
    assert member in refused(tiny(tmp_path / "m.keras", **{member: content}))


def part(name: str, module: str | None = "keras.layers", **more: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": {}, **more}


@pytest.mark.parametrize(
    "wrong",
    [
        part("Lambda"),
        part("Lambda", None),
        part("mine>Lambda"),
        part("TFSMLayer"),
        part("TorchModuleWrapper"),
        part("__lambda__"),
        part("__typespec__"),
        part("system", "os"),
        part("Popen", "subprocess"),
        part("get_file", "keras.utils"),
        part("load_model", "keras.saving"),
        part("Dense", "keras.src.utils.file_utils"),
        part("Dense", "kerasx"),
        part("eval", "builtins"),
        part("layers.Lambda", "keras"),
        part("config.enable_unsafe_deserialization", "keras"),
        part("saving.load_model", "keras"),
        part("load_model", "keras.models"),
        part("function", "keras", config="utils.get_file"),
        part("function", "keras.models", config="load_model"),
        part("function", "builtins", config="layers.Lambda"),
        part("function", "builtins", config=None),
        part("Mine", "my.layers"),
        part("Mine", None, registered_name="my>Mine"),
        {"class_name": ["Dense"]},
        {"module": "os"},
        part("StringLookup", config={"vocabulary": "/etc/passwd"}),
    ],
)
def test_what_is_no_part_of_keras_is_refused_however_deep_it_is(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    deep: Any = wrong
    for _ in range(50):
        deep = {"config": {"layers": [CONFIG, deep]}}
    for config in (wrong, deep, {**CONFIG, "compile_config": {"loss": wrong}}):
        said = refused(tiny(tmp_path / "m.keras", config))
        assert said.startswith("model: config.json: ")
    with pytest.raises(ConfigError, match=r"^worker_optimizer: "):
        check_configuration([wrong], "worker_optimizer")


@pytest.mark.parametrize(
    "right",
    [
        part("Functional", "keras.src.models.functional"),
        part("Add", "keras.src.ops.numpy"),
        part("function", "keras.src.losses.losses", config="mean_squared_error"),
        part("Adam", "keras.optimizers"),
        part("CosineDecay", "keras.optimizers.schedules"),
        part("DTypePolicy", "keras"),
        part("function", "builtins", config="relu", registered_name="function"),
        {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}},
        {"class_name": "adam", "config": {"learning_rate": 0.1}},
        {"any": [None, 1, "text", {"vocabulary": ["a"]}]},
    ],
)
def test_parts_of_keras_are_accepted(tmp_path: Path, right: dict[str, Any]) -> None:
    check_model_file(tiny(tmp_path / "m.keras", {"config": [right]}), MOST)
