"""The secret of a run stands nowhere: no log, event, web page, argument, report or exception."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

#: Of a run; in any of these forms it would be found.
TOKEN = b"SeCrEtOfThIsRuN-0123456789abcdef"
FORMS = {TOKEN, TOKEN.hex().encode(), ", ".join(map(str, TOKEN)).encode()}
#: Base64, wherever the secret begins in what is coded.
FORMS |= {b64encode(bytes(before) + TOKEN)[4:-4] for before in range(3)}


def test_the_secret_of_a_run_stands_nowhere(tmp_path: Path) -> None:
    script = Path(__file__).with_name("secret_training.py")
    repository = str(Path(__file__).parents[2])
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path)],
            env={**os.environ, "PYTHONPATH": repository},
            stdout=log,
            stderr=log,
            start_new_session=True,
            timeout=600,
        )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert done.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    names = {path.relative_to(tmp_path).parts[0] for path in files}
    assert names == {"log", "events", "seen", "checkpoints"}
    seen = (tmp_path / "seen").read_text()
    assert "as the test asks" in seen
    assert "pyspark.daemon" in seen
    for path in files:
        content = path.read_bytes()
        assert [form for form in FORMS if form in content] == [], path
