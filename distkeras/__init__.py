"""Distributed training of Keras models on Apache Spark.

The rooms, each of which imports only those above it::

    errors, vectors    the exceptions; model weights as one flat vector
    rules/             the distributed optimizers: pure functions on vectors
    messages           frames on the wire
    server             the center and who has merged what
    transport/         channels from a worker to the server
    shards/            several servers, each with a slice of the center
    worker             the training loop of one worker
    replica            the model in a worker: the compiled window
    engines/           where workers run: Spark
    trainers           what users touch
    punchcard/         the server that trains jobs of others
    job_deployment/    its client

Importing this package imports neither TensorFlow nor pyspark.
"""
