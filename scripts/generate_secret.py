"""Prints an entry for the secrets file of Punchcard.

``python scripts/generate_secret.py --identity userX`` makes 256 bits from the operating system.
With ``--hashed`` the entry holds the secret's SHA-256, and the secret itself, which the user needs
and the server does not, is printed on the standard error.
"""

from __future__ import annotations

import argparse
import json
import sys

from distkeras.punchcard.secrets_file import IDENTITY, new_secret


def main() -> None:
    """Reads the command line, and prints."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--identity", required=True, help="whose secret it is")
    parser.add_argument("--hashed", action="store_true", help="keep the secret out of the entry")
    given = parser.parse_args()
    if not 0 < len(given.identity) <= IDENTITY:
        parser.error(f"--identity: must have from 1 to {IDENTITY} characters")
    entry, secret = new_secret(given.identity, given.hashed)
    print(json.dumps(entry))
    if given.hashed:
        print(f"for {given.identity}: {secret}", file=sys.stderr)


if __name__ == "__main__":
    main()
