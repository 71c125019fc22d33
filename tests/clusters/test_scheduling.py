"""Executors that come, go, are killed or are doubled by Spark, while a training runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.clusters.standalone import Standalone
from tests.clusters import standalone_fixture
from tests.clusters.asking import Ask, expected

pytestmark = pytest.mark.long

standalone = standalone_fixture.running

LOCAL_CLUSTER = {"spark.master": "local-cluster[2,1,1024]"}

DYNAMIC = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.timeout": "1s",
    "spark.dynamicAllocation.executorIdleTimeout": "1s",
    "spark.dynamicAllocation.maxExecutors": "2",
}

SPECULATIVE = {
    "spark.speculation": "true",
    "spark.speculation.interval": "200ms",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.multiplier": "1.1",
}


def tries(found: dict, share: int) -> int:
    """Attempts at a share that have trained a window."""
    return sum(place.startswith(f"{share}-") for place in found["places"])


def check(found: dict, epochs: int, share: float = 1.0) -> None:
    assert found["weights"] == expected(epochs, share)
    assert found["report"]["rows_merged"] == 320 * epochs
    # 160 rows for a worker are 20 mini-batches, and 4 windows of 5.
    assert found["report"]["windows"] == found["windows"] == 2 * 4 * epochs


def test_a_straggler_is_not_overtaken_by_its_speculative_copy(
    standalone: Standalone, tmp_path: Path
) -> None:
    # One failure would end the training: neither the copy, which waits, nor the straggler has one.
    conf = {"spark.master": standalone.url, "spark.task.maxFailures": "1"} | SPECULATIVE
    ask = Ask(conf, trouble="straggling", arguments={"num_epoch": 8})
    found = ask.train(tmp_path, standalone.driver)
    check(found, epochs=8)
    assert tries(found, 0) == tries(found, 1) == 1
    # When one of the two has ended, Spark ends the other.
    assert re.search(r"Lost task 1\.\d .*TaskKilled", found["log"])


def test_executors_come_and_go(standalone: Standalone, tmp_path: Path) -> None:
    conf = {"spark.master": standalone.url} | DYNAMIC
    ask = Ask(conf, trouble="straggling", idle=1, arguments={"num_epoch": 3})
    found = ask.train(tmp_path, standalone.driver)
    check(found, epochs=3)
    assert found["executors"][0] == found["executors"][-1] == 0
    assert max(found["executors"]) > 0


def test_an_executor_is_killed_on_its_host(standalone: Standalone, tmp_path: Path) -> None:
    ask = Ask({"spark.master": standalone.url}, trouble="killed", arguments={"num_epoch": 3})
    found = ask.train(tmp_path, standalone.driver)
    assert (tmp_path / "trouble").exists()
    check(found, epochs=3)


@pytest.mark.parametrize(("trainer", "share"), [("DOWNPOUR", 1.0), ("AveragingTrainer", 0.5)])
def test_an_executor_is_killed(tmp_path: Path, trainer: str, share: float) -> None:
    found = Ask(LOCAL_CLUSTER, trainer, "killed", arguments={"num_epoch": 3}).train(tmp_path)
    assert (tmp_path / "trouble").exists()
    check(found, 3, share)


def test_a_synchronous_worker_fails_and_all_of_them_start_again(tmp_path: Path) -> None:
    ask = Ask({"spark.master": "local[2,4]"}, "AveragingTrainer", "failing")
    found = ask.train(tmp_path)
    assert (tmp_path / "trouble").exists()
    check(found, epochs=1, share=0.5)
    assert tries(found, 0) > 1
    assert tries(found, 1) > 1


def test_synchronous_workers_are_refused_where_executors_come_and_go(tmp_path: Path) -> None:
    found = Ask({"spark.master": "local-cluster[1,1,1024]"} | DYNAMIC, "EASGD").train(tmp_path)
    assert found["error"] == (
        "ConfigError: num_workers is 2, and all must run at the same time, which Spark does not "
        "grant with spark.dynamicAllocation.enabled=true: set it to false, or use an asynchronous "
        "trainer"
    )
