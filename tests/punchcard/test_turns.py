from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distkeras.punchcard.jobs import Job
from distkeras.punchcard.turns import turns


def job(number: int, secret: str, state: str) -> Job:
    shown = ("a name", "ADAG", "/data", 1)
    return Job(
        number, f"id{number}", "ann", secret, "k", state, *shown, 0, 0, None, 0.0, None, None
    )


def test_one_of_each_secret_runs_and_the_earliest_comes_first() -> None:
    live = [
        job(1, "a", "running"),
        job(2, "a", "queued"),
        job(3, "b", "queued"),
        job(4, "b", "queued"),
        job(5, "c", "queued"),
    ]
    assert [one.number for one in turns(live, 3)] == [3, 5]
    assert [one.number for one in turns(live, 2)] == [3]
    assert turns(live, 1) == []


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30),
    st.integers(min_value=1, max_value=5),
)
def test_the_rules_hold_whatever_waits(drawn: list[tuple[str, bool]], most: int) -> None:
    live, busy = [], set()
    for number, (secret, wants) in enumerate(drawn):
        runs = wants and secret not in busy and len(busy) < most
        busy |= {secret} if runs else set()
        live.append(job(number, secret, "running" if runs else "queued"))
    begun = turns(live, most)
    secrets = [one.secret for one in begun] + list(busy)
    assert len(set(secrets)) == len(secrets) <= most
    for one in begun:
        before = [x for x in live if x.secret == one.secret and x.number < one.number]
        assert all(x.state != "queued" for x in before)
    waiting = {x.secret for x in live if x.state == "queued"} - set(secrets)
    assert not waiting or len(secrets) == most
