"""The distributed optimizers, one file each, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distkeras.rules.adag import adag
from distkeras.rules.aeasgd import aeasgd
from distkeras.rules.base import Exchange, Merged, Rule, Window
from distkeras.rules.downpour import downpour
from distkeras.rules.single import single

__all__ = ["RULES", "Exchange", "Merged", "Rule", "Window", "adag", "aeasgd", "downpour", "single"]

#: Every rule by its name, as a factory that needs no arguments.
RULES: Mapping[str, Callable[[], Rule]] = {
    "ADAG": adag,
    "AEASGD": aeasgd,
    "DOWNPOUR": downpour,
    "Single": single,
}
