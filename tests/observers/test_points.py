"""A history as points: nothing left out, nothing at a step that it does not have."""

from __future__ import annotations

from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.conversation import Record
from distkeras.observers.points import CENTER, POINTS, Curves, Point


def record(worker: int, time: float, rows: int = 10, loss: float = 0.5, **fields: float) -> Record:
    values = {"epoch": 0, "window": 0, "staleness": 1, "exchange_wait": 0.25, **fields}
    return Record(worker=worker, samples=rows, metrics=(loss, 2 * loss), timestamp=time, **values)  # type: ignore[arg-type]


def curves(finest: float = 1.0, rows: int = 0) -> Curves:
    return Curves(("loss", "error"), finest, rows)


def of(run: str, points: list[Point]) -> list[Point]:
    return [point for point in points if point.run == run]


def test_long_windows_are_points_of_their_own() -> None:
    made = curves()
    points = [*made.windows([record(0, 100.0), record(0, 104.0, loss=0.25)]), *made.due(inf)]
    first, second = of("worker-0", points)
    assert first == Point("worker-0", 10, 100.0, {"loss": 0.5, "error": 1.0, "staleness": 1.0})
    expected = {"loss": 0.25, "error": 0.5, "staleness": 1.0, "exchange_wait": 0.25}
    assert second == Point("worker-0", 20, 104.0, expected | {"samples_per_second": 2.5})
    assert [point._replace(run="worker-0") for point in of(CENTER, points)] == [first, second]


def test_short_windows_are_averaged_by_their_rows() -> None:
    made = curves()
    windows = [record(0, 100.0, 30, 0.1), record(0, 100.5, 10, 0.5, staleness=4)]
    (point,) = of("worker-0", [*made.windows(windows), *made.due(101.0)])
    assert (point.step, point.time) == (40, 100.5)
    assert isclose(point.values["loss"], 0.2)
    assert point.values["staleness"] == 2.5
    assert not [*made.due(inf)]


def test_the_rate_of_all_is_over_a_window_of_each() -> None:
    """Two workers, each with a window in ten seconds: the second comes a second after the first."""
    made, windows = curves(), []
    for begin in (100.0, 110.0, 120.0):
        windows += [record(0, begin), record(1, begin + 1)]
    rates = [
        point.values.get("samples_per_second")
        for point in of(CENTER, [*made.windows(windows), *made.due(inf)])
    ]
    assert rates == [None, None, 2.0, None, 2.0, None]


def test_a_training_that_goes_on_has_the_steps_of_before() -> None:
    made = curves(rows=500)
    assert [point.step for point in [*made.windows([record(3, 7.0)]), *made.due(inf)]] == [510] * 2


def test_a_night_has_a_few_thousand_points() -> None:
    made, count = curves(finest=0.1), 0
    for tick in range(20_000):
        count += len(of(CENTER, list(made.windows([record(0, tick)]))))
    assert POINTS < count < 6 * POINTS


@given(
    gaps=st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5), st.integers(1, 9)), max_size=60),
    looks=st.sets(st.integers(0, 60)),
)
def test_no_window_is_left_out(gaps: list[tuple[int, float, int]], looks: set[int]) -> None:
    """Whenever it is looked at."""
    made, points, now, rows = curves(), [], 0.0, 0
    for tick, (worker, gap, samples) in enumerate(gaps):
        now, rows = now + gap, rows + samples
        points += made.windows([record(worker, now, samples, loss=samples)])
        if tick in looks:
            points += made.due(now)
    points += made.due(inf)
    for run in {point.run for point in points}:
        steps = [point.step for point in of(run, points)]
        assert steps == sorted(set(steps))
    if gaps:
        assert of(CENTER, points)[-1].step == rows
        known = [p.values["samples_per_second"] for p in points if "samples_per_second" in p.values]
        assert all(rate <= rows / 1.0 for rate in known)


@pytest.mark.parametrize("wait", [0.0, 3.0])
def test_a_wait_is_told_with_the_next_window(wait: float) -> None:
    made = curves()
    first, second = record(0, 1.0, exchange_wait=0.0), record(0, 9.0)
    points = list(made.windows([first]))
    first.exchange_wait = wait
    points += [*made.windows([second]), *made.due(inf)]
    assert "exchange_wait" not in of("worker-0", points)[0].values
    assert of("worker-0", points)[1].values["exchange_wait"] == wait
