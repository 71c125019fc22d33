"""Several hosts on this machine: network namespaces with an address each, on one switch.

Processes of a host see its own interface and its own loopback, and nobody else's; the files and
the cores are shared. Needs root and Linux's ``ip``. Nothing outside the namespaces is changed:
the switch is a bridge in a namespace, too.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distkeras.errors import EnvironmentProblem

__all__ = ["Host", "Namespaces", "unavailable"]

#: Begins the name of every namespace: the process that made it, its start, and a random part.
PREFIX = "distkeras"
#: Of every run: no two runs see each other.
NETWORK = "10.83.0"
#: The address of no network card.
NOBODY = "02:00:00:00:00:00"
#: Where ``ip netns exec`` looks for files that a host has in the place of those in /etc.
ETC = Path("/etc/netns")
#: Seconds that a process may take to end when it is asked to, before it is killed.
END_TIMEOUT = 10.0


@dataclass(frozen=True)
class Host:
    """One of the hosts.

    Attributes:
        name: by which the others find it, too; it is the host's own name, and on itself, as
            Debian has it, that of the loopback address 127.0.1.1.
        address: IPv4, on which the others reach it.
        namespace: as ``ip netns`` knows it.
    """

    name: str
    address: str
    namespace: str

    def popen(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Starts a process on this host; arguments as those of ``subprocess.Popen``."""
        return subprocess.Popen(self._inside(command), **options)

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """Runs a command on this host; arguments as those of ``subprocess.run``."""
        return subprocess.run(self._inside(command), **options)

    def lose(self, other: Host) -> None:
        """Has everything that this host sends to the other one be lost; the way back is open."""
        # There is no such card: the switch hands the packets to nobody, and nobody is told.
        self._neighbour("replace", other, "lladdr", NOBODY, "nud", "permanent")

    def reach(self, other: Host) -> None:
        """Has what this host sends to the other one arrive again."""
        self._neighbour("del", other)

    def pids(self) -> list[int]:
        """The processes that run on this host."""
        return _pids(self.namespace)

    def _neighbour(self, verb: str, other: Host, *arguments: str) -> None:
        _ip("-n", self.namespace, "neigh", verb, other.address, *arguments, "dev", "eth0")

    def _inside(self, command: Sequence[str]) -> list[str]:
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["ip", "netns", "exec", self.namespace, *named, *command]


class Namespaces:
    """Hosts by their names; a context manager that leaves nothing behind, not a process either.

    Args:
        names: of the hosts, at most 200.

    Attributes:
        hosts: by name.
        switch: the namespace that holds the bridge, where each host's cable ends in an interface
            of the host's name.

    Raises:
        EnvironmentProblem: if this machine has no ``ip``, or does not permit namespaces.
    """

    def __init__(self, names: Sequence[str]) -> None:
        run = f"{PREFIX}-{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(3)}"
        self.switch = f"{run}-switch"
        self.hosts = {
            name: Host(name, f"{NETWORK}.{number}", f"{run}-{name}")
            for number, name in enumerate(names, 11)
        }

    def __enter__(self) -> Namespaces:
        """The hosts are there, and reach each other."""
        if shutil.which("ip") is None:
            raise EnvironmentProblem("network namespaces: there is no ip command (iproute2)")
        _clear_leftovers()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        """Ends all processes of the hosts, and the hosts."""
        for namespace in (*(host.namespace for host in self.hosts.values()), self.switch):
            _remove(namespace)

    def __getitem__(self, name: str) -> Host:
        """The host of this name."""
        return self.hosts[name]

    def _build(self) -> None:
        _ip("netns", "add", self.switch)
        _ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "bridge", "up")
        for number, host in enumerate(self.hosts.values()):
            self._name_hosts(host)
            _ip("netns", "add", host.namespace)
            # An interface's name has 15 characters at most.
            self._plug_in(host, f"port{number}")

    def _plug_in(self, host: Host, port: str) -> None:
        there = ("-n", host.namespace)
        ends = ("name", "eth0", "netns", host.namespace, "type", "veth", "peer", "name", port)
        _ip("link", "add", *ends, "netns", self.switch)
        _ip("-n", self.switch, "link", "set", port, "master", "bridge", "up")
        _ip(*there, "address", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*there, "link", "set", "eth0", "up")
        _ip(*there, "link", "set", "lo", "up")

    def _name_hosts(self, host: Host) -> None:
        folder = ETC / host.namespace
        folder.mkdir(parents=True)
        others = [one for one in self.hosts.values() if one is not host]
        # As Debian has it: for itself, a machine's own name is a loopback address.
        lines = ["127.0.0.1 localhost", f"127.0.1.1 {host.name}"]
        lines += [f"{one.address} {one.name}" for one in others]
        (folder / "hosts").write_text("\n".join(lines) + "\n")


def unavailable() -> str:
    """Why there can be no namespaces on this machine; empty where there can. Tries it."""
    try:
        with Namespaces(["probe"]) as namespaces:
            namespaces["probe"].run(["true"], check=True)
    except (EnvironmentProblem, OSError, subprocess.CalledProcessError) as problem:
        return str(problem)
    return ""


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise EnvironmentProblem(f"network namespaces: ip {' '.join(arguments)}: {why}")
    return done.stdout


def _remove(namespace: str) -> None:
    """Ends a namespace's processes, and it; what is not there is no error."""
    with suppress(EnvironmentProblem):
        for number, within in ((signal.SIGTERM, END_TIMEOUT), (signal.SIGKILL, END_TIMEOUT)):
            _signal(namespace, number)
            if _until(lambda: not _pids(namespace), within):
                break
    with suppress(EnvironmentProblem):
        _ip("netns", "delete", namespace)
    shutil.rmtree(ETC / namespace, ignore_errors=True)
    with suppress(OSError):
        ETC.rmdir()  # If it is empty: nobody else has one.


def _signal(namespace: str, number: signal.Signals) -> None:
    for pid in _pids(namespace):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _pids(namespace: str) -> list[int]:
    """Those that run there; one that has ended and was not waited for is no more there."""
    found = map(int, _ip("netns", "pids", namespace).split())
    return [pid for pid in found if _state(pid) not in ("Z", "")]


def _until(condition: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def _clear_leftovers() -> None:
    """Removes what runs have left that were killed."""
    own = re.compile(rf"({PREFIX}-(\d+)-(\d+)-[0-9a-f]{{6}}-\S+)")
    there = {line.split()[0] for line in _ip("netns", "list").splitlines() if line.strip()}
    if ETC.is_dir():
        there |= {folder.name for folder in ETC.iterdir()}
    for name in there:
        found = own.fullmatch(name)
        if found and _started(int(found[2])) != found[3]:
            _remove(name)


def _started(pid: int) -> str:
    """When a process started, in ticks since the machine did; a pid alone comes back."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _state(pid: int) -> str:
    """As ps shows it; empty if the process is gone."""
    return (_stat(pid) or [""])[0]


def _stat(pid: int) -> list[str]:
    try:
        # The second field is a name, in parentheses, that may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
