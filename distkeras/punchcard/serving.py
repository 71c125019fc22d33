"""The web server around the application."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from distkeras.errors import ConfigError, EnvironmentProblem
from distkeras.logs import logger
from distkeras.punchcard.api import create_app
from distkeras.punchcard.service import Service

__all__ = ["Address", "serve"]

log = logger(__name__)

#: Requests at once; more are told to come again.
CONNECTIONS = 500
#: Connections that wait to be accepted.
BACKLOG = 2048
#: Seconds that a connection may be idle, and that open requests have when the server ends.
IDLE, ENDING = 30, 10
#: Seconds for which a client may read nothing, or nearly nothing, of what it has asked for.
UNREAD = 60


@dataclass(frozen=True)
class Address:
    """Where the server listens.

    Attributes:
        host: a name or address of this machine.
        port: 0 for any free one.
        certificate: PEM file, with its chain; None: no TLS.
        key: PEM file.

    Raises:
        ConfigError: one of the two files is given without the other.
    """

    host: str
    port: int
    certificate: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuses half of what TLS needs."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--tls-certificate and --tls-key: give both or none")

    @property
    def scheme(self) -> str:
        """Of its URLs."""
        return "http" if self.certificate is None else "https"


class Prompt(H11Protocol):
    """Closes a connection on which no request begins; uvicorn waits for the first one for ever.

    Otherwise somebody without a secret could have all ``CONNECTIONS``, and send nothing.
    """

    #: Seconds until the head of a request has come, or the rest of one that has been answered.
    seconds: ClassVar[float] = IDLE
    #: Seconds for which a client may leave more than 64 KiB of an answer lying, a mebibyte mostly.
    unread: ClassVar[float] = UNREAD
    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._wait()
        super().data_received(data)
        if self._asked():
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._stop()
        self._read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio: the client does not read as fast as is written."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(self.unread, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio."""
        self._read()
        super().resume_writing()

    def _read(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _asked(self) -> bool:
        """Whether there is a request that has not been answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._timer is None and not self._asked():
            self._timer = self.loop.call_later(self.seconds, self._late)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._asked():
            self.transport.close()
            self._drop()

    def timeout_keep_alive_handler(self) -> None:
        """See uvicorn: nothing was asked for a while."""
        super().timeout_keep_alive_handler()
        self._drop()

    def _drop(self) -> None:
        # It would stay open for as long as a client does not read what is left of an answer.
        if self.transport.get_write_buffer_size():
            self.transport.abort()


def serve(service: Service, address: Address) -> None:
    """Answers until SIGTERM or SIGINT; prints its URL as soon as it listens.

    Raises:
        ConfigError: the certificate or its key cannot be used.
        EnvironmentProblem: the address is taken, or is none of this machine's.
    """
    if address.certificate is None and address.host not in ("127.0.0.1", "::1", "localhost"):
        log.warning("secrets travel unencrypted to %s: see --tls-certificate", address.host)
    config = uvicorn.Config(
        create_app(service),
        host=address.host,
        port=address.port,
        http=Prompt,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        log_config=None,
        access_log=False,
        server_header=False,
        # Whoever could say where a request comes from could guess secrets from anywhere.
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=ENDING,
        ws="none",
    )
    _load(config)
    _listen(_Server(config, service), address)


def _load(config: uvicorn.Config) -> None:
    if config.ssl_keyfile is not None:
        _check_unlocked(Path(config.ssl_keyfile))
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "is no PEM, or does not fit"
        files = f"{config.ssl_certfile}, {config.ssl_keyfile}"
        raise ConfigError(f"--tls-certificate, --tls-key: {files}: {reason}") from None


def _check_unlocked(key: Path) -> None:
    """Refuses a key for which OpenSSL would ask the terminal, and wait."""
    with suppress(OSError):  # That is told of with the certificate.
        if b"ENCRYPTED" in key.read_bytes():
            raise ConfigError(f"--tls-key {key}: is encrypted, and nobody is asked for a password")


class _Server(uvicorn.Server):
    """Does not wait for the pages that are told of news, which would be so for an hour."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._streams = service.streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._streams.end()
        await super().shutdown(sockets)


def _listen(server: uvicorn.Server, address: Address) -> None:
    with _bound(address) as listener:
        host = f"[{address.host}]" if ":" in address.host else address.host
        print(f"Punchcard at {address.scheme}://{host}:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])


def _bound(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # Unless it is said to be TCP, asyncio does not switch Nagle's algorithm off, and each answer
    # waits 40 ms for the other side's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = f"{address.host}:{address.port}"
        reason = error.strerror or error
        raise EnvironmentProblem(f"{where}: cannot listen there: {reason}") from None
    return listener
