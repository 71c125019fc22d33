"""What schemathesis cannot guess of a server: a path that it reads, a job that is there, a model.

Only where it means a request to be right; what it means to be wrong is sent as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

DATA, JOB = os.environ["PUNCHCARD_DATA"], os.environ["PUNCHCARD_JOB"]
MODEL = Path(os.environ["PUNCHCARD_MODEL"]).read_bytes()
RIGHT = {
    "data_path": DATA,
    "num_executors": 2,
    "num_processes": 2,
    "executor_memory_mb": 1024,
    "master": None,
    "trainer": {"name": "ADAG", "arguments": {"num_epoch": 2}},
    "model": {"sha256": hashlib.sha256(MODEL).hexdigest(), "bytes": len(MODEL)},
}


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Half of the jobs that could be are made such as this server accepts."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    where = (case.method, case.path)
    if where == ("POST", "/api/v1/jobs") and isinstance(case.body, dict):
        if _half(json.dumps(case.body, sort_keys=True)):
            case.body = {"name": case.body.get("name", "x"), **RIGHT}
    elif case.path_parameters and "name" in case.path_parameters:
        _point(case, str(case.path_parameters["name"]))


def _point(case: Case, name: str) -> None:
    # One that looks like a job's id is what an earlier answer has told.
    if not re.fullmatch("[0-9a-f]{16}", name) and _half(name):
        case.path_parameters["name"] = JOB
    if "result" in case.path_parameters and _half(str(case.path_parameters["result"])):
        case.path_parameters["result"] = "report.json"
    if case.path.endswith("/model") and isinstance(case.body, bytes) and _half(repr(case.body)):
        case.body = MODEL


def _half(text: str) -> bool:
    """Yes for every second text, and always the same."""
    return hashlib.sha256(text.encode(errors="replace")).digest()[0] % 2 == 0
