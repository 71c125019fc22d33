"""One Hadoop daemon as a process of its own: configured, started, awaited, killed, restarted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from distkeras.errors import EnvironmentProblem
from scripts.clusters.java import java_home

__all__ = ["Daemon", "await_that", "end_all", "jmx", "run_tool", "write_settings"]

READY_SECONDS = 240.0
"""How long a daemon may take until it is ready. Quiet it takes about 5 s."""

STOP_SECONDS = 15.0
"""How long a daemon may take to end by itself before it is killed."""

POLL_SECONDS = 0.1

LOG_LINES = 12

# Small heaps and no optimizing compiler: these daemons serve one test at a time, soon.
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")

# Hadoop logs through SLF4J, whose binding among pyspark's jars is Log4j 2.
LOG_SETTINGS = """status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


def write_settings(conf_dir: Path, files: Mapping[str, Mapping[str, object]]) -> Path:
    """Write Hadoop's XML files into a folder; return the folder.

    Args:
        conf_dir: Made where it is not there.
        files: What each file says, by its name without ``.xml``, such as ``core-site``.
    """
    conf_dir.mkdir(parents=True, exist_ok=True)
    for name, settings in files.items():
        rows = (
            f"<property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>"
            for key, value in settings.items()
        )
        lines = ['<?xml version="1.0"?>', "<configuration>", *rows, "</configuration>", ""]
        (conf_dir / f"{name}.xml").write_text("\n".join(lines))
    return conf_dir


def java_command(main: str, conf_dir: Path, classpath: str, *options: str) -> list[str]:
    """The command of one Java program that reads its settings from a folder."""
    java = str(java_home() / "bin" / "java")
    path = f"{conf_dir}{os.pathsep}{classpath}"
    return [java, *JAVA_OPTIONS, *options, "-cp", path, main]


def run_tool(main: str, conf_dir: Path, classpath: str, *arguments: str) -> str:
    """Run one of Hadoop's command-line tools to its end and return what it printed.

    Raises:
        EnvironmentProblem: It failed, or took longer than `READY_SECONDS`.
    """
    command = [*java_command(main, conf_dir, classpath, "-Xmx128m"), *arguments]
    asked = " ".join([main, *arguments])
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=READY_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{asked} took longer than {READY_SECONDS:g} s") from None
    if done.returncode:
        raise EnvironmentProblem(f"{asked} failed: {done.stdout[-2000:]}")
    return done.stdout


def jmx(address: str, bean: str) -> dict[str, Any]:
    """What a daemon says of itself in one of its management beans; empty where it says nothing.

    Args:
        address: The daemon's HTTP address, ``host:port``.
        bean: The bean's name, such as ``Hadoop:service=NameNode,name=NameNodeInfo``.
    """
    # The daemon is on this machine: a proxy of the user's would not find it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    query = urllib.parse.quote(bean, safe="")
    try:
        with opener.open(f"http://{address}/jmx?qry={query}", timeout=5.0) as answer:
            beans = json.load(answer)["beans"]
    except (OSError, ValueError):
        return {}
    return dict(beans[0]) if beans else {}


def await_that(what: str, happened: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Poll until a condition holds.

    Raises:
        EnvironmentProblem: It does not hold after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise EnvironmentProblem(f"{what}: not so after {seconds:g} s")
        time.sleep(POLL_SECONDS)


@dataclass
class Daemon:
    """A Hadoop server. Its ports and its data outlive its process.

    Attributes:
        name: What it is called in errors and in its log's name.
        main: Its Java class.
        conf_dir: The folder of its settings.
        classpath: What comes behind that folder.
        log: The file to which all its processes append.
        http: The address of its web server, ``host:port``.
        ready: Whether the daemon at such an address serves; asked until it says so.
        megabytes: Its heap.
        environment: What its process has beside this process's environment.
    """

    name: str
    main: str
    conf_dir: Path
    classpath: str
    log: Path
    http: str
    ready: Callable[[str], bool]
    megabytes: int = 256
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The id of its process, the last one where it has ended.

        Raises:
            EnvironmentProblem: It was never launched.
        """
        return self._launched().pid

    @property
    def alive(self) -> bool:
        """Whether its process is there; a paused one is."""
        return self._process is not None and self._process.poll() is None

    def start(self, seconds: float = READY_SECONDS) -> None:
        """Launch it, and return when it is ready.

        Raises:
            EnvironmentProblem: It ended, or is not ready after so many seconds; with the last
                lines of its log.
        """
        self.launch()
        self.await_ready(seconds)

    def launch(self) -> None:
        """Launch its process, without waiting for it; one that is there only goes on."""
        if self.alive:
            self.resume()
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                java_command(self.main, self.conf_dir, self.classpath, *self._options()),
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Out of reach of a terminal's Ctrl-C: whoever started it also ends it.
                start_new_session=True,
            )
        self._guard = guard(self._process.pid)

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it serves; as `start` does."""
        try:
            await_that("ready", lambda: not self.alive or self.ready(self.http), seconds)
        except EnvironmentProblem:
            raise EnvironmentProblem(
                f"the {self.name} is not ready after {seconds:g} s: {self.last_lines()}"
            ) from None
        if not self.alive:
            raise EnvironmentProblem(f"the {self.name} has ended: {self.last_lines()}")

    def kill(self) -> None:
        """End its process at once, as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let its process end by itself (SIGTERM); kill it when it does not."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze its process (SIGSTOP): its connections stay open and silent."""
        self._launched().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._launched().send_signal(signal.SIGCONT)

    def last_lines(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"last lines of {self.log}:", *lines[-LOG_LINES:]])

    def _options(self) -> list[str]:
        # Beside the log: among the settings, Spark would log as the daemons do.
        settings = self.log.parent / "log4j2.properties"
        settings.write_text(LOG_SETTINGS)
        return [f"-Xmx{self.megabytes}m", f"-Dlog4j2.configurationFile={settings}"]

    def _launched(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EnvironmentProblem(f"the {self.name} was never started")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._guard is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.kill()
        self._guard.communicate()
        self._guard = None


def guard(pid: int) -> subprocess.Popen[bytes]:
    """A process that kills another one as soon as this process is gone, however it went.

    It reads from a pipe that nobody writes to; the kernel closes it with this process. (The
    signal that Linux sends at a parent's death comes already when the *thread* ends that
    started the child.)
    """
    return subprocess.Popen(
        ["sh", "-c", 'read -r _; kill -KILL "$0"', str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end_all(daemons: Iterable[Daemon]) -> None:
    """Stop daemons, the first one last, as they depend on each other."""
    for daemon in reversed(list(daemons)):
        daemon.stop()
