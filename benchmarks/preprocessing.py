"""How long does preprocessing take, beside reading and writing the same data and no more?

The synthetic task as Parquet or CSV, 30 columns of numbers and a label, to normalized features
split into training and test. Beside it, in the same rounds, Spark reads the same files, with the
types known beforehand, and writes all of them as Parquet.

    python benchmarks/preprocessing.py
    python benchmarks/preprocessing.py --full --formats parquet
"""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compared
import higgs_like
import pyarrow as pa
import pyarrow.parquet as pq
from compared import Run
from pyarrow import csv
from rich.table import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WIDTH = 30
NAMES = [*(f"x{number}" for number in range(WIDTH)), "label"]
#: Rows in a file; several files are read by several tasks at once.
PART = 250_000


def write(folder: Path, form: str, count: int) -> None:
    """The rows as files, piece by piece."""
    folder.mkdir()
    for number, part in enumerate(higgs_like.chunks(count, PART, WIDTH)):
        columns = [*(pa.array(part.features[:, i]) for i in range(WIDTH)), pa.array(part.labels)]
        writer = pq.write_table if form == "parquet" else csv.write_csv
        writer(pa.table(columns, NAMES), folder / f"{number}.{form}")


def bare(session: SparkSession, source: Path, form: str, target: Path) -> Run:
    """Spark alone: reads and writes."""
    types = ", ".join(f"{name} {'int' if name == 'label' else 'float'}" for name in NAMES)
    began = time.perf_counter()
    reader = session.read.schema(types).option("header", form == "csv")
    reader.format(form).load(str(source)).write.parquet(str(target))
    seconds = time.perf_counter() - began
    shutil.rmtree(target)
    return {"seconds": seconds}


def preprocessed(session: SparkSession, source: Path, form: str, target: Path) -> Run:
    """The whole preprocessing, and the seconds of its phases."""
    from distkeras.preprocessing.run import preprocess
    from distkeras.preprocessing.spec import PreprocessSpec

    label = {"column": "label"}
    events = {"path": str(source), "format": form}
    spec = PreprocessSpec.model_validate({"sources": {"events": events}, "label": label})
    target.mkdir()
    began = time.perf_counter()
    manifest = preprocess(session, spec, str(target))
    seconds = time.perf_counter() - began
    shutil.rmtree(target)
    return {"seconds": seconds, **manifest["seconds"]}


def measured(form: str, count: int, rounds: int, scratch: str | None) -> dict[str, Any]:
    """Both in turn, in a session of their own."""
    with tempfile.TemporaryDirectory(dir=scratch) as place, compared.spark() as session:
        source, target = Path(place, "events"), Path(place, "target")
        write(source, form, count)
        size = sum(file.stat().st_size for file in source.iterdir())
        # Spark's first job compiles what all others use.
        bare(session, next(source.iterdir()), form, target)
        kinds = {
            "bare": partial(bare, session, source, form, target),
            "preprocess": partial(preprocessed, session, source, form, target),
        }
        runs = compared.in_turn(kinds, rounds)
    ratio = compared.ratio(runs["preprocess"], runs["bare"], "seconds")
    return {"runs": runs, "mib": round(size / 2**20), "times": ratio}


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"], metavar="FORMAT")
    parser.add_argument("--folder", help="for the rows and results, some GB of them")
    asked = parser.parse_args()
    count = asked.rows or (10_000_000 if asked.full else 500_000)
    figures = {form: measured(form, count, asked.rounds, asked.folder) for form in asked.formats}
    table = Table("", "MiB", "", "seconds", "times", "phases", title=f"{count:,} x {WIDTH}")
    for form, found in figures.items():
        for kind, runs in found["runs"].items():
            phases = (f"{what} {compared.median(runs, what):.1f}" for what in list(runs[0])[1:])
            times = f"{found['times']:.2f}" * (kind == "preprocess")
            seconds = f"{compared.median(runs, 'seconds'):.1f}"
            table.add_row(form, str(found["mib"]), kind, seconds, times, ", ".join(phases))
    compared.shown(table, "preprocessing", asked.full, {"rows": count, "formats": figures})


if __name__ == "__main__":
    main()
