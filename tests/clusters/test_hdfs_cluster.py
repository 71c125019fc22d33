"""The HDFS that the tests stand on is a real one: its daemons die, and its data does not."""

from __future__ import annotations

import getpass
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from hdfs import InsecureClient
from hdfs.util import HdfsError

from distkeras.errors import EnvironmentProblem
from scripts.clusters import Daemon, Hdfs
from scripts.clusters.hadoop import await_that, jmx
from tests.clusters.processes import gone, processes_of

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * 4096


def client_of(hdfs: Hdfs, user: str | None = None) -> InsecureClient:
    return InsecureClient(hdfs.webhdfs, user=user, timeout=60)


def content_of(client: InsecureClient, path: str) -> bytes:
    with client.read(path) as reader:
        return bytes(reader.read())


def write_at_last(client: InsecureClient, path: str) -> Callable[[], bool]:
    """Whether a write succeeds: for some seconds clients are still sent to a dead DataNode."""

    def written() -> bool:
        try:
            client.write(path, CONTENT, overwrite=True)
        except (HdfsError, requests.ConnectionError):
            return False
        return True

    return written


def test_what_is_written_is_read_on_two_datanodes(hdfs: Hdfs) -> None:
    client = client_of(hdfs)
    client.write("/round/trip.bin", CONTENT, overwrite=True)
    assert content_of(client, "/round/trip.bin") == CONTENT
    assert client.status("/round/trip.bin")["replication"] == 2


def test_others_than_its_owner_may_not_write(hdfs: Hdfs) -> None:
    client_of(hdfs).makedirs("/mine", permission="755")
    with pytest.raises(HdfsError, match="Permission denied: user=somebody"):
        client_of(hdfs, "somebody").write("/mine/theirs", b"x")


def test_one_datanode_is_enough_to_write(hdfs: Hdfs) -> None:
    client = client_of(hdfs)
    hdfs.datanodes[0].kill()
    await_that("written", write_at_last(client, "/one/is/enough.bin"))
    hdfs.await_ready(live=1)
    assert content_of(client, "/one/is/enough.bin") == CONTENT


def place_to_write(hdfs: Hdfs, path: str) -> tuple[str, Daemon]:
    """The address where one DataNode takes a new file, and the other DataNode."""
    answer = requests.put(
        f"{hdfs.webhdfs}/webhdfs/v1{path}",
        params={"op": "CREATE", "noredirect": "true", "user.name": getpass.getuser()},
        timeout=60,
    )
    url = answer.json()["Location"]
    (other,) = [datanode for datanode in hdfs.datanodes if datanode.http not in url]
    return url, other


def is_written_to(datanode: Daemon) -> bool:
    said = jmx(datanode.http, "Hadoop:service=DataNode,name=DataNodeInfo")
    return int(said.get("XceiverCount", 0)) > 0


def test_a_datanode_killed_in_the_middle_of_a_write_does_not_end_it(hdfs: Hdfs) -> None:
    url, other = place_to_write(hdfs, "/in/the/middle.bin")

    def blocks() -> Iterator[bytes]:
        yield CONTENT
        await_that("both are written to", lambda: is_written_to(other))
        other.kill()
        for _ in range(16):
            yield CONTENT

    assert requests.put(url, data=blocks(), timeout=120).status_code == 201
    assert content_of(client_of(hdfs), "/in/the/middle.bin") == CONTENT * 17


def test_a_frozen_datanode_goes_on(hdfs: Hdfs) -> None:
    hdfs.datanodes[1].pause()
    hdfs.await_ready(live=1)
    hdfs.datanodes[1].resume()
    hdfs.await_ready(live=2)


def test_a_namenode_that_was_killed_has_its_files(hdfs: Hdfs) -> None:
    client = client_of(hdfs)
    client.write("/kept.bin", CONTENT, overwrite=True)
    hdfs.namenode.kill()
    with pytest.raises(requests.ConnectionError):
        client.status("/kept.bin")
    hdfs.namenode.start()
    hdfs.await_ready()
    # A DataNode finds out that its connection to the NameNode is gone when somebody asks it.
    with suppress(HdfsError):
        content_of(client, "/kept.bin")
    assert content_of(client, "/kept.bin") == CONTENT


def test_safe_mode_is_one_command(hdfs: Hdfs) -> None:
    hdfs.dfsadmin("-safemode", "enter")
    try:
        with pytest.raises(HdfsError, match="safe mode"):
            client_of(hdfs).makedirs("/in/safe/mode")
    finally:
        hdfs.dfsadmin("-safemode", "leave")


def test_stopped_it_leaves_no_process_and_keeps_its_data(hadoop: str, tmp_path: Path) -> None:
    hdfs = Hdfs(tmp_path, datanodes=1)
    with hdfs:
        pids = [hdfs.namenode.pid, hdfs.datanodes[0].pid]
        assert len(processes_of(tmp_path)) == len(pids)
        client_of(hdfs).write("/kept.bin", CONTENT)
    assert all(gone(pid) for pid in pids)
    assert not processes_of(tmp_path)
    with hdfs:
        assert content_of(client_of(hdfs), "/kept.bin") == CONTENT


def test_a_daemon_that_cannot_start_shows_its_log(hadoop: str, tmp_path: Path) -> None:
    hdfs = Hdfs(tmp_path)
    host, port = hdfs.namenode.http.split(":")
    ended = pytest.raises(EnvironmentProblem, match=r"(?s)NameNode has ended.*in use")
    with socket.create_server((host, int(port))), ended, hdfs:
        pass
    assert not hdfs.namenode.alive


STARTED_AND_KILLED_HARD = """
import os, signal, sys
from pathlib import Path
from scripts.clusters import Hdfs
hdfs = Hdfs(Path(sys.argv[1]))
hdfs.namenode.launch()
hdfs.datanodes[0].launch()
print(hdfs.namenode.pid, hdfs.datanodes[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_hard_it_leaves_no_process(hadoop: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED_AND_KILLED_HARD, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    await_that("the daemons are gone", lambda: all(gone(pid) for pid in pids))


def make(target: str, state: Path) -> str:
    """What `make` prints; with the interpreter that runs this test in the place of its own."""
    here = ["make", "-s", "-o", f"{sys.prefix}/ready", f"VENV={sys.prefix}", f"HDFS={state}"]
    done = subprocess.run(
        [*here, target], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_make_starts_one_and_ends_it(hadoop: str, tmp_path: Path) -> None:
    try:
        first = make("hdfs", tmp_path)
        holder = int((tmp_path / "pid").read_text())
        assert re.fullmatch(
            r"HDFS:    hdfs://127.0.0.1:\d+\nWebHDFS: http://127.0.0.1:\d+\n"
            r"export HADOOP_CONF_DIR=/.+\n",
            first,
        )
        assert make("hdfs", tmp_path) == f"HDFS runs already; `make hdfs-stop` ends it.\n{first}"
        _, webhdfs, conf_dir = (line.split(maxsplit=1)[1] for line in first.splitlines())
        client = InsecureClient(webhdfs, timeout=60)
        client.write("/tried/out.bin", CONTENT)
        assert content_of(client, "/tried/out.bin") == CONTENT
    finally:
        assert make("hdfs-stop", tmp_path) == "HDFS has ended; its data is gone.\n"
    await_that("its holder has ended", lambda: gone(holder))
    data = Path(conf_dir.split("=")[1]).parent
    assert not data.exists()
    assert not processes_of(data)
    assert make("hdfs-stop", tmp_path) == "No HDFS runs.\n"
