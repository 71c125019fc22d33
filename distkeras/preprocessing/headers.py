"""The names in a CSV file's first line: each there, each once, each readable."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING
from urllib.parse import unquote

from distkeras.errors import DataError
from distkeras.preprocessing.sql import WHITE_SPACE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["check_header", "names_in", "wrong_name"]


def check_header(lines: DataFrame, separator: str) -> None:
    """Refuses a header that Spark would silently give other names.

    Spark compares the headers of all files with the first one, so one header is enough.

    Args:
        lines: the files as text; only the first line is read.
        separator: what stands between two names.

    Raises:
        DataError: a name is empty, occurs twice (upper and lower case are the same), or is not
            UTF-8; names the file and the column.
    """
    there = lines.where("trim(value) <> ''").selectExpr("value", "_metadata.file_path AS file")
    for line in there.take(1):
        if problem := wrong_name(names_in(line["value"], separator)):
            file = unquote(line["file"]).removeprefix("file://")
            raise DataError(f"{file}: {problem}")


def names_in(line: str, separator: str) -> list[str]:
    """The names in a header's line."""
    if len(separator) > 1:
        cells = line.split({"\\t": "\t"}.get(separator, separator))
    else:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return [cell.strip(WHITE_SPACE) for cell in cells]


def wrong_name(names: list[str]) -> str | None:
    """What is wrong with the names of columns: one is empty, there twice or unreadable."""
    seen: dict[str, str] = {}
    for place, name in enumerate(names, start=1):
        if not name:
            return f"column {place} has no name"
        if "\ufffd" in name:
            return f"the name of column {place}, '{name}', is not UTF-8"
        first = seen.setdefault(name.lower(), name)
        if len(seen) < place:
            other = "" if first == name else f" (also as '{name}': case does not count)"
            return f"column '{first}' occurs twice{other}"
    return None
