from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from distkeras.errors import ConfigError, DataError
from tasks import Evaluate, Preprocess, Train
from tasks.base import ExperimentTask
from tasks.keys import digest
from tasks.modules import import_function, locate
from tests.tasks.workspace import Workspace


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace.create(tmp_path, rows=10)


def keys(*overrides: str) -> tuple[str, str, str]:
    """The keys of the three tasks, made anew: luigi keeps the tasks that it has made."""
    ExperimentTask.clear_instance_cache()
    made = (task(config="config.toml", set=overrides) for task in (Preprocess, Train, Evaluate))
    preprocess, train, evaluate = (task.key for task in made)
    return preprocess, train, evaluate


def changed(before: tuple[str, ...], after: tuple[str, ...]) -> list[bool]:
    return [a != b for a, b in zip(before, after, strict=True)]


def test_keys_are_stable_and_in_the_path() -> None:
    assert keys() == keys()
    task = Train(config="config.toml")
    assert str(task.output()) == f"output/Train/{task.key}"
    assert len(task.key) == 12


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.seed=1", [False, True, True]),
        ("evaluate.predictions=true", [False, False, True]),
        ("preprocess.split.seed=1", [True, True, True]),
        ("output=elsewhere", [False, False, False]),
        ("train.checkpoint_seconds=1", [False, False, False]),
        ("train.worker_timeout=30", [False, False, False]),
        ("train.tensorboard=board", [False, False, False]),
        ("train.submit=https://cluster:8000", [False, False, False]),
        ('train.submit={url="http://c", num_executors=3}', [False, False, False]),
        ("train.num_parameter_servers=2", [False, False, False]),
        ("train.batch_size=32", [False, False, False]),
        ("train.compression=int8", [False, True, True]),
        ("train.compression=none", [False, False, False]),
    ],
)
def test_key_follows_exactly_the_sections_it_reads(override: str, expected: list[bool]) -> None:
    assert changed(keys(), keys(override)) == expected


def test_keys_follow_the_input_and_the_models_source() -> None:
    first = keys()
    os.utime("events.csv", ns=(1, 1))
    second = keys()
    assert changed(first, second) == [True, True, True]
    Path("small.py").write_text(Path("small.py").read_text() + "\n# changed\n")
    assert changed(second, keys()) == [False, True, True]


def test_keys_follow_the_code_version(monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys()
    monkeypatch.setattr(Train, "code_version", Train.code_version + 1)
    assert changed(first, keys()) == [False, True, True]


def test_digest_ignores_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_missing_input_names_file_key_and_path() -> None:
    with pytest.raises(DataError) as caught:
        keys("preprocess.sources.events.path=none.csv")
    start = "config.toml: preprocess.sources.events.path: none.csv: no such file"
    assert str(caught.value).startswith(start)


def test_missing_model_file_names_file_key_and_path() -> None:
    with pytest.raises(DataError, match=r"^config\.toml: train\.model\.file: none\.keras: no such"):
        keys('train.model={file="none.keras"}')


class TestLocate:
    def test_finds_a_module_without_running_it(self, tmp_path: Path) -> None:
        package = tmp_path / "package"
        package.mkdir()
        for name in ("__init__.py", "module.py"):
            (package / name).write_text("def build(): ...\nraise RuntimeError('was run')\n")
        assert locate("package.module:build") == package / "module.py"
        assert locate("package:build") == package / "__init__.py"

    def test_finds_namespace_packages_and_installed_modules(self, tmp_path: Path) -> None:
        (tmp_path / "space").mkdir()
        (tmp_path / "space" / "module.py").write_text("build = 1\n")
        assert locate("space.module:build") == tmp_path / "space" / "module.py"
        assert locate("json.decoder:JSONDecoder").name == "decoder.py"

    @pytest.mark.parametrize(
        ("reference", "expected"),
        [
            ("nowhere:mlp", "no module nowhere in"),
            ("small.deeper:mlp", "no module small.deeper in"),
            ("small:mpl", "small.py has no mpl; did you mean mlp?"),
            ("small:layers", "small.py has no layers"),
            ("math:sqrt", "math is no Python source file"),
            ("broken:mlp", "is not valid Python"),
        ],
    )
    def test_what_is_not_there_is_named(self, reference: str, expected: str) -> None:
        Path("broken.py").write_text("def mlp(:\n")
        with pytest.raises(ConfigError) as caught:
            locate(reference)
        assert str(caught.value).startswith(f"train.model.function = '{reference}': ")
        assert expected in str(caught.value)

    @pytest.mark.parametrize(
        "source",
        ["from a import b as mlp", "mlp = 1", "if 1:\n  def mlp(): ...", "from a import *"],
    )
    def test_any_way_to_bind_the_name_counts(self, source: str) -> None:
        Path("bound.py").write_text(source)
        assert locate("bound:mlp") == Path.cwd() / "bound.py"

    def test_import_that_fails_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", list(sys.path))
        Path("failing.py").write_text("import no_such_module_at_all\ndef mlp(): ...\n")
        Path("constant.py").write_text("mlp = 3\n")
        with pytest.raises(ConfigError, match="importing failing raised ModuleNotFoundError: No"):
            import_function("failing:mlp")
        with pytest.raises(ConfigError, match="mlp is no function but int"):
            import_function("constant:mlp")

    def test_whatever_the_module_raises_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", list(sys.path))
        Path("boom.py").write_text("def mlp(): ...\n1 / 0\n")
        Path("leaving.py").write_text("import sys\nsys.exit()\n")
        said = "'boom:mlp': importing boom raised ZeroDivisionError: division by zero$"
        with pytest.raises(ConfigError, match=said):
            import_function("boom:mlp")
        with pytest.raises(ConfigError, match=r"importing leaving raised SystemExit$"):
            import_function("leaving:mlp")
