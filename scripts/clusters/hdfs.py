"""An HDFS on this machine: a NameNode and its DataNodes, each a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.clusters.hadoop import (
    READY_SECONDS,
    Daemon,
    await_that,
    end_all,
    jmx,
    run_tool,
    write_settings,
)
from scripts.clusters.maven import classpath
from scripts.clusters.ports import free_ports
from scripts.clusters.service import Service

__all__ = ["Hdfs"]

HOST = "127.0.0.1"

NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
DFSADMIN = "org.apache.hadoop.hdfs.tools.DFSAdmin"

# What every daemon and every client reads. WebHDFS is on by default; the DataNode that takes
# a WebHDFS write is the client of the others, so the client's settings count there too.
SETTINGS: dict[str, object] = {
    "dfs.replication": 2,
    "dfs.permissions.enabled": "true",
    # Tokens are given out without Kerberos too, so that they can be tried.
    "dfs.namenode.delegation.token.always-use": "true",
    # With one of two DataNodes gone there is none to take its place: a write goes on without.
    "dfs.client.block.write.replace-datanode-on-failure.enable": "true",
    "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
    "dfs.client.socket-timeout": 10_000,  # ms; a frozen DataNode is given up after this
    # A silent DataNode is left out after 3 s, and dead after 2 * 0.5 s + 10 heartbeats = 11 s.
    "dfs.heartbeat.interval": 1,
    "dfs.namenode.heartbeat.recheck-interval": 500,
    "dfs.namenode.stale.datanode.interval": 3_000,
    "dfs.namenode.avoid.read.stale.datanode": "true",
    "dfs.namenode.avoid.write.stale.datanode": "true",
    # Safe mode is left as soon as the blocks are there, not 30 s later.
    "dfs.namenode.safemode.extension": 0,
    # The disk is shared with others: none of it is kept free for them.
    "dfs.datanode.du.reserved": 0,
    "dfs.namenode.redundancy.interval.seconds": 1,
}


class HdfsDaemons(Service):
    """The daemons of one HDFS: where they and its clients find their settings.

    Attributes:
        folder: Where data, settings and logs go.
        url: Of the file system.
    """

    folder: Path
    url: str
    _classpath: str
    _settings: Mapping[str, object]

    def _make_datanode(self, suffix: str) -> Daemon:
        data, http, ipc = (f"{HOST}:{port}" for port in free_ports(3))
        own = {
            # The name that WebHDFS sends clients to: the host's own may lead elsewhere.
            "dfs.datanode.hostname": HOST,
            "dfs.datanode.address": data,
            "dfs.datanode.http.address": http,
            "dfs.datanode.ipc.address": ipc,
            "dfs.datanode.data.dir": (self.folder / f"data{suffix}").as_uri(),
        }
        conf_dir = self._write_conf(f"conf-datanode{suffix}", own)
        return self._daemon(f"DataNode{suffix}", DATANODE, conf_dir, http, serves_blocks)

    def _daemon(
        self, name: str, main: str, conf_dir: Path, http: str, ready: Callable[[str], bool]
    ) -> Daemon:
        log = self.folder / "logs" / f"{name}.log"
        return Daemon(name, main, conf_dir, self._classpath, log, http, ready)

    def _write_conf(self, name: str, own: Mapping[str, object]) -> Path:
        core = {"fs.defaultFS": self.url, "hadoop.tmp.dir": self.folder / "tmp"}
        files = {"core-site": core, "hdfs-site": {**self._settings, **own}}
        return write_settings(self.folder / name, files)


class Hdfs(HdfsDaemons):
    """A single-machine HDFS with WebHDFS on; entered, it is started, and left, it is stopped.

    Everything listens on 127.0.0.1. The user who starts it is its superuser; permissions are
    checked for everyone else.

    Attributes:
        url: ``hdfs://127.0.0.1:PORT``.
        webhdfs: ``http://127.0.0.1:PORT``, for the ``hdfs`` package.
        conf_dir: The folder of ``core-site.xml`` and ``hdfs-site.xml``: a client's
            ``HADOOP_CONF_DIR``.
        namenode: The NameNode.
        datanodes: The DataNodes.
    """

    def __init__(
        self, folder: Path, datanodes: int = 2, settings: Mapping[str, object] | None = None
    ) -> None:
        """Choose the ports and write the settings; nothing runs yet.

        Args:
            folder: Where data, settings and logs go; an empty or new one.
            datanodes: How many DataNodes.
            settings: More lines of ``hdfs-site.xml``, or other values of its lines.

        Raises:
            EnvironmentProblem: Java, Maven or its repository is missing.
        """
        self.folder = folder.resolve()
        self._classpath = classpath()
        rpc, http = free_ports(2)
        self.url = f"hdfs://{HOST}:{rpc}"
        self.webhdfs = f"http://{HOST}:{http}"
        self._http = f"{HOST}:{http}"
        self._settings = SETTINGS | self._namenode_settings() | dict(settings or {})
        self.conf_dir = self._write_conf("conf", {})
        self.namenode = self._daemon("NameNode", NAMENODE, self.conf_dir, self._http, is_active)
        self.datanodes = tuple(self._make_datanode(f"-{number}") for number in range(datanodes))

    def start(self, seconds: float = READY_SECONDS) -> None:
        """Start every daemon and wait until the file system can be written.

        Daemons that run are left alone, paused ones go on: it also makes an HDFS whole again.

        Raises:
            EnvironmentProblem: It cannot within so many seconds, with the log of who is to blame.
        """
        if not (self.folder / "name").is_dir():
            self._format()
        for daemon in (self.namenode, *self.datanodes):
            daemon.launch()
        for daemon in (self.namenode, *self.datanodes):
            daemon.await_ready(seconds)
        self.await_ready(seconds=seconds)

    def stop(self) -> None:
        """End every daemon; the data stays until the folder is deleted."""
        end_all((self.namenode, *self.datanodes))

    def await_ready(self, live: int | None = None, seconds: float = READY_SECONDS) -> None:
        """Wait until safe mode is left and exactly so many DataNodes are live.

        Args:
            live: All of them by default; fewer after some were killed, which the NameNode
                notices some 11 s later.
            seconds: The deadline.

        Raises:
            EnvironmentProblem: It is not so within the deadline.
        """
        wanted = len(self.datanodes) if live is None else live
        await_that(
            f"{self.url} is out of safe mode with {wanted} live DataNodes",
            lambda: self._state() == (False, wanted),
            seconds,
        )

    def dfsadmin(self, *arguments: str) -> str:
        """What ``hdfs dfsadmin`` does and prints, such as ``-safemode enter``.

        Raises:
            EnvironmentProblem: It failed.
        """
        return run_tool(DFSADMIN, self.conf_dir, self._classpath, *arguments)

    def _state(self) -> tuple[bool, int]:
        """Whether the NameNode is in safe mode, and how many DataNodes are live and not stale."""
        said = jmx(self._http, "Hadoop:service=NameNode,name=FSNamesystemState")
        alive = int(said.get("NumLiveDataNodes", 0)) - int(said.get("NumStaleDataNodes", 0))
        return said.get("FSState") != "Operational", alive

    def _format(self) -> None:
        try:
            run_tool(NAMENODE, self.conf_dir, self._classpath, "-format", "-nonInteractive")
        except BaseException:
            # Half a file system must not be taken for one.
            shutil.rmtree(self.folder / "name", ignore_errors=True)
            raise

    def _namenode_settings(self) -> dict[str, object]:
        return {
            "dfs.namenode.http-address": self._http,
            "dfs.namenode.name.dir": (self.folder / "name").as_uri(),
        }


def is_active(address: str) -> bool:
    """Whether the NameNode with this HTTP address answers, if only in safe mode."""
    said = jmx(address, "Hadoop:service=NameNode,name=NameNodeStatus")
    return said.get("State") == "active"


def serves_blocks(address: str) -> bool:
    """Whether the DataNode with this HTTP address has registered and reported its blocks."""
    said = jmx(address, "Hadoop:service=DataNode,name=DataNodeInfo")
    actors = json.loads(said.get("BPServiceActorInfo", "[]"))
    return bool(actors) and all(actor["ActorState"] == "RUNNING" for actor in actors)
