from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from tasks.settings.spark import spark_settings


def test_defaults_are_one_machine_that_nobody_else_reaches() -> None:
    settings = spark_settings({})
    assert settings["spark.master"] == "local[*]"
    assert settings["spark.driver.host"] == settings["spark.driver.bindAddress"] == "127.0.0.1"


def test_a_cluster_keeps_its_addresses() -> None:
    settings = spark_settings({"master": "spark://host:7077"})
    assert settings["spark.master"] == "spark://host:7077"
    assert "spark.driver.host" not in settings
    assert "spark.driver.host" not in spark_settings({"master": "local-cluster[2,1,1024]"})


def test_luigis_keys_become_sparks() -> None:
    section = {
        "name": "nightly",
        "driver-memory": "2g",
        "executor_memory": "4g",
        "executor-cores": "2",
        "num-executors": "3",
        "total-executor-cores": "6",
        "packages": "a:b:1, c:d:2",
        "py-files": "a.py,b.zip",
        "archives": "env.tar.gz#env",
        "deploy-mode": "client",
        "spark-submit": "ss",
        "conf": "spark.ui.port=4050 | spark.x=a=b|spark.driver.memory=3g",
    }
    settings = spark_settings(section)
    expected = {
        "spark.app.name": "nightly",
        "spark.driver.memory": "3g",
        "spark.executor.memory": "4g",
        "spark.executor.cores": "2",
        "spark.executor.instances": "3",
        "spark.cores.max": "6",
        "spark.jars.packages": "a:b:1,c:d:2",
        "spark.submit.pyFiles": "a.py,b.zip",
        "spark.archives": "env.tar.gz#env",
        "spark.ui.port": "4050",
        "spark.x": "a=b",
    }
    assert {key: settings[key] for key in expected} == expected
    assert all(key.startswith("spark.") for key in settings)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"drver-memory": "2g"}, r"\[spark\] drver-memory: unknown key; did you mean driver-mem"),
        ({"zzz": "2g"}, r"\[spark\] zzz: unknown key; known: master, "),
        ({"deploy-mode": "cluster"}, r"\[spark\] deploy-mode = cluster: only client"),
        ({"conf": "spark.a"}, r"\[spark\] conf: 'spark.a' is no setting"),
        ({"conf": "a=b"}, r"\[spark\] conf: 'a' is no setting"),
    ],
)
def test_wrong_keys_are_named(section: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        spark_settings(section)
