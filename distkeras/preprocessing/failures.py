"""Spark's failures as one line of ours.

Expressions that meet a bad value raise inside Spark with a message that carries kind, place and
value between marks (``complaint``); ``plain_errors`` finds it again on the driver, however many
exceptions Spark has wrapped around it.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from distkeras.errors import DataError, DistkerasError, EnvironmentProblem
from distkeras.preprocessing.sql import literal

__all__ = ["Retype", "absent", "complaint", "nearest", "plain_errors"]

# With Spark's own mark before ours: a query plan shows ours too, without anything having failed.
_MARKED = re.compile(r"USER_RAISED_EXCEPTION\] \[\[distkeras\|(\w+)\|(.*?)\|(.*?)\]\]", re.DOTALL)
_IN_FILE = re.compile(r"reading file:? (?:file:)?/*(/\S+?)\.?(?=\s|$)")
_RECORD = re.compile(r"Malformed CSV record: (.*?)(?: SQLSTATE|$)", re.DOTALL)
_HEADER = re.compile(r"Header: (.*?)\n.*?CSV file: (?:file:)?/*(/\S+)", re.DOTALL)
_CAST = re.compile(
    r"CAST_INVALID_INPUT\] The value '(.*?)' of the type .*? cast to \"(\w+)\"", re.S
)
_WRAPPER = re.compile(r"FAILED_READ_FILE|Job aborted|TASK_WRITE_FAILED|Exception thrown in await")
_LONGEST = 300


class Retype(DataError):  # noqa: N818 - says what is to be done
    """A CSV value does not fit the type that the first rows of its column suggested.

    Or its row has too few or too many values: Spark does not tell which.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the most similar of the names, or nothing."""
    folded = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f" (did you mean '{folded[close[0]]}'?)" if close else ""


def absent(key: str, name: str, names: Iterable[str]) -> DataError:
    """The error for a column that is not there.

    Args:
        key: the config key or the place that asked for it.
        name: the column.
        names: the columns that are there.
    """
    return DataError(f"{key}: there is no column '{name}'{nearest(name, names)}")


def complaint(kind: str, place: str, value: str) -> str:
    """A SQL expression that fails with a message that ``plain_errors`` understands.

    Args:
        kind: a key of the table of messages in this file.
        place: the column's name as the user knows it.
        value: expression of the bad value, any type that casts to a string.
    """
    begin = literal(f"[[distkeras|{kind}|{place}|")
    shown = f"coalesce(substring(CAST({value} AS string), 1, 60), '')"
    return f"raise_error(concat({begin}, {shown}, ']]'))"


_MESSAGES: dict[str, Callable[[str, str], DistkerasError]] = {
    "retype": lambda place, value: Retype(f"column {place} holds '{value}'"),
    "number": lambda place, value: DataError(
        f"column '{place}' is not numeric: it holds '{value}'; make it categorical, drop it, or "
        "name the value in missing.values"
    ),
    "time": lambda place, value: DataError(f"split.column '{place}': '{value}' is no time"),
    "unseen": lambda place, value: DataError(
        f"categorical column '{place}': the category '{value}' is missing or was never seen in "
        "training, and categorical.unseen is 'error'"
    ),
    "label": lambda place, value: DataError(f"label '{place}': unknown class '{value}'"),
    "finite": lambda place, value: DataError(
        f"column '{place}': {value} has no finite 32-bit feature"
    ),
}


@contextmanager
def plain_errors(doing: str) -> Iterator[None]:
    """Turns whatever Spark raises inside into one line, without Java's traceback.

    Args:
        doing: what was going on, for the message: ``"reading source 'events'"``.

    Raises:
        DataError: the data or the SQL statement is at fault, or Spark says no more.
        EnvironmentProblem: no space is left on the disk.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with _no_traceback_in_log():
            yield
    except (PySparkException, Py4JError) as error:
        raise _translate(_messages(error), doing) from None


@contextmanager
def _no_traceback_in_log() -> Iterator[None]:
    """Keeps pyspark from printing Java's traceback of an error that is reported anyway."""
    logger = logging.getLogger("SQLQueryContextLogger")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _messages(error: BaseException) -> list[str]:
    """What an exception and everything in Java that caused it say, the outermost first."""
    java = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    texts = [] if getattr(error, "java_exception", None) else [str(error)]
    while java is not None and len(texts) < 20:
        texts.append(str(java.getMessage()))
        java = java.getCause()
    return texts


def _translate(messages: list[str], doing: str) -> DistkerasError:
    text = "\n".join(messages)
    marked = _MARKED.search(text)
    if marked and marked[1] in _MESSAGES:
        return _MESSAGES[marked[1]](marked[2], " ".join(marked[3].split()))
    if "No space left on device" in text:
        return EnvironmentProblem(f"{doing}: no space left on the disk")
    if header := _HEADER.search(text):
        other = f"{header[2]} has another header than the other files: {_cut(header[1])}"
        return DataError(f"{doing}: {other}")
    if "MALFORMED_RECORD" in text:
        return Retype(f"{doing}: {_malformed(text)}")
    if cast := _CAST.search(text):
        return DataError(
            f"{doing}: the sql takes '{_cut(cast[1])}' for a {cast[2]}, which it is not"
        )
    wrapped = _WRAPPER.search(messages[0]) is not None
    return DataError(f"{doing}: {_first_line(messages[-1 if wrapped else 0])}")


def _malformed(text: str) -> str:
    """Which file holds which line that is no row of the table."""
    file = _IN_FILE.search(text)
    record = _RECORD.search(text)
    where = file[1] if file else "a file"
    what = f": {_cut(record[1])}" if record else ""
    return f"{where} has a row with too few or too many values, or a broken quote{what}"


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "Spark failed")
    return _cut(re.sub(r"\s*SQLSTATE: \w+.*$", "", line))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
