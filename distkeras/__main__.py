"""``python -m distkeras doctor``."""

import sys

from distkeras.doctor.command import main

if __name__ == "__main__":
    sys.exit(main())
