"""Luigi parameters of our own."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import luigi

from distkeras.errors import ConfigError

__all__ = ["DayParameter", "RepeatedParameter"]


class DayParameter(luigi.DateParameter):  # type: ignore[misc]
    """A date, as 2013-03-01."""

    def parse(self, value: str) -> datetime.date:
        """From the command line.

        Raises:
            ConfigError: there is no such day.
        """
        try:
            return super().parse(value)  # type: ignore[no-any-return]
        except ValueError:
            raise ConfigError(f"{value}: no date; must be like 2013-03-01") from None


class RepeatedParameter(luigi.Parameter):  # type: ignore[misc]
    """A command line flag that may be given several times: ``--set a.b=1 --set c.d=2``.

    Its value is a tuple of strings; luigi's scheduler and ids see it as a JSON list.
    """

    @classmethod
    def _parser_kwargs(cls, param_name: str, task_name: str | None = None) -> dict[str, Any]:
        # The hook by which luigi's own flags choose their argparse action.
        return {**super()._parser_kwargs(param_name, task_name), "action": "append"}

    def parse(self, value: str | Sequence[str]) -> tuple[str, ...]:
        """From the command line (a list), or from luigi's text (a JSON list, or one override)."""
        if not isinstance(value, str):
            return tuple(value)
        return tuple(json.loads(value)) if value.startswith("[") else (value,)

    def serialize(self, value: Sequence[str]) -> str:
        """The inverse of ``parse``."""
        return json.dumps(list(value), ensure_ascii=False)

    def normalize(self, value: Sequence[str]) -> tuple[str, ...]:
        """A tuple, so that the task can be hashed."""
        return tuple(value)
