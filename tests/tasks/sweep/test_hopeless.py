"""When a training is behind others: arithmetic over windows, without one."""

from __future__ import annotations

from math import isnan, nan

import pytest

from distkeras.conversation import Record
from distkeras.stopping import Standing
from tasks.sweep.hopeless import Curve, Hopeless, Yardstick

#: Rows of an epoch, and of a window; a stretch is a tenth of an epoch.
ROWS, WINDOW = 100, 5


def windows(*values: float) -> list[Record]:
    """Two windows for each value, a stretch of a tenth of an epoch."""
    both = [value for value in values for _ in range(2)]
    return [
        Record(0, 0, number, WINDOW, (value, 1 - value), 0, 0.0, float(number))
        for number, value in enumerate(both)
    ]


def standing(*values: float) -> Standing:
    return Standing(1.0, 0.5, (), windows(*values), ("loss", "accuracy"), ROWS)


def against(*rivals: float, measure: str = "loss", warmup: int = 0, best: float = 50) -> Yardstick:
    """Others that stand still, each at a value."""
    curves = [dict.fromkeys(range(1, 11), value) for value in rivals]
    return Yardstick(measure, best, warmup, 0.1, curves)


def test_a_curve_has_the_means_of_what_has_passed() -> None:
    curve = Curve(10)
    for rows, value in ((5, 1.0), (5, 3.0), (10, 5.0), (5, 7.0)):
        curve.add(rows, value)
    assert curve.means == {1: 2.0, 2: 5.0}
    curve.add(5, nan)
    assert curve.means == {1: 2.0, 2: 5.0, 3: 7.0}


def test_a_window_longer_than_a_stretch_counts_where_it_begins() -> None:
    curve = Curve(10)
    curve.add(25, 1.0)
    curve.add(25, 2.0)
    assert curve.means == {1: 1.0, 3: 2.0}


def test_stretches_that_are_no_whole_rows_end_where_the_epoch_does() -> None:
    curve = Curve(1199 * 4 / 20)
    for _ in range(4 * 1199):
        curve.add(1, 1.0)
    assert sorted(curve.means) == list(range(1, 21))


def test_who_is_behind_the_median_is_stopped() -> None:
    watching = Hopeless(against(0.3, 0.5, 0.9), epochs=1)
    assert watching.reason(standing(0.49)) == ""
    assert isnan(watching.at)
    # The best so far counts.
    assert watching.reason(standing(0.49, 0.8)) == ""
    watching = Hopeless(against(0.3, 0.5, 0.9), epochs=1)
    said = watching.reason(standing(0.8, 0.51))
    assert said == (
        "its best training loss so far, 0.8, was behind the median of 3 trainings at that "
        "point, 0.5"
    )
    assert watching.at == pytest.approx(0.1)


def test_more_may_be_better() -> None:
    yardstick = against(0.3, 0.5, 0.9, measure="accuracy")
    assert Hopeless(yardstick, epochs=1).reason(standing(0.49)) == ""  # accuracy 0.51
    assert "accuracy so far, 0.4," in Hopeless(yardstick, epochs=1).reason(standing(0.6))


def test_another_share_than_the_median() -> None:
    rivals = (0.1, 0.2, 0.3, 0.4, 0.5)
    assert Hopeless(against(*rivals, best=80), epochs=1).reason(standing(0.39)) == ""
    said = Hopeless(against(*rivals, best=20), epochs=1).reason(standing(0.39))
    assert "was behind the best 20 % of 5 trainings at that point, 0.18" in said


@pytest.mark.parametrize("looks", [[1, 2, 3, 4, 5], [3, 5], [5]])
def test_it_does_not_matter_when_one_looks(looks: list[int]) -> None:
    watching = Hopeless(against(0.5, warmup=4), epochs=1)
    course = (0.9, 0.8, 0.7, 0.6, 0.4)
    said = (watching.reason(standing(*course[:look])) for look in looks)
    assert "so far, 0.6," in next(filter(None, said))
    assert watching.at == pytest.approx(0.4)
    assert watching.told == pytest.approx({1: 0.9, 2: 0.8, 3: 0.7, 4: 0.6})


def test_what_is_through_is_not_stopped() -> None:
    watching = Hopeless(against(0.1), epochs=1)
    assert watching.reason(standing(*[0.9] * 10)) == ""


def test_where_the_others_had_ended_nothing_is_compared() -> None:
    watching = Hopeless(against(0.5, warmup=11), epochs=3)
    assert watching.reason(standing(*[0.9] * 15)) == ""


def test_before_the_first_window_there_is_nothing_to_say() -> None:
    assert Hopeless(against(0.5), epochs=1).reason(Standing(1.0)) == ""
