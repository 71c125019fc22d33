"""Files beside Spark ML's metadata, on whatever file system Spark reaches: local, HDFS, S3 ..."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras.errors import EnvironmentProblem, StorageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["SparkFiles", "storage_errors"]


class SparkFiles:
    """The file system that a path names, as Spark's driver sees it.

    Args:
        session: its Hadoop settings say how to get there.
        url: a path as Spark takes it: a scheme that is left out is ``fs.defaultFS``.

    Raises:
        EnvironmentProblem: the session is a Spark Connect one, which has no file system.
        StorageError: there is no such file system.
    """

    def __init__(self, session: SparkSession, url: str) -> None:
        from pyspark.sql.utils import is_remote

        if is_remote():
            raise EnvironmentProblem(f"{url}: files cannot be reached through Spark Connect")
        self.url = url
        self._hadoop: Any = session._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]
        settings = session._jsparkSession.sessionState().newHadoopConf()
        with storage_errors(url):
            self._system = self._hadoop.Path(url).getFileSystem(settings)

    def exists(self, *name: str) -> bool:
        """Whether the path, or a file in it, is there."""
        with storage_errors(self.url):
            return bool(self._system.exists(self._path(*name)))

    def put(self, local: Path) -> None:
        """Copies a local file into the path, under the same name.

        Raises:
            StorageError: it cannot be written, or a file of that name is there.
        """
        with storage_errors(self.url):
            source = self._hadoop.Path(local.absolute().as_uri())
            self._system.copyFromLocalFile(False, False, source, self._path(local.name))

    def get(self, local: Path) -> None:
        """Copies the file of the same name out of the path to the local one.

        Raises:
            StorageError: it is missing or cannot be read.
        """
        with storage_errors(self.url):
            target = self._hadoop.Path(local.absolute().as_uri())
            # The raw local file system: no checksum file beside the copy.
            self._system.copyToLocalFile(False, self._path(local.name), target, True)

    def _path(self, *name: str) -> Any:
        return self._hadoop.Path("/".join([self.url, *name]))


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turns what Spark and Hadoop raise into one line that names the path.

    Raises:
        StorageError: in place of it.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        java = getattr(error, "java_exception", None)
        said = str(error if java is None else java.getMessage()).strip().splitlines()
        raise StorageError(f"{url}: {said[0] if said else type(error).__name__}") from None
