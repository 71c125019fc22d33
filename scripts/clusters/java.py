"""Which Java the daemons and their containers run on: the one that Spark takes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from distkeras.errors import EnvironmentProblem

__all__ = ["java_home"]


def java_home() -> Path:
    """The folder of ``JAVA_HOME``, or else of the ``java`` on the path.

    Raises:
        EnvironmentProblem: There is no Java in either place.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if java is None:
        where = f"in JAVA_HOME, {home}" if home else "on the path"
        raise EnvironmentProblem(f"no java {where}: Hadoop's daemons need a Java 17 or newer")
    return Path(home) if home else Path(java).resolve().parent.parent
