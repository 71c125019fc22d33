"""What a server answers: written by ours, and read by clients, which may have come to another's."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, NonNegativeInt, RootModel

__all__ = ["Allowed", "Far", "Listed", "Piece", "Sizes", "Told"]

#: Since 1970, and before the year 10000, after which no calendar of Python's goes on.
_Seconds = Annotated[float, Field(ge=0, lt=253_402_000_000, allow_inf_nan=False)]


class Far(BaseModel):
    """How far a job is."""

    phase: str = Field(description="Of the training; finish: its results are being saved.")
    epoch: NonNegativeInt
    epochs: NonNegativeInt
    rows: NonNegativeInt = Field(description="Merged, of all epochs.")
    total: NonNegativeInt = Field(description="Rows of all epochs; 0: not known yet.")
    loss: float | None
    samples_per_second: float
    seconds_left: float | None
    at: float = Field(description="When this was so; seconds since 1970.")
    curve: list[tuple[int, float]] = Field(description="Rows and loss, from the beginning on.")


class Told(BaseModel):
    """A job, as its user is told of it."""

    id: str
    name: str
    trainer: str
    data_path: str = Field(description="Of what it reads, be it preprocessed before or not.")
    state: str = Field(description="submitted, queued, running, succeeded, failed or cancelled.")
    cancelling: bool = Field(description="It is being cancelled.")
    attempt: int = Field(description="How often it was begun.")
    error: str | None = Field(description="One line, where it has failed.")
    submitted: _Seconds = Field(description="Seconds since 1970, as the next two.")
    started: _Seconds | None
    ended: _Seconds | None
    progress: Far | None = Field(None, description="How far it is.")


class Listed(BaseModel):
    """Some jobs, the latest first."""

    jobs: list[Told]
    next: int | None = Field(description="`before` of the next page; null where there is none.")


class Piece(BaseModel):
    """Of a log."""

    text: str
    next: NonNegativeInt = Field(description="`offset` of the next piece.")


class Allowed(BaseModel):
    """What a job may ask for."""

    masters: list[str]
    executors: int
    processes: int
    memory_mb: int
    model_bytes: int
    trainers: list[str]


class Sizes(RootModel[dict[str, NonNegativeInt]]):
    """The names of a job's results, and their sizes in bytes."""
