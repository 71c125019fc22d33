"""Where the parameter server listens, and the address that workers on other machines are told.

The server needs no settings of its own but a port: what Spark's executors reach the driver by,
the workers reach the server by.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from distkeras.engines.certificates import Certificate
from distkeras.errors import ConfigError, EnvironmentProblem

__all__ = ["PORT", "TLS", "Endpoint", "endpoint", "runs_in_driver"]

#: The Spark setting that names the server's port; 0 or unset for any free one.
PORT = "spark.distkeras.port"
#: The Spark setting that has workers and server speak TLS: "true" or "false"; and the beginning of
#: those that name files on the driver: ``.certificate``, ``.key`` and ``.authority``. A certificate
#: means TLS where nothing else is said.
TLS = "spark.distkeras.tls"
#: The Spark setting that says how many ports above it are tried, as for Spark's own.
RETRIES = "spark.port.maxRetries"


class Endpoint(NamedTuple):
    """Where the server listens.

    Attributes:
        host: a name or an address, that the workers connect to.
        bind: the name or address on this machine.
        port: 0 for any free one.
        retries: ports above it that are tried where it is taken.
        tls: whether workers and server speak TLS.
        certificate: the user's; None has one made for the run.
    """

    host: str
    bind: str
    port: int = 0
    retries: int = 0
    tls: bool = False
    certificate: Certificate | None = None


def endpoint(setting: Callable[[str, str], str | None], master_port: int = 0) -> Endpoint:
    """Where the server of a Spark session listens.

    A master that runs tasks in the driver's process needs no more than loopback. Any other
    reaches the driver by ``spark.driver.host``, as its executors do already, and the driver
    binds ``spark.driver.bindAddress`` where that is set, as behind NAT or in a container.

    Args:
        setting: Spark's setting of this name, or the second argument where it is not set.
        master_port: the trainer's, taken as it is; 0 leaves the port to ``spark.distkeras.port``
            and ``spark.port.maxRetries``.

    Raises:
        EnvironmentProblem: if the driver advertises an address that only it can reach.
        ConfigError: if a port is none, or a certificate has no key.
    """
    master = setting("spark.master", "") or "local"
    host = setting("spark.driver.host", "") or ""
    bind = setting("spark.driver.bindAddress", "") or host
    if runs_in_driver(master):
        host = bind = "127.0.0.1"
    elif not _on_this_machine(master):
        _check_host(host, bind, master)
    # Spark writes IPv6 addresses in brackets, sockets do not.
    host, bind = host.strip("[]"), bind.strip("[]")
    certificate = _certificate(setting)
    tls = _tls(setting, certificate is not None)
    if master_port:
        return Endpoint(host, bind, master_port, 0, tls, certificate)
    port = _whole(setting, PORT, "0", 2**16 - 1)
    retries = _whole(setting, RETRIES, "16", 2**16 - 1) if port else 0
    return Endpoint(host, bind, port, retries, tls, certificate)


def runs_in_driver(master: str) -> bool:
    """Whether this ``spark.master`` has tasks run in the driver's process: ``local[2]``."""
    return master == "local" or master.startswith("local[")


def _on_this_machine(master: str) -> bool:
    """Whether all executors must be here: nobody else reaches a Master on loopback."""
    if master.startswith("local-cluster["):
        return True
    masters = master.removeprefix("spark://").split(",")
    hosts = [one.rpartition(":")[0].strip("[]") for one in masters]
    return master.startswith("spark://") and all(_useless(host) for host in hosts)


def _check_host(host: str, bind: str, master: str) -> None:
    what = f"spark.driver.host is {host or 'not set'}"
    remedy = "set it to this machine's address in the cluster's network"
    if not host or _useless(host):
        raise EnvironmentProblem(f"{what}, which workers of {master} cannot reach: {remedy}")
    if bind != host:
        return  # What the name is elsewhere cannot be asked here; the server binds another.
    try:
        found = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as problem:
        why = problem.strerror or problem
        raise EnvironmentProblem(f"{what}, which is no address here ({why}): {remedy}") from None
    if _useless(str(found)):
        # As Debian has it in /etc/hosts, 127.0.1.1.
        raise EnvironmentProblem(
            f"{what}, which is {found} here, where workers of {master} cannot reach it: {remedy}, "
            "or set spark.driver.bindAddress too"
        )


def _useless(host: str) -> bool:
    """Whether this names no more than the machine that uses it."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _tls(setting: Callable[[str, str], str | None], default: bool) -> bool:
    text = setting(TLS, "") or str(default)
    if text.lower() not in ("true", "false"):
        raise ConfigError(f"{TLS} is {text!r}, but must be true or false")
    return text.lower() == "true"


def _certificate(setting: Callable[[str, str], str | None]) -> Certificate | None:
    """The user's certificate, where one is named."""
    names = (f"{TLS}.certificate", f"{TLS}.key", f"{TLS}.authority")
    certificate, key, authority = (setting(name, "") or "" for name in names)
    if bool(certificate) != bool(key) or (authority and not key):
        given = ", ".join(name for name in names if setting(name, ""))
        raise ConfigError(f"{given} is set, but needs {names[0]} and {names[1]}")
    if not key:
        return None
    return Certificate(Path(certificate), Path(key), Path(authority) if authority else None)


def _whole(setting: Callable[[str, str], str | None], name: str, default: str, most: int) -> int:
    text = setting(name, default) or default
    if not text.isdecimal() or int(text) > most:
        raise ConfigError(f"{name} is {text!r}, but must be a whole number from 0 to {most}")
    return int(text)
