"""Who guesses secrets waits longer and longer, and is then locked out, by address.

A right secret from an address that is locked out is refused, too: to answer it differently would
tell the guesser. What is kept is bounded; the addresses that were not heard of longest give way.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["Lockout"]


@dataclass
class _Failures:
    count: int
    last: float


class Lockout:
    """Counts wrong secrets by address.

    Args:
        most: wrong secrets after which an address is locked out.
        seconds: how long, and after how long without a wrong one all are forgotten.
        addresses: that are remembered.
        clock: seconds from any fixed moment.
    """

    def __init__(
        self,
        most: int = 10,
        seconds: float = 900.0,
        addresses: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.seconds, self.addresses, self._clock = most, seconds, addresses, clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def locked(self, address: str) -> float:
        """Seconds for which an address is locked out still; 0 where it is not."""
        with self._lock:
            found = self._current(_key(address))
            if found is None or found.count < self.most:
                return 0.0
            return max(0.0, found.last + self.seconds - self._clock())

    def wrong(self, address: str) -> float:
        """Notes a wrong secret; returns the seconds after which it is to be answered: 0.1 to 1."""
        with self._lock:
            key = _key(address)
            found = self._current(key) or _Failures(0, 0.0)
            found.count, found.last = found.count + 1, self._clock()
            self._failures[key] = found
            self._failures.move_to_end(key)
            while len(self._failures) > self.addresses:
                self._failures.popitem(last=False)
            return float(min(0.1 * 2 ** min(found.count - 1, 10), 1.0))

    def _current(self, key: str) -> _Failures | None:
        found = self._failures.get(key)
        if found is not None and self._clock() - found.last >= self.seconds:
            del self._failures[key]
            return None
        return found


def _key(address: str) -> str:
    """Of IPv6, a host has as many addresses as it likes, but one network of 64 bits."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ip_network((known, 64), strict=False))
