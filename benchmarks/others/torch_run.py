"""Trains the MLP with PyTorch's DistributedDataParallel on gloo, in two processes.

Batches are cut out of tensors in memory, which is quicker than a ``DataLoader``. The last line
tells what came of it.

    python torch_run.py rows.npz 10 0.03
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROCESSES, BATCH = 2, 32
os.environ["GLOO_SOCKET_IFNAME"] = "lo"


def work(rank: int, path: str, epochs: int, rate: float, folder: str) -> None:
    """One of the processes; the first tells when each epoch ended, and what was learned."""
    import numpy as np
    import torch
    from torch import distributed, nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES
    )
    rows = {name: torch.from_numpy(values) for name, values in np.load(path).items()}
    share = len(rows["x"]) // PROCESSES
    x, y = (rows[name][rank::PROCESSES][:share] for name in ("x", "y"))
    model = network(x.shape[1])
    spread = nn.parallel.DistributedDataParallel(model)
    # As Keras' Adagrad begins.
    adagrad = torch.optim.Adagrad(model.parameters(), rate, initial_accumulator_value=0.1, eps=1e-7)
    loss, ends = nn.CrossEntropyLoss(), []
    for _ in range(epochs):
        for part in torch.randperm(share).split(BATCH):
            adagrad.zero_grad()
            loss(spread(x[part]), y[part].long()).backward()
            adagrad.step()
        ends.append(time.time())
    if rank == 0:
        with torch.no_grad():
            right = model(rows["x_test"]).argmax(1) == rows["y_test"]
        told = {"ends": ends, "accuracy": float(right.float().mean())}
        Path(folder, "told.json").write_text(json.dumps(told))
    distributed.destroy_process_group()


def network(width: int) -> Any:
    """The MLP, with Keras' initial weights."""
    from torch import nn

    model = nn.Sequential(
        nn.Linear(width, 600), nn.ReLU(), nn.Linear(600, 600), nn.ReLU(), nn.Linear(600, 2)
    )
    for layer in model[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


def main() -> None:
    import numpy as np
    import torch

    path, epochs, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    count = len(np.load(path)["x"]) // PROCESSES * PROCESSES
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        torch.multiprocessing.spawn(work, (path, epochs, rate, folder), PROCESSES)
        seconds = time.time() - began
        found = json.loads(Path(folder, "told.json").read_text())
    ends = found["ends"]
    run = {"seconds": seconds, "accuracy": found["accuracy"]}
    run["samples_per_second"] = count * (epochs - 1) / (ends[-1] - ends[0])
    print(json.dumps({"run": run, "versions": {"torch": torch.__version__}}), flush=True)


if __name__ == "__main__":
    main()
