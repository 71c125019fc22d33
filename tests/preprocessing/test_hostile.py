"""What a spec says is names and values, and never SQL, however it is written.

A Punchcard server preprocesses for others, and Spark's SQL reads any file and calls Java.
"""

from __future__ import annotations

import pytest

from distkeras.preprocessing.spec import PreprocessSpec
from tests.preprocessing.tables import run

#: Would end the process, or read a file, if they were taken for more than a name or a value.
CALLS = "reflect('java.lang.System', 'exit', 3)"
READS = "(SELECT first(value) FROM text.`/etc/passwd`)"
NUMBERS = [
    "${hostile.setting}",
    "${env:HOME}",
    f"a` + {CALLS} + `a",
    f"a`, {READS} AS `b",
    "') OR ('1' = '1",
    "a\\`b",
    "a\n; --b",
    "a.b",
    "*",
    "x0",
]
CATEGORY, SPLIT, LABEL = f"c`, {READS}, `c", f"${{hostile.setting}}{CALLS}", "${env:HOME}${"
TEXTS = ("') OR true OR ('", "${hostile.setting}", "\\", "a`b", "[[distkeras|retype|a|b]]")


def spec(path: str) -> PreprocessSpec:
    columns = [*NUMBERS, CATEGORY, SPLIT, LABEL]
    source = {"path": path, "format": "csv", "header": False, "columns": columns, "separator": ";"}
    return PreprocessSpec.model_validate(
        {
            "sources": {"events": source},
            "numeric": NUMBERS,
            "missing": {"values": [*TEXTS, -999.0]},
            "categorical": {"columns": [CATEGORY]},
            "label": {"column": LABEL},
            "split": {"method": "column", "column": SPLIT, "test_values": [*TEXTS, "test"]},
        }
    )


def rows() -> list[str]:
    """Of which every fourth tests; the category is a hostile text."""
    lines = []
    for number in range(16):
        cells = [str(number % 4 + place) for place in range(len(NUMBERS))]
        cells += ["${env:HOME}" if number % 2 else CALLS, "train" if number % 4 else "test"]
        lines.append(";".join([*cells, "ab"[number // 4 % 2]]))
    return lines


def test_names_and_values_are_no_sql(spark, tmp_path):
    path = tmp_path / "events"
    path.write_text("\n".join(rows()) + "\n")
    # Ends a quoted name. The name of a Punchcard job is a setting of its session, too.
    spark.conf.set("hostile.setting", f"x` + {CALLS} + `x")
    try:
        result = run(spark, tmp_path, spec(str(path)))
        names = [*NUMBERS, CATEGORY]
        row = (*map(float, range(len(NUMBERS))), CALLS)
        scored = result.fitted.transform_spark(spark.createDataFrame([row], names)).first()
    finally:
        spark.conf.unset("hostile.setting")
    assert result.manifest["rows"] == {"source": 16, "train": 12, "test": 4}
    # Each column was itself, and no other one.
    found = result.manifest["columns"]
    smallest = {name: float(place + 1) for place, name in enumerate(NUMBERS)}
    assert {name: one["train"]["min"] for name, one in found.items()} == smallest
    assert result.fitted.categorical[0].categories == sorted(["${env:HOME}", CALLS])
    assert result.fitted.classes == ["a", "b"]
    expected = result.fitted.transform([dict(zip(names, row, strict=True))])
    assert scored["features"] == pytest.approx(expected[0].tolist())
    assert spark.conf.get("spark.sql.variable.substitute") == "true"
