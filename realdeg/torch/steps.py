"""A module that draws anew at each call: reproducible by its seed and a step counter in its state."""

from __future__ import annotations

import torch
import torch.distributed
import torch.utils.data
from torch import Tensor, nn

from realdeg.inputs import whole


class Stepped(nn.Module):
    """Counts its calls.

    Attributes:
        seed: of the run.
        step: () int64, number of finished calls; part of `state_dict`, so a resumed run goes on where it was.
    """

    step: Tensor

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = whole(seed, "seed")
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def next_step(self) -> str:
        """The name of this call's draws; the next call gets another.

        It is the step, and what tells processes apart that count alike: the rank of a distributed run, and
        the seed that a worker of a DataLoader got from torch for this epoch.
        """
        name = str(int(self.step))
        self.step += 1
        if (worker := torch.utils.data.get_worker_info()) is not None:
            name = f"{name}/worker {worker.seed}"
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            name = f"{name}/rank {torch.distributed.get_rank()}"
        return name
