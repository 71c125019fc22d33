"""Punchcard: a server that trains other people's jobs on its cluster, and nothing else of theirs.

``job_file`` says what a job is, ``checks`` what is refused, ``store`` and ``turns`` whose turn it
is, ``processes`` and ``launcher`` how a job runs, ``dispatcher`` brings these together; ``api``
and ``command`` are the server, ``runner`` what Spark runs. The client is ``job_deployment``.
"""
