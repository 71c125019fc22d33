"""Luigi's ``[hdfs]`` and ``[webhdfs]`` sections as the library's settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from distkeras.errors import ConfigError
from distkeras.storage.hdfs_settings import HdfsSettings

__all__ = ["hdfs_settings"]

# The first of each row are luigi.contrib.hdfs' own keys, with its meaning of them.
KEYS = {
    "hdfs": ("namenode_host", "namenode_port", "user"),
    "webhdfs": (
        *("port", "user", "client_type"),
        *("scheme", "namenodes", "token_file", "ca_file", "timeout"),
    ),
}
# These only concern luigi's own targets, which may share the section.
NOT_OURS = {
    "hdfs": ("client", "client_version", "tmp_dir", "effective_user", "snakebite_autoconfig"),
    "webhdfs": (),
}
WHOLE = ("namenode_port", "port")


def hdfs_settings(hdfs: Mapping[str, str], webhdfs: Mapping[str, str]) -> HdfsSettings:
    """Translates the sections; what they leave out is up to ``HADOOP_CONF_DIR``.

    Args:
        hdfs: keys, with dashes or underscores, and values of ``[hdfs]``.
        webhdfs: of ``[webhdfs]``; ``namenodes`` is a list with commas. Its ``user`` wins.

    Raises:
        ConfigError: an unknown key, or a value that cannot be.
    """
    values: dict[str, object] = {}
    for name, section in (("hdfs", hdfs), ("webhdfs", webhdfs)):
        given = {key.replace("-", "_"): value.strip() for key, value in section.items()}
        _check(name, given)
        for key, text in given.items():
            if key in KEYS[name] and text:
                values[key] = _value(f"[{name}] {key} = {text}", key, text)
    try:
        return HdfsSettings(**values)  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(f"[hdfs] and [webhdfs]: {error}") from error


def _value(place: str, key: str, text: str) -> object:
    if key == "namenodes":
        return tuple(item.strip() for item in text.split(",") if item.strip())
    if key not in (*WHOLE, "timeout"):
        return text
    try:
        return int(text) if key in WHOLE else float(text)
    except ValueError as error:
        raise ConfigError(f"{place}: must be a {'whole ' * (key in WHOLE)}number") from error


def _check(name: str, section: Mapping[str, str]) -> None:
    known = [*KEYS[name], *NOT_OURS[name]]
    other = next(section for section in KEYS if section != name)
    for key in section:
        if key in known:
            continue
        if key in KEYS[other]:
            raise ConfigError(f"[{name}] {key}: unknown key; it belongs into [{other}]")
        close = difflib.get_close_matches(key, known, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
        raise ConfigError(f"[{name}] {key}: unknown key{hint}")
