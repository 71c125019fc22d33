"""Predictions in this process, a batch at a time: memory does not grow with the rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from distkeras.errors import DataError
from distkeras.models import to_blueprint
from distkeras.predict.columns import PREDICTION
from distkeras.predict.files import write_batches
from distkeras.preprocessing.batches import Piece, raw_batches
from distkeras.scoring import Scoring, digest, score

if TYPE_CHECKING:
    from distkeras.predict.command import Request
    from distkeras.predict.scorer import Scorer

__all__ = ["predict_alone"]

#: The column of features beside the raw ones; no file has one of this name.
FEATURES = "features\0"


def predict_alone(request: Request) -> int:
    """Reads, predicts and writes one file; returns the number of rows.

    Raises:
        DistkerasError: one line that names the file, column or value; nothing is left then.
    """
    scorer = request.scorer
    pieces = raw_batches(request.input, request.input_format)
    first = next(pieces)
    scorer.check_columns(first.rows.schema.names)
    appended = scorer.appended(flat=request.output_format == "csv")
    kept = tuple(name for name in first.rows.schema.names if name != _features_of(scorer))
    appended.check(kept)
    scored = score(_with_features(chain([first], pieces), scorer), _job(request, kept))
    batches = (appended.in_arrow(rows) for rows in scored)
    return write_batches(request.output, request.output_format, batches)


def _features_of(scorer: Scorer) -> str:
    return FEATURES if scorer.preprocessor else scorer.features_col


def _job(request: Request, kept: tuple[str, ...]) -> Scoring:
    blueprint = to_blueprint(request.scorer.model)
    return Scoring(
        blueprint=blueprint,
        digest=digest(blueprint),
        features_cols=(_features_of(request.scorer),),
        output_cols=(PREDICTION,),
        batch_size=request.batch_size,
        kept_cols=kept,
        cores=os.cpu_count() or 1,
    )


def _with_features(pieces: Iterator[Piece], scorer: Scorer) -> Iterator[pa.RecordBatch]:
    fitted = scorer.preprocessor
    for file, first_row, rows in pieces:
        if fitted is None:
            yield rows
            continue
        try:
            made = fitted.transform(rows, first_row=first_row)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        flat = pa.array(made.reshape(-1))
        lists = pa.FixedSizeListArray.from_arrays(flat, made.shape[1])
        names = [*rows.schema.names, FEATURES]
        yield pa.RecordBatch.from_arrays([*rows.columns, lists], names=names)
