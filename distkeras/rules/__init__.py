"""The distributed optimizers, one file each, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distkeras.rules.adag import adag
from distkeras.rules.aeasgd import aeasgd
from distkeras.rules.averaging import averaging
from distkeras.rules.base import (
    Exchange,
    Merged,
    Rule,
    Window,
    adopt_answer,
    send_delta,
    send_weights,
)
from distkeras.rules.diloco import diloco
from distkeras.rules.downpour import downpour
from distkeras.rules.dynsgd import dynsgd
from distkeras.rules.eamsgd import eamsgd
from distkeras.rules.easgd import easgd
from distkeras.rules.ensemble import ensemble
from distkeras.rules.experimental import experimental
from distkeras.rules.gem import gem
from distkeras.rules.single import single

__all__ = [
    "RULES",
    "Exchange",
    "Merged",
    "Rule",
    "Window",
    "adag",
    "adopt_answer",
    "aeasgd",
    "averaging",
    "diloco",
    "downpour",
    "dynsgd",
    "eamsgd",
    "easgd",
    "ensemble",
    "experimental",
    "gem",
    "send_delta",
    "send_weights",
    "single",
]

#: Every rule by its name, as a factory that needs no arguments.
RULES: Mapping[str, Callable[[], Rule]] = {
    "ADAG": adag,
    "AEASGD": aeasgd,
    "Averaging": averaging,
    "DiLoCo": diloco,
    "DOWNPOUR": downpour,
    "DynSGD": dynsgd,
    "EAMSGD": eamsgd,
    "EASGD": easgd,
    "Ensemble": ensemble,
    "Experimental": experimental,
    "GEM": gem,
    "Single": single,
}
