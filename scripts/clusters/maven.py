"""Where Hadoop's classes come from: pyspark's own jars, and a few of Maven Central.

pyspark bundles Hadoop's client; ``hadoop-client-minicluster`` of the same version holds the
servers, made to sit beside exactly those jars. They are fetched once for each version, by
``mvn``, from whatever repository the user's settings name.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from distkeras.errors import EnvironmentProblem
from scripts.clusters.java import java_home

__all__ = ["classpath", "hadoop_version", "spark_jars"]

FETCH_SECONDS = 600.0
"""A download of 56 MB, and of Maven's own plugin before it, over a slow line."""

# Of pyspark's jars, what the servers stand on: Spark's own have no place in a daemon.
CLIENT_JARS = (
    "hadoop-client-*.jar",
    "slf4j-api-*.jar",
    "jcl-over-slf4j-*.jar",
    "log4j-*.jar",
    "snappy-java-*.jar",
)


# The servers in one jar; its dependencies are among pyspark's jars. The ResourceManager's web
# proxy also needs Bouncy Castle, which that jar does not carry: in the version that Hadoop's
# own build names.
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>distkeras</groupId><artifactId>hadoop-servers</artifactId><version>1</version>
  <dependencyManagement><dependencies><dependency>
    <groupId>org.apache.hadoop</groupId><artifactId>hadoop-project</artifactId>
    <version>{version}</version><type>pom</type><scope>import</scope>
  </dependency></dependencies></dependencyManagement>
  <dependencies>
    <dependency>
      <groupId>org.apache.hadoop</groupId><artifactId>hadoop-client-minicluster</artifactId>
      <version>{version}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
    <dependency>
      <groupId>org.bouncycastle</groupId><artifactId>bcpkix-jdk18on</artifactId>
    </dependency>
  </dependencies>
</project>
"""


def spark_jars() -> Path:
    """Where pyspark's jars lie; found without importing pyspark.

    Raises:
        EnvironmentProblem: pyspark is not installed.
    """
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise EnvironmentProblem("pyspark is not installed: it brings Hadoop's client")
    return Path(found.origin).parent / "jars"


def hadoop_version(jars: Path) -> str:
    """The version of the Hadoop client among these jars, such as ``3.5.0``.

    Raises:
        EnvironmentProblem: There is no Hadoop client there.
    """
    for jar in jars.glob("hadoop-client-api-*.jar"):
        return jar.name.removeprefix("hadoop-client-api-").removesuffix(".jar")
    raise EnvironmentProblem(f"there is no hadoop-client-api-*.jar in {jars}")


def classpath() -> str:
    """What a Hadoop daemon needs on its class path, behind its configuration folder.

    Raises:
        EnvironmentProblem: Java, Maven or its repository is missing; one line says which.
    """
    java_home()
    jars = spark_jars()
    client = sorted(jar for part in CLIENT_JARS for jar in jars.glob(part))
    return os.pathsep.join(map(str, [*server_jars(hadoop_version(jars)), *client]))


def server_jars(version: str) -> list[Path]:
    """The jars of Hadoop's servers, fetched by the first who asks."""
    folder = cache() / f"hadoop-servers-{version}"
    if not folder.is_dir():
        fetch(version, folder)
    return sorted(folder.glob("*.jar"))


def cache() -> Path:
    """The user's cache folder, for what can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distkeras"


def fetch(version: str, folder: Path) -> None:
    """Fetch the jars into a folder that appears whole or not at all.

    Args:
        version: Hadoop's.
        folder: Where to; of several who fetch at the same time, the first one's stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as beside:
        copy_jars(version, Path(beside))
        try:
            (Path(beside) / "jars").rename(folder)
        except OSError:
            # Only a folder with something in it cannot be replaced by a rename.
            if not folder.is_dir():
                raise


def copy_jars(version: str, beside: Path) -> None:
    """One run of ``mvn``, with the user's own settings, into a folder ``jars``."""
    what = f"org.apache.hadoop:hadoop-client-minicluster:{version}"
    if shutil.which("mvn") is None:
        raise EnvironmentProblem(f"mvn was not found: Maven fetches {what}")
    (beside / "pom.xml").write_text(POM.format(version=version))
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    try:
        done = subprocess.run(
            command,
            cwd=beside,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"mvn did not fetch {what} in {FETCH_SECONDS:g} s") from None
    if done.returncode:
        raise EnvironmentProblem(f"mvn could not fetch {what}: {first_error(done.stdout)}")


def first_error(output: str) -> str:
    """The line in which Maven says what went wrong."""
    found = re.search(r"^\[ERROR\] (.+)$", output, re.MULTILINE)
    return found[1].strip() if found else "it did not say why"
