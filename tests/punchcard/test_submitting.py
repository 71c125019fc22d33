from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from distkeras.errors import ConfigError, EnvironmentProblem
from distkeras.history import Progress
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.job_file import JobFile, job_file
from distkeras.punchcard.limits import Limits, check_job
from distkeras.punchcard.own_trainers import own_trainers
from distkeras.punchcard.progress import POINTS, ProgressFile
from distkeras.punchcard.submitting import SparkSubmit, job_of, spark_submit_program
from distkeras.rules import Rule, adag
from distkeras.trainers import ADAG, Trainer


class Mine(Trainer):
    """A trainer of the owner's own."""

    def _rule(self) -> Rule:
        return adag()


def made(**values: object) -> JobFile:
    model = {"sha256": "0" * 64, "bytes": 1}
    given = {"name": "a job", "data_path": "/data", "trainer": {"name": "ADAG"}, "model": model}
    return job_file({**given, **values})


def settings(command: list[str]) -> dict[str, str]:
    pairs = [two for one, two in itertools.pairwise(command) if one == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_a_local_job_has_all_its_cores_in_the_driver(tmp_path: Path) -> None:
    submit = SparkSubmit("spark-submit", "/results", ("/data",))
    command = list(submit(made(num_executors=2, num_processes=3), tmp_path))
    assert command[:3] == ["spark-submit", "--master", "local[6]"]
    assert command[-2:] == [str(tmp_path / "main.py"), str(tmp_path)]
    found = settings(command)
    assert found["spark.driver.memory"] == "1024m"
    assert found["spark.driver.host"] == "127.0.0.1"


def test_sparks_own_page_which_asks_for_no_secret_is_the_owners_to_open(tmp_path: Path) -> None:
    closed = SparkSubmit("spark-submit", "/results", ("/data",))
    assert settings(list(closed(made(), tmp_path)))["spark.ui.enabled"] == "false"
    opened = SparkSubmit("s", "/results", ("/data",), conf={"spark.ui.enabled": "true"})
    assert settings(list(opened(made(), tmp_path)))["spark.ui.enabled"] == "true"


def test_a_job_of_a_cluster_has_what_it_asks_for_and_what_the_owner_says(tmp_path: Path) -> None:
    masters = ("yarn", "spark://master:7077")
    conf = {"spark.executor.memory": "3g", "spark.x": "a=b"}
    submit = SparkSubmit("spark-submit", "/results", ("/data",), masters=masters, conf=conf)
    asked = made(num_executors=2, num_processes=3, executor_memory_mb=2048, master=masters[1])
    found = settings(list(submit(asked, tmp_path)))
    assert found["spark.executor.instances"] == "2"
    assert found["spark.executor.cores"] == "3"
    assert found["spark.cores.max"] == "6"
    assert found["spark.executor.memory"] == "3g"
    assert found["spark.x"] == "a=b"
    assert list(submit(made(), tmp_path))[2] == "yarn"


def test_no_setting_of_the_clusters_gives_a_job_more_executors(tmp_path: Path) -> None:
    submit = SparkSubmit("s", "/r", ("/d",), masters=("yarn",))
    found = settings(list(submit(made(num_executors=3), tmp_path)))
    assert found["spark.dynamicAllocation.enabled"] == "false"
    assert found["spark.dynamicAllocation.maxExecutors"] == "3"


@pytest.mark.parametrize(
    ("master", "expected"),
    [("yarn", "true"), ("k8s://https://x", "true"), ("spark://m:7077", None), ("local", None)],
)
def test_where_spark_makes_a_secret_of_its_own_its_ports_ask_for_it(
    tmp_path: Path, master: str, expected: str | None
) -> None:
    submit = SparkSubmit("s", "/r", ("/d",), masters=(master,))
    assert settings(list(submit(made(), tmp_path))).get("spark.authenticate") == expected


def test_what_is_written_is_what_the_runner_reads(tmp_path: Path) -> None:
    job = made(trainer={"name": "ADAG", "arguments": {"loss": {"a": [1, None, "é"]}}})
    SparkSubmit("s", "hdfs:///results", ("/data",), ("a.b:C",))(job, tmp_path)
    found, allowed, artifacts = job_of(tmp_path)
    assert found == job
    assert allowed == {"roots": ["/data"], "trainers": ["a.b:C"]}
    assert artifacts == "hdfs:///results"
    compile((tmp_path / "main.py").read_text(), "main.py", "exec")


def test_a_name_that_looks_like_an_option_stays_a_name(tmp_path: Path) -> None:
    command = list(SparkSubmit("s", "/r", ("/d",))(made(name="--class"), tmp_path))
    assert "--name=--class" in command


@pytest.mark.parametrize("depth", [49, 50, 300, 5000])
def test_arguments_are_nested_no_deeper_than_can_be_written(depth: int) -> None:
    inner: Any = 1
    for number in range(depth):
        inner = [inner] if number % 2 else {"a": inner, "b": 1}
    trainer = {"name": "ADAG", "arguments": {"loss": inner}}
    if depth < 50:
        assert job_file(json.loads(made(trainer=trainer).model_dump_json())) == made(
            trainer=trainer
        )
        return
    with pytest.raises(ConfigError, match=r"^trainer\.arguments: must be nested no more than 50"):
        made(trainer=trainer)


def test_spark_is_looked_for_where_it_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    assert Path(spark_submit_program()).exists()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="bin/spark-submit: not there"):
        spark_submit_program()


def test_a_trainer_of_the_owners_own_is_known_by_its_name(tmp_path: Path) -> None:
    known = own_trainers([f"{__name__}:Mine"])
    assert known["Mine"] is Mine
    assert known["ADAG"] is ADAG
    limits = Limits(DataRoots([str(tmp_path)]), trainers=known)
    check_job(made(data_path=str(tmp_path), trainer={"name": "Mine"}), limits)
    with pytest.raises(ConfigError, match="unknown trainer"):
        check_job(
            made(data_path=str(tmp_path), trainer={"name": "Mine"}),
            Limits(DataRoots([str(tmp_path)])),
        )


def test_progress_is_small_however_long_it_takes(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "progress.json", epochs=10)
    file.write(Progress("check"))
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["phase"], told["loss"], told["seconds_left"], told["epoch"]) == (
        *("check", None, None),
        1,
    )
    for step in range(1500):
        file.write(Progress("train", step, 1500, 1.0 / (step + 1), 2.0, 3.0))
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["epoch"], told["epochs"], told["rows"]) == (10, 10, 1499)
    assert POINTS // 2 <= len(told["curve"]) <= POINTS
    steps = [rows for rows, _ in told["curve"]]
    assert steps[0] == 0
    assert len({two - one for one, two in itertools.pairwise(steps)}) == 1
    file.finish()
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["phase"], told["rows"]) == ("finish", 1500)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
