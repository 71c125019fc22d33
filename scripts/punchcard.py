"""The Punchcard server: ``python scripts/punchcard.py --secrets FILE --data-root FOLDER``."""

from __future__ import annotations

import sys

from distkeras.punchcard.command import main

if __name__ == "__main__":
    sys.exit(main())
