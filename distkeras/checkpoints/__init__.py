"""Trainings that go on after their process was killed: ``train(rows, checkpoint=Checkpoint(url))``.

What the server knows is saved between two merges: the center, what the rule keeps, each worker's
place in its rows. What only a worker knows, the state of its local optimizer, starts anew.
"""

from distkeras.checkpoints.content import Saved
from distkeras.checkpoints.keeper import Keeper
from distkeras.checkpoints.spec import Checkpoint

__all__ = ["Checkpoint", "Keeper", "Saved"]
