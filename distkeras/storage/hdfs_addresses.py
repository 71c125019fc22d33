"""Which WebHDFS addresses belong to an HDFS URL."""

from __future__ import annotations

from dataclasses import dataclass

from distkeras.errors import ConfigError, StorageError
from distkeras.storage.hadoop_conf import HadoopConf, split_address
from distkeras.storage.hdfs_settings import HdfsSettings
from distkeras.storage.urls import RemotePath

__all__ = ["Endpoint", "endpoint_of"]

# Where WebHDFS answers unless its administrator chose otherwise, since Hadoop 3.
PORTS = {"http": 9870, "https": 9871}


@dataclass(frozen=True)
class Endpoint:
    """Where to ask about a URL.

    Attributes:
        path: of the URL.
        bases: ``http://host:port`` of each NameNode; any may be the active one.
        client_type: insecure, token or kerberos.
        hint: what to set where they turn out to be wrong; empty where somebody has set them.
    """

    path: str
    bases: tuple[str, ...]
    client_type: str
    hint: str


def endpoint_of(url: str, settings: HdfsSettings) -> Endpoint:
    """Looks first at the settings, then at HADOOP_CONF_DIR; then takes the usual port.

    Args:
        url: ``hdfs://host:port/path``, ``hdfs://nameservice/path`` or ``hdfs:///path``.
        settings: what the program says.

    Raises:
        StorageError: the URL or HADOOP_CONF_DIR is malformed, or nothing says where it is.
    """
    place = RemotePath(url)
    try:
        conf = HadoopConf.read()
        authority = place.authority or _default_authority(settings, conf)
        scheme = settings.scheme or conf.scheme
        addresses = _given(authority, settings, scheme)
        addresses = addresses or conf.webhdfs_addresses(authority, scheme)
        guess = f"{split_address(authority)[0]}:{PORTS[scheme]}"
    except ConfigError as error:
        raise StorageError(f"{url}: {error}") from error
    bases = tuple(f"{scheme}://{address}" for address in addresses or [guess])
    hint = "" if addresses else "set [webhdfs] port or HADOOP_CONF_DIR"
    return Endpoint(place.path, bases, _client_type(settings, conf), hint)


def _given(authority: str, settings: HdfsSettings, scheme: str) -> list[str]:
    host = split_address(authority)[0]
    if settings.namenode_host not in (None, host):
        return []
    port = settings.port or PORTS[scheme]
    if settings.namenodes:
        split = [split_address(address) for address in settings.namenodes]
        return [f"{name}:{own or port}" for name, own in split]
    return [f"{host}:{port}"] if settings.port else []


def _default_authority(settings: HdfsSettings, conf: HadoopConf) -> str:
    if settings.namenode_host:
        port = f":{settings.namenode_port}" if settings.namenode_port else ""
        return settings.namenode_host + port
    if conf.default_authority:
        return conf.default_authority
    raise ConfigError(
        "which HDFS? Write hdfs://host:port/path, or set [hdfs] namenode_host, or HADOOP_CONF_DIR "
        "with fs.defaultFS"
    )


def _client_type(settings: HdfsSettings, conf: HadoopConf) -> str:
    if settings.client_type:
        return settings.client_type
    if settings.token_file:
        return "token"
    return "kerberos" if conf.kerberos else "insecure"
