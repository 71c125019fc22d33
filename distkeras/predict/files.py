"""Predictions as one file, Parquet or CSV, that appears whole."""

from __future__ import annotations

import csv as text_csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow.parquet import ParquetWriter

from distkeras.errors import DataError
from distkeras.preprocessing.spec import Format
from distkeras.storage import publish_file

__all__ = ["write_batches"]

#: Rows in a group of Parquet.
_GROUP = 1 << 16
#: What has to stand in quotes, in a CSV file.
_SPECIAL = '[,"\r\n]'


class _Writer(Protocol):
    def write(self, rows: pa.RecordBatch) -> None: ...


def write_batches(url: str, kind: Format, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes all rows; a file that is there is replaced when the new one is whole.

    Args:
        url: where to.
        kind: the format.
        batches: at least one; computed while they are written.

    Returns:
        The number of rows.

    Raises:
        StorageError: the file cannot be written.
        DataError: a column has a type that CSV cannot hold.
    """
    count, all_batches = 0, iter(batches)
    first = next(all_batches)
    opened = _csv if kind == "csv" else _parquet
    with publish_file(url) as path, opened(path, first.schema) as writer:
        for rows in chain([first], all_batches):
            writer.write(rows)
            count += rows.num_rows
    return count


class _Groups:
    """Small batches become groups of a useful size."""

    def __init__(self, writer: ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._waiting: list[pa.RecordBatch] = []

    def write(self, rows: pa.RecordBatch) -> None:
        self._waiting.append(rows)
        if sum(batch.num_rows for batch in self._waiting) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting = []
        if table.num_rows:
            self._writer.write_table(table)


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    with ParquetWriter(path, schema) as writer:
        groups = _Groups(writer, schema)
        yield groups
        groups.flush()


class _Lines:
    """Quotes only where a value needs them; Arrow itself quotes every text or none."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._bare, self._quoted = (
            csv.CSVWriter(
                stream,
                schema,
                write_options=csv.WriteOptions(include_header=False, quoting_style=style),
            )
            for style in ("none", "needed")
        )

    def write(self, rows: pa.RecordBatch) -> None:
        texts = [column for column in rows.columns if pa.types.is_string(column.type)]
        special = (pc.any(pc.match_substring_regex(text, _SPECIAL)).as_py() for text in texts)
        (self._quoted if any(special) else self._bare).write_batch(rows)


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[_Writer]:
    for field in schema:
        if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            raise DataError(f"column '{field.name}': CSV cannot hold {field.type}; write Parquet")
    header = io.StringIO()
    text_csv.writer(header, lineterminator="\n").writerow(schema.names)
    with path.open("wb") as stream:
        stream.write(header.getvalue().encode())
        yield _Lines(stream, schema)
