"""A real YARN runs Spark: the driver here, Python workers in two containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hdfs import InsecureClient

from scripts.clusters import Hdfs, Yarn
from scripts.clusters.maven import spark_jars
from tests.clusters.processes import processes_of

pytestmark = pytest.mark.long

JOB = """
import json, os, sys
from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("yarn")
    .config("spark.submit.deployMode", "client")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.yarn.jars", sys.argv[1])
    .config("spark.yarn.am.memory", "512m")
    .config("spark.executor.instances", "2")
    .config("spark.executor.memory", "1g")
    .config("spark.scheduler.minRegisteredResourcesRatio", "1.0")
    .config("spark.scheduler.maxRegisteredResourcesWaitingTime", "300s")
    .getOrCreate()
)

def sums(batches):
    import os
    import pyarrow as pa
    total = sum(sum(batch.column(0).to_pylist()) for batch in batches)
    yield pa.RecordBatch.from_pydict({"total": [total], "container": [os.environ["CONTAINER_ID"]]})

spark.range(1000, numPartitions=2).write.mode("overwrite").parquet("/yarn/numbers")
numbers = spark.read.parquet("/yarn/numbers").repartition(2)
rows = numbers.mapInArrow(sums, "total long, container string").collect()
print(json.dumps([list(row) for row in rows]))
spark.stop()
"""


def test_a_job_runs_in_two_containers_on_hdfs(hdfs: Hdfs, yarn: Yarn) -> None:
    done = subprocess.run(
        # Spark would upload 400 MB of its own jars, which this machine has.
        [sys.executable, "-c", JOB, f"local:{spark_jars()}/*"],
        env={
            **os.environ,
            "HADOOP_CONF_DIR": str(yarn.conf_dir),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    rows = json.loads(done.stdout)
    assert sum(total for total, _ in rows) == sum(range(1000))
    containers = {container for _, container in rows}
    assert len(containers) == 2
    assert all(container.startswith("container_") for container in containers)
    written = InsecureClient(hdfs.webhdfs, timeout=60).list("/yarn/numbers")
    assert "_SUCCESS" in written


def test_stopped_it_leaves_no_process(hadoop: str, tmp_path: Path) -> None:
    with Yarn(tmp_path) as yarn:
        assert yarn.resourcemanager.alive
        assert yarn.nodemanager.alive
    assert not processes_of(tmp_path)
