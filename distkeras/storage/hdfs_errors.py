"""What went wrong with a WebHDFS request, in a few words without secrets."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator

import requests

__all__ = ["Refused", "not_webhdfs", "refusal", "unanswered", "without_secrets"]

_SECRET = re.compile(r"(delegation|token|signature)=[^&\s\"'>]+", re.IGNORECASE)
# Worth another attempt: it may be over in a moment.
PASSING = {
    "RetriableException",
    "StandbyException",
    "SafeModeException",
    "ConnectException",
    "EOFException",
    "ClosedChannelException",
    "InterruptedIOException",
    "NoRouteToHostException",
    "SocketException",
    "SocketTimeoutException",
}
# A DataNode that takes a file, and could not hand it on or say to the NameNode that it is whole.
BROKEN_TRANSFER = (
    "All datanodes",
    "Could not get block locations",
    "Unable to close file because the last block",
    "Unable to create new block",
)
NO_DATANODE = (
    "Failed to find datanode",
    "No active nodes contain this block",
    "No active and not excluded nodes contain this block",
)
NO_PLACE = ("could only be written to", "could only be replicated to")


class Refused(Exception):  # noqa: N818
    """The answer was no, or there was none.

    Args:
        reason: in a few words.
        again: whether another attempt may do better.
        java: the name of the server's exception, if it sent one.
    """

    def __init__(self, reason: str, *, again: bool = False, java: str = "") -> None:
        super().__init__(reason)
        self.reason, self.again, self.java = reason, again, java


def without_secrets(text: str) -> str:
    """The text with tokens that stand in a URL's query made unreadable."""
    return _SECRET.sub(r"\1=***", text)


def refusal(response: requests.Response) -> Refused:
    """What an answer that is no success means."""
    try:
        remote = json.loads(response.content)["RemoteException"]
        java, message = str(remote["exception"]), str(remote.get("message"))
    except (ValueError, KeyError, TypeError):
        return _without_exception(response)
    # Some servers append a stack trace.
    line = without_secrets(message.split("\n\tat ")[0])
    return _translated(java, " ".join(line.split()))


def not_webhdfs(response: requests.Response) -> Refused:
    """What answers there is something else."""
    return Refused(f"what answers there is not WebHDFS (HTTP {response.status_code})")


def unanswered(error: Exception, host: str) -> Refused:
    """What it means that there was no answer.

    Args:
        error: of requests; its text quotes the URL's query, and is not used.
        host: ``host:port``.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            later = cause.errno == socket.EAI_AGAIN
            return Refused(f"the host of {host} is unknown ({cause.strerror})", again=later)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return Refused(_tls_reason(cause))
        if isinstance(cause, ConnectionRefusedError):
            return Refused("connection refused", again=True)
    if isinstance(error, requests.Timeout) or any(isinstance(one, TimeoutError) for one in causes):
        return Refused("no answer", again=True)
    if type(error).__name__.startswith(("Kerberos", "MutualAuth")):
        return Refused("Kerberos failed: is there a valid ticket (klist)?")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Refused(_broken_reason(causes), again=True)
    return Refused(f"the request could not be made ({type(error).__name__})")


def _translated(java: str, message: str) -> Refused:
    again = java in PASSING
    if any(text in message for text in NO_PLACE):
        tail = message.rpartition("nodes. ")[2] or message
        reason, again = f"no DataNode has room for it, or none answers ({tail})", True
    elif any(text in message for text in NO_DATANODE):
        reason, again = "no DataNode that could do it is alive", True
    elif any(text in message for text in BROKEN_TRANSFER):
        reason, again = "the DataNodes broke off the transfer", True
    elif java == "SafeModeException":
        reason = "the NameNode is in safe mode"
    elif java == "StandbyException":
        reason = "the NameNode is on standby"
    elif "InvalidToken" in (java + message):
        reason = "the delegation token is not valid, or has expired: put a new one into token_file"
    elif java == "AccessControlException" and "(is not a directory)" not in message:
        reason = f"no permission: {message.removeprefix('Permission denied: ')}"
    elif "QuotaExceeded" in java:
        reason = f"the quota is used up: {message}"
    else:
        reason = message if message not in ("", "None") else java
    return Refused(reason, again=again, java=java)


def _without_exception(response: requests.Response) -> Refused:
    status = response.status_code
    if b"Hadoop IPC port" in response.content:
        return Refused("this is the port of Hadoop's RPC, not of WebHDFS")
    if status == 401:
        return Refused("it asks who you are (HTTP 401): set [webhdfs] client_type, and its ticket")
    if status == 403:
        return Refused(f"forbidden (HTTP 403){_title(response.text)}")
    if status >= 500:
        return Refused(f"the server failed (HTTP {status})", again=True)
    return not_webhdfs(response)


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    return f": {without_secrets(' '.join(found[1].split()))[:200]}" if found else ""


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): set [webhdfs] ca_file"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "it does not speak https: set [webhdfs] scheme or port"
    return f"https failed ({error.reason or 'no reason given'})"


def _broken_reason(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return "the connection was closed in the middle"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it was made from, however each library keeps them."""
    seen: set[int] = set()
    found: list[object] = [error]
    while found:
        one = found.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            found += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
