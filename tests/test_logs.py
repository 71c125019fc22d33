"""What the log of a training says: who it is about, and never more than a few lines for each."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from distkeras import chronicle, logs
from distkeras.conversation import Failure
from distkeras.errors import DataError, Superseded
from distkeras.rules import downpour
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of, update
from tests.transport.peers import TOKEN

ROOT = Path(__file__).parent.parent


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "distkeras")
    return caplog


def said(lines: pytest.LogCaptureFixture) -> list[str]:
    """The messages, with every time in place of which 0.0 stands."""
    return [re.sub(r"\d+\.\d s", "0.0 s", message) for message in lines.messages]


def test_a_line_begins_with_what_it_is_about(lines: pytest.LogCaptureFixture) -> None:
    log = logs.logger("distkeras.anything")
    log.info("alone")
    with logs.about(run="3f2a"):
        log.of(worker=3, attempt=17).info("has %d rows, 100%% of them", 8)
        log.info("of the run")
    log.warning("alone again: %s", "50%")
    assert said(lines) == [
        "alone",
        "run=3f2a worker=3 attempt=17 has 8 rows, 100% of them",
        "run=3f2a of the run",
        "alone again: 50%",
    ]


def test_a_formatter_finds_the_fields(lines: pytest.LogCaptureFixture) -> None:
    log = logs.logger("distkeras.anything")
    log.info("alone")
    with logs.about(run="3f2a", worker=3, attempt=17):
        log.info("it")
    form = logging.Formatter("%(name)s %(run)s/%(worker)s/%(partition)s/%(attempt)s")
    assert [form.format(record) for record in lines.records] == [
        "distkeras.anything ///",
        "distkeras.anything 3f2a/3/3/17",
    ]


def test_threads_are_about_what_each_of_them_noted(lines: pytest.LogCaptureFixture) -> None:
    log = logs.logger("distkeras.anything")

    def work(worker: int) -> None:
        logs.note(worker=worker)
        log.info("%d", worker)

    with logs.about(run="3f2a"):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.info("none")
    assert sorted(said(lines)) == ["run=3f2a none", "worker=0 0", "worker=1 1", "worker=2 2"]


def test_workers_that_come_and_go_over_tcp(lines: pytest.LogCaptureFixture) -> None:
    server = server_of(downpour())
    with (
        chronicle.training("3f2a", "DOWNPOUR", server),
        # The second attempt waits for nobody's silence.
        TcpServer(server, TOKEN, lease=0.0) as tcp,
    ):
        place = tcp.address, TOKEN, len(server.center)
        with TcpChannel(*place) as first:
            first.join(3, 16, rows=8)
            first.exchange(update(0, partition=3, attempt=16))
            with TcpChannel(*place) as second:
                second.join(3, 17, rows=8)
                with pytest.raises(Superseded):
                    first.exchange(update(1, partition=3, attempt=16))
                for window in (1, 2, 3):
                    second.exchange(update(window, partition=3, attempt=17))
                second.leave(3, 17, 0.0)
                second.leave(3, 17, 0.0)  # The answer was lost.
    expected = [
        "run=3f2a training begins: DOWNPOUR",
        "run=3f2a worker=3 attempt=16 joined: 8 rows",
        "run=3f2a worker=3 attempt=17 resumes at window 1: 8 rows; takes over from attempt 16",
        "run=3f2a worker=3 attempt=16 refused: attempt 16 at worker 3 was superseded by 17",
        "run=3f2a worker=3 attempt=17 left after 4 windows, 0.0 s after it joined",
        "run=3f2a training ended: 16 rows merged, 0.0 s",
    ]
    found = [line for line in said(lines) if "lost the connection" not in line]
    assert found == expected
    lost = [line for line in said(lines) if "lost the connection" in line]
    # That of the second ended as it should, and that of the first without a word.
    assert [line.partition(" lost")[0] for line in lost] == ["run=3f2a worker=3 attempt=16"]
    assert not any(TOKEN.hex() in line or str(TOKEN) in line for line in lines.messages)


def test_a_failure_is_a_warning_on_the_driver(lines: pytest.LogCaptureFixture) -> None:
    server = server_of(downpour())
    told = pytest.raises(DataError), chronicle.training("3f2a", "DOWNPOUR", server)
    with told[0], told[1]:
        server.fail(Failure(2, "DataError", "column 'x' is null", "Traceback"))
        raise DataError("column 'x' is null\nand more")
    warning, end = lines.records[-2:]
    assert (warning.levelname, warning.getMessage()) == (
        "WARNING",
        "run=3f2a worker=2 failed: DataError: column 'x' is null",
    )
    assert said(lines)[-1] == (
        "run=3f2a training failed after 0.0 s: DataError: column 'x' is null"
    )
    assert end.levelname == "INFO"


def test_a_worker_tells_its_side(lines: pytest.LogCaptureFixture) -> None:
    with logs.about(), chronicle.working("3f2a", 3, 17):
        pass
    with pytest.raises(KeyError), chronicle.working("3f2a", 3, 18):
        raise KeyError("gone")
    begins, ends, again, failed = said(lines)
    assert begins.startswith("run=3f2a worker=3 attempt=17 begins in process ")
    assert ends == "run=3f2a worker=3 attempt=17 ended after 0.0 s"
    assert again.startswith("run=3f2a worker=3 attempt=18 begins in process ")
    assert failed == "run=3f2a worker=3 attempt=18 failed after 0.0 s: KeyError: 'gone'"


def test_as_many_lines_for_many_windows_as_for_few(lines: pytest.LogCaptureFixture) -> None:
    def counted(windows: int) -> int:
        lines.clear()
        server = server_of(downpour())
        with TcpServer(server, TOKEN) as tcp, TcpChannel(tcp.address, TOKEN, 3) as channel:
            channel.join(0, 0, rows=4)
            for window in range(windows):
                channel.exchange(update(window))
            channel.leave(0, 0, 0.0)
        return len(lines.records)

    assert counted(2) == counted(200) == 2


def test_a_spark_worker_writes_to_its_standard_error_once() -> None:
    code = """
from distkeras.logs import about, log_to_stderr, logger
import logging
log_to_stderr(); log_to_stderr()
logging.basicConfig()  # As a package may that a worker imports.
with about(run="3f2a", worker=3, attempt=17):
    logger("distkeras.engines.task").info("begins")
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d INFO distkeras\.engines\.task: "
    assert re.fullmatch(told + "run=3f2a worker=3 attempt=17 begins\n", ran.stderr)
    assert ran.stdout == ""


def test_a_new_run_has_a_name_of_its_own() -> None:
    names = {logs.new_run() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in names)
