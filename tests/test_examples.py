"""The examples run, as a user runs them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from distkeras.predict.scorer import find_scorer
from distkeras.rules import Exchange
from examples.custom_optimizer import momentum_adag
from examples.mnist_files import read
from tests.rules.contract import contract_of

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("simulate.py", *arguments)


def table(text: str) -> dict[str, list[str]]:
    """The rows of a printed table by their first cell."""
    rows = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    return {row[1].strip(): [cell.strip() for cell in row[2:-1]] for row in rows}


def test_simulate_draws_every_rule_and_prints_a_table(tmp_path: Path) -> None:
    out = tmp_path / "new" / "figure.svg"
    ran = simulate(
        *("--rules", "ADAG", "EASGD", "--workers", "2", "--epochs", "1", "--window", "2"),
        *("--rows", "160", "--compute", "exponential", "--straggler", "3", "--delay", "0.1"),
        *("--breakdown", "0:1.5:2", "--out", str(out)),
    )
    assert ran.returncode == 0, ran.stderr
    rows = table(ran.stdout)
    assert set(rows) == {"ADAG", "EASGD"}
    # 128 events for 2 workers: 2 mini-batches of 32 each, one window.
    assert [cells[2] for cells in rows.values()] == ["2", "2"]
    assert all(float(cells[0]) > 0 and cells[4].endswith("%") for cells in rows.values())
    assert rows["EASGD"][3] == "0.00"
    texts = {text.strip() for text in ElementTree.parse(out).getroot().itertext()}
    wanted = {"ADAG", "EASGD", "virtual time, s", "samples merged into the center, thousands"}
    assert wanted <= texts
    assert any("one worker 3x as slow" in text for text in texts)
    assert any("worker 0 fails" in text for text in texts)


def test_simulate_names_the_nearest_rule() -> None:
    ran = simulate("--rules", "ADAG", "DOWNPUOR")
    assert ran.returncode == 2
    said = "simulate.py: there is no rule 'DOWNPUOR'; the nearest is 'DOWNPOUR'\n"
    assert (ran.stdout, ran.stderr) == ("", said)


Main = Callable[[list[str]], None]


@pytest.fixture
def main_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Main]:
    """The ``main`` of a script, to be called in this process, whose Spark it then uses."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return lambda name: import_module(name).main


def test_the_three_examples_one_after_the_other(
    spark: object, main_of: Callable[[str], Main], tmp_path: Path
) -> None:
    header, *events = (EXAMPLES / "data" / "magic04.csv").read_text().splitlines()
    raw = tmp_path / "raw.csv"
    raw.write_text("\n".join([header, *events[::60]]))
    folder = ["--folder", str(tmp_path)]
    main_of("example_0_preprocessing")([*folder, "--input", str(raw)])
    main_of("example_1_training")([*folder, "--trainer", "DOWNPOUR", "--epochs", "2"])
    main_of("example_2_analysis")(folder)

    report = json.loads((tmp_path / "trained" / "report.json").read_text())
    metrics = json.loads((tmp_path / "analysis" / "metrics.json").read_text())
    assert report["rows_merged"] == 2 * report["rows"]
    assert report["rows"] + metrics["rows"] == len(events[::60])
    assert (report["trainer"], metrics["classes"]) == ("DOWNPOUR", ["g", "h"])
    assert metrics["loss"] > 0
    assert (tmp_path / "analysis" / "history.png").read_bytes().startswith(b"\x89PNG")
    # What is trained is what `distkeras predict` takes.
    assert find_scorer(str(tmp_path / "trained"), "features").model.count_params() > 0

    with pytest.raises(SystemExit, match=r"^\S+/data: is there already; remove it, or give anoth"):
        main_of("example_0_preprocessing")([*folder, "--input", str(raw)])
    elsewhere = ["--folder", str(tmp_path / "elsewhere")]
    with pytest.raises(SystemExit, match=r"^source 'raw': \S+rows.csv does not exist"):
        main_of("example_0_preprocessing")([*elsewhere, "--input", str(tmp_path / "rows.csv")])
    assert not (tmp_path / "elsewhere" / "data").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("example_0_preprocessing", ["--label", ""], "--input and --label: must not be empty"),
        ("example_1_training", [], "preprocessor.json: cannot read: No such file"),
        ("example_2_analysis", [], "preprocessor.json: cannot read: No such file"),
        ("custom_optimizer", ["--rows", "9"], "--rows is 9, but must be at least 10"),
        ("mnist", ["--data", "nowhere"], "nowhere/train-images-idx3-ubyte or train-images-idx3-"),
    ],
)
def test_what_is_wrong_is_one_line(
    name: str,
    arguments: list[str],
    said: str,
    main_of: Callable[[str], Main],
    tmp_path: Path,
) -> None:
    folder = ["--folder", str(tmp_path)] if name.startswith("example_") else []
    with pytest.raises(SystemExit) as ended:
        main_of(name)([*folder, *arguments])
    assert said in str(ended.value)
    assert "\n" not in str(ended.value)
    assert not any(tmp_path.iterdir())


def idx(numbers: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, numbers.ndim)) + np.array(numbers.shape, ">u4").tobytes() + bytes(numbers)
    )


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Noise, as MNIST's files have digits: those to train packed, those to test not."""
    random = np.random.default_rng(0)
    for split, count in (("train", 64), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = random.integers(0, 10, count).astype(np.uint8)
        for name, numbers in (("images-idx3", images), ("labels-idx1", labels)):
            path, content = tmp_path / f"{split}-{name}-ubyte", idx(numbers)
            if split == "train":
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)
    return tmp_path


