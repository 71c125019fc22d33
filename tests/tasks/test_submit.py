"""Train on a Punchcard server: real ``luigi`` processes, and real servers."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from distkeras.errors import ConfigError, JobFailed
from distkeras.job_deployment.kept import KeptSubmission
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import described, new_key
from distkeras.punchcard.job_file import ENDED
from distkeras.punchcard.told import Listed
from tasks.config import SubmitSpec, load_experiment
from tasks.progress import Reporter
from tasks.submit import Submission, forget_job
from tests.punchcard.served import Server, secret_of, tiny, until
from tests.tasks.standin import FAILS, WAITS
from tests.tasks.test_bad_input import SEVERAL, the_error
from tests.tasks.test_progress import Visualiser
from tests.tasks.workspace import CONFIG, MODEL, Run, Workspace

SECRET = {"DISTKERAS_SECRET": secret_of("ann")}
CODE = """

def anonymous(dimension, classes, units):
    layers = [keras.Input((dimension,)), keras.layers.Lambda(lambda x: x)]
    return keras.Sequential([*layers, keras.layers.Dense(classes, "softmax")])


@keras.saving.register_keras_serializable("small")
class Own(keras.layers.Dense):
    pass


def own(dimension, classes, units):
    return keras.Sequential([keras.Input((dimension,)), Own(classes, "softmax")])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Reads all that tests write; its jobs are ``standin``'s."""
    options = ("--data-root", str(tmp_path_factory.getbasetemp()), "--max-running", "8")
    # Elsewhere: what is the server's own may not be in a data root.
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), *options, module="tests.tasks.standin")
        server.users("ann", "bob", "eve")
        with server:
            yield server


@pytest.fixture
def workspace(finished: Workspace) -> Workspace:
    """Where Preprocess has run, and nothing else."""
    for task in ("Train", "Evaluate"):
        shutil.rmtree(finished.folder / "output" / task)
    return finished


