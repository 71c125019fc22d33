"""What the doctor is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distkeras import storage
from distkeras.errors import ConfigError, StorageError
from distkeras.rules.arguments import positive

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """What is examined.

    Attributes:
        settings: of Spark, ``spark.master`` among them; what is not set is Spark's own default.
        hdfs: a folder on HDFS, in which a file is written and read; None: HDFS is looked at
            where Hadoop's configuration names one.
        output: the folder of results, whose disk needs room.
        timeout: seconds that each check may take.
        room: GiB that each disk must have; below five times that there is a warning.

    Raises:
        ConfigError: a value that cannot be.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    hdfs: str | None = None
    output: str = "output"
    timeout: float = 60.0
    room: float = 1.0

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        positive("timeout", self.timeout)
        positive("room", self.room)
        try:
            remote = self.hdfs is None or isinstance(storage.locate(self.hdfs), storage.RemotePath)
            storage.locate(self.output)
        except StorageError as error:
            raise ConfigError(str(error)) from error
        if not remote:
            raise ConfigError(f"hdfs is {self.hdfs!r}, but must be hdfs://host:port/path")
        for key in self.settings:
            if not key.startswith("spark."):
                raise ConfigError(f"{key!r} is no setting of Spark: they begin with spark.")
