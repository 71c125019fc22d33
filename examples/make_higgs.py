"""Makes a file with the columns of ``atlas-higgs-challenge-2014-v2``, so that it runs offline.

The real file is CERN's Open Data record 328. This one has the same columns and units (GeV,
radians), about the same ranges, the same pattern of missing values (-999.0) and balance of the
classes, and is drawn, not measured: nothing about physics can be learned from it.

How an event is drawn:

1. label: signal with chance 0.343; the number of jets by the label, as often as in the real file;
   the process of a background event, Z, W or top pair, by the number of jets.
2. jets: transverse momentum above 30, exponential beyond; some pairs of signal jets far apart.
3. Higgs (mass 125) and Z (93, wide) recoil from the jets, and decay into two taus in a random
   direction; of each tau a share is seen, of which one is "tau" and the other "lep"; the rest is
   missing energy. In W events lepton and neutrino come from mass 80 and the tau is a jet taken for
   one; in top pairs all have directions of their own. What falls below the thresholds of the real
   selection (tau 20, lepton 26, |eta| 2.5) is drawn again.
4. the DER_ columns follow from the PRI_ columns by the formulas of the challenge; DER_mass_MMC is
   the mass of the pair, blurred.

``python examples/make_higgs.py --rows 250000`` writes examples/data/atlas_higgs.csv. The same seed
gives the same rows, and a longer file begins with the rows of a shorter one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from distkeras.errors import DistkerasError
from distkeras.storage import publish_file

OUTPUT = Path(__file__).parent / "data" / "atlas_higgs.csv"
MISSING = -999.0
ROWS, CHUNK, FIRST_ID = 250_000, 25_000, 100_000

SIGNAL = 0.34267
#: Of events with 0, 1, 2, 3 or more jets: their share, and the share of signal among them.
JETS, SIGNAL_OF_JETS = (0.3996, 0.3102, 0.2015, 0.0887), (0.2551, 0.3573, 0.5116, 0.3039)
#: The chance that DER_mass_MMC is missing, by number of jets, of background and of signal.
NO_MMC = ((0.329, 0.061), (0.137, 0.025), (0.103, 0.017), (0.089, 0.013))
#: Background by number of jets: Z, W, top pair.
PROCESSES = ((0.83, 0.16, 0.01), (0.80, 0.13, 0.07), (0.72, 0.10, 0.18), (0.62, 0.08, 0.30))
HIGGS, Z, W, TOP = range(4)
#: Mean and standard deviation of the mass, GeV. That of Z is wider and higher than in nature, so
#: that the classes are about as hard to tell apart as in the real file: gradient-boosted trees
#: get 0.85 right.
MASS = {HIGGS: (125.0, 1.0), Z: (93.0, 12.0)}
#: The mean weight of an event, by process; their sums are those of the real file's 250,000.
WEIGHT = (0.0081, 2.3, 4.0, 1.8)
#: How far DER_mass_MMC is off, as the standard deviation of its logarithm.
BLUR = 0.2


class Vectors(NamedTuple):
    """Massless momenta, one for each event: transverse momentum in GeV, and direction."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray

    @classmethod
    def of(cls, p: np.ndarray) -> Vectors:
        """Made of (x, y, z), shape (events, 3)."""
        pt = np.hypot(p[:, 0], p[:, 1]) + 1e-9
        return cls(pt, np.arcsinh(p[:, 2] / pt), np.arctan2(p[:, 1], p[:, 0]))

    @property
    def flat(self) -> np.ndarray:
        """(x, y), shape (events, 2)."""
        return np.stack([self.pt * np.cos(self.phi), self.pt * np.sin(self.phi)], axis=1)


class Seen(NamedTuple):
    """What is seen of a decay: the two leptons, the missing energy (x, y), the pair's mass."""

    tau: Vectors
    lep: Vectors
    met: np.ndarray
    mass: np.ndarray


def chunks(rows: int, seed: int) -> Iterator[pd.DataFrame]:
    """The file piece by piece."""
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number])
        made = events(CHUNK, rng)
        made.insert(0, "EventId", FIRST_ID + start + np.arange(CHUNK))
        yield made[: rows - start]


