"""The rows of raw files without Spark: Arrow batches, in bounded memory, as ``sources`` reads them.

Where both could differ (a separator of several characters, white space before a quote), this one
refuses and says that Spark reads it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow.parquet import ParquetFile

from distkeras.errors import DataError
from distkeras.preprocessing.files import data_files
from distkeras.preprocessing.headers import names_in, wrong_name
from distkeras.preprocessing.sql import WHITE_SPACE
from distkeras.storage import local_copy

if TYPE_CHECKING:
    from pathlib import Path

    from distkeras.preprocessing.spec import Format, SourceSpec

__all__ = ["Piece", "raw_batches"]

#: Bytes of CSV in a batch; a row must fit into one.
_BLOCK = 1 << 22
#: Rows of Parquet in a batch, and bytes that are read at once.
_ROWS, _BUFFER = 1 << 14, 1 << 20
_LONGEST = 1 << 20
_SHOWN = 60


class Piece(NamedTuple):
    """Some rows of one file.

    Attributes:
        file: that holds them, as the user knows it.
        first_row: number in the file of the first of them, from 0.
        rows: of a CSV file all columns are strings.
    """

    file: str
    first_row: int
    rows: pa.RecordBatch


def raw_batches(source: SourceSpec, kind: Format) -> Iterator[Piece]:
    """The rows of all files that a source names, in the order of the files' names.

    Args:
        source: what to read; its path exists.
        kind: how its files are written.

    Yields:
        At least one piece, so that the columns are known, which may be without rows.

    Raises:
        StorageError: a file cannot be read.
        DataError: a file is damaged, or its columns are not those of the first one.
    """
    read = _csv if kind == "csv" else _parquet
    columns: pa.Schema | None = None
    for place in data_files(source.path, kind):
        first_row = 0
        with local_copy(place) as path, _one_line(str(place)):
            for rows in read(path, source):
                columns = columns or rows.schema
                _check_columns(rows.schema, columns)
                yield Piece(str(place), first_row, rows)
                first_row += rows.num_rows


@contextmanager
def _one_line(file: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise DataError(f"{file}: {_told(error)}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{file}: cannot be unpacked: {error}") from error


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "straddling object" in text:
        return f"a row is longer than {_BLOCK >> 20} MiB, or a quote is broken"
    if "invalid UTF8" in text or isinstance(error, UnicodeError):
        return "holds text that is not UTF-8"
    return text


def _check_columns(found: pa.Schema, expected: pa.Schema) -> None:
    if not found.equals(expected):
        one, other = (", ".join(f"{f.name} {f.type}" for f in s) for s in (found, expected))
        raise DataError(f"has other columns than the files before it: {one}; not {other}")


def _parquet(path: Path, source: SourceSpec) -> Iterator[pa.RecordBatch]:
    with ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        yield _empty(file.schema_arrow)
        yield from file.iter_batches(_ROWS)


def _csv(path: Path, source: SourceSpec) -> Iterator[pa.RecordBatch]:
    separator = _separator(source.separator)
    with _opened(path) as stream:
        names = _header(stream, separator) if source.header else list(source.columns)
        schema = pa.schema([(name, pa.string()) for name in names])
        yield _empty(schema)
        bad: list[Any] = []
        try:
            for batch in _reader(stream, separator, schema, bad):
                yield _trimmed(batch)
        except pa.ArrowInvalid as error:
            if bad:
                raise DataError(_misfit(bad[0])) from None
            if "Empty CSV file" not in str(error):  # The header alone.
                raise


def _reader(
    stream: IO[bytes], separator: str, schema: pa.Schema, bad: list[Any]
) -> Iterator[pa.RecordBatch]:
    def refuse(row: Any) -> str:
        bad.append(row)
        return "error"

    convert = csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    parse = csv.ParseOptions(
        delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse
    )
    # With threads as many blocks are read ahead as there are cores.
    read = csv.ReadOptions(column_names=schema.names, block_size=_BLOCK, use_threads=False)
    with csv.open_csv(stream, read, parse, convert) as batches:
        yield from batches


def _misfit(row: Any) -> str:
    text = " ".join(str(row.text).split())
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return f"a row has {row.actual_columns} values, not {row.expected_columns}: {shown}"


def _separator(given: str) -> str:
    separator = {"\\t": "\t"}.get(given, given)
    if len(separator) != 1 or not separator.isascii():
        raise DataError(f"the separator {given!r} needs Spark: without, it is one ASCII character")
    return separator


def _opened(path: Path) -> IO[bytes]:
    opening: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    opened: IO[bytes] = opening(path, "rb")
    return opened


def _header(stream: IO[bytes], separator: str) -> list[str]:
    line = b""
    while not line.strip():
        line = stream.readline(_LONGEST)
        if not line:
            raise DataError("is empty")
    names = names_in(line.decode("utf-8-sig", "replace").rstrip("\r\n"), separator)
    if problem := wrong_name(names):
        raise DataError(problem)
    return names


def _trimmed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without white space around the values, and null where nothing is left."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        quoted = pc.match_substring_regex(column, r'^\s+"')
        if pc.any(quoted).as_py():
            raise DataError(f"column '{name}': white space before a quote, which needs Spark")
        bare = pc.utf8_trim(column, WHITE_SPACE)
        columns.append(pc.if_else(pc.equal(bare, ""), None, bare))
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema)
