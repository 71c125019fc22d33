"""``digits.read``: the handwritten digits, by the reader of ``examples/mnist.py``."""

from __future__ import annotations

import sys
from pathlib import Path

# A script sees its own folder only.
sys.path.append(str(Path(__file__).parent.parent / "examples"))

from mnist_idx import read

__all__ = ["read"]
