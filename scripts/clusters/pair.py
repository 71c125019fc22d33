"""An HDFS with two NameNodes, one active and one on standby, and a DataNode."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.clusters.hadoop import READY_SECONDS, Daemon, end_all, jmx, run_tool
from scripts.clusters.hdfs import HOST, NAMENODE, SETTINGS, HdfsDaemons
from scripts.clusters.maven import classpath
from scripts.clusters.ports import free_ports

__all__ = ["Pair"]

SERVICE = "pair"
NAMES = ("nn1", "nn2")
ADMIN = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
PROVIDER = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"


class Pair(HdfsDaemons):
    """Two NameNodes that share their edits by a folder; entered, the first one is active.

    Attributes:
        url: ``hdfs://pair``, a nameservice.
        conf_dir: A client's ``HADOOP_CONF_DIR``, which says where it is.
        namenodes: The NameNodes.
    """

    def __init__(self, folder: Path) -> None:
        """Choose the ports and write the settings; nothing runs yet.

        Args:
            folder: Where data, settings and logs go; an empty or new one.

        Raises:
            EnvironmentProblem: Java, Maven or its repository is missing.
        """
        self.folder = folder.resolve()
        self._classpath = classpath()
        self.url = f"hdfs://{SERVICE}"
        self._settings = SETTINGS | {"dfs.replication": 1} | self._addresses()
        self.conf_dir = self._write_conf("conf", {})
        self.namenodes = tuple(map(self._namenode, NAMES))
        self._datanode = self._make_datanode("")

    def start(self, seconds: float = READY_SECONDS) -> None:
        """Start all of it, and make the first NameNode active.

        Raises:
            EnvironmentProblem: It cannot within so many seconds, with the log of who is to blame.
        """
        conf_dir = self.namenodes[0].conf_dir
        run_tool(NAMENODE, conf_dir, self._classpath, "-format", "-nonInteractive")
        shutil.copytree(self.folder / "name-nn1", self.folder / "name-nn2")
        for daemon in (*self.namenodes, self._datanode):
            daemon.launch()
        for daemon in self.namenodes:
            daemon.await_ready(seconds)
        self.activate(0)
        self._datanode.await_ready(seconds)

    def stop(self) -> None:
        """End all of it."""
        end_all((*self.namenodes, self._datanode))

    def activate(self, number: int) -> None:
        """Make a NameNode the active one, as an administrator does when the other one is gone.

        Raises:
            EnvironmentProblem: It does not become it.
        """
        verb = ("-transitionToActive", "--forceactive", NAMES[number])
        run_tool(ADMIN, self.conf_dir, self._classpath, *verb)

    def _addresses(self) -> dict[str, object]:
        ports = iter(free_ports(4))
        return {
            "dfs.nameservices": SERVICE,
            f"dfs.ha.namenodes.{SERVICE}": ",".join(NAMES),
            f"dfs.client.failover.proxy.provider.{SERVICE}": PROVIDER,
            "dfs.ha.fencing.methods": "shell(true)",
            "dfs.namenode.shared.edits.dir": (self.folder / "edits").as_uri(),
            # The one on standby follows the active one at once.
            "dfs.ha.tail-edits.period": 1,
            **{
                f"dfs.namenode.{kind}-address.{SERVICE}.{name}": f"{HOST}:{next(ports)}"
                for name in NAMES
                for kind in ("rpc", "http")
            },
        }

    def _namenode(self, name: str) -> Daemon:
        data = (self.folder / f"name-{name}").as_uri()
        own = {"dfs.ha.namenode.id": name, "dfs.namenode.name.dir": data}
        http = str(self._settings[f"dfs.namenode.http-address.{SERVICE}.{name}"])
        conf_dir = self._write_conf(f"conf-{name}", own)
        return self._daemon(name, NAMENODE, conf_dir, http, answers)


def answers(address: str) -> bool:
    """Whether the NameNode with this HTTP address says what it is, active or on standby."""
    said = jmx(address, "Hadoop:service=NameNode,name=NameNodeStatus")
    return said.get("State") in ("active", "standby")
