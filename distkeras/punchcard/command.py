"""``distkeras-punchcard``: the server's command line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from distkeras.errors import ConfigError, DistkerasError, EnvironmentProblem
from distkeras.logs import FORMAT, TIME
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.own_trainers import own_trainers
from distkeras.punchcard.secrets_file import SecretsFile
from distkeras.punchcard.submitting import Command, SparkSubmit, spark_submit_program
from distkeras.storage import Place, locate

__all__ = ["main"]

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Limits)}


def main(arguments: Sequence[str] | None = None, command: Command | None = None) -> int:
    """Runs the server until it is told to end.

    Args:
        arguments: of the command line; None: those of this process.
        command: what runs a job; None: ``spark-submit``.

    Returns:
        The exit status.
    """
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format=FORMAT, datefmt=TIME)
    logging.getLogger("distkeras").setLevel(logging.INFO)
    try:
        _serve(given, command)
    except DistkerasError as error:
        print(f"ERROR: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(given: argparse.Namespace, command: Command | None) -> None:
    try:
        from distkeras.punchcard.service import opened
        from distkeras.punchcard.serving import Address, serve
    except ModuleNotFoundError as missing:
        raise EnvironmentProblem(
            f"{missing.name} is missing: pip install 'distkeras[punchcard]'"
        ) from None
    limits = _limits(given)
    folder = Path(given.folder).absolute()
    artifacts = locate(given.artifacts or folder / "results")
    if isinstance(artifacts, Path):
        artifacts = artifacts.absolute()  # Jobs run in other folders.
    for place in (folder, artifacts, Path(given.secrets).absolute()):
        limits.roots.check_apart(place)
    address = Address(given.host, given.port, given.tls_certificate, given.tls_key)
    secrets = SecretsFile(Path(given.secrets))
    submit = command or _spark_submit(given, limits, artifacts)
    with opened(folder, secrets, limits, artifacts, submit) as service:
        serve(service, address)


def _spark_submit(given: argparse.Namespace, limits: Limits, artifacts: Place) -> SparkSubmit:
    return SparkSubmit(
        spark_submit_program(),
        str(artifacts),
        tuple(str(root) for root in limits.roots.roots),
        tuple(given.trainer),
        limits.masters,
        dict(_pair(text) for text in given.conf),
    )


def _limits(given: argparse.Namespace) -> Limits:
    return Limits(
        roots=DataRoots(given.data_root),
        masters=tuple(given.master) or ("local",),
        running=given.max_running,
        executors=given.max_executors,
        processes=given.max_processes,
        memory_mb=given.max_memory_mb,
        model_bytes=given.max_model_mb << 20,
        waiting=given.max_waiting,
        waiting_bytes=given.max_waiting_mb << 20,
        free_bytes=given.min_free_mb << 20,
        keep_seconds=None if given.keep_days is None else given.keep_days * 86400.0,
        seconds=given.max_seconds,
        trainers=own_trainers(given.trainer),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="distkeras-punchcard", description="Trains jobs of others on this machine's cluster."
    )
    add = parser.add_argument
    add(
        "--secrets", required=True, metavar="FILE", help="who may submit jobs; read when it changes"
    )
    add("--data-root", action="append", required=True, metavar="PATH", help="where data may be")
    add("--folder", default="punchcard", help="of the server: its table of jobs (%(default)s)")
    add("--artifacts", metavar="URL", help="of results, local or HDFS (FOLDER/results)")
    add("--host", default="127.0.0.1", help="to listen at (%(default)s)")
    add("--port", type=_whole, default=8000, help="0 for any free one (%(default)s)")
    add("--tls-certificate", metavar="FILE", help="PEM, with its chain")
    add("--tls-key", metavar="FILE", help="PEM")
    add("--master", action="append", default=[], help="of Spark, that jobs may ask for (local)")
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")
    add("--trainer", action="append", default=[], metavar="MODULE:CLASS", help="of your own")
    _add_limit(parser, "--max-running", "running", "jobs at once")
    _add_limit(parser, "--max-executors", "executors", "executors of a job")
    _add_limit(parser, "--max-processes", "processes", "cores of an executor")
    _add_limit(parser, "--max-memory-mb", "memory_mb", "MiB of an executor")
    _add_limit(parser, "--max-waiting", "waiting", "jobs of one identity that have not ended")
    _add_limit(parser, "--max-seconds", "seconds", "that a job may run")
    size = int(_DEFAULTS["model_bytes"]) >> 20
    add("--max-model-mb", type=_positive, default=size, help="MiB of a model (%(default)s)")
    size = int(_DEFAULTS["waiting_bytes"]) >> 20
    add(
        "--max-waiting-mb",
        type=_positive,
        default=size,
        help="MiB of all their models (%(default)s)",
    )
    size = int(_DEFAULTS["free_bytes"]) >> 20
    add("--min-free-mb", type=_positive, default=size, help="MiB left on the disk (%(default)s)")
    add("--keep-days", type=_positive, metavar="N", help="of what has ended (for ever)")
    return parser


def _add_limit(parser: argparse.ArgumentParser, option: str, field: str, text: str) -> None:
    default = int(_DEFAULTS[field])
    parser.add_argument(
        option, type=_positive, default=default, metavar="N", help=f"{text} (%(default)s)"
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 to 65535")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 40:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of at least 1")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.startswith("spark."):
        raise ConfigError(f"--conf {text}: write spark.KEY=VALUE")
    return key.strip(), value.strip()


if __name__ == "__main__":
    sys.exit(main())
