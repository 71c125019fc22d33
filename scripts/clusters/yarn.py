"""A YARN on this machine: a ResourceManager and a NodeManager, each a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.clusters.hadoop import (
    READY_SECONDS,
    Daemon,
    await_that,
    end_all,
    jmx,
    write_settings,
)
from scripts.clusters.hdfs import Hdfs
from scripts.clusters.java import java_home
from scripts.clusters.maven import classpath
from scripts.clusters.ports import free_ports
from scripts.clusters.service import Service

__all__ = ["Yarn"]

HOST = "127.0.0.1"

RESOURCEMANAGER = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
NODEMANAGER = "org.apache.hadoop.yarn.server.nodemanager.NodeManager"

# Promised to containers, not reserved: an application master and two executors of 1 GB fit.
SETTINGS: dict[str, object] = {
    "yarn.nodemanager.resource.memory-mb": 8192,
    "yarn.nodemanager.resource.cpu-vcores": 8,
    "yarn.scheduler.minimum-allocation-mb": 128,
    # Python's and TensorFlow's address space is large; only the machine's own limit counts.
    "yarn.nodemanager.vmem-check-enabled": "false",
    "yarn.nodemanager.pmem-check-enabled": "false",
    # A disk that is 90 % full would otherwise make the only node unhealthy.
    "yarn.nodemanager.disk-health-checker.enable": "false",
    "yarn.nodemanager.heartbeat.interval-ms": 200,
    "yarn.nm.liveness-monitor.expiry-interval-ms": 15_000,
    "yarn.am.liveness-monitor.expiry-interval-ms": 60_000,
}

# The jar leaves the scheduler's own settings to whoever uses it: one queue for everybody.
QUEUES: dict[str, object] = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": 100,
    "yarn.scheduler.capacity.maximum-am-resource-percent": 1.0,
    "yarn.scheduler.capacity.node-locality-delay": -1,
}


class Yarn(Service):
    """A single-machine YARN; entered, it is started, and left, it is stopped.

    Attributes:
        conf_dir: What Spark needs as ``HADOOP_CONF_DIR`` for ``spark.master=yarn``.
        resourcemanager: The ResourceManager.
        nodemanager: The NodeManager.
        container_logs: Where each container's output lies, by application.
    """

    def __init__(self, folder: Path, hdfs: Hdfs | None = None) -> None:
        """Choose the ports and write the settings; nothing runs yet.

        Args:
            folder: Where local files, settings and logs go; an empty or new one.
            hdfs: The default file system of its applications; this machine's own where none.

        Raises:
            EnvironmentProblem: Java, Maven or its repository is missing.
        """
        self.folder = folder.resolve()
        self._classpath = classpath()
        self.container_logs = self.folder / "container-logs"
        rm_http, nm_http = (f"{HOST}:{port}" for port in free_ports(2))
        self.conf_dir = self._write_conf(rm_http, nm_http, hdfs)
        self.resourcemanager = self._daemon("ResourceManager", RESOURCEMANAGER, rm_http)
        self.nodemanager = self._daemon("NodeManager", NODEMANAGER, nm_http)

    def start(self, seconds: float = READY_SECONDS) -> None:
        """Start both and wait until applications can be run; what runs is left alone.

        Raises:
            EnvironmentProblem: It cannot within so many seconds, with the log of who is to blame.
        """
        for daemon in (self.resourcemanager, self.nodemanager):
            daemon.launch()
        for daemon in (self.resourcemanager, self.nodemanager):
            daemon.await_ready(seconds)
        await_that("the ResourceManager has its node", lambda: self._nodes() == 1, seconds)

    def stop(self) -> None:
        """End both, and with the NodeManager its containers."""
        end_all((self.resourcemanager, self.nodemanager))

    def _nodes(self) -> int:
        bean = "Hadoop:service=ResourceManager,name=ClusterMetrics"
        return int(jmx(self.resourcemanager.http, bean).get("NumActiveNMs", 0))

    def _daemon(self, name: str, main: str, http: str) -> Daemon:
        log = self.folder / "logs" / f"{name}.log"
        daemon = Daemon(name, main, self.conf_dir, self._classpath, log, http, answers)
        # Containers start with "$JAVA_HOME/bin/java", and have it from the NodeManager.
        daemon.environment = {"JAVA_HOME": str(java_home())}
        return daemon

    def _write_conf(self, rm_http: str, nm_http: str, hdfs: Hdfs | None) -> Path:
        core = {
            "fs.defaultFS": hdfs.url if hdfs else "file:///",
            "hadoop.tmp.dir": self.folder / "tmp",
        }
        yarn = SETTINGS | self._own_settings(rm_http, nm_http)
        files = {"core-site": core, "yarn-site": yarn, "capacity-scheduler": QUEUES}
        conf_dir = write_settings(self.folder / "conf", files)
        if hdfs:
            shutil.copy(hdfs.conf_dir / "hdfs-site.xml", conf_dir)
        return conf_dir

    def _own_settings(self, rm_http: str, nm_http: str) -> dict[str, object]:
        ports = iter(free_ports(6))
        manager, node = "yarn.resourcemanager", "yarn.nodemanager"
        return {
            f"{manager}.hostname": HOST,
            f"{manager}.webapp.address": rm_http,
            **{
                f"{manager}.{part}address": f"{HOST}:{next(ports)}"
                for part in ("", "scheduler.", "resource-tracker.", "admin.")
            },
            f"{node}.hostname": HOST,
            f"{node}.webapp.address": nm_http,
            f"{node}.address": f"{HOST}:{next(ports)}",
            f"{node}.localizer.address": f"{HOST}:{next(ports)}",
            f"{node}.local-dirs": self.folder / "local",
            f"{node}.log-dirs": self.container_logs,
        }


def answers(address: str) -> bool:
    """Whether the daemon with this HTTP address serves."""
    return bool(jmx(address, "Hadoop:service=*,name=JvmMetrics"))
