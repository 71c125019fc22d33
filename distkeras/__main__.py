"""``python -m distkeras doctor``, ``jobs`` and ``predict``."""

import sys

from distkeras.command import main

if __name__ == "__main__":
    sys.exit(main())
