"""Every rule in the table keeps the contract, and every file's example says the truth."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

from distkeras import rules
from distkeras.rules import RULES
from tests.rules.contract import contract_of

#: Files of the package that are no rule.
PARTS = {"arguments", "base"}
FILES = sorted({found.name for found in pkgutil.iter_modules(rules.__path__)} - PARTS)

test_contract = contract_of(*(make() for make in RULES.values()))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_listed_under_its_own_name(name: str) -> None:
    assert RULES[name]().name == name


def test_every_file_is_listed() -> None:
    assert sorted(name.lower() for name in RULES) == FILES


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_an_example_that_is_true_and_says_when_to_take_it_and_whose_it_is(
    file: str,
) -> None:
    module = import_module(f"distkeras.rules.{file}")
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
    assert "\nSource: " in module.__doc__
    assert "\nTake it " in module.__doc__
    if file != "single":  # No paper.
        assert "\nDiffers from the paper: " in module.__doc__
