"""Hosts in network namespaces, and a Spark cluster on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distkeras.errors import EnvironmentProblem
from scripts.clusters.namespaces import Host, Namespaces, unavailable
from scripts.clusters.standalone import Standalone
from tests.clusters import standalone_fixture
from tests.clusters.asking import REPOSITORY, Ask, expected
from tests.clusters.processes import gone

pytestmark = pytest.mark.long

standalone = standalone_fixture.running

needs_namespaces = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

SERVE = """
import socket
with socket.create_server(("0.0.0.0", 9000)) as server:
    print("listening", flush=True)
    connection, (peer, _) = server.accept()
    print(peer, flush=True)
"""

ABANDONED = """
import sys, time
from scripts.clusters.namespaces import Namespaces
with Namespaces(["lost"]) as namespaces:
    process = namespaces["lost"].popen(["sleep", "600"])
    print(namespaces.switch, namespaces["lost"].namespace, process.pid, flush=True)
    time.sleep(600)
"""


def name_of(host: Host, name: str) -> str:
    code = f"import socket; print(socket.gethostname(), socket.gethostbyname('{name}'))"
    done = host.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def there() -> str:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return listed.stdout


@needs_namespaces
def test_hosts_reach_each_other_by_name_and_leave_nothing_behind() -> None:
    with Namespaces(["one", "two"]) as hosts:
        assert name_of(hosts["two"], "one") == f"two {hosts['one'].address}"
        assert name_of(hosts["one"], "one") == "one 127.0.1.1"  # As Debian has it.
        command = [sys.executable, "-c", SERVE]
        with hosts["one"].popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout.readline() == "listening\n"
            connect = "import socket; socket.create_connection(('one', 9000), timeout=20)"
            hosts["two"].run([sys.executable, "-c", connect], check=True)
            assert server.stdout.readline().strip() == hosts["two"].address
        sleeper = hosts["two"].popen(["sleep", "600"])
        assert hosts["two"].pids() == [sleeper.pid]
    assert sleeper.wait(timeout=20) == -signal.SIGTERM
    for name in (hosts.switch, hosts["one"].namespace, hosts["two"].namespace):
        assert name not in there()
        assert not Path("/etc/netns", name).exists()


@needs_namespaces
def test_what_a_killed_run_left_is_removed_by_the_next() -> None:
    command = [sys.executable, "-c", ABANDONED]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
        switch, namespace, pid = run.stdout.readline().split()
        with Namespaces(["other"]):
            assert namespace in there()  # That of a run that lives is left alone.
        run.kill()
    assert switch in there()
    with Namespaces(["other"]):
        assert switch not in there()
        assert namespace not in there()
    assert gone(int(pid))


@needs_namespaces
def test_a_host_that_does_not_come_up_leaves_nothing_behind() -> None:
    before = there()
    with pytest.raises(EnvironmentProblem, match="File exists"), Namespaces(["twice"]) as hosts:
        hosts.__enter__()
    assert there() == before


def test_workers_on_other_hosts_train_to_the_right_center(
    standalone: Standalone, tmp_path: Path
) -> None:
    arguments = {"num_epoch": 2}
    found = Ask({"spark.master": standalone.url}, arguments=arguments).train(
        tmp_path, standalone.driver
    )
    assert found["weights"] == expected(epochs=2)
    assert found["report"]["rows_merged"] == 320 * 2
    # Each in a network of its own, and none in the driver's, which is none of the tests'.
    networks = {network for network, _ in found["places"].values()} | {
        os.readlink("/proc/self/ns/net")
    }
    assert len(networks) == 3
