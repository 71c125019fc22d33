"""Who may import whom: the order of the rooms, by the syntax tree of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The rooms of ``distkeras`` from the ground up: a file may import its own room and those in rows
#: above its own. A new module or folder belongs into the highest row that has all it imports
#: above it, and needs a row of its own only where no row will do.
ROOMS = (
    ("errors", "lean_keras", "logs"),
    (
        *("callbacks", "columns", "listener", "losses", "models", "scores", "spool", "storage"),
        *("configurations", "memory", "vectors", "worker_errors"),
    ),
    ("metrics", "names"),
    ("rules", "schedule", "stopping"),
    ("codecs",),
    ("conversation", "messages"),
    ("attendance", "limits", "members"),
    ("center",),
    ("checkpoints", "server"),
    ("chronicle",),
    ("prefetch", "transport"),
    ("overlap",),
    ("worker",),
    ("replica", "shards"),
    ("engines",),
    ("checks", "compilation", "ensembles", "history", "measure", "monitor"),
    ("observers",),
    ("course",),
    ("history_views", "plan", "progress_lines"),
    ("progress_bar",),
    ("training",),
    ("trainers",),
    # DataFrame in, DataFrame out: these have no part in training.
    ("aggregates", "preprocessing", "report", "schemes", "scoring", "transformers"),
    ("evaluators", "predictors", "utils"),
    ("doctor", "ml", "predict", "punchcard"),
    ("job_deployment",),
    ("command",),
    ("__main__",),
)
RANKS = {room: rank for rank, row in enumerate(ROOMS) for room in row}

#: The only importers of what is heavy; a name that ends in a slash is a folder.
IMPORTERS = {
    "keras": (
        "distkeras/callbacks.py",
        "distkeras/compilation.py",
        "distkeras/ensembles.py",
        "distkeras/lean_keras.py",
        "distkeras/losses.py",
        "distkeras/metrics.py",
        "distkeras/ml/",
        "distkeras/models.py",
        "distkeras/replica/",
        "distkeras/scoring.py",
        "distkeras/storage/models.py",
        "distkeras/trainers/described.py",
        "tasks/models.py",
    ),
    "tensorflow": (
        "distkeras/models.py",
        "distkeras/observers/event_files.py",
        "distkeras/replica/",
        "distkeras/scoring.py",
    ),
    "mlflow": ("distkeras/observers/mlflow_process.py",),
    "pyspark": (
        "distkeras/aggregates.py",
        "distkeras/columns.py",
        "distkeras/doctor/",
        "distkeras/engines/",
        "distkeras/evaluators.py",
        "distkeras/ml/",
        "distkeras/predict/with_spark.py",
        "distkeras/predictors.py",
        "distkeras/preprocessing/",
        "distkeras/punchcard/runner.py",
        "distkeras/scoring.py",
        "distkeras/transformers/",
        "distkeras/worker_errors.py",
    ),
    "py4j": (
        "distkeras/engines/jvm.py",
        "distkeras/ml/files.py",
        "distkeras/preprocessing/failures.py",
    ),
    "luigi": ("tasks/",),
    "optuna": ("tasks/sweep/optuna_here.py",),
    "hdfs": ("distkeras/storage/hdfs_sessions.py",),
    "requests": ("distkeras/storage/",),
    "fastapi": ("distkeras/punchcard/",),
    "uvicorn": ("distkeras/punchcard/serving.py",),
    "httpx": ("distkeras/job_deployment/",),
}

#: Rooms that need NumPy and the standard library, and no more.
PLAIN = (
    "attendance",
    "configurations",
    "errors",
    "logs",
    "memory",
    "vectors",
    "rules",
    "schedule",
    "codecs",
    "center",
    "conversation",
    "messages",
    "limits",
    "server",
    "transport",
    "overlap",
    "listener",
    "worker",
    "spool",
)

#: What runs whatever it reads. Nothing that came over a wire or from a file goes through these.
UNSAFE = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("distkeras", "tasks")
    for path in (ROOT / package).rglob("*.py")
)
LIBRARY = [
    file for file in FILES if file.startswith("distkeras/") and file != "distkeras/__init__.py"
]


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), file)


def imports(file: str) -> Iterator[str]:
    """The dotted names that a file imports, at its top or in a function, but not for types only."""
    for node in running(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: write the package's name out"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without what only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield from running(child)


def room_of(file: str) -> str:
    """The room of ``distkeras/room.py`` or ``distkeras/room/file.py``."""
    return Path(file).parts[1].removesuffix(".py")


def rank(room: str) -> int:
    """A room without a place, for which another test asks, is above all others."""
    return RANKS.get(room, len(ROOMS))


def package(name: str) -> str:
    return name.split(".")[0]


def within(file: str, places: tuple[str, ...]) -> bool:
    return any(file.startswith(place) if place.endswith("/") else file == place for place in places)


def test_every_file_has_a_room() -> None:
    files = [file for file in LIBRARY if room_of(file) not in RANKS]
    assert not files, f"give these a place in ROOMS, above: {files}"


def test_a_room_imports_only_rooms_before_it() -> None:
    wrong = [
        f"{file} imports {name}"
        for file in LIBRARY
        for name in imports(file)
        if name.startswith("distkeras.") and rank(name.split(".")[1]) >= rank(room_of(file))
        if name.split(".")[1] != room_of(file)
    ]
    assert not wrong, f"see ROOMS, above: {wrong}"


def test_nothing_imports_tasks() -> None:
    assert not [file for file in LIBRARY for name in imports(file) if package(name) == "tasks"]


def test_what_is_heavy_is_imported_by_few() -> None:
    wrong = [
        f"{file} imports {name}"
        for file in FILES
        for name in imports(file)
        if package(name) in IMPORTERS and not within(file, IMPORTERS[package(name)])
    ]
    assert not wrong, f"see IMPORTERS, above: {wrong}"


def test_the_core_needs_numpy_and_no_more() -> None:
    known = {"distkeras", "numpy", *sys.stdlib_module_names}
    wrong = [
        f"{file} imports {name}"
        for file in LIBRARY
        if room_of(file) in PLAIN
        for name in imports(file)
        if package(name) not in known
        or (package(name) == "socket" and room_of(file) != "transport")
    ]
    assert not wrong, f"see PLAIN, above: {wrong}"


def test_nothing_runs_what_it_reads() -> None:
    for file in FILES:
        names = {node.id for node in ast.walk(tree(file)) if isinstance(node, ast.Name)}
        found = (names & {"eval", "exec"}) | ({package(name) for name in imports(file)} & UNSAFE)
        assert not found, f"{file} uses {found}"


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("distkeras, distkeras.trainers", {"tensorflow", "keras", "pyspark", "py4j", "luigi"}),
        ("tasks", {"tensorflow", "keras", "pyspark", "py4j", "httpx", "optuna"}),
        ("distkeras.command", {"tensorflow", "keras", "pyspark", "py4j", "pandas"}),
        ("distkeras.job_deployment", {"tensorflow", "keras", "pyspark", "py4j", "fastapi"}),
        ("distkeras.punchcard.serving", {"tensorflow", "keras", "pyspark", "py4j", "luigi"}),
    ],
)
def test_importing_the_front_door_is_cheap(modules: str, unwanted: set[str]) -> None:
    code = f"import sys, {modules}; print(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not set(ran.stdout.split()) & unwanted
