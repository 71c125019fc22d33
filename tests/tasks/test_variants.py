from __future__ import annotations

import re
from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from tasks import Compare, Sweep, Train
from tasks.base import ExperimentTask
from tasks.config import load_experiment
from tasks.variants import Variant, listed_variants, table_variants
from tests.tasks.workspace import REPOSITORY, Workspace

LIST = """
[[compare.variants]]
name = "as it is"

[[compare.variants]]
name = "easgd"
train.trainer = "AEASGD"
"train.worker_optimizer.name" = "sgd"
train.worker_optimizer.learning_rate = 0.1
set = ["train.seed=7"]

[compare.variants.preprocess]
drop = ["fAlpha", 'quoted "name"']
split = { test = 0.25, stratify = false }
"""
GRID = """
[compare.grid]
train.num_workers = [1, 2]
"train.trainer" = ["ADAG", "DOWNPOUR"]
"""


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    ExperimentTask.clear_instance_cache()
    return Workspace.create(tmp_path, rows=10)


def write(*tables: str) -> None:
    path = Path("config.toml")
    path.write_text("\n".join([path.read_text(), *tables]))


def found() -> list[Variant]:
    return table_variants(load_experiment("config.toml").compare)


def compare(*listed: str, overrides: tuple[str, ...] = ()) -> Compare:
    return Compare(config="config.toml", set=overrides, set_list=listed)


def message(*listed: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compare(*listed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_list_in_the_file() -> None:
    write(LIST)
    assert found() == [
        Variant("as it is", ()),
        Variant(
            "easgd",
            (
                'preprocess.drop=["fAlpha", "quoted \\"name\\""]',
                "preprocess.split.test=0.25",
                "preprocess.split.stratify=false",
                'train.trainer="AEASGD"',
                "train.worker_optimizer.learning_rate=0.1",
                'train.worker_optimizer.name="sgd"',
                "train.seed=7",
            ),
        ),
    ]
    experiment = load_experiment("config.toml", found()[1].overrides)
    assert experiment.preprocess.drop == ("fAlpha", 'quoted "name"')
    assert experiment.train.worker_optimizer.to_keras() == {
        "class_name": "sgd",
        "config": {"learning_rate": 0.1},
    }


def test_a_grid_in_the_file() -> None:
    write(GRID)
    assert [one.name for one in found()] == [
        "num_workers=1, trainer=ADAG",
        "num_workers=1, trainer=DOWNPOUR",
        "num_workers=2, trainer=ADAG",
        "num_workers=2, trainer=DOWNPOUR",
    ]
    assert found()[1].overrides == ("train.num_workers=1", 'train.trainer="DOWNPOUR"')


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["base:"], [("base", [])]),
        (
            ["two: train.seed=2 ; train.loss=mse"],
            [("two", ["train.seed=2", "train.loss=mse"])],
        ),
        (
            ["train.trainer=ADAG,DOWNPOUR"],
            [
                ("trainer=ADAG", ["train.trainer=ADAG"]),
                ("trainer=DOWNPOUR", ["train.trainer=DOWNPOUR"]),
            ],
        ),
        (
            ["train.seed=[1, 2]", "split.seed=3"],
            [
                ("train.seed=1, split.seed=3", ["train.seed=1", "split.seed=3"]),
                ("train.seed=2, split.seed=3", ["train.seed=2", "split.seed=3"]),
            ],
        ),
        (
            ["a.hidden=[8, 8],[4]", "b: c=\"x;y:z\"; d={e = 1, f = 'g'}"],
            [
                ("b", ['c="x;y:z"', "d={e = 1, f = 'g'}"]),
                ("hidden=[8, 8]", ["a.hidden=[8, 8]"]),
                ("hidden=[4]", ["a.hidden=[4]"]),
            ],
        ),
        (
            ["compression=top-k:0.1,none"],
            [
                ("compression=top-k:0.1", ["compression=top-k:0.1"]),
                ("compression=none", ["compression=none"]),
            ],
        ),
    ],
)
def test_variants_on_the_command_line(texts: list[str], expected: list[object]) -> None:
    assert [(one.name, list(one.overrides)) for one in listed_variants(texts)] == expected


@pytest.mark.parametrize("text", ["", "train.seed", "train.seed=", "=1,2"])
def test_what_is_no_variant_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--set-list"):
        listed_variants([text])


