from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distkeras.errors import ConfigError
from tasks.config import load_experiment
from tests.tasks.workspace import CONFIG, REPOSITORY


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def message(*overrides: str, path: str = "config.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(text: str) -> None:
    Path("config.toml").write_text(text)


def test_defaults() -> None:
    experiment = load_experiment("config.toml")
    assert experiment.output == "output"
    assert experiment.train.trainer == "ADAG"
    assert experiment.train.worker_optimizer.to_keras() == "adam"
    assert experiment.train.metrics is None
    assert not experiment.evaluate.predictions
    given = experiment.train.trainer_arguments()
    assert given == {"num_epoch": 1, "batch_size": 32, "seed": 0, "communication_window": 4}


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.num_workers=4", "num_workers", 4),
        ("train.learning_rate=1e-3", "learning_rate", 0.001),
        ("train.learning_rate=1", "learning_rate", 1),
        ("train.compression=top-k:0.05", "compression", "top-k:0.05"),
        ("train.loss=mse", "loss", "mse"),
        ('train.loss="mse"', "loss", "mse"),
        (" train.loss = mse ", "loss", "mse"),
        ('train.metrics=["mae", "mse"]', "metrics", ("mae", "mse")),
        ("train.metrics=[]", "metrics", ()),
        ("train.overlap=true", "overlap", True),
        ("train.num_parameter_servers=2", "num_parameter_servers", 2),
    ],
)
def test_overrides(override: str, key: str, value: object) -> None:
    assert getattr(load_experiment("config.toml", [override]).train, key) == value


def test_last_override_wins_and_tables_are_merged() -> None:
    overrides = ["train.seed=1", "train.seed=2", "train.model.arguments.units=16"]
    train = load_experiment("config.toml", overrides).train
    assert train.seed == 2
    assert train.model.arguments == {"units": 16}
    assert train.model.function == "small:mlp"


def test_no_value_takes_a_key_away() -> None:
    train = load_experiment("config.toml", ["train.communication_window="]).train
    assert train.communication_window is None
    assert load_experiment("config.toml", ["train.submit="]).train.submit is None
    assert "loss is missing" in message("train.loss=")
    assert "unknown key train.nun_workers" in message("train.nun_workers=")


def test_value_that_looks_like_a_date_stays_text() -> None:
    train = load_experiment("config.toml", ["train.model.arguments.day=2013-06-01"]).train
    assert train.model.arguments["day"] == "2013-06-01"


def test_optimizer_as_name_and_as_table() -> None:
    def optimizer(value: str) -> Any:
        overrides = [f"train.worker_optimizer={value}"]
        return load_experiment("config.toml", overrides).train.worker_optimizer.to_keras()

    assert optimizer("sgd") == "sgd"
    table = optimizer('{name = "sgd", learning_rate = 0.1, nesterov = true}')
    assert table == {"class_name": "sgd", "config": {"learning_rate": 0.1, "nesterov": True}}
    rate = optimizer('{name = "sgd", learning_rate = 1}')["config"]["learning_rate"]
    assert (rate, type(rate)) == (1, float)


