from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from tasks.settings.punchcard import PunchcardSettings, punchcard_settings


def test_nothing_said_is_nothing_set() -> None:
    assert punchcard_settings({}) == punchcard_settings({"authority": " "}) == PunchcardSettings()


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    section = {"secret-file": "~/.punchcard", "authority": "/etc/ca.pem"}
    expected = PunchcardSettings("/home/someone/.punchcard", "/etc/ca.pem")
    assert punchcard_settings(section) == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"secret_fil": "x"}, "[punchcard] secret_fil: unknown key; did you mean secret_file?"),
        ({"zzz": "x"}, "[punchcard] zzz: unknown key; known: secret_file, authority"),
        ({"secret": "0123"}, "[punchcard] secret: others read this file: write secret_file"),
    ],
)
def test_what_cannot_be(section: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        punchcard_settings(section)
    assert str(raised.value).startswith(message)
    assert "0123" not in str(raised.value)