def test_the_command_line_stands_in_place_of_the_file() -> None:
    write(LIST)
    assert list(compare("train.seed=1,2").evaluations) == ["seed=1", "seed=2"]


def test_variants_are_ordinary_tasks_and_share_what_they_share() -> None:
    task = compare("train.seed=0,1", "data: preprocess.split.seed=1")
    data, same, other = (each.requires() for each in task.evaluations.values())
    assert same["train"].key == Train(config="config.toml").key
    assert same["preprocess"] == other["preprocess"] != data["preprocess"]
    assert len({same["preprocess"], other["preprocess"], data["preprocess"]}) == 2
    assert same["train"] != other["train"]


def test_the_key_follows_the_variants_and_not_what_does_not_matter() -> None:
    keys = [
        compare("train.seed=0,1").key,
        compare("train.seed=1,0").key,
        compare("train.seed=0,2").key,
        compare("a: train.seed=0", "b: train.seed=1").key,
        compare("train.seed=0,1", overrides=("train.batch_size=8",)).key,
        compare("train.seed=0,1", overrides=("compare.target.loss=0.5",)).key,
    ]
    assert len(set(keys)) == len(keys)
    assert compare("train.seed=0,1", overrides=("train.timeout=9",)).key == keys[0]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], "config.toml: nothing to compare: give [[compare.variants]], or --set-list"),
        (["a: train.seed=1", "a: train.seed=2"], "compare: 2 variants have the name 'a'"),
        (
            ["a: train.nun_workers=1"],
            "config.toml: compare: variant 'a': train.nun_workers=1: unknown key "
            "train.nun_workers; did you mean train.num_workers?",
        ),
        (
            ["a: train.seed=0", "b: train.batch_size=32"],
            "config.toml: compare: variant 'b' gives the same result as 'a'",
        ),
        (["a: output=x"], "compare: variant 'a': output=x: cannot vary"),
        (
            ["a: train.model.function=smal:mlp"],
            "config.toml: compare: variant 'a': train.model.function = 'smal:mlp': no module",
        ),
    ],
)
def test_wrong_variants_are_named(listed: list[str], expected: str) -> None:
    assert expected in message(*listed)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('[[compare.variants]]\nnmae = "x"', "unknown key compare.variants.0.nmae; did you mean"),
        (
            '[[compare.variants]]\nname = "x"\ntrian.seed = 1',
            "unknown key compare.variants.0.trian; did you mean compare.variants.0.train?",
        ),
        ("[[compare.variants]]\ntrain.seed = 1", "compare.variants.0.name is missing"),
        ('[[compare.variants]]\nname = " x"', "without spaces around it"),
        ("[compare]\ngird.x = [1]", "unknown key compare.gird; did you mean compare.grid?"),
        ("[compare]\ngrid.train.seed = 1", "train.seed = 1: must be a list of values"),
        ("[compare]\ngrid.output = ['a']", "output: only keys of preprocess, train, evaluate"),
        ("[compare]\ntarget = {loss = 1, accuracy = 1}", "compare.target"),
        ('[compare]\ntarget = {loss = "low"}', "compare.target.loss = 'low'"),
        (
            '[[compare.variants]]\nname = "x"\n"train.seed" = 1\n"train.seed.x" = 1',
            "train.seed.x: seed is a value, not a table of keys",
        ),
    ],
)
def test_a_wrong_table_is_named(table: str, expected: str) -> None:
    write(table)
    said = message()
    assert said.startswith("config.toml: ")
    assert expected in said


def test_what_a_reader_may_copy_can_be_compared_and_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The examples of the documentation, and the line of the config that is a comment."""
    magic = (REPOSITORY / "configs" / "magic.toml").read_text()
    compared, searched = re.findall(
        r"^```toml\n(.*?)^```", (REPOSITORY / "docs" / "experiments.md").read_text(), re.M | re.S
    )
    texts = {
        "example.toml": magic[: magic.index("[compare]")] + compared + searched,
        "magic.toml": magic.replace("# grid.", "grid."),
    }
    folder = Path.cwd()
    monkeypatch.chdir(REPOSITORY)
    counts = {}
    for name, text in texts.items():
        (folder / name).write_text(text)
        counts[name] = len(Compare(config=str(folder / name)).evaluations)
    assert counts == {"example.toml": 7, "magic.toml": 5}
    assert Sweep(config=str(folder / "example.toml")).number == 16