def events(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """So many events: all columns but EventId."""
    signal = rng.random(count) < SIGNAL
    jets = np.where(signal, _jets(True, count, rng), _jets(False, count, rng))
    process = _processes(signal, jets, rng)
    leading, subleading, third = _jet_vectors(jets, process, rng)
    recoil = -(leading.flat + subleading.flat + third.flat)
    seen = _selected(process, recoil, rng)
    primary = _primary(seen, (leading, subleading, third), jets, rng)
    derived = _derived(seen, leading, subleading, primary)
    missing = rng.random(count) < np.array(NO_MMC)[jets, signal.astype(int)]
    mass = np.where(missing, MISSING, _blurred(seen, process, rng))
    table = pd.DataFrame({"DER_mass_MMC": mass, **derived, **primary}).round(3)
    table["Weight"] = (np.array(WEIGHT)[process] * rng.gamma(4, 0.25, count)).round(9)
    table["Label"] = np.where(signal, "s", "b")
    return table


def _jets(signal: bool, count: int, rng: np.random.Generator) -> np.ndarray:
    of_signal = np.array(JETS) * SIGNAL_OF_JETS
    chances = of_signal if signal else JETS - of_signal
    return rng.choice(4, count, p=chances / chances.sum())


def _processes(signal: np.ndarray, jets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    limits = np.cumsum(PROCESSES, axis=1)[jets]
    drawn = (rng.random(len(jets))[:, None] > limits[:, :2]).sum(axis=1) + Z
    return np.where(signal, HIGGS, drawn)


def _jet_vectors(
    jets: np.ndarray, process: np.ndarray, rng: np.random.Generator
) -> tuple[Vectors, Vectors, Vectors]:
    """Three jets; those that are not there have no momentum."""
    count = len(jets)
    harder = np.where(process == TOP, 1.5, np.where(process == HIGGS, 1.15, 1.0))
    there = jets > np.arange(3)[:, None]
    pt = np.sort((30 + rng.exponential(40, (3, count)) * harder) * there, axis=0)[::-1]
    eta = np.clip(rng.normal(0, 1.7, (3, count)), -4.5, 4.5)
    # Signal that comes with two jets on opposite sides: fusion of vector bosons.
    apart = (process == HIGGS) & (jets >= 2) & (rng.random(count) < 0.45)
    side = rng.choice([-1, 1], count)
    eta[0] = np.where(apart, side * np.clip(rng.normal(2.2, 0.9, count), 0.3, 4.5), eta[0])
    eta[1] = np.where(apart, -side * np.clip(rng.normal(2.2, 0.9, count), 0.3, 4.5), eta[1])
    phi = rng.uniform(-np.pi, np.pi, (3, count))
    first, second, third = (Vectors(pt[i], eta[i], phi[i]) for i in range(3))
    return first, second, third


def _selected(process: np.ndarray, recoil: np.ndarray, rng: np.random.Generator) -> Seen:
    """A decay for each event; what the selection would not take is drawn again."""
    count = len(process)
    p_tau, p_lep, met, mass = (np.zeros((count, n)) for n in (3, 3, 2, 1))
    open_ = np.arange(count)
    while len(open_):
        drawn = _decays(process[open_], recoil[open_], rng)
        tau, lep = Vectors.of(drawn[0]), Vectors.of(drawn[1])
        good = (tau.pt > 20) & (lep.pt > 26) & (abs(tau.eta) < 2.5) & (abs(lep.eta) < 2.5)
        good &= np.hypot(tau.eta - lep.eta, _angle(tau.phi - lep.phi)) > 0.4
        for whole, part in zip((p_tau, p_lep, met, mass), drawn, strict=True):
            whole[open_[good]] = part[good]
        open_ = open_[~good]
    return Seen(Vectors.of(p_tau), Vectors.of(p_lep), met, mass[:, 0])


def _decays(
    process: np.ndarray, recoil: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Momenta of tau and lepton (x, y, z), missing energy (x, y) and the pair's mass (1,)."""
    count = len(process)
    center, width = np.array([MASS.get(p, (80.4, 2.0)) for p in range(4)])[process].T
    mass, kind = rng.normal(center, width), process[:, None]
    fake = _spread(np.where(process == TOP, 30, 18), 18, rng)
    lone = _spread(np.full(count, 30), 24, rng)
    # What the pair has to balance: in W events the jet that is taken for a tau, too.
    flat = recoil - np.where(kind == W, fake[:, :2], 0) + rng.normal(0, 9, (count, 2))
    one, other = _pair(mass, flat, rng)
    shares = rng.beta(3, 2, (count, 1)), rng.beta(2, 2.5, (count, 1))
    tau = np.where(kind <= Z, one * shares[0], fake)
    lep = np.where(kind <= Z, other * shares[1], np.where(kind == W, other, lone))
    lost = (one * (1 - shares[0]) + other * (1 - shares[1]))[:, :2]
    rest = recoil - (fake + lone)[:, :2] + rng.normal(0, 15, (count, 2))
    met = np.where(kind <= Z, lost, np.where(kind == W, one[:, :2], rest))
    return tau, lep, met + rng.normal(0, 9, (count, 2)), mass[:, None]


def _pair(
    mass: np.ndarray, flat: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two massless momenta (x, y, z) from a particle with this mass and transverse momentum."""
    count = len(mass)
    transverse, rapidity = np.hypot(mass, np.hypot(*flat.T)), rng.normal(0, 1.0, count)
    whole = np.column_stack([flat, transverse * np.sinh(rapidity)])
    energy = transverse * np.cosh(rapidity)
    direction = rng.normal(size=(count, 3))
    rest = direction / np.linalg.norm(direction, axis=1, keepdims=True) * mass[:, None] / 2
    # The boost from its rest frame: p = p* + beta (gamma^2 / (gamma + 1) beta p* + gamma E*).
    beta, gamma = whole / energy[:, None], (energy / mass)[:, None]
    along = (beta * rest).sum(axis=1, keepdims=True)
    one = rest + beta * (gamma**2 / (gamma + 1) * along + gamma * mass[:, None] / 2)
    return one, whole - one


def _spread(scale: np.ndarray, least: float, rng: np.random.Generator) -> np.ndarray:
    """Momenta (x, y, z) in any direction, exponential above a threshold."""
    count = len(scale)
    pt, phi = least + rng.exponential(scale), rng.uniform(-np.pi, np.pi, count)
    eta = rng.normal(0, 1.2, count)
    return np.column_stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])


def _primary(
    seen: Seen,
    jets: tuple[Vectors, Vectors, Vectors],
    number: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    all_pt = sum(jet.pt for jet in jets)
    met = np.hypot(*seen.met.T)
    sum_et = all_pt + seen.tau.pt + seen.lep.pt + rng.gamma(3, 17, len(met))
    columns: dict[str, Any] = {
        **_three("tau", seen.tau),
        **_three("lep", seen.lep),
        "PRI_met": met,
        "PRI_met_phi": np.arctan2(seen.met[:, 1], seen.met[:, 0]),
        "PRI_met_sumet": sum_et,
        "PRI_jet_num": number,
    }
    for name, jet in zip(("jet_leading", "jet_subleading"), jets, strict=False):
        there = jet.pt > 0
        columns |= {key: np.where(there, v, MISSING) for key, v in _three(name, jet).items()}
    return columns | {"PRI_jet_all_pt": all_pt}


def _three(name: str, vectors: Vectors) -> dict[str, np.ndarray]:
    return {f"PRI_{name}_{part}": value for part, value in vectors._asdict().items()}


def _derived(
    seen: Seen, one: Vectors, two: Vectors, primary: dict[str, Any]
) -> dict[str, np.ndarray]:
    """By the formulas of the challenge's documentation."""
    tau, lep, met, met_phi = seen.tau, seen.lep, primary["PRI_met"], primary["PRI_met_phi"]
    middle, gap = (one.eta + two.eta) / 2, one.eta - two.eta
    visible = tau.flat + lep.flat + seen.met
    side = np.sign(np.sin(tau.phi - lep.phi))
    a, b = np.sin(met_phi - lep.phi) * side, np.sin(tau.phi - met_phi) * side
    centrality = np.exp(-4 / np.maximum(gap**2, 1e-9) * (lep.eta - middle) ** 2)
    columns = {
        "DER_mass_transverse_met_lep": np.sqrt(2 * lep.pt * met * (1 - np.cos(lep.phi - met_phi))),
        "DER_mass_vis": _mass(tau, lep),
        "DER_pt_h": np.hypot(*visible.T),
        "DER_deltaeta_jet_jet": abs(gap),
        "DER_mass_jet_jet": _mass(one, two),
        "DER_prodeta_jet_jet": one.eta * two.eta,
        "DER_deltar_tau_lep": np.hypot(tau.eta - lep.eta, _angle(tau.phi - lep.phi)),
        "DER_pt_tot": np.hypot(*(visible + one.flat + two.flat).T),
        "DER_sum_pt": tau.pt + lep.pt + primary["PRI_jet_all_pt"],
        "DER_pt_ratio_lep_tau": lep.pt / tau.pt,
        "DER_met_phi_centrality": (a + b) / np.sqrt(np.maximum(a**2 + b**2, 1e-12)),
        "DER_lep_eta_centrality": centrality,
    }
    of_two = {name for name in columns if "jet_jet" in name or "lep_eta" in name}
    alone = two.pt == 0
    return {n: np.where(alone & (n in of_two), MISSING, v) for n, v in columns.items()}


def _mass(one: Vectors, two: Vectors) -> np.ndarray:
    apart = np.cosh(one.eta - two.eta) - np.cos(one.phi - two.phi)
    found: np.ndarray = np.sqrt(2 * one.pt * two.pt * apart)
    return found


def _angle(difference: np.ndarray) -> np.ndarray:
    """The same angle within half a turn."""
    return (difference + np.pi) % (2 * np.pi) - np.pi


def _blurred(seen: Seen, process: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    guessed = np.where(process <= Z, seen.mass, 1.35 * _mass(seen.tau, seen.lep) + 15)
    wide = np.where(process <= Z, BLUR, 0.25)
    return guessed * np.exp(rng.normal(0, 1, len(process)) * wide)


def main() -> int:
    """Reads the command line, and writes the file."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="events (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one, other events")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="%(default)s")
    given = parser.parse_args()
    if given.rows < 1 or given.seed < 0:
        parser.error("--rows must be above 0, --seed at least 0")
    if given.output.exists():
        print(f"{given.output}: is there already, and stays as it is", file=sys.stderr)
        return 1
    try:
        with publish_file(given.output) as path, path.open("w", encoding="utf-8") as file:
            for number, table in enumerate(chunks(given.rows, given.seed)):
                table.to_csv(file, index=False, header=not number, lineterminator="\n")
    except DistkerasError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"{given.output}: {given.rows} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
