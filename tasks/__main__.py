"""``python -m tasks show configs/magic.toml``: the result of a finished experiment."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from distkeras.errors import DistkerasError
from tasks.show import show


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("show", help="measures, and where the time went")
    command.add_argument("config", help="the experiment's TOML file")
    command.add_argument("--set", action="append", default=[], help="override one key: a.b=value")
    given = parser.parse_args(arguments)
    try:
        show(given.config, given.set, Console())
    except DistkerasError as error:
        print(f"ERROR: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