def test_mnist_trains_on_idx_files(digits: Path) -> None:
    one = ("--workers", "1", "--epochs", "1", "--batch-size", "32")
    ran = run("mnist.py", "--data", str(digits), *one)
    assert ran.returncode == 0, ran.stderr
    counted, measured = ran.stdout.splitlines()
    assert counted.startswith("workers: 1, epochs: 1, seconds: ")
    # Of 20 digits.
    assert float(measured.removeprefix("test accuracy: ")) * 20 % 1 == pytest.approx(0, abs=1e-3)


def test_digits_are_read_as_they_were_written(digits: Path) -> None:
    x, y = read(digits, "t10k")
    written = (digits / "t10k-images-idx3-ubyte").read_bytes()
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((20, 784), np.float32, (20,), np.int32)
    assert bytes(np.rint(x * 255).astype(np.uint8)) == written[16:]
    assert bytes(y.astype(np.uint8)) == (digits / "t10k-labels-idx1-ubyte").read_bytes()[8:]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("t10k-images-idx3-ubyte", lambda b: b[:-1], "has 15679 bytes, its header says 15680"),
        ("t10k-images-idx3-ubyte", lambda b: b[:9], "is no IDX file of bytes with 3 axes"),
        ("t10k-labels-idx1-ubyte", lambda b: b"\0" + b, "is no IDX file of bytes with 1 axes"),
        ("t10k-labels-idx1-ubyte", lambda b: idx(np.zeros(3, "u1")), "20 images and 3 labels"),
        ("train-labels-idx1-ubyte.gz", lambda b: b[:-9], "ubyte.gz: cannot be unpacked: Compre"),
        ("train-labels-idx1-ubyte.gz", lambda b: b"labels", "cannot be unpacked: Not a gzipped"),
    ],
)
def test_what_are_no_digits_is_said(
    name: str, change: Callable[[bytes], bytes], said: str, digits: Path
) -> None:
    (digits / name).write_bytes(change((digits / name).read_bytes()))
    with pytest.raises(ValueError, match=said):
        read(digits, name.split("-")[0])


def as_csv(folder: Path, split: str, name: str, header: bool) -> None:
    """Writes the digits of a split again, and removes their IDX files."""
    x, y = read(folder, split)
    lines = np.column_stack([y, np.rint(x * 255)]).astype(int).tolist()
    names = ",".join(["label", *(f"{1 + n // 28}x{1 + n % 28}" for n in range(784))])
    content = "\n".join([*[names] * header, *(",".join(map(str, line)) for line in lines)]).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for path in folder.glob(f"{split}-*"):
        path.unlink()


def test_digits_are_read_from_csv_with_names_and_without(digits: Path) -> None:
    before = {split: read(digits, split) for split in ("train", "t10k")}
    as_csv(digits, "train", "mnist_train.csv.gz", header=False)
    as_csv(digits, "t10k", "mnist_test.csv", header=True)
    assert sorted(path.name for path in digits.iterdir()) == [
        "mnist_test.csv",
        "mnist_train.csv.gz",
    ]
    for split, (x, y) in before.items():
        found = read(digits, split)
        assert (found.x.dtype, found.y.dtype) == (x.dtype, y.dtype)
        assert np.array_equal(found.x, x)
        assert np.array_equal(found.y, y)


PIXELS = ",".join(["7"] * 784)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"3,{PIXELS}\n4,{PIXELS[:-2]}", "mnist_test.csv: CSV parse error: .* got 784"),
        (f"3,{PIXELS[:-1]}256", "mnist_test.csv: .* uint8: invalid value '256'"),
        (f"3,{PIXELS[:-1]}", "mnist_test.csv: a line has no pixel 783"),
        (f"label,{PIXELS}\n12,{PIXELS}", "mnist_test.csv: a label is 12, and no digit"),
        ("", "mnist_test.csv: Empty CSV file"),
    ],
)
def test_what_is_no_csv_of_digits_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mnist_test.csv").write_text(text)
    with pytest.raises(ValueError, match=said) as ended:
        read(tmp_path, "t10k")
    assert "\n" not in str(ended.value)


test_contract_of_the_custom_rule = contract_of(momentum_adag())


def test_momentum_at_the_center_by_hand() -> None:
    rule, start = momentum_adag(0.5), np.float32([1, 1])
    first = rule.merge(start, np.float32([2, 0]), Exchange(0, start))
    second = rule.merge(first.center, np.float32([2, 4]), Exchange(0, start, 1, first.state))
    # v is [2, 0], then [1, 0] + [2, 4].
    assert [first.center.tolist(), second.center.tolist()] == [[3, 1], [6, 5]]


def test_custom_optimizer_prints_both_side_by_side() -> None:
    few = ("--rows", "160", "--epochs", "1", "--seeds", "1", "--workers", "2")
    ran = run("custom_optimizer.py", *few, "--windows", "2")
    assert ran.returncode == 0, ran.stderr
    rows = table(ran.stdout)
    assert set(rows) == {"ADAG", "MomentumADAG"}
    for cells in rows.values():
        assert [cell.endswith("% ± 0.00%") for cell in cells] == [True]


def test_flights_are_written_day_by_day(tmp_path: Path) -> None:
    output = tmp_path / "new" / "flights"
    ran = run("flights.py", "--output", str(output))
    said = f"{output}: 336776 flights of 365 days\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, said, "")
    days = sorted((output / "days").iterdir())
    assert [days[0].name, days[-1].name, len(days)] == ["2013-01-01.csv", "2013-12-31.csv", 365]
    header, *lines = days[58].read_text().splitlines()
    assert header.startswith("year,month,day,dep_time,")
    assert {line.split(",")[2] for line in lines} == {"28"}
    assert (output / "weather.csv").exists()
    again = run("flights.py", "--output", str(output))
    said = f"{output}: is there already, and stays as it is\n"
    assert (again.returncode, again.stderr) == (1, said)
