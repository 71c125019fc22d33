"""The pages say what is so: links lead somewhere, quoted errors and keys are those of the code."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from distkeras.rules import Rule
from distkeras.trainers import TRAINERS, EnsembleTrainer
from tasks.config import Experiment
from tests.test_examples import table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

#: Blocks of a page that is Markdown: in them nothing is a link or a heading.
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    return [
        text for kind, text in FENCED.findall(page.read_text(encoding="utf-8")) if kind == language
    ]


@cache
def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@by_page
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_every_page_is_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/(\w+\.md)", prose(PAGES[0])))
    assert {page.name for page in PAGES[1:]} <= linked


@cache
def messages() -> list[str]:
    """The texts of each file of the code, what an f-string puts in as an ellipsis."""
    sources = [file for room in ("distkeras", "tasks") for file in (ROOT / room).rglob("*.py")]
    trees = [ast.walk(ast.parse(file.read_text(encoding="utf-8"))) for file in sources]
    return ["\n".join(text for node in tree for text in written(node)) for tree in trees]


def written(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        yield "".join(map(str, parts))


def quoted() -> list[str]:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"\*\*`([^`]+)`\*\*", page)


def test_errors_are_quoted() -> None:
    assert len(quoted()) > 30


@pytest.mark.parametrize("line", quoted())
def test_a_quoted_error_is_one_of_the_code(line: str) -> None:
    """Whatever is between two ellipses: in the texts of one file, which may put it together."""
    parts = [part.strip(" :;,'") for part in line.split("…")]
    assert any(all(part in texts for part in parts) for texts in messages())


@cache
def keys() -> set[str]:
    """Every key of the config by its name."""

    def below(schema: object) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            schema = list(schema.values())
        for part in schema if isinstance(schema, list) else ():
            yield from below(part)

    return set(below(Experiment.model_json_schema()))


@by_page
def test_settings_on_command_lines_are_keys(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"--set ([\w.]+)=", text)
    named += re.findall(r"`((?:train|preprocess|evaluate|missing|categorical)\.[a-z_.]+)`", text)
    assert {key for key in named if not set(key.split(".")) <= keys()} == set()


@by_page
def test_python_is_python(page: Path) -> None:
    for text in blocks(page, "python"):
        ast.parse(text)


@by_page
def test_scripts_on_command_lines_are_there(page: Path) -> None:
    """What a command names of the repository."""
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    words = {word for line in lines for word in shlex.split(line, comments=True)}
    ours = {
        word for word in words if re.match(r"(examples|benchmarks|configs|scripts)/\w+\.\w+$", word)
    }
    assert {word for word in ours if not (ROOT / word).exists()} == set()


def test_each_rule_has_its_two_sentences() -> None:
    page = prose(ROOT / "docs" / "concepts.md")
    rules: list[Rule] = [made(None).rule for made in (*TRAINERS.values(), EnsembleTrainer)]
    for rule in rules:
        (text,) = re.findall(rf"^\*\*{rule.name}\*\* (.+?)\n\n", page, re.MULTILINE | re.DOTALL)
        assert len(re.findall(r"\.(?=\s|$)", text)) >= 2, text


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


CHOOSING = (ROOT / "docs" / "choosing_an_optimizer.md").read_text(encoding="utf-8")


def test_which_optimizer_is_what_was_measured() -> None:
    assert printed("which_optimizer.py", "--show").strip() in CHOOSING


def test_the_published_numbers_are_beside_ours() -> None:
    found = [line.split("│") for line in printed("thesis_table.py").splitlines()]
    rows = [[cell.strip() for cell in cells[1:-1]] for cells in found if len(cells) > 1]
    assert len(rows) == 8
    for rule, workers, window, published, last, _, mean, best, _ in rows:
        line = f"| {workers}, {window} | `{rule}` | {published} | {last} | {mean} | {best} |\n"
        assert line in CHOOSING


def test_the_starts_of_many_workers_are_as_told() -> None:
    rows = table(printed("start_together.py"))
    assert rows["0"][1].endswith("94.5")
    assert min(rows["0"][1].split(), key=float) == "49.2"
    assert rows["10"][1].endswith("97.5")
