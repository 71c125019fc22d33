"""What ``make package`` builds, shipped to executors that have nothing but Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from distkeras.errors import EnvironmentProblem
from scripts.package import main, pack_environment, pack_library
from tests.clusters.asking import CONF, PATIENCE, REPOSITORY, Ask, expected, spark_home
from tests.clusters.asking import environment as environment_of

pytestmark = pytest.mark.long

#: Set to a virtual environment with all that training needs to have it packed and trained with;
#: that takes minutes, and some hundred MB of disk.
WHOLE = os.environ.get("DISTKERAS_PACK")

#: Prints, as JSON, where two executors found the library and a package of the environment.
LOOK = """
import json, sys
from pyspark.sql import SparkSession

def look(number):
    import distkeras.errors, shipped
    return sys.prefix, distkeras.errors.__file__, shipped.__file__

builder = SparkSession.builder
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
print(json.dumps(spark.sparkContext.parallelize(range(2), 2).map(look).collect()))
spark.stop()
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small virtual environment, with a package and what an editable install leaves."""
    folder = tmp_path_factory.mktemp("environment") / "small"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "shipped").mkdir()
    (site / "shipped" / "__init__.py").write_text("")
    (site / "pyspark" / "jars").mkdir(parents=True)
    (site / "pyspark" / "jars" / "large.jar").write_text("")
    (site / "__editable__.distkeras-1.pth").write_text(f"{REPOSITORY}\n")
    return folder


@pytest.fixture(scope="module")
def archive(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = tmp_path_factory.mktemp("dist") / "environment.tar.gz"
    assert pack_environment(environment, packed) == Path(sys.executable).resolve()
    return packed


def test_the_archive_holds_the_environment_and_the_library(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
        owners = {member.uname for member in tar.getmembers()}
    site = f"lib/python3.{sys.version_info.minor}/site-packages"
    wanted = ("shipped/__init__.py", "distkeras/server.py", "tasks/train.py", "distkeras/py.typed")
    assert {f"{site}/{name}" for name in wanted} <= names
    assert {"bin/python", "pyvenv.cfg"} <= names
    assert not [name for name in names if "pyspark/jars" in name or "__editable__" in name]
    assert not [name for name in names if "__pycache__" in name]
    assert owners == {""}
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_executors_run_the_packed_python(archive: Path, tmp_path: Path) -> None:
    conf = CONF | {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.archives": f"{archive}#environment",
        "spark.ui.enabled": "false",
    }
    del conf["spark.executorEnv.PYTHONPATH"]
    own = environment_of(spark_home(tmp_path), "./environment/bin/python")
    del own["PYTHONPATH"]
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(conf)],
        env=own,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for prefix, *files in json.loads(done.stdout.splitlines()[-1]):
        # Where the executor has unpacked it; not this environment, and not this folder.
        assert Path(prefix).name == "environment"
        assert prefix != sys.prefix
        assert all(file.startswith(prefix) for file in files)


@pytest.mark.skipif(not WHOLE, reason="takes minutes: set DISTKERAS_PACK to an environment")
def test_executors_train_with_a_whole_environment(tmp_path: Path) -> None:
    assert main(["--environment", f"{WHOLE}", "--folder", str(tmp_path)]) == 0
    conf = {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.archives": f"{tmp_path}/environment.tar.gz#environment",
        "spark.executorEnv.PYTHONPATH": "",
    }
    found = Ask(conf, python="./environment/bin/python").train(tmp_path)
    assert found["weights"] == expected()
    assert all(prefix.endswith("/environment") for _, prefix in found["places"].values())


def test_the_library_alone_is_a_zip_that_python_imports_from(tmp_path: Path) -> None:
    pack_library(tmp_path / "distkeras.zip")
    with zipfile.ZipFile(tmp_path / "distkeras.zip") as file:
        assert {"distkeras/__init__.py", "tasks/__init__.py"} <= set(file.namelist())
    code = "import distkeras.errors; print(distkeras.errors.__file__)"
    found = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, 'distkeras.zip'); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "distkeras.zip" in found.stdout


def test_what_cannot_be_packed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EnvironmentProblem, match=r"is no virtual environment: no pyvenv\.cfg"):
        pack_environment(tmp_path, tmp_path / "dist" / "environment.tar.gz")
    (tmp_path / "pyvenv.cfg").write_text("home = /\ninclude-system-site-packages = true\n")
    assert main(["--environment", str(tmp_path), "--folder", str(tmp_path / "dist")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"ERROR: {tmp_path} takes packages from outside of it")
    assert said.count("\n") == 1
    assert not (tmp_path / "dist").exists()
