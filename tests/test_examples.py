"""The examples run, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

EXAMPLES = Path(__file__).parent.parent / "examples"
SIMULATE, FLIGHTS = EXAMPLES / "simulate.py", EXAMPLES / "flights.py"


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SIMULATE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_simulate_draws_every_rule_and_prints_a_table(tmp_path: Path) -> None:
    out = tmp_path / "new" / "figure.svg"
    ran = simulate(
        *("--rules", "ADAG", "EASGD", "--workers", "2", "--epochs", "1", "--window", "2"),
        *("--rows", "160", "--compute", "exponential", "--straggler", "3", "--delay", "0.1"),
        *("--breakdown", "0:1.5:2", "--out", str(out)),
    )
    assert ran.returncode == 0, ran.stderr
    rows = [line.split("│") for line in ran.stdout.splitlines() if line.startswith("│")]
    table = {row[1].strip(): [cell.strip() for cell in row[2:-1]] for row in rows}
    assert set(table) == {"ADAG", "EASGD"}
    # 128 events for 2 workers: 2 mini-batches of 32 each, one window.
    assert [cells[2] for cells in table.values()] == ["2", "2"]
    assert all(float(cells[0]) > 0 and cells[4].endswith("%") for cells in table.values())
    assert table["EASGD"][3] == "0.00"
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


def test_flights_are_written_day_by_day(tmp_path: Path) -> None:
    output = tmp_path / "new" / "flights"
    command = [sys.executable, str(FLIGHTS), "--output", str(output)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    said = f"{output}: 336776 flights of 365 days\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, said, "")
    days = sorted((output / "days").iterdir())
    assert [days[0].name, days[-1].name, len(days)] == ["2013-01-01.csv", "2013-12-31.csv", 365]
    header, *lines = days[58].read_text().splitlines()
    assert header.startswith("year,month,day,dep_time,")
    assert {line.split(",")[2] for line in lines} == {"28"}
    assert (output / "weather.csv").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    said = f"{output}: is there already, and stays as it is\n"
    assert (again.returncode, again.stderr) == (1, said)
