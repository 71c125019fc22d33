"""Memory for vectors, used again when nobody holds it any more.

Fresh memory comes from the system page by page at its first touch, which for a vector of 1.5 MB
costs a server of four workers as much as all else that it does for an exchange.
"""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np
import numpy.typing as npt

__all__ = ["Memory"]

#: Blocks that are kept unused, at most, and about how many bytes of them.
SPARE, MOST = 8, 256 * 2**20
#: Bytes: blocks of nearly one length serve each other.
STEP = 64 * 1024


class Memory:
    """Blocks of bytes; any thread may ask.

    A block returns by itself when the last array that lies in it is gone.
    """

    def __init__(self) -> None:
        self._spare: deque[npt.NDArray[np.uint8]] = deque(maxlen=SPARE)

    def take(self, length: int) -> npt.NDArray[np.uint8]:
        """An array of shape (``length``,), whatever was in it."""
        if length < STEP:
            return np.empty(length, np.uint8)
        block = self._block(length)
        # Of a memoryview: so it stays the base of all views of it, and is gone after the last.
        array = np.frombuffer(block.data, np.uint8, length)
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def _give_back(self, block: npt.NDArray[np.uint8]) -> None:
        # All are of about one length. One is kept, however long.
        if len(self._spare) * len(block) < MOST:
            self._spare.append(block)

    def _block(self, length: int) -> npt.NDArray[np.uint8]:
        try:
            while len(block := self._spare.pop()) < length:
                pass  # Of what was there before this run; it goes back to the system.
        except IndexError:
            return np.empty(-(-length // STEP) * STEP, np.uint8)
        return block
