from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from distkeras import storage
from distkeras.errors import DataError, DistkerasError, StorageError

PUBLISH_MANY = """
import sys
from pathlib import Path
from distkeras.storage import publish
root, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for round in range(20):
    with publish(root / str(round)) as staging:
        (staging / "a").write_text(name)
        (staging / "sub").mkdir()
        (staging / "sub" / "b").write_text(name)
"""

PUBLISH_HALF = """
import sys
from pathlib import Path
from distkeras.storage import publish
with publish(sys.argv[1]) as staging:
    (staging / "half").write_text("half")
    print("half-way", flush=True)
    sys.stdin.readline()
"""


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def in_child(action: Callable[[], object]) -> str:
    """Runs the action in a forked child and returns the type and text of what it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
            report = "nothing"
        except BaseException as error:  # noqa: BLE001 - reported to the parent, then the child ends
            report = f"{type(error).__name__}: {error}"
        os.write(writer, report.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        report = stream.read()
    os.waitpid(child, 0)
    return report


def write_big(url: Path) -> None:
    with storage.publish(url) as staging:
        (staging / "big").write_bytes(bytes(1 << 20))


def test_published_directory_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "result"
    with storage.publish(final) as staging:
        assert staging.parent == final.parent
        assert staging.name.startswith(".")
        (staging / "a").write_text("1")
        assert not storage.exists(final)
    assert (final / "a").read_text() == "1"
    assert os.listdir(final.parent) == ["result"]


def test_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), storage.publish(tmp_path / "result"):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_errors_of_the_block_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage.publish(tmp_path / "result"):
        Path("/no/such/file").read_text()
    with pytest.raises(DataError, match="bad row"), storage.publish(tmp_path / "result"):
        raise DataError("bad row")


def test_first_one_wins(tmp_path: Path) -> None:
    final = tmp_path / "result"
    with storage.publish(final) as slow:
        (slow / "a").write_text("slow")
        with storage.publish(final) as quick:
            (quick / "a").write_text("quick")
    assert (final / "a").read_text() == "quick"
    assert os.listdir(tmp_path) == ["result"]


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("mine")
    with pytest.raises(StorageError, match=r"result: .*a file stands there"):
        write_big(tmp_path / "result")
    with pytest.raises(StorageError, match="result: cannot make this directory: "):
        write_big(tmp_path / "result" / "below")
    assert (tmp_path / "result").read_text() == "mine"


def test_concurrent_publishers_never_mix(tmp_path: Path) -> None:
    writers = [python(PUBLISH_MANY, str(tmp_path), str(name)) for name in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            assert writer.wait() == 0
    assert sorted(os.listdir(tmp_path), key=int) == [str(round) for round in range(20)]
    for final in tmp_path.iterdir():
        assert (final / "a").read_text() == (final / "sub" / "b").read_text()


def test_sigkill_half_way_leaves_nothing_that_counts(tmp_path: Path) -> None:
    final = tmp_path / "result"
    with python(PUBLISH_HALF, str(final)) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "half-way\n"
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    assert not storage.exists(final)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    with storage.publish(final) as staging:
        assert not left.exists()
        (staging / "a").write_text("whole")
    assert os.listdir(tmp_path) == ["result"]


def test_what_is_withdrawn_is_gone_and_nothing_beside_it(tmp_path: Path) -> None:
    for name in ("final", "other"):
        with storage.publish(tmp_path / name) as staging:
            (staging / "data").mkdir()
            (staging / "data" / "part").write_text(name)
    storage.withdraw(tmp_path / "final")
    storage.withdraw(tmp_path / "final")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_whose_process_is_gone_is_abandoned() -> None:
    host, ended = socket.gethostname(), subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert storage.abandoned(f".final.staging-{host}-{ended.pid}-abc")
    for name in (
        f".final.staging-{host}-{os.getpid()}-abc",
        f".final.staging-other-{ended.pid}-abc",
        f"final.staging-{host}-{ended.pid}-abc",
        ".final.checkpoints",
        "final",
    ):
        assert not storage.abandoned(name)


def test_staging_of_a_living_process_is_kept(tmp_path: Path) -> None:
    final = tmp_path / "result"
    with python(PUBLISH_HALF, str(final)) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "half-way\n"
        write_big(final)
        assert len(list(tmp_path.iterdir())) == 2
        other.communicate("go\n")
        assert other.returncode == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["result"]
    assert os.listdir(final) == ["big"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a tiny disk with")
    if done.returncode:
        pytest.skip(f"a tiny disk cannot be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_is_one_line(tiny_disk: Path) -> None:
    with pytest.raises(StorageError, match="result: cannot write: no space left") as caught:
        write_big(tiny_disk / "result")
    assert "\n" not in str(caught.value)
    assert os.listdir(tiny_disk) == []


def test_file_size_limit_is_one_line(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        write_big(tmp_path / "result")

    assert in_child(limited).startswith(f"StorageError: {tmp_path}/result: cannot write: no space")
    assert os.listdir(tmp_path) == []


def test_no_permission_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    def unprivileged() -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        write_big(tmp_path / "result")

    report = in_child(unprivileged)
    tmp_path.chmod(0o700)
    reason = "cannot make this directory: Permission denied"
    assert report.startswith(f"StorageError: {tmp_path}")
    assert report.endswith(reason)
    assert "staging" not in report
    assert os.listdir(tmp_path) == []


def test_fingerprint_follows_name_size_and_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "a").write_text("1")
    seen = {storage.fingerprint(data)}
    assert storage.fingerprint(data) in seen
    os.utime(data / "sub" / "a", ns=(1, 1))
    seen.add(storage.fingerprint(data))
    (data / "b").write_text("")
    seen.add(storage.fingerprint(data))
    (data / "b").write_text("22")
    os.utime(data / "b", ns=(1, 1))
    seen.add(storage.fingerprint(data))
    (data / "b").rename(data / "c")
    seen.add(storage.fingerprint(data))
    assert len(seen) == 5


def test_fingerprint_of_directory_file_and_glob(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(1, 1))
    matched = storage.fingerprint(tmp_path / "*.csv")
    (tmp_path / "c.txt").write_text("other")
    assert storage.fingerprint(tmp_path / "*.csv") == matched
    assert storage.fingerprint(tmp_path / "a.csv") == storage.fingerprint(
        f"file://{tmp_path}/a.csv"
    )
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    assert storage.fingerprint(moved / "*.csv") == matched


@pytest.mark.parametrize("name", ["missing", "*.nothing", "empty"])
def test_fingerprint_of_nothing_names_the_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"^\S+: (no such file|it is an empty directory)"):
        storage.fingerprint(tmp_path / name)
    (tmp_path / "link.nothing").symlink_to("nowhere")
    with pytest.raises(StorageError, match="cannot be looked at"):
        storage.fingerprint(tmp_path / "*.nothing")


@pytest.mark.parametrize("url", ["hdfs://host:9000", "s3a://bucket/a", "file://host/a"])
def test_other_schemes_are_refused_by_name(url: str) -> None:
    for function in (storage.exists, storage.read_bytes, storage.fingerprint):
        with pytest.raises(StorageError, match=f"^{url}: (only local paths|write it as)"):
            function(url)


def test_file_urls_are_local_paths(tmp_path: Path) -> None:
    storage.write_json(f"file://{tmp_path}/a.json", {"b": [1], "a": "é"})
    assert storage.read_bytes(f"file:{tmp_path}/a.json").endswith(b"\n}\n")
    assert storage.read_json(tmp_path / "a.json") == {"a": "é", "b": [1]}


def test_json_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(StorageError, match=r"list\.json: holds list"):
        storage.read_json(tmp_path / "list.json")
    with pytest.raises(StorageError, match=r"half\.json: not JSON"):
        storage.read_json(tmp_path / "half.json")
    with pytest.raises(StorageError, match=r"none\.json: cannot read: No such file"):
        storage.read_json(tmp_path / "none.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "nan.json", {"loss": float("nan")})


@pytest.fixture(scope="module")
def model() -> object:
    import keras

    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


class TestModels:
    def test_round_trip(self, tmp_path: Path, model: object) -> None:
        url = tmp_path / "below" / "model.keras"
        for _ in range(2):
            storage.save_model(model, url)
        same = storage.load_model(url)
        weights = zip(same.get_weights(), model.get_weights(), strict=True)  # type: ignore[attr-defined]
        assert all((ours == theirs).all() for ours, theirs in weights)
        assert sorted(os.listdir(url.parent)) == ["model.keras", "model.keras.sha256"]
        line = (url.parent / "model.keras.sha256").read_text()
        assert line == f"{storage.sha256(url)}  model.keras\n"

    def test_damage_is_noticed(self, tmp_path: Path, model: object) -> None:
        url = tmp_path / "model.keras"
        storage.save_model(model, url)
        data = bytearray(url.read_bytes())
        data[len(data) // 2] ^= 1
        url.write_bytes(data)
        with pytest.raises(StorageError, match=r"model\.keras: damaged"):
            storage.load_model(url)
        url.with_name("model.keras.sha256").unlink()
        url.write_bytes(data[: len(data) // 2])
        with pytest.raises(StorageError, match="cannot be loaded as a Keras model"):
            storage.load_model(url)

    def test_killed_between_the_two_renames_still_loads(
        self, tmp_path: Path, model: object
    ) -> None:
        url = tmp_path / "model.keras"
        storage.save_model(model, url)
        sidecar = url.with_name("model.keras.sha256")
        sidecar.write_text(sidecar.read_text() + "0" * 64 + "  model.keras\n")
        storage.load_model(url)

    def test_code_in_a_model_is_refused_unless_it_is_allowed(self, tmp_path: Path) -> None:
        import keras

        layers = [keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)]
        storage.save_model(keras.Sequential(layers), tmp_path / "model.keras")
        with pytest.raises(StorageError, match="Lambda") as caught:
            storage.load_model(tmp_path / "model.keras")
        assert "\n" not in str(caught.value)
        allowed = storage.load_model(tmp_path / "model.keras", allow_lambda=True)
        assert allowed.predict(np.zeros((1, 3)), verbose=0).tolist() == [[1.0, 1.0, 1.0]]

    def test_wrong_ending_and_missing_file(self, tmp_path: Path, model: object) -> None:
        with pytest.raises(DistkerasError, match=r"model\.h5: .* must end in \.keras"):
            storage.save_model(model, tmp_path / "model.h5")
        with pytest.raises(StorageError, match=r"model\.keras: cannot read: No such file"):
            storage.load_model(tmp_path / "model.keras")
