"""Luigi's ``[spark]`` section as Spark's own settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from distkeras.errors import ConfigError

__all__ = ["spark_settings"]

# As users of luigi.contrib.spark know the keys; the right side is Spark's name for the same.
PLAIN = {
    "master": "spark.master",
    "name": "spark.app.name",
    "jars": "spark.jars",
    "packages": "spark.jars.packages",
    "py-files": "spark.submit.pyFiles",
    "files": "spark.files",
    "archives": "spark.archives",
    "queue": "spark.yarn.queue",
    "driver-memory": "spark.driver.memory",
    "driver-cores": "spark.driver.cores",
    "driver-java-options": "spark.driver.extraJavaOptions",
    "driver-library-path": "spark.driver.extraLibraryPath",
    "driver-class-path": "spark.driver.extraClassPath",
    "executor-memory": "spark.executor.memory",
    "executor-cores": "spark.executor.cores",
    "num-executors": "spark.executor.instances",
    "total-executor-cores": "spark.cores.max",
}
OTHER = ("conf", "deploy-mode", "hadoop-conf-dir")
# These only concern luigi's own spark-submit tasks, which may share the section.
NOT_OURS = ("spark-submit", "supervise", "pickle-protocol")
LISTS = ("jars", "packages", "py-files", "files", "archives")

DEFAULTS = {
    "spark.app.name": "distkeras",
    "spark.master": "local[*]",
    "spark.log.level": "WARN",
    "spark.ui.showConsoleProgress": "false",
}
# On one machine nobody else has to reach the driver, so nobody else can.
LOCAL_DEFAULTS = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def spark_settings(section: Mapping[str, str]) -> dict[str, str]:
    """Translates the section.

    Args:
        section: keys, with dashes or underscores, and values of ``[spark]``. ``conf`` holds
            further Spark settings, ``a=b | c=d``, and wins over the other keys.

    Raises:
        ConfigError: an unknown key, a cluster deploy mode, or a ``conf`` that is none.
    """
    section = {key.replace("_", "-"): value for key, value in section.items()}
    _check(section)
    given = {PLAIN[key]: _value(key, value) for key, value in section.items() if key in PLAIN}
    settings = DEFAULTS | given | _conf(section.get("conf", ""))
    if settings["spark.master"].startswith("local["):
        settings = LOCAL_DEFAULTS | settings
    return settings


def _value(key: str, value: str) -> str:
    return ",".join(item.strip() for item in value.split(",")) if key in LISTS else value


def _conf(text: str) -> dict[str, str]:
    pairs = [item.strip().partition("=") for item in text.split("|") if item.strip()]
    for key, equals, _ in pairs:
        if not equals or not key.startswith("spark."):
            raise ConfigError(f"[spark] conf: {key!r} is no setting; write spark.a=1 | spark.b=2")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _check(section: Mapping[str, str]) -> None:
    known = [*PLAIN, *OTHER, *NOT_OURS]
    for key in section:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
            raise ConfigError(f"[spark] {key}: unknown key{hint}")
    if (mode := section.get("deploy-mode", "client")) != "client":
        raise ConfigError(
            f"[spark] deploy-mode = {mode}: only client is possible, the driver is luigi's process"
        )
