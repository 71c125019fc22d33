"""The one place that imports optuna, which not everybody has."""

from __future__ import annotations

from typing import Any

from distkeras.errors import EnvironmentProblem

__all__ = ["import_optuna"]


def import_optuna() -> Any:
    """The module, which says no more than warnings.

    Raises:
        EnvironmentProblem: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise EnvironmentProblem(
            "[sweep] needs optuna, which is not installed: pip install 'distkeras[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
