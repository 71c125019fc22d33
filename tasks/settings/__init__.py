"""What ``luigi.cfg`` says beside luigi's own: Spark, HDFS and Punchcard."""
