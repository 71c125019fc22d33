"""HTTP sessions that a cluster knows the user by; the ``hdfs`` package does the authentication."""

from __future__ import annotations

import logging
import os
from getpass import getuser
from pathlib import Path

import requests

from distkeras.errors import ConfigError
from distkeras.storage.hdfs_addresses import Endpoint
from distkeras.storage.hdfs_errors import without_secrets
from distkeras.storage.hdfs_settings import HdfsSettings

__all__ = ["namenode_session", "plain_session"]

# What `hdfs fetchdt` writes is not the text that a URL takes.
BINARY_TOKENS = b"HDTS"


class _WithoutSecrets(logging.Filter):
    """urllib3 tells every URL at the level DEBUG, and a delegation token is part of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(record.getMessage()), ()
        return True


_WITHOUT_SECRETS = _WithoutSecrets()


def plain_session(settings: HdfsSettings) -> requests.Session:
    """A session for DataNodes: what they ask for is in the URL that the NameNode gave."""
    logging.getLogger("urllib3.connectionpool").addFilter(_WITHOUT_SECRETS)
    session = requests.Session()
    # No proxy, .netrc or cache stands between the machines of a cluster.
    session.trust_env = False
    session.verify = settings.ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.headers["Accept-Encoding"] = "identity"
    session.headers["Content-Type"] = "application/octet-stream"
    return session


def namenode_session(endpoint: Endpoint, settings: HdfsSettings) -> requests.Session:
    """A session for NameNodes.

    Raises:
        ConfigError: there is no token, no user, or no package for Kerberos.
    """
    from hdfs.client import InsecureClient, TokenClient

    session = plain_session(settings)
    url = ";".join(endpoint.bases)
    if endpoint.client_type == "kerberos":
        _kerberos_client()(url, session=session)
    elif endpoint.client_type == "token":
        TokenClient(url, token=_token(settings.token_file), session=session)
    else:
        InsecureClient(url, user=_user(settings), session=session)
    return session


def _kerberos_client() -> type:
    try:
        from hdfs.ext.kerberos import KerberosClient
    except ImportError as error:
        raise ConfigError(
            f"Kerberos needs the package requests-kerberos ({error}): "
            "pip install distkeras[kerberos]"
        ) from error
    client: type = KerberosClient
    return client


def _token(path: str | None) -> str:
    if path is None:
        raise ConfigError("client_type is token, but [webhdfs] token_file names no file")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"token_file {path}: {error.strerror}") from error
    if content.startswith(BINARY_TOKENS):
        raise ConfigError(
            f"token_file {path} is Hadoop's binary store of tokens: write the token's urlString "
            "into it, as WebHDFS' GETDELEGATIONTOKEN gives it"
        )
    token = content.decode(errors="replace").strip()
    if not token or not token.isascii() or len(token.split()) != 1:
        raise ConfigError(f"token_file {path} does not hold one line with a token")
    return token


def _user(settings: HdfsSettings) -> str:
    try:
        return settings.user or os.environ.get("HADOOP_USER_NAME") or getuser()
    except (KeyError, OSError, ImportError) as error:
        raise ConfigError("this process's user has no name: set [webhdfs] user") from error
