"""What a user of the ``luigi`` command sees: one line for an error, and an honest exit status."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from types import TracebackType

import luigi
from luigi.parameter import ParameterException
from luigi.task_register import TaskClassException

from distkeras.errors import DistkerasError

__all__ = ["install", "quiet_interrupt", "quiet_libraries"]

# Luigi's own defaults are 0: it would report a failed task as success.
RETURN_CODES = {
    "already_running": "10",
    "missing_data": "20",
    "not_run": "25",
    "task_failed": "30",
    "scheduling_error": "35",
    "unhandled_exception": "40",
}


# Luigi cannot tell whether a result is there; the last line of what it says is our error.
UNSEEN = re.compile(
    r"due to error in complete\(\) method:\n.*^distkeras\.errors\.\w+: (.*)\Z", re.M | re.S
)


class OneLine(logging.Filter):
    """Shortens what luigi logs.

    An error of ours becomes one line; luigi's routine talk is left out but for its summary. What
    the library logs stays.
    With the log level DEBUG all of it is shown, tracebacks included.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown; rewrites it in place."""
        if logging.getLogger("luigi-interface").getEffectiveLevel() <= logging.DEBUG:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, (DistkerasError, ParameterException)):
            record.msg, record.args = _line(error), ()
            record.exc_info = record.exc_text = None
            return True
        if unseen := UNSEEN.search(record.getMessage()):
            record.msg, record.args = unseen[1], ()
            record.levelno, record.levelname = logging.ERROR, "ERROR"
            return True
        ours = record.name.startswith("distkeras") or "Execution Summary" in record.getMessage()
        return record.levelno >= logging.WARNING or ours


class ToLuigi(logging.Handler):
    """Puts what the library logs into luigi's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        logging.getLogger("luigi-interface").handle(record)


def install() -> None:
    """Sets what ``luigi.cfg`` leaves open, and the filter, once."""
    config = luigi.configuration.get_config()
    for name, code in RETURN_CODES.items():
        if not config.has_option("retcode", name):
            config.set("retcode", name, code)
    if not config.has_option("core", "log_level"):
        config.set("core", "log_level", "INFO")
    # Of luigi's own RangeDaily, and nobody's fault.
    warnings.filterwarnings("ignore", 'Parameter "param_name" with value "None"', UserWarning)
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(item, OneLine) for item in logger.filters):
        logger.addFilter(OneLine())
        _say_instead(TaskClassException, lambda error: f"ERROR: {_line(error)}")


def quiet_libraries() -> None:
    """Keeps the routine talk of TensorFlow and Py4J from the console; before they are imported.

    What the library logs goes into luigi's log.
    """
    _log_library()
    if logging.getLogger("luigi-interface").getEffectiveLevel() <= logging.DEBUG:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    if not logging.root.handlers:
        # Otherwise Py4J's first message gives the root logger a handler, and from then on every
        # line of luigi's comes twice.
        handler = logging.StreamHandler()
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        handler.addFilter(_is_told_once)
        logging.root.addHandler(handler)


def _log_library() -> None:
    library, luigis = logging.getLogger("distkeras"), logging.getLogger("luigi-interface")
    # Who has given the root a handler has configured logging, and gets the library's that way.
    if not logging.root.handlers and not any(isinstance(one, ToLuigi) for one in library.handlers):
        library.addHandler(ToLuigi())
        library.setLevel(luigis.getEffectiveLevel())
        library.propagate = False


def _is_told_once(record: logging.LogRecord) -> bool:
    # Py4J tells the root logger, of all, that a JVM that has died does not answer: a traceback for
    # each call, where the task that made the call says in a line what it means.
    py4j = record.name == "root" and "while sending command." in record.getMessage()
    # What the library logs comes here from luigi's log, which has told it.
    told = record.name == "luigi-interface" or record.name.startswith("distkeras.")
    return not told and not py4j


def quiet_interrupt() -> None:
    """Makes Ctrl-C end the process with one line; its exit status stays that of SIGINT."""
    said = "Interrupted: finished tasks keep their results."
    _say_instead(KeyboardInterrupt, lambda _: said)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ParameterException):
        # Luigi's own sentence has the Python call in it, which nobody wrote.
        return re.sub(r"\[args=.*, kwargs=.*\]: ", ": ", text)
    return text


def _say_instead(what: type[BaseException], sentence: Callable[[BaseException], str]) -> None:
    """An error of this kind that nobody catches ends the process with a line, no traceback."""
    usual = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if issubclass(kind, what):
            print(sentence(error), file=sys.stderr)
        else:
            usual(kind, error, traceback)

    sys.excepthook = hook
