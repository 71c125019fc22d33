"""A worker's copy of the model: rows in, a compiled window, weights out."""

from __future__ import annotations

from distkeras.replica.replica import Replica, ReplicaSpec, travelling

__all__ = ["Replica", "ReplicaSpec", "travelling"]
