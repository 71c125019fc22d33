"""The server keeps to its own OpenAPI document, whatever is asked: schemathesis asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from distkeras.punchcard.told import Listed
from tests.punchcard.served import REPOSITORY, Server, ended, secret_of

#: Not among them: what the owner's limits refuse is right by the document, so it says nothing
#: that rightful requests are refused (positive_data_acceptance); a job whose model is refused is
#: forgotten (ensure_resource_availability); and guessing secrets locks out who asks (ignored_auth).
#: ``test_api`` has all three.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
)
SECONDS = 300.0


def test_every_answer_is_one_that_the_document_has(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-model-mb", "8") as server:
        job = server.submit("quick")
        ended([job])
        environment = os.environ | {
            "PYTHONPATH": str(REPOSITORY),
            "SCHEMATHESIS_HOOKS": "tests.punchcard.schemathesis_hooks",
            "PUNCHCARD_DATA": str(server.data),
            "PUNCHCARD_JOB": job.name,
            "PUNCHCARD_MODEL": str(server.model),
        }
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color"]
        command += ["run", f"{server.url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {secret_of('ann')}"]
        command += ["--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing,stateful"]
        command += ["--max-examples", "15", "--generation-deterministic"]
        command += ["--continue-on-failure", "--no-shrink"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        said = server.said()
        assert "Traceback" not in said, said
        assert "a wrong secret" not in said, "somebody may be locked out, and hears nothing else"
        # They were not all turned away at the door.
        found = server.connection().ask("GET", "jobs?most=1000", Listed)["jobs"]
        assert {"submitted", "succeeded"} <= {one["state"] for one in found}
        assert httpx.get(f"{server.url}/openapi.json").status_code == 200
