"""What is asked beside running: the result of an experiment, and whether one can run here.

``python -m tasks show configs/magic.toml`` and ``python -m tasks doctor configs/magic.toml``.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from distkeras.doctor.command import add_options
from distkeras.errors import DistkerasError
from tasks.doctor import doctor
from tasks.show import show


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("show", help="measures, and where the time went")
    command.add_argument("config", help="the experiment's TOML file")
    _add_set(command)
    command = commands.add_parser("doctor", help="what a training needs, with luigi's settings")
    command.add_argument("config", nargs="?", help="the experiment's TOML file")
    _add_set(command)
    add_options(command)
    given = parser.parse_args(arguments)
    try:
        if given.command == "doctor":
            options = {"hdfs": given.hdfs, "timeout": given.timeout, "room": given.room}
            return doctor(given.config, given.set, sys.stdout, **options)
        show(given.config, given.set, Console())
    except DistkerasError as error:
        print(f"ERROR: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _add_set(command: argparse.ArgumentParser) -> None:
    command.add_argument("--set", action="append", default=[], help="override one key: a.b=value")


if __name__ == "__main__":
    sys.exit(main())
