"""The space of a sweep, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from tasks import Sweep
from tasks.base import ExperimentTask
from tasks.config import load_experiment
from tasks.sweep.goal import Goal
from tasks.sweep.search import Drawn, Outcome, Search, Stopped
from tests.tasks.workspace import REPOSITORY, Workspace

TABLE = """
[train.worker_optimizer]
name = "sgd"

[sweep]
trials = 4

[sweep.space]
train.worker_optimizer.learning_rate = { low = 1e-4, high = 0.1, log = true }
train.batch_size = [16, 32, 64]
"""


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace.create(tmp_path, rows=10)
    monkeypatch.chdir(tmp_path)
    ExperimentTask.clear_instance_cache()
    with Path("config.toml").open("a") as config:
        config.write(TABLE)
    return made


class TestSpace:
    def drawn(self, axis: str, count: int = 20) -> list[str]:
        spec = load_experiment("config.toml", [f"sweep.space={{train.batch_size={axis}}}"]).sweep
        assert spec is not None
        search = Search(spec, Goal("accuracy", "accuracy"))
        return [search.draw().values["train.batch_size"] for _ in range(count)]

    @pytest.mark.parametrize(
        ("axis", "known"),
        [
            ("[16, 64]", {"16", "64"}),
            ("{low = 1, high = 3}", {"1", "2", "3"}),
            ("{low = 10, high = 30, step = 10}", {"10", "20", "30"}),
            ("{low = 0.0, high = 0.2, step = 0.1}", {"0.0", "0.1", "0.2"}),
            ('["a b", [1, 2]]', {'"a b"', "[1, 2]"}),
        ],
    )
    def test_what_is_drawn_is_toml(self, axis: str, known: set[str]) -> None:
        assert set(self.drawn(axis)) == known

    def test_a_logarithmic_range(self) -> None:
        found = [float(each) for each in self.drawn("{low = 1e-6, high = 1.0, log = true}", 60)]
        assert all(1e-6 <= each <= 1 for each in found)
        assert 15 < sum(each < 1e-3 for each in found) < 45

    @pytest.mark.parametrize(
        ("override", "said"),
        [
            ("sweep.trials=0", "sweep.trials"),
            ("sweep.sampler=grid", "sweep.sampler"),
            ("sweep.space.train.batch_size=[]", "train.batch_size"),
            ("sweep.space.train.batch_size=[8, 8]", "a value occurs twice"),
            ("sweep.space.train.batch_size=32", "train.batch_size"),
            ("sweep.space.train.batch_size={low = 1}", "give a list of values, or low and high"),
            ("sweep.space.train.batch_size={low = 8, high = 8}", "must be less than high"),
            ("sweep.space.train.batch_size={low = 0, high = 8, log = true}", "must be above 0"),
            ("sweep.space.train.batch_size={low = 1, high = 8, step = 2}", "a whole part of high"),
            ("sweep.space.train.batch_size={low = 1, high = 8, lg = true}", "lg"),
            ("sweep.space.train.batch_size={low = 1, high = inf}", "must be finite"),
            ("sweep.space.output=[1, 2]", "only keys of preprocess, train, evaluate can vary"),
            ("sweep.space={}", "sweep.space"),
        ],
    )
    def test_a_wrong_one_is_told_of_in_one_line(self, override: str, said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            load_experiment("config.toml", [override])
        assert said in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        ("override", "said"),
        [
            ("sweep.objective=rmse", "of classes there are accuracy, roc_auc, loss"),
            ("sweep.watch=auc", "the training measures loss, accuracy"),
            ("sweep.space.train.sed=[1]", "unknown key train.sed"),
            ("sweep.space.train.batch_size=[16, 'x']", "train.batch_size"),
            ("train.submit=https://there:8000", "cannot be stopped early"),
        ],
    )
    def test_what_cannot_be_searched_is_told_of_before_anything_runs(
        self, override: str, said: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            Sweep(config="config.toml", set=(override,))
        assert said in str(caught.value)

    def test_there_must_be_something_to_search(self) -> None:
        config = Path("config.toml").read_text()
        Path("config.toml").write_text(config[: config.index("[sweep]")])
        with pytest.raises(ConfigError, match=r"config\.toml: nothing to search: the file has no"):
            Sweep(config="config.toml")

    def test_losses_of_several_kinds_are_not_compared(self) -> None:
        both = 'sweep.space.train.loss=["mse", "categorical_crossentropy"]'
        Sweep(config="config.toml", set=(both,))
        with pytest.raises(ConfigError, match=r"sweep\.watch is loss"):
            Sweep(config="config.toml", set=(both, "sweep.watch=loss"))


def test_the_example_can_be_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert Sweep(config="configs/sweep.toml").number == 16


class TestSearch:
    def outcomes(self, sampler: str, *outcomes: Outcome) -> list[Drawn]:
        spec = load_experiment("config.toml", [f"sweep.sampler={sampler}"]).sweep
        assert spec is not None
        search, drawn = Search(spec, Goal("accuracy", "loss")), []
        for outcome in outcomes:
            drawn.append(search.draw())
            search.tell(drawn[-1].number, outcome)
        return [*drawn, search.draw()]

    def test_the_same_results_give_the_same_trials(self) -> None:
        stopped = Outcome(stopped=Stopped("behind", 1.0, 2, {4: 0.7}))
        told = [*(Outcome(0.1 * n) for n in range(9)), stopped, Outcome(failed="x"), Outcome(0.5)]
        assert self.outcomes("tpe", *told) == self.outcomes("tpe", *told)
        other = [Outcome(0.9 - 0.1 * n) for n in range(9)]
        assert self.outcomes("tpe", *told)[-1] != self.outcomes("tpe", *other, *told[9:])[-1]

    def test_a_random_search_does_not_look_at_results(self) -> None:
        some = [Outcome(0.1 * n) for n in range(12)]
        assert self.outcomes("random", *some) == self.outcomes("random", *reversed(some))
