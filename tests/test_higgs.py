"""The experiment on Higgs events: the file that is drawn for it, and the whole pipeline on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.preprocessing.run import preprocess
from tasks.config import load_experiment
from tasks.models import make_model, make_trainer

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "higgs.toml"
#: As the header of CERN's file has them.
DERIVED = (
    *("mass_MMC", "mass_transverse_met_lep", "mass_vis", "pt_h", "deltaeta_jet_jet"),
    *("mass_jet_jet", "prodeta_jet_jet", "deltar_tau_lep", "pt_tot", "sum_pt"),
    *("pt_ratio_lep_tau", "met_phi_centrality", "lep_eta_centrality"),
)
PRIMITIVE = (
    *("tau_pt", "tau_eta", "tau_phi", "lep_pt", "lep_eta", "lep_phi"),
    *("met", "met_phi", "met_sumet", "jet_num"),
    *("jet_leading_pt", "jet_leading_eta", "jet_leading_phi"),
    *("jet_subleading_pt", "jet_subleading_eta", "jet_subleading_phi", "jet_all_pt"),
)
FEATURES = [f"DER_{name}" for name in DERIVED] + [f"PRI_{name}" for name in PRIMITIVE]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def make(output: Path, rows: int, *more: str) -> subprocess.CompletedProcess[str]:
    return run("examples/make_higgs.py", "--rows", str(rows), "--output", str(output), *more)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("higgs") / "atlas_higgs.csv"
    ran = make(path, 40_000)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return path


@pytest.fixture(scope="module")
def table(events: Path) -> pd.DataFrame:
    return pd.read_csv(events)


def test_columns_are_those_of_the_real_file(table: pd.DataFrame) -> None:
    assert list(table.columns) == ["EventId", *FEATURES, "Weight", "Label"]
    assert list(load_experiment(str(CONFIG)).preprocess.numeric or ()) == FEATURES
    assert table["EventId"].tolist() == list(range(100_000, 140_000))
    assert table["PRI_jet_num"].dtype == np.int64


def test_balance_and_missing_values_are_those_of_the_real_file(table: pd.DataFrame) -> None:
    signal = table["Label"] == "s"
    assert set(table["Label"]) == {"s", "b"}
    assert abs(signal.mean() - 0.343) < 0.01
    jets = table["PRI_jet_num"]
    assert np.allclose(
        jets.value_counts(normalize=True).sort_index(), [0.40, 0.31, 0.20, 0.09], atol=0.01
    )
    of_one = [name for name in FEATURES if "jet_leading" in name]
    of_two = [name for name in FEATURES if "subleading" in name or "jet_jet" in name]
    of_two.append("DER_lep_eta_centrality")
    assert (len(of_one), len(of_two)) == (3, 7)
    gone = table == -999.0
    assert (gone[of_one].to_numpy() == (jets < 1).to_numpy()[:, None]).all()
    assert (gone[of_two].to_numpy() == (jets < 2).to_numpy()[:, None]).all()
    assert abs(gone["DER_mass_MMC"].mean() - 0.152) < 0.01
    always = set(FEATURES) - {*of_one, *of_two, "DER_mass_MMC"}
    assert not gone[sorted(always)].any(axis=None)
    assert (table.loc[jets == 0, "PRI_jet_all_pt"] == 0).all()


def test_ranges_are_those_of_the_selection(table: pd.DataFrame) -> None:
    low, high = table[FEATURES].min(), table[FEATURES].max()
    assert low["PRI_tau_pt"] >= 20
    assert low["PRI_lep_pt"] >= 26
    for name in ("PRI_tau_eta", "PRI_lep_eta"):
        assert -2.5 <= low[name] < -2 < 2 < high[name] <= 2.5
    for name in ("PRI_tau_phi", "PRI_lep_phi", "PRI_met_phi"):
        assert -3.142 <= low[name] < -3 < 3 < high[name] <= 3.142
    there = table[table["PRI_jet_num"] > 1]
    assert (there["PRI_jet_leading_pt"] >= there["PRI_jet_subleading_pt"]).all()
    assert there["PRI_jet_subleading_pt"].min() >= 30
    assert abs(table["DER_met_phi_centrality"]).max() <= 1.4143
    # The sums of the weights of the challenge's 250,000 events: 692 and 411,000.
    weights = table.groupby("Label")["Weight"].sum() / len(table) * 250_000
    assert np.allclose([weights["s"], weights["b"]], [692, 411_000], rtol=0.06)


def test_derived_columns_follow_from_the_others(table: pd.DataFrame) -> None:
    """By the formulas of the challenge, from the numbers in the file; these have three digits."""
    tau, lep, met = ("PRI_tau", "PRI_lep", "PRI_met")
    t = table
    apart = np.cosh(t[f"{tau}_eta"] - t[f"{lep}_eta"]) - np.cos(t[f"{tau}_phi"] - t[f"{lep}_phi"])
    mass = np.sqrt(2 * t[f"{tau}_pt"] * t[f"{lep}_pt"] * apart)
    np.testing.assert_allclose(mass, t["DER_mass_vis"], rtol=0.01)
    x, y = (
        t[f"{tau}_pt"] * f(t[f"{tau}_phi"])
        + t[f"{lep}_pt"] * f(t[f"{lep}_phi"])
        + t[met] * f(t[f"{met}_phi"])
        for f in (np.cos, np.sin)
    )
    np.testing.assert_allclose(np.hypot(x, y), t["DER_pt_h"], atol=0.5, rtol=0.01)
    total = t[f"{tau}_pt"] + t[f"{lep}_pt"] + t["PRI_jet_all_pt"]
    np.testing.assert_allclose(total, t["DER_sum_pt"], atol=0.01)


def test_a_seed_gives_the_same_rows(events: Path, tmp_path: Path) -> None:
    lines = events.read_text().splitlines()
    short, other = tmp_path / "short.csv", tmp_path / "other.csv"
    assert make(short, 30_000).returncode == make(other, 10, "--seed", "1").returncode == 0
    assert short.read_text().splitlines() == lines[:30_001]
    assert other.read_text().splitlines()[1:] != lines[1:11]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "real.csv"
    path.write_text("measured")
    ran = make(path, 10)
    assert (ran.returncode, ran.stderr) == (1, f"{path}: is there already, and stays as it is\n")
    assert path.read_text() == "measured"
    assert make(tmp_path / "x.csv", 0).returncode == 2


def test_the_network_learns_from_the_columns_of_the_config(
    spark: Any, events: Path, tmp_path: Path
) -> None:
    """With the network and the training as they are, by virtual workers, on fewer events."""
    few = tmp_path / "few.csv"
    few.write_text("".join(events.open().readlines()[:16_001]))
    experiment = load_experiment(str(CONFIG), [f"preprocess.sources.events.path={few}"])
    data = tmp_path / "data"
    data.mkdir()
    manifest = preprocess(spark, experiment.preprocess, data)
    preprocessor = Preprocessor.load(data / "preprocessor.json")
    assert (preprocessor.dimension, preprocessor.classes) == (len(FEATURES), ["b", "s"])
    train, test = (pq.read_table(data / name) for name in ("train", "test"))
    assert manifest["rows"]["train"] == train.num_rows == 16_000 - test.num_rows
    assert abs(test.num_rows - 1600) <= 2

    model = make_model(experiment, preprocessor)
    assert model.count_params() == 380_402
    trained = make_trainer(experiment, model).simulate(train)
    labels = test["label"].to_numpy()
    found = trained.predict(np.stack(test["features"].to_numpy()), verbose=0).argmax(axis=1)
    most_frequent = np.bincount(labels).max() / len(labels)
    assert np.mean(found == labels) > most_frequent + 0.05
