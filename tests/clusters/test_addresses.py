"""What the driver advertises, and what it binds, between hosts that have only their addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.clusters.standalone import Standalone
from tests.clusters import standalone_fixture
from tests.clusters.asking import Ask, expected

pytestmark = pytest.mark.long

standalone = standalone_fixture.running

LISTEN = """
import socket, time
server = socket.create_server(("0.0.0.0", 7100))
print("listening", flush=True)
time.sleep(600)
"""


def train(cluster: Standalone, folder: Path, **conf: str) -> dict:
    settings = {f"spark.{key.replace('_', '.')}": value for key, value in conf.items()}
    return Ask({"spark.master": cluster.url} | settings).train(folder, cluster.driver)


def test_sparks_own_choice_and_a_range_of_ports(standalone: Standalone, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LISTEN]
    with standalone.driver.popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "listening\n"
        found = train(standalone, tmp_path, distkeras_port="7100")
        other.kill()
    assert found["weights"] == expected()
    # Its name is a loopback address, as on any Debian: Spark takes the interface's.
    assert found["driver"] == standalone.driver.address
    assert f"{standalone.driver.address}:7101" in found["listening"]


def test_a_name_is_advertised_where_another_address_is_bound(
    standalone: Standalone, tmp_path: Path
) -> None:
    found = train(standalone, tmp_path, driver_host="driver", driver_bindAddress="0.0.0.0")
    assert found["weights"] == expected()
    assert found["driver"] == "driver"
    assert any(at.startswith("0.0.0.0:") for at in found["listening"])


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("127.0.0.1", "127.0.0.1, which workers of {} cannot reach: set it to"),
        ("driver", "driver, which is 127.0.1.1 here, where workers of {} cannot reach it: set it"),
    ],
)
def test_a_driver_that_advertises_loopback_is_refused_before_any_job(
    standalone: Standalone, tmp_path: Path, host: str, what: str
) -> None:
    found = train(standalone, tmp_path, driver_host=host)
    said = f"EnvironmentProblem: spark.driver.host is {what.format(standalone.url)}"
    assert found["error"].startswith(said)
    assert "\n" not in found["error"]
    # Spark says so of a job that waits for executors which cannot find the driver.
    assert "Initial job has not accepted any resources" not in found["log"]
