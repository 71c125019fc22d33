"""``distkeras``: the command line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from distkeras.doctor.command import add_doctor, run_doctor
from distkeras.errors import DistkerasError
from distkeras.job_deployment.command import add_jobs, run_jobs
from distkeras.predict.command import add_predict, run_predict

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status: 0, or 1 if something has failed."""
    parser = argparse.ArgumentParser(
        prog="distkeras", description="Training of Keras models on Spark."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_doctor(commands)
    add_jobs(commands)
    add_predict(commands)
    run = {"doctor": run_doctor, "jobs": run_jobs, "predict": run_predict}
    given = parser.parse_args(arguments)
    try:
        status = run[given.command](given)
        sys.stdout.flush()
        return status
    except DistkerasError as error:
        print(f"ERROR: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who read it has gone, as `head` does; nor is Python to complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # A folder that cannot be made, a disk that is full.
        print(f"ERROR: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
