"""Rules as JSON and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.rules import RULES, Exchange, Rule, aeasgd, downpour
from distkeras.shards.described import described, rebuilt


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_was_described_merges_as_before(name: str) -> None:
    rule = RULES[name]()
    again = rebuilt(json.loads(json.dumps(described(rule))))
    random = np.random.default_rng(0)
    center, sent, adopted = random.normal(size=(3, 100)).astype(np.float32)
    exchange = Exchange(3, adopted, 2)
    before, after = rule.merge(center, sent, exchange), again.merge(center, sent, exchange)
    assert before.center.tobytes() == after.center.tobytes()
    weights = rule.adopt(sent, before.answer), again.adopt(sent, after.answer)
    assert weights[0].tobytes() == weights[1].tobytes()
    assert (again.name, again.synchronous) == (rule.name, rule.synchronous)
    assert again.sends_weights == rule.sends_weights


def test_its_numbers_are_the_same_bit_for_bit() -> None:
    rule = aeasgd(0.1, 0.7)
    (before,) = rule.merge.keywords.values()
    (after,) = rebuilt(json.loads(json.dumps(described(rule)))).merge.keywords.values()
    assert (type(after), after.tobytes()) == (type(before), before.tobytes())


def test_a_function_that_no_module_has_is_refused() -> None:
    plain = downpour()
    own = Rule("mine", plain.send, lambda *arguments: plain.merge(*arguments), plain.adopt)
    said = "num_parameter_servers: the merge of mine must be a function of a module, or a partial"
    with pytest.raises(ConfigError, match=said):
        described(own)
