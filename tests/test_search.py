"""The page of a search, and the numbers beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distkeras.report import Axis, Candidate, Competitor, Quest, write_search
from tests.test_comparison import competitor
from tests.test_report import Page

RATE = Axis("train.learning_rate", "learning_rate", ["0.001", "0.1"], "log")
SIZE = Axis("train.model.arguments.hidden", "hidden", ["[64]", '"a <b>"'], "list")
QUEST = Quest("configs/magic.toml", "accuracy", [RATE, SIZE])


def tried(number: int, rate: str, hidden: str, accuracy: float | None, **ended: str) -> Candidate:
    values = {RATE.key: rate, SIZE.key: hidden}
    overrides = tuple(f"{key}={value}" for key, value in values.items())
    shown = (
        Competitor(str(number), overrides, **ended)
        if accuracy is None
        else competitor(str(number), accuracy, overrides=overrides)
    )
    return Candidate(number, values, shown, accuracy)


TRIALS = [
    tried(1, "0.01", "[64]", 0.8),
    tried(2, "0.003", '"a <b>"', 0.9),
    tried(3, "0.09", "[64]", None, stopped="after 1 of 4 epochs: it was behind"),
    tried(4, "0.002", "[64]", None, failed="Train: no space left"),
    tried(5, "0.01", "[64]", 0.8),
]


def written(tmp_path: Path, quest: Quest, trials: list[Candidate]) -> tuple[dict[str, Any], str]:
    path = tmp_path / "report.html"
    found = write_search(path, quest, trials)
    return found, path.read_text()


def test_the_numbers(tmp_path: Path) -> None:
    found, _ = written(tmp_path, QUEST, TRIALS)
    assert (found["objective"], found["chosen_on"], found["best"]) == ("accuracy", "test", [2])
    assert [one["number"] for one in found["trials"]] == [1, 2, 3, 4, 5]
    assert found["trials"][1]["accuracy"] == 0.9
    assert found["trials"][2] == {
        "number": 3,
        "overrides": ["train.learning_rate=0.09", "train.model.arguments.hidden=[64]"],
        "stopped": "after 1 of 4 epochs: it was behind",
    }
    assert found["trials"][3]["failed"] == "Train: no space left"


def test_the_page(tmp_path: Path) -> None:
    _, text = written(tmp_path, QUEST, TRIALS)
    page = Page(text)
    assert "is the best accuracy on the test split of 5 trials: trial 2, with" in page.text
    assert "learning_rate = 0.003, hidden = a <b>" in page.text
    assert "1 was stopped, 1 failed." in page.text
    assert "The best of 3 trials was chosen by its accuracy on the test split" in page.text
    assert "stopped after 1 of 4 epochs: it was behind" in page.text
    assert "Trial 5 has drawn the values of an earlier one again." in page.text
    assert "Trial 2 reached 0.9000 , and the 3 after it no better." in page.text
    assert "a <b> has the best one, 0.9000 of 1 trial." in page.text
    assert "<b>" not in text.split("aria-label")[1].split("</svg>")[0]
    assert text.count("<figure>") == text.count("<figcaption>") == 3


def test_less_may_be_better(tmp_path: Path) -> None:
    trials = [tried(1, "0.01", "[64]", 0.8), tried(2, "0.02", "[64]", 0.9)]
    found, text = written(tmp_path, Quest("a.toml", "loss", [RATE, SIZE]), trials)
    assert found["best"] == [1]
    assert "the last no better" in Page(text).text


@pytest.mark.parametrize("number", [1, 2])
def test_where_none_came_to_its_end(tmp_path: Path, number: int) -> None:
    found, text = written(tmp_path, QUEST, TRIALS[2 : 2 + number])
    assert found["best"] == []
    assert "No trial came to its end." in Page(text).text
    assert "<figure>" not in text
