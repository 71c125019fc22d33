from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from distkeras.storage.hdfs_settings import HdfsSettings
from tasks.settings.hdfs import hdfs_settings


def test_nothing_said_is_nothing_set() -> None:
    assert hdfs_settings({}, {}) == hdfs_settings({"user": ""}, {"port": " "}) == HdfsSettings()


def test_luigis_keys_and_ours() -> None:
    hdfs = {
        "client": "webhdfs",
        "tmp_dir": "/tmp",
        "namenode-host": "nn",
        "namenode_port": "8020",
        "user": "less",
    }
    webhdfs = {
        "port": "9871",
        "user": "more",
        "client_type": "token",
        "scheme": "https",
        "namenodes": "a, b:1,",
        "token-file": "/t",
        "ca_file": "/c",
        "timeout": "2.5",
    }
    assert hdfs_settings(hdfs, webhdfs) == HdfsSettings(
        namenode_host="nn",
        namenode_port=8020,
        port=9871,
        namenodes=("a", "b:1"),
        scheme="https",
        user="more",
        client_type="token",
        token_file="/t",
        ca_file="/c",
        timeout=2.5,
    )
    assert hdfs_settings(hdfs, {}).user == "less"


@pytest.mark.parametrize(
    ("hdfs", "webhdfs", "message"),
    [
        ({}, {"prot": "1"}, "[webhdfs] prot: unknown key; did you mean port?"),
        ({"port": "1"}, {}, "[hdfs] port: unknown key; it belongs into [webhdfs]"),
        ({"zzz": "1"}, {}, "[hdfs] zzz: unknown key; known: namenode_host"),
        ({}, {"port": "x"}, "[webhdfs] port = x: must be a whole number"),
        ({}, {"timeout": "long"}, "[webhdfs] timeout = long: must be a number"),
        ({}, {"client_type": "ker"}, "client_type is 'ker', but must be one of insecure, token"),
        ({"namenode_port": "0"}, {}, "namenode_port is 0, but must be from 1 to 65535"),
    ],
)
def test_what_cannot_be(hdfs: dict[str, str], webhdfs: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        hdfs_settings(hdfs, webhdfs)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
