"""Hadoop's own configuration, as far as WebHDFS needs it: the XML files in HADOOP_CONF_DIR."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from distkeras.errors import ConfigError

__all__ = ["HadoopConf", "split_address"]

FILES = ("core-site.xml", "hdfs-site.xml")
# What a NameNode listens on is no address to go to.
ANY = ("", "0.0.0.0", "::", "[::]")
_VARIABLE = re.compile(r"\$\{([^${}\s]+)\}")
# As Hadoop has it: variables may name others, but not for ever.
DEPTH = 20


class HadoopConf:
    """The properties of core-site.xml, and those of hdfs-site.xml over them.

    Args:
        properties: by name, with their variables as they stand in the files.
    """

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._properties = dict(properties)

    @classmethod
    def read(cls, folder: str | os.PathLike[str] | None = None) -> HadoopConf:
        """Reads a folder; a file, or all of them, may be missing.

        Args:
            folder: None: what the environment variable HADOOP_CONF_DIR says; without it, nothing
                is read.

        Raises:
            ConfigError: the folder is missing, or a file in it is no configuration.
        """
        chosen = folder or os.environ.get("HADOOP_CONF_DIR")
        if not chosen:
            return cls({})
        if not Path(chosen).is_dir():
            raise ConfigError(f"HADOOP_CONF_DIR is {os.fspath(chosen)}, which is no directory")
        return cls({key: value for name in FILES for key, value in _properties(Path(chosen, name))})

    def get(self, key: str) -> str | None:
        """A property's value, its variables replaced; None where it is not set, or is empty."""
        value = self._properties.get(key, "")
        for _ in range(DEPTH):
            replaced = _VARIABLE.sub(self._variable, value)
            if replaced == value:
                break
            value = replaced
        return value.strip() or None

    @property
    def default_authority(self) -> str | None:
        """Host and port, or nameservice, of ``hdfs:///path``; None where that is no HDFS."""
        default = urlsplit(self.get("fs.defaultFS") or self.get("fs.default.name") or "")
        return default.netloc if default.scheme == "hdfs" and default.netloc else None

    @property
    def scheme(self) -> str:
        """``https`` where NameNodes answer nothing else, or ``http``."""
        return "https" if self.get("dfs.http.policy") == "HTTPS_ONLY" else "http"

    @property
    def kerberos(self) -> bool:
        """Whether the cluster asks for Kerberos."""
        return self.get("hadoop.security.authentication") == "kerberos"

    def webhdfs_addresses(self, authority: str, scheme: str) -> list[str]:
        """Where WebHDFS answers for a file system.

        Args:
            authority: of an HDFS URL: a nameservice, ``host:port`` of a NameNode's RPC, or a host.
            scheme: http or https.

        Returns:
            ``host:port`` of each of its NameNodes; empty where the files do not say.
        """
        service = authority if authority in self._list("dfs.nameservices") else None
        nodes = [node for node in self._nodes() if service is None or node[0] == service]
        found: list[str] = []
        for name, node in nodes:
            host, _ = split_address(self._rpc_address(name, node) or "")
            listed = self._of(f"dfs.namenode.{scheme}-address", name, node)
            address = _reachable(listed, host or split_address(authority)[0])
            if address and (service or self._is_for(authority, name, node, address)):
                found.append(address)
        return found

    def _is_for(self, authority: str, name: str, node: str, address: str) -> bool:
        rpc = self._rpc_address(name, node)
        if rpc is None:
            return split_address(authority)[0] == split_address(address)[0]
        host, port = split_address(authority)
        known_host, known_port = split_address(rpc)
        return host == known_host and (port is None or (known_port or 8020) == port)

    def _rpc_address(self, name: str, node: str) -> str | None:
        address = self._of("dfs.namenode.rpc-address", name, node)
        return address if address or name or node else self.default_authority

    def _nodes(self) -> Iterator[tuple[str, str]]:
        """Nameservice and NameNode of each NameNode that has an address; empty where unnamed."""
        for name in self._list("dfs.nameservices") or [""]:
            for node in self._list(f"dfs.ha.namenodes.{name}") or [""]:
                yield name, node

    def _of(self, key: str, name: str, node: str) -> str | None:
        """The most special of a key's forms: key.nameservice.namenode, key.nameservice, key."""
        suffixes = [part for part in (name, node) if part]
        for count in range(len(suffixes), -1, -1):
            if value := self.get(".".join([key, *suffixes[:count]])):
                return value
        return None

    def _list(self, key: str) -> list[str]:
        return [item.strip() for item in (self.get(key) or "").split(",") if item.strip()]

    def _variable(self, match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("env."):
            variable, _, default = name.removeprefix("env.").partition(":-")
            return os.environ.get(variable, default)
        return self._properties.get(name, match[0])


def split_address(address: str) -> tuple[str, int | None]:
    """Host and port of ``host:port``, ``host`` or ``[IPv6]:port``; a host keeps its brackets.

    Raises:
        ConfigError: the port is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address, None
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{address}: {port!r} is no port")
    return host, int(port)


def _reachable(address: str | None, host: str) -> str | None:
    if address is None:
        return None
    listens, port = split_address(address)
    return f"{host if listens in ANY else listens}:{port}" if port else None


def _properties(path: Path) -> Iterator[tuple[str, str]]:
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        return
    except (ElementTree.ParseError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as Hadoop's configuration: {error}") from error
    if root.tag != "configuration":
        raise ConfigError(f"{path}: its outermost element is {root.tag}, not configuration")
    for entry in root.iter("property"):
        name, value = entry.findtext("name"), entry.findtext("value")
        if name and value is not None:
            yield name.strip(), value
