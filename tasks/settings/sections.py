"""The sections of luigi's configuration that say where Spark and HDFS are, and who we are."""

from __future__ import annotations

import os

import luigi

from distkeras.storage.hdfs_settings import use_hdfs_settings
from tasks.settings.hdfs import hdfs_settings
from tasks.settings.punchcard import PunchcardSettings, punchcard_settings
from tasks.settings.spark import spark_settings

__all__ = ["apply_sections", "punchcard_section", "spark_section"]


def apply_sections() -> None:
    """Checks ``[spark]``, ``[punchcard]``, ``[hdfs]`` and ``[webhdfs]``; tells the storage of them.

    Raises:
        ConfigError: a section holds something unknown or impossible.
    """
    spark_settings(spark_section())
    punchcard_section()
    if folder := spark_section().get("hadoop_conf_dir"):
        os.environ["HADOOP_CONF_DIR"] = folder
    use_hdfs_settings(hdfs_settings(_section("hdfs"), _section("webhdfs")))


def spark_section() -> dict[str, str]:
    """Keys, with underscores, and values of ``[spark]``."""
    return _section("spark")


def punchcard_section() -> PunchcardSettings:
    """What ``[punchcard]`` says.

    Raises:
        ConfigError: it holds something unknown.
    """
    return punchcard_settings(_section("punchcard"))


def _section(name: str) -> dict[str, str]:
    config = luigi.configuration.get_config()
    if not config.has_section(name):
        return {}
    # Luigi knows a key with dashes by its name with underscores too, and asks for the latter.
    return {key.replace("-", "_"): config.get(name, key) for key in config.options(name)}
