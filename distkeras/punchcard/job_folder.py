"""The names of what is in a job's folder, which the server and the job's own process share."""

from __future__ import annotations

__all__ = ["ERROR", "LOG", "MODEL", "PROGRESS", "UPLOAD"]

#: The model that was sent.
MODEL = "model.keras"
#: How the name of a model begins that is still being uploaded.
UPLOAD = ".upload-"
#: How far the job is.
PROGRESS = "progress.json"
#: In one line, why the job has failed.
ERROR = "error.txt"
#: What the job says.
LOG = "log.txt"