def jobs_of(server: Server, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.connection(user).ask("GET", "jobs", Listed)["jobs"]
    return found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


class TestConfig:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("config.toml").write_text(CONFIG)

    def test_a_url_alone_or_a_table(self) -> None:
        alone = load_experiment("config.toml", ["train.submit=https://cluster:8000/"])
        table = load_experiment("config.toml", ['train.submit={url="https://cluster:8000"}'])
        assert alone.train.submit == table.train.submit
        assert alone.train.submit is not None
        assert alone.train.submit.url == "https://cluster:8000"
        assert load_experiment("config.toml", ["train.submit="]).train.submit is None

    def test_each_worker_has_a_core(self) -> None:
        table = 'train.submit={url="https://cluster:8000", num_executors=2}'
        submit = load_experiment("config.toml", [table]).train.submit
        assert submit is not None
        assert [submit.cores(workers) for workers in (1, 2, 5)] == [1, 1, 3]

    @pytest.mark.parametrize(
        ("overrides", "expected"),
        [
            (
                ["train.submit=ftp://cluster"],
                "--set train.submit=ftp://cluster: must be like https://host:8000",
            ),
            (["train.submit=https://me:word@cluster:8000"], "must be like https://host:8000"),
            (["train.submit=cluster:8000"], "must be like https://host:8000"),
            (["train.submit=8000"], "--set train.submit=8000: input should be "),
            (
                ['train.submit={url="https://c", executors=2}'],
                "unknown key train.submit.executors; did you mean train.submit.num_executors?",
            ),
            (['train.submit={url="https://c", num_executors=0}'], "greater than or equal to 1"),
            (["train.submit={num_executors=1}"], "train.submit.url is missing"),
            (
                ["train.submit=https://c", "train.checkpoint_seconds=5"],
                "--set train.checkpoint_seconds=5: train: a Punchcard server saves every 60 s",
            ),
        ],
    )
    def test_what_cannot_be_is_one_line(self, overrides: list[str], expected: str) -> None:
        with pytest.raises(ConfigError) as caught:
            load_experiment("config.toml", overrides)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_who_has_no_secret_or_no_server_is_told_at_once(
    server: Server, workspace: Workspace
) -> None:
    def error(url: str, **environment: str) -> str:
        table = f'train.submit={{url="{url}", patience=0.5}}'
        run = workspace.luigi("--set", table, task="Train", **environment)
        assert run.status == 30
        return the_error(run)

    line = "no secret: give [punchcard] secret_file, or set DISTKERAS_SECRET"
    assert error(server.url) == line
    assert error(server.url, DISTKERAS_SECRET="wrong").startswith(f"{server.url}/api/v1/limits: ")
    nowhere = f"http://127.0.0.1:{unused_port()}"
    said = error(nowhere, **SECRET)
    assert said.startswith(f"GET {nowhere}/api/v1/limits: ")
    assert "Connection refused" in said
    with (workspace.folder / "luigi.cfg").open("a") as config:
        config.write("\n[punchcard]\nsecret_file = none.txt\n")
    expected = "[punchcard] secret_file none.txt: No such file or directory"
    assert error(server.url, **SECRET) == expected
    assert workspace.leftovers() == []


def begun(workspace: Workspace, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        workspace.command(*options, task="Train"),
        cwd=workspace.folder,
        env=workspace.environment(DISTKERAS_SECRET=secret_of("bob")),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_run_that_was_killed_finds_its_job_again(server: Server, workspace: Workspace) -> None:
    options = ("--set", f"train.submit={server.url}", "--set", f"train.seed={WAITS}")
    with begun(workspace, *options) as killed:
        until(lambda: [job for job in jobs_of(server, "bob") if job["state"] == "running"], "a job")
        os.killpg(killed.pid, signal.SIGKILL)
    with begun(workspace, *options) as interrupted:
        assert interrupted.stderr is not None
        for line in interrupted.stderr:
            if line.startswith("Train: 50%, 1,000 samples/s"):
                break
        os.killpg(interrupted.pid, signal.SIGINT)
        said = interrupted.stderr.read().splitlines()
        assert interrupted.wait() == -signal.SIGINT
    (job,) = jobs_of(server, "bob")
    assert f"WARNING: job {job['id']} goes on: the next run waits for it" in said
    assert said[-1] == "Interrupted: finished tasks keep their results."
    assert workspace.published("Train") == []
    (server.state / "go").touch()
    run = workspace.luigi(*options, task="Train", DISTKERAS_SECRET=secret_of("bob"))
    assert run.status == 0, run.stderr
    assert run.ran == ["Train"]
    assert "building the model" not in run.stderr
    (trained,) = workspace.published("Train")
    assert manifest(trained)["rows"] == 600
    assert job["name"] == f"Train-{trained.name}"
    assert [one["id"] for one in jobs_of(server, "bob")] == [job["id"]]
    assert workspace.leftovers() == []


class AnewError(Exception):
    """The trainer is made, as for a job that is submitted."""


def make_none() -> Any:
    raise AnewError


def sent(server: Server, place: Path, seed: int) -> RemoteJob:
    """The job of a run that was killed; its key and bytes are kept beside the place."""
    model = tiny(place.with_name("tiny.keras"))
    values = server.values(f"Train-{place.name}")
    values["trainer"]["arguments"] = {"seed": seed}
    beside = KeptSubmission(place.with_name(f".{place.name}.job"))
    kept = beside.keep(server.url, new_key(), described(values, model), model)
    return kept.send(server.connection("eve"))


@pytest.mark.parametrize("fate", ["failed", "cancelled", "lost", "elsewhere"])
def test_a_job_of_which_nothing_can_come_any_more_is_submitted_anew(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    monkeypatch.setenv("DISTKERAS_SECRET", secret_of("eve"))
    place, reporter = tmp_path / "0123456789ab", Reporter(Visualiser(), io.StringIO())
    job = sent(server, place, {"failed": FAILS, "cancelled": WAITS}.get(fate, 0))
    if fate == "cancelled":
        job.cancel()
    until(lambda: job.told()["state"] in ENDED, "its end")
    if fate == "lost":
        shutil.rmtree(server.state / "results" / job.name)
    url = server.url.replace("127.0.0.1", "localhost") if fate == "elsewhere" else server.url
    with pytest.raises(AnewError):
        Submission(SubmitSpec(url=url), place, reporter).train(make_none, server.data)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".job")] == []


class Overtaken(Reporter):
    """At the first news of a job, another run gives that one up and submits one of its own."""

    def __init__(self, server: Server, place: Path, job: RemoteJob) -> None:
        super().__init__(Visualiser(), io.StringIO())
        self.server, self.place, self.job = server, place, job

    def phase(self, name: str) -> None:
        super().phase(name)
        if name in ("training", "waiting for the job's turn"):
            self.job.cancel()
            forget_job(self.place)
            sent(self.server, self.place, WAITS).cancel()


def test_a_failed_job_is_forgotten_but_not_the_one_that_another_run_has_submitted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTKERAS_SECRET", secret_of("eve"))
    (server.state / "go").unlink(missing_ok=True)
    place = tmp_path / "0123456789ab"
    job = sent(server, place, WAITS)
    before = KeptSubmission(tmp_path / ".0123456789ab.job").read()
    reporter = Overtaken(server, place, job)
    with pytest.raises(JobFailed, match="was cancelled"):
        Submission(SubmitSpec(url=server.url), place, reporter).train(make_none, server.data)
    after = KeptSubmission(tmp_path / ".0123456789ab.job").read()
    assert before is not None
    assert after is not None
    assert after.key != before.key


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[Server]:
    """A server that reads nothing of ours."""
    folder = tmp_path / "blind"
    folder.mkdir()
    with Server(folder, module="tests.tasks.standin") as running:
        yield running


def several(workspace: Workspace, *changes: tuple[str, ...]) -> Run:
    """Trains with each of the changes, in one process."""
    tasks = [("Train", change) for change in changes]
    (workspace.folder / "several.py").write_text(f"CHANGES = {tasks!r}\n{SEVERAL}")
    command = workspace.command()
    command[4:] = ["several", "Several"]
    return workspace.run(command, **SECRET)


def test_what_the_server_refuses_or_fails_at_is_one_line_each(
    server: Server, blind: Server, workspace: Workspace
) -> None:
    (workspace.folder / "small.py").write_text(MODEL + CODE)
    with (workspace.folder / "config.toml").open("a") as config:
        config.write(f'\n[train.submit]\nurl = "{server.url}"\n')
    cannot = "train.submit: a job cannot carry this: model: config.json: "
    # With a seed of their own where the changes make no other result: that would be one task.
    wrong = {
        ("train.model.function=small:anonymous",): "keras_model cannot be copied: ",
        ("train.model.function=small:own",): f"{cannot}'small>Own' is no part of Keras",
        (
            "train.seed=1",
            "train.submit.num_executors=99",
        ): "num_executors is 99, but this server allows 16",
        ("train.seed=2", "train.submit.master=yarn"): "master: this server has local",
        (
            "train.seed=3",
            f"train.submit.url={blind.url}",
        ): "/train by itself, so `output` must be in a folder that",
        (
            f"train.seed={FAILS}",
        ): "has failed: the column is missing; its log: distkeras jobs logs ",
    }
    run = several(workspace, *wrong)
    assert run.status == 30
    assert "Traceback" not in run.stderr
    assert len(run.errors) == len(wrong), run.stderr
    for expected in wrong.values():
        assert [line for line in run.errors if expected in line], (expected, run.errors)
    assert workspace.leftovers() == []
    assert [job["state"] for job in jobs_of(server, "ann")] == ["failed"]
    assert jobs_of(blind, "ann") == []
    (server.state / "well").touch()
    again = several(workspace, (f"train.seed={FAILS}",))
    assert again.status == 0, again.stderr
    assert [job["state"] for job in jobs_of(server, "ann")] == ["succeeded", "failed"]


def test_luigi_trains_on_a_real_server_as_it_does_here(
    pipeline: tuple[Workspace, Run], workspace: Workspace, tmp_path: Path
) -> None:
    local, _ = pipeline
    options = ("--data-root", str(workspace.folder / "output"))
    with Server(tmp_path, *options, module="distkeras.punchcard.command") as server:
        submit = ("--set", f"train.submit={server.url}")
        run = workspace.luigi(*submit, **SECRET)
        assert run.status == 0, run.stderr
        assert sorted(run.ran) == ["Evaluate", "Train"]
        (job,) = jobs_of(server, "ann")
        assert job["state"] == "succeeded"
    # Without a secret, and without a server.
    assert workspace.luigi(*submit).ran == []
    assert workspace.luigi().ran == []
    assert workspace.leftovers() == []
    _check_is_as(local, workspace)


def _check_is_as(local: Workspace, workspace: Workspace) -> None:
    """The same results under the same names, but for the learning itself."""
    for task in ("Preprocess", "Train", "Evaluate"):
        ours, theirs = local.published(task), workspace.published(task)
        assert [one.name for one in ours] == [one.name for one in theirs]
        assert sorted(os.listdir(ours[0])) == sorted(os.listdir(theirs[0]))
    (here,), (there,) = local.published("Train"), workspace.published("Train")
    assert manifest(here).keys() == manifest(there).keys()
    for key in ("parameters", "rows", "rows_merged", "num_workers"):
        assert manifest(here).get(key) == manifest(there).get(key)
    assert manifest(here)["task"]["depends_on"] == manifest(there)["task"]["depends_on"]
    tables = [pq.read_table(folder / "history.parquet") for folder in (here, there)]
    assert tables[0].schema == tables[1].schema
    assert sum(tables[1]["samples"].to_pylist()) == manifest(there)["rows"]
    (judged,) = workspace.published("Evaluate")
    assert 0.5 < json.loads((judged / "metrics.json").read_text())["accuracy"] <= 1
