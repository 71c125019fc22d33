"""docs/configuration.md says what the models of the config check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.config_docs import PAGE, missing_descriptions, page, sections
from tasks.config import Experiment, load_experiment

MAGIC = Path(__file__).parents[1] / "configs" / "magic.toml"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_key_is_described() -> None:
    assert missing_descriptions() == []


def test_every_key_of_the_example_is_there() -> None:
    """Keys are found by the heading of their table, as a reader finds them."""
    tables = {
        title: re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
        for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page(), re.M | re.S)
    }
    example = load_experiment(str(MAGIC)).model_dump(exclude_unset=True)
    assert set(example) <= set(tables["At the top"])
    assert set(example["preprocess"]) <= set(tables["`[preprocess]`"])
    assert set(example["preprocess"]["sources"]["events"]) <= set(
        tables["`[preprocess.sources.<name>]`"]
    )
    assert set(example["train"]) <= set(tables["`[train]`"])
    assert len(tables) == len(list(sections("", Experiment))) + 1


@pytest.mark.parametrize(
    "line",
    [
        "| `batch_size` | whole number, at least 1 | `32` | Rows in one step of one worker. |",
        "| `test` | number, above 0, below 1 | `0.2` | random: the share of rows that test. |",
        "| `AEASGD` | `2` | `32` | `0.1` | `5` |  |  |  |  |",
        "| `SingleTrainer` | `1` | `12` | none |  |  |  |  |  |",
    ],
)
def test_lines_that_a_person_has_checked(line: str) -> None:
    assert f"{line}\n" in page()


def test_links_lead_to_headings() -> None:
    headings = [re.sub(r"[^\w -]", "", h).lower() for h in re.findall(r"^## (.*)$", page(), re.M)]
    assert set(re.findall(r"\(#(\w+)\)", page())) <= set(headings)
