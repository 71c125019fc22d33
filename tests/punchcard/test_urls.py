from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from distkeras.job_deployment.connection import Connection
from distkeras.punchcard.urls import is_server_url


@pytest.mark.parametrize(
    "text",
    ["https://cluster:8000", "http://127.0.0.1", "https://[::1]:1/proxy/", "https://cluster/"],
)
def test_urls_of_servers(text: str) -> None:
    assert is_server_url(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "cluster:8000", "//cluster", "https://", "https://:80", "ftp://cluster"),
        *("https://cluster:99999", "https://cluster:x", "https://cluster:0", "https://[::1"),
        *("https://me@cluster", "https://me:word@cluster", "https://clüster", "https://a b"),
        *("https://cluster/?a=1", "https://cluster/#a", "https://cluster\n"),
        # Otherwise its certificate would not be looked at.
        *("HTTPS://cluster:8000", "Http://cluster"),
    ],
)
def test_no_urls_of_servers(text: str) -> None:
    assert not is_server_url(text)
    with pytest.raises(ConfigError, match="must be like https://host:8000"):
        Connection(text, "secret")
