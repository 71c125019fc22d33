"""A job's progress, as it is shown to whoever waits."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from distkeras.job_deployment.watching import _bar


@pytest.mark.parametrize("name", ["lr [/b]", "lr [red]0.1"])
def test_what_a_job_is_called_is_shown_as_it_is(name: str) -> None:
    shown = io.StringIO()
    told = {"name": name, "state": "failed", "cancelling": False}
    _bar([told], Console(file=shown, force_terminal=True, color_system=None, width=120))
    assert f"{name} " in shown.getvalue()