def test_output_may_be_below_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_experiment("config.toml", ["output=~/x"]).output == "/home/someone/x"
    assert load_experiment("config.toml", ["output=x~"]).output == "x~"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.nun_workers=4", "unknown key train.nun_workers; did you mean train.num_workers?"),
        ("num_workers=4", "unknown key num_workers; did you mean train.num_workers?"),
        ("trian.seed=4", "unknown key trian; did you mean train?"),
        (
            "preprocess.sources.events.paht=4",
            "unknown key preprocess.sources.events.paht; "
            "did you mean preprocess.sources.events.path?",
        ),
        ("train.model.fnction=4", "unknown key train.model.fnction; did you mean"),
        ("evaluate.zzz=4", "unknown key evaluate.zzz; known here: batch_size, predictions"),
        ("train.num_workers=0", "input should be greater than or equal to 1"),
        ("train.num_workers=2.5", "input should be a valid integer"),
        ("train.num_workers=many", "input should be a valid integer"),
        ("train.batch_size=true", "input should be a valid integer"),
        ("train.learning_rate=-1", "input should be greater than 0"),
        ("train.learning_rate=nan", "input should be "),
        ("train.seed=4294967296", "input should be less than 4294967296"),
        ("train.overlap=yes", "input should be a valid boolean"),
        ("train.rho=0", "input should be greater than 0"),
        (
            "train.worker_optimizer.learning_rate=0",
            "train.worker_optimizer: learning_rate = 0: must be a number greater than 0",
        ),
        (
            "train.worker_optimizer.learning_rate=fast",
            "train.worker_optimizer: learning_rate = 'fast': must be a number greater than 0",
        ),
        (
            "output=s3a://nn/x",
            "only local paths, file:///absolute/path and hdfs://host:port/path are supported",
        ),
        ("output=~no such user/x", "no such home directory"),
        ("output=3", "input should be a valid string"),
        ("train=3", "input should be a valid dictionary or instance of TrainSpec"),
        ("train.model.function=mlp", "write it as package.module:function"),
        ("train.trainer=DAG", "unknown trainer; did you mean 'ADAG'? known: "),
        ("train.trainer=fit", "unknown trainer; known: "),
        ("train.rho=2", "train: ADAG takes no rho: remove train.rho"),
        ("train.num_parameter_servers=0", "input should be greater than or equal to 1"),
        ("train.compression=zip", "train: compression is 'zip', but must be None, \"bfloat16\""),
    ],
)
def test_wrong_override_is_named(override: str, expected: str) -> None:
    assert message(override).startswith(f"--set {override}: {expected}")


def test_override_that_is_none_is_named() -> None:
    assert message("train").startswith("--set train: write it as key=value")
    assert message("train.=3").startswith("--set train.=3: write it as key=value")
    deeper = message("train.seed.x=3")
    assert deeper == "--set train.seed.x=3: train.seed: input should be a valid integer"
    assert message("output=a", "output.b=3").startswith("--set output.b=3: output is a value")


def test_wrong_line_of_the_file_is_named() -> None:
    write(CONFIG.replace("communication_window", "comunication_window"))
    assert message() == (
        "config.toml: unknown key train.comunication_window; "
        "did you mean train.communication_window?"
    )
    write(CONFIG.replace("communication_window = 4", 'communication_window = "4"'))
    assert message() == (
        "config.toml: train.communication_window = '4': input should be a valid integer"
    )
    write(CONFIG.replace('loss = "categorical_crossentropy"', ""))
    assert message() == "config.toml: train.loss is missing"


def test_several_faults_are_counted_and_the_unknown_key_comes_first() -> None:
    write(CONFIG.replace("loss =", "lss ="))
    assert message() == "config.toml: unknown key train.lss; did you mean train.loss? (and 1 more)"


def test_model_needs_one_origin() -> None:
    assert message("train.model={}").endswith("train.model: give exactly one of function and file")
    both = message("train.model.file=a.keras")
    assert both.endswith("file=a.keras: train.model: give exactly one of function and file")
    assert message('train.model={file="a.h5"}').endswith("must end in .keras")
    odd = message('train.model={file="a.keras", arguments={a=1}}')
    assert odd.endswith("arguments go with function, not with file")


def test_values_that_cannot_work_together_are_found_by_the_trainer_itself() -> None:
    said = message("train.trainer=AEASGD", "train.learning_rate=0.1", "train.rho=20")
    assert said.startswith("--set train.rho=20: train: ")
    said = message("train.trainer=EASGD", "train.overlap=true")
    assert said.startswith("--set train.overlap=true: train: overlap is True, but EASGD's workers")


def test_file_that_cannot_be_read_is_named() -> None:
    missing = message(path="confg.toml")
    assert missing.startswith("confg.toml: cannot read the config: No such file")
    assert missing.endswith("did you mean config.toml?")
    assert message(path=os.curdir).startswith(".: cannot read the config: Is a directory")
    write("[train")
    assert message().startswith("config.toml: not TOML: ")
    Path("config.toml").write_bytes(b"output = '\xff'")
    assert message().startswith("config.toml: not TOML: ")


def test_checking_imports_neither_tensorflow_nor_pyspark() -> None:
    load_experiment("config.toml")
    script = (
        "import sys; from tasks.config import load_experiment; load_experiment('config.toml');"
        "print([m for m in ('tensorflow', 'keras', 'pyspark') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
