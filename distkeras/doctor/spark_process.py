"""Spark in a process of its own: whatever it does, it can be ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from distkeras.errors import EnvironmentProblem

__all__ = ["SparkProcess"]

#: Seconds that Spark may take to end its session, and its JVM to clean up, before it is killed.
END_SECONDS, CLEAN_SECONDS = 15.0, 3.0


class SparkProcess:
    """The doctor's ``spark_side``; a context manager that leaves no process behind.

    Args:
        settings: of Spark.
        seconds: that each of its steps may take.
    """

    def __init__(self, settings: Mapping[str, str], seconds: float) -> None:
        self._settings, self._seconds = dict(settings), seconds
        self._process: subprocess.Popen[str] | None = None
        self._said: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> SparkProcess:
        """Nothing runs yet."""
        self._folder = tempfile.TemporaryDirectory(prefix="distkeras-doctor-")
        return self

    def __exit__(self, *problem: object) -> None:
        """Ends Spark and removes its log."""
        self.end(END_SECONDS)
        self._folder.cleanup()

    def start(self) -> None:
        """Starts the process, and Spark in it."""
        log = Path(self._folder.name, "process.log")
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "distkeras.doctor.spark_side"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        asked = {"settings": self._settings, "seconds": self._seconds, "log": f"{self.log}"}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()

    @property
    def log(self) -> Path:
        """What the JVM says."""
        return Path(self._folder.name, "spark.log")

    def hear(self) -> dict[str, Any] | None:
        """The next step's result; None if it takes too long, and Spark was ended.

        Raises:
            EnvironmentProblem: its process has ended.
        """
        try:
            line = self._said.get(timeout=self._seconds)
        except queue.Empty:
            self.end(0)
            return None
        if not line:
            self._said.put("")  # For whoever asks again.
            said = Path(self._folder.name, "process.log").read_text(errors="replace").splitlines()
            raise EnvironmentProblem(f"Spark's process ended: {(said or ['without a word'])[-1]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self, seconds: float) -> None:
        """Ends Spark.

        Args:
            seconds: that it has to end by itself.
        """
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with suppress(subprocess.TimeoutExpired, OSError):
            process.stdin.close()
            process.wait(timeout=seconds)
        if process.poll() is None:
            process.kill()  # One that is stopped hears nothing else; its JVM is asked below.
            process.wait()
        _end_group(process.pid)

    def _listen(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._said.put(line)
        self._said.put("")


def _end_group(group: int) -> None:
    """Ends what is left of a process group: the JVM, which cleans up when it is asked to."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + CLEAN_SECONDS
        while time.monotonic() < deadline:
            os.killpg(group, 0)  # Raises when nobody is left.
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
