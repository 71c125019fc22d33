"""Which WebHDFS addresses Hadoop's own files give for a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from distkeras.storage.hadoop_conf import HadoopConf, split_address

HA = {
    "dfs.nameservices": "mine, other",
    "dfs.ha.namenodes.mine": "nn1,nn2",
    "dfs.namenode.rpc-address.mine.nn1": "a:8020",
    "dfs.namenode.rpc-address.mine.nn2": "b:8020",
    "dfs.namenode.http-address.mine.nn1": "a:9870",
    "dfs.namenode.http-address.mine.nn2": "0.0.0.0:9870",
    "dfs.namenode.https-address.mine.nn1": "a:9871",
    "dfs.namenode.https-address.mine.nn2": "b:9871",
    "dfs.namenode.rpc-address.other": "c:9000",
    "dfs.namenode.http-address.other": "c:50070",
}


def write(folder: Path, name: str, properties: dict[str, str]) -> None:
    lines = [
        f"<property><name> {key} </name><value>{value}</value><final>true</final></property>"
        for key, value in properties.items()
    ]
    text = f'<?xml version="1.0"?><configuration>{"".join(lines)}</configuration>'
    (folder / name).write_text(text)


def test_the_files_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HadoopConf.read().default_authority is None
    write(tmp_path, "core-site.xml", {"fs.defaultFS": "hdfs://core:1", "x": "1"})
    write(tmp_path, "hdfs-site.xml", {"fs.defaultFS": " hdfs://later:2 ", "y": ""})
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    conf = HadoopConf.read()
    assert conf.default_authority == "later:2"
    assert (conf.get("x"), conf.get("y"), conf.get("z")) == ("1", None, None)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"HADOOP_CONF_DIR is .*missing, which is no directory"):
        HadoopConf.read()
    assert HadoopConf.read(tmp_path).get("x") is None
    (tmp_path / "hdfs-site.xml").write_text("<configuration><property>")
    with pytest.raises(ConfigError, match=r"hdfs-site\.xml: cannot be read"):
        HadoopConf.read(tmp_path)
    (tmp_path / "hdfs-site.xml").write_text("<other/>")
    with pytest.raises(ConfigError, match="is other, not configuration"):
        HadoopConf.read(tmp_path)


def test_variables_name_other_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "here")
    conf = HadoopConf(
        {"a": "${b}:${port}", "b": "${env.PLACE}", "port": "1", "c": "${c}", "d": "${env.NO:-x}"}
    )
    assert conf.get("a") == "here:1"
    assert conf.get("c") == "${c}"
    assert conf.get("d") == "x"
    assert HadoopConf({"e": "${nothing}"}).get("e") == "${nothing}"


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("mine", ["a:9870", "b:9870"]),
        ("a:8020", ["a:9870"]),
        ("a", ["a:9870"]),
        ("b:8020", ["b:9870"]),
        ("other", ["c:50070"]),
        ("c:9000", ["c:50070"]),
        ("a:9000", []),
        ("unknown", []),
    ],
)
def test_nameservices_and_their_namenodes(authority: str, expected: list[str]) -> None:
    assert HadoopConf(HA).webhdfs_addresses(authority, "http") == expected


def test_https_has_addresses_of_its_own() -> None:
    assert HadoopConf(HA).webhdfs_addresses("mine", "https") == ["a:9871", "b:9871"]
    assert HadoopConf({"dfs.http.policy": "HTTPS_ONLY"}).scheme == "https"
    assert HadoopConf({"dfs.http.policy": "HTTP_AND_HTTPS"}).scheme == "http"


@pytest.mark.parametrize(
    ("properties", "authority", "expected"),
    [
        ({"fs.defaultFS": "hdfs://h:9000"}, "h:9000", ["h:19870"]),
        ({"fs.defaultFS": "hdfs://h:9000"}, "h", ["h:19870"]),
        ({"fs.defaultFS": "hdfs://h:9000"}, "h:8020", []),
        ({"fs.defaultFS": "hdfs://h"}, "h:8020", ["h:19870"]),
        ({"fs.defaultFS": "hdfs://g:9000"}, "h:9000", []),
        ({"dfs.namenode.rpc-address": "h:9000"}, "h:9000", ["h:19870"]),
    ],
)
def test_one_namenode_that_listens_everywhere(
    properties: dict[str, str], authority: str, expected: list[str]
) -> None:
    conf = HadoopConf(properties | {"dfs.namenode.http-address": "0.0.0.0:19870"})
    assert conf.webhdfs_addresses(authority, "http") == expected


def test_a_default_that_is_no_hdfs() -> None:
    assert HadoopConf({"fs.defaultFS": "s3a://bucket"}).default_authority is None


def test_kerberos() -> None:
    assert HadoopConf({"hadoop.security.authentication": "kerberos"}).kerberos
    assert not HadoopConf({}).kerberos


def test_addresses() -> None:
    assert split_address("h:1") == ("h", 1)
    assert split_address("h") == ("h", None)
    assert split_address("[::1]:5") == ("[::1]", 5)
    assert split_address("[::1]") == ("[::1]", None)
    for wrong in ("h:x", "h:", "h:70000"):
        with pytest.raises(ConfigError, match="is no port"):
            split_address(wrong)
