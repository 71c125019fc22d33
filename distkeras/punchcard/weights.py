"""Whether a model's weights are all in its own file, and no larger than memory.

HDF5 can point to other files and claim any size. This runs in the job's own process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from distkeras.errors import ConfigError
from distkeras.punchcard.checks import WEIGHTS

__all__ = ["check_weights"]

#: What all weights may need in memory, as a multiple of the file that holds them.
RATIO = 64
#: Below this they may, whatever the file.
ALWAYS = 64 << 20


def check_weights(path: Path) -> None:
    """Refuses weights that are elsewhere, or need far more memory than their file has bytes.

    Args:
        path: of a ``.keras`` file.

    Raises:
        ConfigError: names the weight.
    """
    import h5py

    with tempfile.TemporaryDirectory(prefix="distkeras-weights-") as folder:
        with ZipFile(path) as archive:
            file = Path(archive.extract(WEIGHTS, folder))
        try:
            with h5py.File(file, "r") as weights:
                total = _bytes_below(weights)
        except OSError as error:
            raise ConfigError(f"model: {WEIGHTS}: {' '.join(str(error).split())}") from None
        if total > max(ALWAYS, RATIO * file.stat().st_size):
            raise ConfigError(f"model: {WEIGHTS} claims {total} bytes of weights")


def _bytes_below(root: Any) -> int:
    """Of all datasets; without recursion, each group once."""
    import h5py

    total, waiting, seen = 0, [root], set()
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ConfigError(f"model: {WEIGHTS}: {ascii(name)[:100]} is a link, not a weight")
            one = group[name]
            if isinstance(one, h5py.Dataset):
                total += _bytes_of(one, name)
            elif (key := h5py.h5o.get_info(one.id).addr) not in seen:
                seen.add(key)
                waiting.append(one)
    return total


def _bytes_of(one: Any, name: str) -> int:
    if one.external or one.is_virtual:
        raise ConfigError(f"model: {WEIGHTS}: {ascii(name)[:100]} is in another file")
    return int(one.nbytes)
