"""``distkeras jobs``: the command line."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from distkeras.errors import ConfigError
from distkeras.job_deployment.secret import SECRET, given_secret

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["add_jobs", "run_jobs"]

#: The environment variable in place of --url.
URL = "DISTKERAS_PUNCHCARD"


def add_jobs(commands: Any) -> None:
    """Adds ``jobs`` and what it can do to the subcommands of a parser."""
    jobs = commands.add_parser("jobs", help="trainings on a Punchcard server")
    actions = jobs.add_subparsers(dest="action", required=True)
    submit = _action(actions, "submit", "sends a job; prints its id")
    submit.add_argument(
        "file", help="TOML: name, data_path or [preprocess], model, [trainer] and so on"
    )
    submit.add_argument("--wait", action="store_true", help="until it has ended, with a bar")
    _action(actions, "list", "your jobs, the latest first").add_argument(
        "--most", type=int, default=20, help="how many (%(default)s)"
    )
    for name, text in (("show", "state, progress and times"), ("cancel", "ends a job")):
        _action(actions, name, text).add_argument("id")
    logs = _action(actions, "logs", "what a job says")
    logs.add_argument("id")
    logs.add_argument("--follow", action="store_true", help="until it has ended")
    fetch = _action(
        actions, "fetch", "model, history, report and preprocessor of a job that has succeeded"
    )
    fetch.add_argument("id")
    fetch.add_argument("--to", default=".", metavar="FOLDER", help="where to (%(default)s)")


def run_jobs(given: argparse.Namespace) -> int:
    """Does what the command line says; returns the exit status."""
    from distkeras.job_deployment.connection import Connection

    url, secret = _url(given), given_secret(given.secret_file, "--secret-file")
    connection = Connection(url, secret, given.authority)
    try:
        actions = {
            "submit": _submit,
            "list": _list,
            "show": _show,
            "cancel": _cancel,
            "logs": _logs,
            "fetch": _fetch,
        }
        return actions[given.action](connection, given)
    finally:
        connection.close()


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    parser.add_argument("--url", help=f"of the server ({URL})")
    # Others on this machine see a command's arguments.
    parser.add_argument("--secret-file", metavar="FILE", help=f"that holds your secret ({SECRET})")
    parser.add_argument("--authority", metavar="FILE", help="PEM of who signs its certificate")
    return parser


def _url(given: argparse.Namespace) -> str:
    found = given.url or os.environ.get(URL, "")
    if not found:
        raise ConfigError(f"which server? Give --url, or set {URL}")
    return str(found)


def _submit(connection: Any, given: argparse.Namespace) -> int:
    from distkeras.job_deployment.submission import described, new_key, send

    values = _read(given.file)
    named = values.pop("model", None)
    if not isinstance(named, str):
        raise ConfigError(f"{given.file}: model: must be the path of a .keras file")
    model = Path(given.file).parent / named
    name = send(connection, described(values, model), model, new_key())
    print(name, flush=True)
    return _wait(connection, name) if given.wait else 0


def _wait(connection: Any, name: str) -> int:
    from distkeras.job_deployment.remote import RemoteJob, check_succeeded
    from distkeras.job_deployment.watching import watch

    check_succeeded(dict(watch(RemoteJob(connection, name).states(None))))
    return 0


def _list(connection: Any, given: argparse.Namespace) -> int:
    from distkeras.job_deployment.watching import line_of
    from distkeras.punchcard.told import Listed

    for told in connection.ask("GET", f"jobs?most={given.most}", Listed)["jobs"]:
        when = _time(told["submitted"])
        print(f"{told['id']}  {when}  {line_of(told):<10}  {told['trainer']:<16}  {told['name']}")
    return 0


def _show(connection: Any, given: argparse.Namespace) -> int:
    from distkeras.job_deployment.watching import line_of

    told = _remote(connection, given).told()
    for key in ("id", "name", "trainer", "data_path", "state"):
        print(f"{key:<10} {told[key]}")
    for key in ("submitted", "started", "ended"):
        print(f"{key:<10} {_time(told[key])}")
    print(f"{'now':<10} {told['error'] or line_of(told)}")
    return 0


def _cancel(connection: Any, given: argparse.Namespace) -> int:
    from distkeras.job_deployment.watching import line_of

    remote = _remote(connection, given)
    remote.cancel()
    for told in remote.states(60.0):
        last = told
    print(f"{given.id}: {line_of(last)}")
    return 0


def _logs(connection: Any, given: argparse.Namespace) -> int:
    for piece in _remote(connection, given).log(given.follow):
        sys.stdout.write(piece)
        sys.stdout.flush()
    return 0


def _fetch(connection: Any, given: argparse.Namespace) -> int:
    for path in _remote(connection, given).fetch(Path(given.to)):
        print(path)
    return 0


def _remote(connection: Any, given: argparse.Namespace) -> Any:
    from distkeras.job_deployment.remote import RemoteJob

    if not given.id.isalnum():
        raise ConfigError(f"{given.id!r} is no job's id")
    return RemoteJob(connection, given.id)


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
