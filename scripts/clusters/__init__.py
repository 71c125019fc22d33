"""A real HDFS and a real YARN on this machine, for the tests and for trying out.

Every daemon is a Java process of its own, which a test may kill, pause and start again. The
server side comes from Maven Central, by coordinates, in the version of pyspark's client.
"""

from scripts.clusters.hadoop import Daemon
from scripts.clusters.hdfs import Hdfs
from scripts.clusters.maven import classpath
from scripts.clusters.yarn import Yarn

__all__ = ["Daemon", "Hdfs", "Yarn", "classpath"]
