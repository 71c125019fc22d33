"""The exceptions that this library raises, in one tree.

Bad arguments and bad data are also ``ValueError``, so that callers who know nothing of this
tree catch them as they would from any library. Every message is one line that names the
value and the place.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "CallbackFailed",
    "ConfigError",
    "DataError",
    "DistkerasError",
    "EnvironmentProblem",
    "ExchangeTimeout",
    "IncompleteTraining",
    "JobFailed",
    "ProtocolError",
    "RoundTimeout",
    "ServiceError",
    "StorageError",
    "Superseded",
    "TrainingDiverged",
    "TrainingError",
    "TrainingStopped",
    "WorkerFailed",
]


class DistkerasError(Exception):
    """The root of every exception that distkeras raises on purpose."""


class ConfigError(DistkerasError, ValueError):
    """An argument or a config key has a value that cannot work."""


class DataError(DistkerasError, ValueError):
    """The data cannot be used as asked: a file, a column or a value in it is wrong."""


class EnvironmentProblem(DistkerasError, RuntimeError):  # noqa: N818
    """The machine lacks something: Java, disk space, task slots."""


class StorageError(DistkerasError, OSError):
    """A path cannot be read, written or published."""


class ServiceError(DistkerasError, OSError):
    """A server could not be reached, did not answer in time, or answered what it should not."""


class TrainingError(DistkerasError, RuntimeError):
    """Training started and could not end as asked."""


class WorkerFailed(TrainingError):  # noqa: N818
    """A worker raised, and Spark's retries are used up."""


class CallbackFailed(TrainingError):  # noqa: N818
    """A Keras callback raised on a worker, or asked for what one worker cannot do."""


class TrainingDiverged(TrainingError):  # noqa: N818
    """A loss or a weight became NaN or infinite."""


class TrainingStopped(TrainingError):  # noqa: N818
    """A condition ended the training before its end, where only a whole one is wanted."""


class IncompleteTraining(TrainingError):  # noqa: N818
    """Fewer or more rows were merged than were supplied, times the epochs."""


class JobFailed(TrainingError):  # noqa: N818
    """A job on a server has failed, was cancelled, or has not ended yet."""


class ExchangeTimeout(TrainingError):  # noqa: N818
    """A deadline passed: the message says who waited for whom, at which address."""


class RoundTimeout(ExchangeTimeout):
    """The workers of a synchronous rule waited in vain for one of them; the message names it."""


class Superseded(TrainingError):  # noqa: N818
    """A newer attempt at the same partition has taken over from this one."""


class ProtocolError(DistkerasError):
    """Bytes arrived that are no frame of this protocol."""


class AuthenticationError(ProtocolError):
    """The other side does not know the run's token."""
