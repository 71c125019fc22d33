"""The notebook among the examples runs from top to bottom, and is committed with what it says."""

from __future__ import annotations

import base64
import copy
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from distkeras.trainers import TRAINERS
from scripts.notebook import WORKFLOW, executed, tidy

COMMITTED = nbformat.read(WORKFLOW, as_version=4)


@pytest.fixture(scope="module")
def ran() -> Any:
    """All of it, once; a cell that raises fails here, with its number and traceback."""
    return tidy(executed(WORKFLOW))


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def text(notebook: Any) -> str:
    """What a reader sees, of tables the plain form."""
    return "\n".join(one.get("text") or one["data"]["text/plain"] for one in outputs(notebook))


def kinds(notebook: Any) -> list[list[str]]:
    """For each cell what it prints or shows."""
    return [
        [f"{one.output_type} {sorted(one.get('data', ()))}" for one in cell.get("outputs", ())]
        for cell in notebook.cells
    ]


def accuracies(notebook: Any) -> dict[str, float]:
    """Of the table that compares the trainers, by name."""
    return {
        name: float(found) for name, found in re.findall(r"^(\w+) +(0\.\d+)", text(notebook), re.M)
    }


def check(notebook: Any) -> None:
    """What is in it for a reader, whoever executed it."""
    (frequent,) = re.findall(r"always g: (0\.\d+)", text(notebook))
    assert set(accuracies(notebook)) == {*TRAINERS, "EnsembleTrainer"}
    assert min(accuracies(notebook).values()) > float(frequent) + 0.05
    # Two epochs of all rows were merged.
    rows, merged = re.findall(r"'rows': (\d+), 'rows_merged': (\d+)", text(notebook))[0]
    assert int(merged) == 2 * int(rows)
    # Saved and loaded, the model is as good as it was: the same figure a second time.
    (again,) = re.findall(r"(0\.\d+), as before", text(notebook))
    assert f"'{again}'" in text(notebook)


def test_each_trainer_learns(ran: Any) -> None:
    check(ran)


def test_it_is_committed_with_such_outputs(ran: Any) -> None:
    check(COMMITTED)
    assert kinds(COMMITTED) == kinds(ran)


def test_nobody_reads_warnings_or_paths(ran: Any) -> None:
    for notebook in (COMMITTED, ran):
        assert [one.text for one in outputs(notebook) if one.get("name") == "stderr"] == []
        assert not re.search(rf"[Ww]arn|{Path.home()}|{WORKFLOW.parents[1]}", text(notebook))
        assert tempfile.gettempdir() not in text(notebook)


def test_what_is_committed_is_tidy_and_small() -> None:
    nbformat.validate(COMMITTED)
    assert tidy(copy.deepcopy(COMMITTED)) == COMMITTED
    counts = [cell.execution_count for cell in COMMITTED.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]
    (figure,) = (
        one.data["image/png"] for one in outputs(COMMITTED) if "image/png" in one.get("data", ())
    )
    assert base64.b64decode(figure).startswith(b"\x89PNG")
    assert len(base64.b64decode(figure)) < 300_000
    assert WORKFLOW.stat().st_size < 500_000


def test_its_links_lead_somewhere() -> None:
    links = [
        link
        for cell in COMMITTED.cells
        for link in re.findall(r"\]\(([^)]+)\)", cell.source)
        if cell.cell_type == "markdown"
    ]
    assert links
    assert [link for link in links if not (WORKFLOW.parent / link).exists()] == []
