"""Telling somebody how a night went."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["SECONDS", "notify"]

#: For which a command may run before it is ended.
SECONDS = 60.0


def notify(command: Sequence[str], record: Mapping[str, Any], seconds: float = SECONDS) -> None:
    """Runs a command that reads the night's record; that it fails is told, and changes nothing.

    Args:
        command: word by word; empty for none.
        record: the command gets it as JSON, one line, on its standard input.
        seconds: how long it may take.
    """
    if not command:
        return
    try:
        subprocess.run(
            [*command],
            input=json.dumps(dict(record)) + "\n",
            stdout=sys.stderr.fileno(),
            text=True,
            timeout=seconds,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(error).split())
        print(f"Nightly: nightly.notify failed: {said}", file=sys.stderr, flush=True)
