"""``python -m distkeras doctor`` and ``jobs``."""

import sys

from distkeras.command import main

if __name__ == "__main__":
    sys.exit(main())
