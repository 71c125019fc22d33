from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from distkeras.punchcard.secrets_file import SecretsFile, new_secret

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "scripts" / "generate_secret.py"


def write(path: Path, entries: object, mode: int = 0o600) -> Path:
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    path.chmod(mode)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


def test_an_identity_may_have_several_in_both_forms(path: Path) -> None:
    hashed = hashlib.sha256(b"two").hexdigest()
    entries = [
        {"secret": "one", "identity": "ann"},
        {"secret_sha256": hashed.upper(), "identity": "ann"},
        {"secret": "three", "identity": "bob"},
    ]
    found = SecretsFile(write(path, entries))
    one, two, three = (found.holder(secret) for secret in ("one", "two", "three"))
    assert one is not None
    assert two is not None
    assert three is not None
    assert [holder.identity for holder in (one, two, three)] == ["ann", "ann", "bob"]
    assert one.secret != two.secret == hashed
    for wrong in ("", "on", "onee", hashed, "\ud800"):
        assert found.holder(wrong) is None


def test_a_changed_file_is_read_again(path: Path) -> None:
    found = SecretsFile(write(path, [{"secret": "old", "identity": "ann"}]))
    write(path, [{"secret": "fresh", "identity": "ann"}])
    assert found.holder("old") is None
    assert found.holder("fresh") is not None


@pytest.mark.parametrize("content", ["[", "{}", '[{"secret": "x"}]', None])
def test_a_broken_new_file_changes_nothing_and_is_told_of_once(
    path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    found = SecretsFile(write(path, [{"secret": "mine", "identity": "ann"}]))
    with caplog.at_level(logging.ERROR, "distkeras"):
        path.unlink()
        if content is not None:
            write(path, content)
        for _ in range(3):
            assert found.holder("mine") is not None
    assert len(caplog.records) == 1
    assert "stay good" in caplog.text
    write(path, [{"secret": "other", "identity": "ann"}])
    assert found.holder("mine") is None
    assert found.holder("other") is not None


class Finishing(logging.Handler):
    """Writes the rest of a file as soon as somebody complains of its beginning."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        write(self.path, [{"secret": "fresh", "identity": "ann"}])


def test_a_file_that_is_read_while_it_is_written_is_read_again(path: Path) -> None:
    found = SecretsFile(write(path, [{"secret": "revoked", "identity": "ann"}]))
    write(path, '[{"sec')
    log, finishing = logging.getLogger("distkeras"), Finishing(path)
    log.addHandler(finishing)
    try:
        assert found.holder("revoked") is not None
    finally:
        log.removeHandler(finishing)
    assert found.holder("revoked") is None
    assert found.holder("fresh") is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "is no JSON list"),
        ({"secret": "a", "identity": "b"}, "list"),
        ([{"secret": "tell-nobody"}], "identity"),
        ([{"identity": "ann"}], "exactly one of secret and secret_sha256"),
        ([{"identity": "ann", "secret": "tell-nobody", "secret_sha256": "0" * 64}], "exactly one"),
        ([{"identity": "ann", "secret_sha256": "tell-nobody"}], "secret_sha256"),
        ([{"identity": "ann", "secret": "tell-nobody", "role": "x"}], "role"),
        (
            [{"identity": name, "secret": "tell-nobody"} for name in ("ann", "bob")],
            "'ann' and 'bob' have the same secret",
        ),
    ],
)
def test_a_wrong_file_is_told_in_a_line_without_a_secret(
    path: Path, content: object, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        SecretsFile(write(path, content))
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "tell-nobody" not in str(raised.value)


def test_a_file_that_others_can_read_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "distkeras"):
        SecretsFile(write(path, [], 0o600))
        assert not caplog.records
        SecretsFile(write(path, [], 0o640))
    assert [f"chmod 600 {name}" for name in ("it",)] == [caplog.text.split(": ")[-1].strip()]


def test_new_secrets_are_long_and_differ(path: Path) -> None:
    made = [new_secret("ann", hashed) for hashed in (False, True)]
    assert len({secret for _, secret in made}) == 2
    assert all(len(secret) == 43 for _, secret in made)
    found = SecretsFile(write(path, [entry for entry, _ in made]))
    assert all(found.holder(secret) is not None for _, secret in made)
    assert made[1][1] not in path.read_text()


@pytest.mark.parametrize("options", [[], ["--hashed"]])
def test_the_script_prints_an_entry(path: Path, options: list[str]) -> None:
    command = [sys.executable, str(SCRIPT), "--identity", "userX", *options]
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    entry = json.loads(ran.stdout)
    secret = entry.get("secret") or ran.stderr.split()[-1]
    holder = SecretsFile(write(path, [entry])).holder(secret)
    assert holder is not None
    assert holder.identity == "userX"
    assert bool(options) == ("secret_sha256" in entry)


@pytest.mark.parametrize("identity", ["", "x" * 201])
def test_the_script_prints_no_entry_that_a_server_refuses(identity: str) -> None:
    command = [sys.executable, str(SCRIPT), "--identity", identity]
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1].endswith("--identity: must have from 1 to 200 characters")
