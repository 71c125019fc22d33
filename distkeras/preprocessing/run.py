"""The order of a preprocessing: read, split, measure, fit, write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distkeras import storage
from distkeras.errors import DataError
from distkeras.preprocessing import expressions, fit, manifest, splits
from distkeras.preprocessing.cells import category, kind_of, number
from distkeras.preprocessing.failures import Retype, plain_errors
from distkeras.preprocessing.measure import Measured, Tally, count_categories, measure, medians
from distkeras.preprocessing.preprocessor import LabelColumn, Preprocessor
from distkeras.preprocessing.roles import find_roles
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.settings import settings_for_wide_rows
from distkeras.preprocessing.sources import read_table
from distkeras.preprocessing.sql import Kind
from distkeras.preprocessing.write import Written, write_splits

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from distkeras.preprocessing.spec import PreprocessSpec

__all__ = ["preprocess"]


def preprocess(
    spark: SparkSession, spec: PreprocessSpec, destination: storage.Url
) -> dict[str, Any]:
    """Writes the training and test splits of the spec's table, and what was learned from it.

    The source is read once for the statistics and once to write; once more each for the strata
    (random, stratified splits only), for columns whose numbers are far from zero, for categories
    and for medians, if there are any; and from the start, after one read for the types, if a
    CSV value does not fit what the first rows suggest. Statistics are taken from the training
    split only. No row but the first ones of a CSV source comes to the driver.

    Args:
        spark: the session.
        spec: what to do.
        destination: an existing, empty directory. Gets ``train/`` and ``test/`` (Parquet:
            ``features`` array<float>, ``label`` int or float), ``preprocessor.json`` and
            ``manifest.json``.

    Returns:
        The manifest.

    Raises:
        StorageError: an input does not exist.
        DataError: a file, column or value is wrong; the message names it.
        EnvironmentProblem: no space is left on the disk.
    """
    place = storage.locate(destination)
    with settings_for_wide_rows(spark):
        try:
            return _attempt(spark, spec, place, look_at_all=False)
        except Retype:
            return _last_attempt(spark, spec, place)


def _last_attempt(
    spark: SparkSession, spec: PreprocessSpec, destination: storage.Place
) -> dict[str, Any]:
    try:
        return _attempt(spark, spec, destination, look_at_all=True)
    except Retype as error:
        # A ragged row: other types do not help.
        raise DataError(str(error)) from None


def _attempt(
    spark: SparkSession, spec: PreprocessSpec, destination: storage.Place, *, look_at_all: bool
) -> dict[str, Any]:
    with plain_errors("preprocess"):
        return _Run(spark, spec, destination, look_at_all=look_at_all).run()


class _Run:
    """One attempt: every phase leaves what the next one needs."""

    def __init__(
        self,
        spark: SparkSession,
        spec: PreprocessSpec,
        destination: storage.Place,
        *,
        look_at_all: bool,
    ) -> None:
        self.spec = spec
        self.destination = destination
        self.missing = Missing(spec.missing.numbers, spec.missing.texts)
        self.look_at_all = look_at_all
        self.seconds: dict[str, float] = {}
        with self._phase("read"):
            self.table = read_table(spark, spec, look_at_all=look_at_all)
            self.roles = find_roles(self.table, spec)

    def run(self) -> dict[str, Any]:
        with self._phase("split"):
            test = self._split()
        with self._phase("statistics"):
            prepared = self._prepared(test)
            measured = self._measure(prepared)
        with self._phase("categories"):
            tallies = self._tallies(prepared)
        fitted = self._fit(measured, prepared, tallies)
        with self._phase("write"):
            written = self._write(fitted, test)
        _check_written(written, measured)
        fitted.save(self.destination / "preprocessor.json")
        made = self._manifest(fitted, measured, tallies)
        storage.write_json(self.destination / "manifest.json", made)
        return made

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)

    def _number(self, name: str) -> str:
        return number(name, self.table.schema[name].dataType, self.missing)

    def _category(self, name: str) -> str:
        return category(name, self.table.schema[name].dataType, self.missing)

    def _kind(self, name: str) -> Kind:
        return kind_of(self.table.schema[name].dataType) or "string"

    def _split(self) -> str:
        spec, name = self.spec, self.spec.label.column
        if not spec.stratified:
            return splits.fixed_split(self.table, spec.split, self.missing)
        hashed = splits.sortable_hash(self.table.columns, spec.split.seed)
        label = self._category(name)
        keyed = self.table.selectExpr(f"{label} AS label", f"{hashed} AS hash")
        bounds = splits.find_bounds(keyed, spec.split.test)
        if not bounds:
            raise DataError("the table has no rows")
        fit.check_labels(name, {bound.label: bound.rows for bound in bounds})
        return splits.stratified_split(label, self._kind(name), hashed, bounds)

    def _prepared(self, test: str) -> DataFrame:
        """Fixed names instead of the user's: x0.. numbers, c0.. categories, y a quantity."""
        classes = self.spec.label.kind == "classes"
        name = self.spec.label.column
        columns = [f"{self._number(n)} AS x{i}" for i, n in enumerate(self.roles.numeric)]
        columns += [f"{self._category(n)} AS c{i}" for i, n in enumerate(self.roles.categorical)]
        if not classes:
            columns.append(f"{self._number(name)} AS y")
        label = self._category(name) if classes else "CAST(NULL AS string)"
        return self.table.selectExpr(*columns, f"{label} AS label", f"{test} AS test")

    def _measure(self, prepared: DataFrame) -> Measured:
        numbers = [f"x{i}" for i in range(len(self.roles.numeric))]
        if self.spec.label.kind == "regression":
            numbers.append("y")
        measured = measure(prepared, numbers)
        train, test = measured.train.rows, measured.test.rows
        if not train or not test:
            empty = "test" if train else "training"
            together = "; equal rows fall on the same side"
            raise DataError(
                f"split.method '{self.spec.split.method}': the {empty} split is empty "
                f"({train} rows train, {test} test, {measured.dropped} belong to neither)"
                + (together if self.spec.split.method == "random" else "")
            )
        return measured

    def _tallies(self, prepared: DataFrame) -> list[Tally]:
        columns = [f"c{i}" for i in range(len(self.roles.categorical))]
        return count_categories(prepared, columns) if columns else []

    def _fit(self, measured: Measured, prepared: DataFrame, tallies: list[Tally]) -> Preprocessor:
        label = self._fit_label(measured)
        numeric = self.roles.numeric
        found = None
        if self.spec.missing.strategy == "median" and numeric:
            found = medians(prepared, [f"x{i}" for i in range(len(numeric))])
        return Preprocessor(
            numeric=fit.fit_numeric(numeric, measured, found, self.spec),
            categorical=[
                fit.fit_categorical(name, self._kind(name), tally, self.spec)
                for name, tally in zip(self.roles.categorical, tallies, strict=True)
            ],
            label=label,
            missing_numbers=sorted(self.missing.numbers),
            missing_texts=sorted(self.missing.texts),
        )

    def _fit_label(self, measured: Measured) -> LabelColumn:
        name = self.spec.label.column
        if self.spec.label.kind == "classes":
            return fit.fit_classes(name, self._kind(name), measured)
        return fit.fit_quantity(name, len(self.roles.numeric), measured)

    def _write(self, fitted: Preprocessor, test: str) -> Written:
        schema = self.table.schema
        # The extremes are known from the statistics, so no number needs another look.
        features = expressions.features(fitted, schema, self.missing, checked=False)
        label = expressions.label(fitted.label, schema, self.missing)
        rows = self.table.selectExpr(
            f"{features} AS features", f"{label} AS label", f"{test} AS test"
        )
        return write_splits(rows.where("test IS NOT NULL"), self.destination)

    def _manifest(
        self, fitted: Preprocessor, measured: Measured, tallies: list[Tally]
    ) -> dict[str, Any]:
        numeric, label = list(self.roles.numeric), self.spec.label
        raw = [*numeric, label.column] if label.kind == "regression" else numeric
        columns = manifest.statistics(raw, measured, None)
        reason = f"split column '{self.spec.split.column}' is missing"
        rows = {"train": measured.train.rows, "test": measured.test.rows}
        return {
            "rows": {"source": sum(rows.values()) + measured.dropped, **rows},
            "dropped": {reason: measured.dropped} if measured.dropped else {},
            "columns": columns,
            "features": manifest.statistics(
                numeric, measured, {column.name: column for column in fitted.numeric}
            ),
            "feature_names": fitted.feature_names,
            "categories": {
                column.name: manifest.category_statistics(column, tally, measured)
                for column, tally in zip(fitted.categorical, tallies, strict=True)
            },
            "label": {
                "column": label.column,
                "kind": label.kind,
                "balance": manifest.class_balance(fitted, measured),
            },
            "notes": manifest.notes(fitted, measured),
            "spec": self.spec.model_dump(mode="json"),
            "all_rows_read_for_csv_types": self.look_at_all,
            "seconds": self.seconds,
        }


def _check_written(written: Written, measured: Measured) -> None:
    """The written splits are those that were measured."""
    expected = (measured.train.rows, measured.test.rows)
    if (written.train, written.test) != expected:
        raise DataError(
            f"the sources changed while they were read: {expected} rows were measured and "
            f"{(written.train, written.test)} written (training, test)"
        )
    if not abs(written.smallest) + abs(written.largest) < float("inf"):
        raise DataError(
            f"the features reach from {written.smallest} to {written.largest}: not finite"
        )
