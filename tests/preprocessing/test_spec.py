"""The [preprocess] table: what it refuses."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from distkeras.preprocessing.spec import PreprocessSpec

BASE = {"sources": {"events": {"path": "x.csv"}}, "label": {"column": "y"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sources": {}}, "at least 1 item"),
        ({"sources": {"a b": {"path": "x.csv"}}}, "'a b' is no SQL identifier"),
        ({"sources": {"a": {"path": "x"}, "b": {"path": "y"}}}, "2 sources need sql"),
        ({"sources": {"a": {"path": "x", "header": False}}}, "needs columns"),
        ({"sources": {"a": {"path": "x", "columns": ["u"]}}}, "is for header = false"),
        ({"scale": "robust"}, "standard"),
        ({"colour": 1}, "Extra inputs"),
        ({"numeric": ["y"]}, "column 'y' is in label.column and in numeric"),
        ({"numeric": ["u"], "categorical": {"columns": ["u"]}}, "column 'u' is in categorical"),
        ({"numeric": ["u", "u"]}, "column 'u' is in numeric and in numeric"),
        ({"missing": {"constant": float("nan")}}, "finite"),
        ({"split": {"test": 1.5}}, "less than 1"),
        ({"split": {"method": "column", "column": "u"}}, "needs test_values"),
        ({"split": {"method": "time", "test_from": "2013-01-01"}}, "needs column"),
        ({"split": {"method": "time", "column": "u", "test_from": "June"}}, "'June' is no ISO"),
        (
            {"split": {"method": "time", "column": "u", "test_from": "2013-01-01T00:00+01:00"}},
            "without offset",
        ),
        ({"split": {"column": "u"}}, "column has no meaning for method = 'random'"),
    ],
)
def test_refuses(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        PreprocessSpec.model_validate(BASE | change)


def test_defaults_and_sentinels() -> None:
    spec = PreprocessSpec.model_validate(BASE | {"missing": {"values": [-999, "NA", -99.9]}})
    assert spec.stratified
    assert spec.missing.texts == ("NA",)
    assert -999.0 in spec.missing.numbers
    assert len(spec.missing.numbers) == 3, "-99.9 also as a 32-bit column holds it"


def test_reads_dates() -> None:
    split = {"method": "time", "column": "t", "test_from": "2013-06-01"}
    spec = PreprocessSpec.model_validate(BASE | {"split": split})
    assert spec.split.test_from == dt.datetime(2013, 6, 1)
