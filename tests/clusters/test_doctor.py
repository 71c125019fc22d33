"""What the doctor finds between hosts, and what a worker's executor has in its log."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.clusters.namespaces import Host
from scripts.clusters.standalone import Standalone
from tests.clusters import standalone_fixture
from tests.clusters.asking import CONF, Ask, environment, expected, spark_home
from tests.doctor.test_with_spark import told

pytestmark = pytest.mark.long

standalone = standalone_fixture.running

PORT = 7300


def doctor(
    cluster: Standalone, folder: Path, *options: str, **conf: str
) -> dict[str, tuple[str, str]]:
    """The lines of a doctor on the driver's host."""
    settings = CONF | {f"spark.{key.replace('_', '.')}": value for key, value in conf.items()}
    command = [sys.executable, "-m", "distkeras", "doctor", "--room=0.001", *options]
    command += [f"--master={cluster.url}", *(f"--conf={k}={v}" for k, v in settings.items())]
    environ = environment(spark_home(folder))
    done = cluster.driver.run(command, env=environ, capture_output=True, text=True, timeout=300)
    found = told(done.stdout)
    assert done.returncode == int("failed" in {status for status, _ in found.values()})
    return found


@contextmanager
def firewall(host: Host, port: int) -> Iterator[None]:
    """Nothing that is sent from this port of the host goes anywhere."""
    rule = ("ipproto", "tcp", "sport", f"{port}", "blackhole")
    host.run(["ip", "rule", "add", *rule], check=True)
    try:
        yield
    finally:
        host.run(["ip", "rule", "delete", *rule], check=True)


def test_hosts_on_which_all_is_well(standalone: Standalone, tmp_path: Path) -> None:
    found = doctor(standalone, tmp_path)
    assert {name for name, (status, _) in found.items() if status != "ok"} <= {"hdfs", "disks"}
    assert found["executors"][1] == "2 task slots: worker-0 (1), worker-1 (1)"
    assert found["address"][1].startswith(f"workers connect to {standalone.driver.address}:")


def test_a_firewall_before_the_parameter_server(standalone: Standalone, tmp_path: Path) -> None:
    with firewall(standalone.driver, PORT):
        found = doctor(standalone, tmp_path, distkeras_port=f"{PORT}")
    assert [name for name, (status, _) in found.items() if status == "failed"] == ["connection"]
    place = f"{standalone.driver.address}:{PORT}"
    text = found["connection"][1]
    assert text.startswith(f"not all executors reach {place}: worker-0: ExchangeTimeout: ")
    assert "; worker-1: " in text
    assert "spark.distkeras.port" in text
    assert found["clocks"] == ("skipped", "no executor has reached the driver")


def test_a_driver_that_executors_do_not_find(standalone: Standalone, tmp_path: Path) -> None:
    nobody = standalone.driver.address.rpartition(".")[0] + ".99"
    chosen = {"driver_host": nobody, "driver_bindAddress": "0.0.0.0"}
    found = doctor(standalone, tmp_path, "--timeout=100", **chosen)
    assert [name for name, (status, _) in found.items() if status == "failed"] == ["executors"]
    assert found["executors"][1].startswith("no executor came within 60 s: the cluster needs ")
    assert "spark.driver.host" in found["executors"][1]


def test_a_workers_log_is_in_its_executors_standard_error(
    standalone: Standalone, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = Ask({"spark.master": standalone.url}).train(tmp_path, standalone.driver)
    assert found["weights"] == expected()
    run = found["report"]["run"]
    begin = re.compile(rf"\S+ \S+ INFO distkeras\.\S+: run={run} worker=(\d) attempt=\d+ (.*)")
    logs = tmp_path_factory.getbasetemp().glob("standalone[0-9]*/worker-*/app-*/*/stderr")
    said = [match for log in logs for match in map(begin.fullmatch, log.read_text().split("\n"))]
    lines = {worker: [m[2] for m in said if m and m[1] == worker] for worker in "01"}
    for ofone in lines.values():
        assert ofone[0].startswith("begins in process ")
        assert ofone[1] == "got 160 rows"
        assert ofone[2:4] == ["has Keras", "has the model"]
        assert ofone[4] == "joined; window 0 is the first to train"
        assert ofone[5].startswith("trained ")
        assert ofone[6].startswith("ended after ")
        assert len(ofone) == 7
