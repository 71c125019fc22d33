"""How HDFS is reached: what the program says, before what Hadoop's own files say."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from distkeras.errors import ConfigError

__all__ = ["CLIENT_TYPES", "SCHEMES", "HdfsSettings", "hdfs_settings", "use_hdfs_settings"]

CLIENT_TYPES = ("insecure", "token", "kerberos")
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class HdfsSettings:
    """What a program says about HDFS; ``None`` leaves it to ``HADOOP_CONF_DIR``, or a default.

    Attributes:
        namenode_host: of the NameNode, or the name of a nameservice. URLs with this host are
            those that ``port`` and ``namenodes`` are for, and ``hdfs:///path`` is there; None:
            they are for every URL, and ``hdfs:///path`` is at ``fs.defaultFS``.
        namenode_port: of the NameNode's RPC, as URLs have it; only for URLs without a host.
        port: of WebHDFS; default: 9870, with https 9871.
        namenodes: the WebHDFS addresses, ``host:port`` or ``host``, of all NameNodes of one file
            system: one is active, the others stand by.
        scheme: ``http`` or ``https``; default: by ``dfs.http.policy``, or http.
        user: whose name a client without security gives; default: ``HADOOP_USER_NAME``, or the
            user of this process.
        client_type: ``insecure``, ``token`` or ``kerberos``; default: by
            ``hadoop.security.authentication``, or insecure; token where there is a token file.
        token_file: a file that holds a delegation token as text, its "urlString"; read anew for
            each operation, so it may be renewed in place.
        ca_file: certificates that https trusts; default: ``REQUESTS_CA_BUNDLE``, or those of
            the package certifi.
        timeout: seconds, 30. For the whole of an operation: how long attempts go on where there
            is no answer, or "not now", before there is an error. For a transfer: how long it may
            stand still.
    """

    namenode_host: str | None = None
    namenode_port: int | None = None
    port: int | None = None
    namenodes: tuple[str, ...] = ()
    scheme: str | None = None
    user: str | None = None
    client_type: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for name, known in (("scheme", SCHEMES), ("client_type", CLIENT_TYPES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ConfigError(f"{name} is {value!r}, but must be one of {', '.join(known)}")
        for name in ("port", "namenode_port"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1 << 16:
                raise ConfigError(f"{name} is {value!r}, but must be from 1 to 65535")
        if not 0 < self.timeout < inf:
            raise ConfigError(f"timeout is {self.timeout!r}, but must be seconds, more than 0")
        if self.client_type == "token" and self.token_file is None:
            raise ConfigError("client_type is 'token', but token_file names no file")


# Luigi forks its workers: they inherit what their parent said.
_in_force = HdfsSettings()


def use_hdfs_settings(settings: HdfsSettings) -> None:
    """From now on, in this process and those that it forks, HDFS is reached like this."""
    global _in_force
    _in_force = settings


def hdfs_settings() -> HdfsSettings:
    """What is in force: what ``use_hdfs_settings`` was last given, or all defaults."""
    return _in_force
