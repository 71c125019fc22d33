"""A model that a server has sent, checked before Keras sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distkeras.errors import ConfigError, StorageError
from distkeras.punchcard.checks import check_model_file
from distkeras.punchcard.weights import check_weights
from distkeras.storage import load_model

__all__ = ["load_fetched"]

#: Bytes beyond any model that could be fetched.
_MOST = 1 << 42


def load_fetched(path: Path) -> Any:
    """Loads a model as a server would one of ours: of Keras' own parts, and in safe mode.

    The server may be somebody else's by now.

    Args:
        path: of a ``.keras`` file that was fetched.

    Raises:
        StorageError: it is none, or brings more.
    """
    try:
        check_model_file(path, _MOST)
        check_weights(path)
    except ConfigError as error:
        raise StorageError(f"{path.name}: {error}") from None
    except OSError as error:
        raise StorageError(f"{path.name}: cannot be read: {error.strerror}") from None
    return load_model(path)
