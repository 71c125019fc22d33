"""What the URL of a server looks like."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["is_server_url"]


def is_server_url(text: str) -> bool:
    """Whether a text is like ``https://host:8000``, perhaps with the path of a proxy behind it.

    A secret in it would be seen by many: no user and no password.
    """
    # In lower case: what is not encrypted, or not checked, is decided by how it begins.
    if not text.startswith(("http://", "https://")) or not text.isascii():
        return False
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port  # The port is read only when it is asked for.
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    return bool(host) and port != 0 and plain
