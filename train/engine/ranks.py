"""The processes that learn together: one a GPU, on one machine or many, as `torchrun` starts them.

Each works on its part of every batch; gradients are averaged before a step, so that all hold the same
weights, and the same as one process would hold that worked on the whole batch. The first process alone
writes. Nothing is wrapped: the networks of a program stay what they are.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from realdeg.errors import EXIT_USAGE, UserError

PATIENCE = datetime.timedelta(hours=2)  # the first process checks on whole images while the others wait


@dataclass(frozen=True)
class Ranks:
    """This process among those that learn together; alone by default.

    Attributes:
        rank: its number, from 0.
        count: of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, batch: int) -> range:
        """Which places of a batch are this process's.

        Raises:
            UserError: the batch cannot be shared out equally.
        """
        if batch % self.count:
            remedy = f"use a multiple of {self.count}"
            problem = f"cannot be shared out among {self.count} processes"
            raise UserError(f"--batch {batch}", problem, remedy, exit_code=EXIT_USAGE)
        own = batch // self.count
        return range(self.rank * own, (self.rank + 1) * own)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their mean over the processes, in one message a type."""
        if self.count == 1:
            return
        by_kind: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        for tensor in tensors:
            by_kind.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for some in by_kind.values():
            flat = torch.cat([tensor.flatten() for tensor in some])
            with _reported():
                distributed.all_reduce(flat)
            flat /= self.count
            for tensor, mean in zip(some, flat.split([t.numel() for t in some]), strict=True):
                tensor.copy_(mean.view_as(tensor))

    def average_gradients(self, optimiser: torch.optim.Optimizer) -> None:
        """The same for the gradients of what an optimiser steps."""
        self.average(
            p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None
        )

    def agree(self, values: Mapping[str, float], stop: bool) -> tuple[dict[str, float], bool]:
        """Means of numbers over the processes, and whether any of them was asked to stop."""
        if self.count == 1:
            return dict(values), stop
        where = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        told = torch.tensor([*values.values(), float(stop)], dtype=torch.float64, device=where)
        with _reported():
            distributed.all_reduce(told)
        *means, stops = (told / self.count).tolist()
        return dict(zip(values, means, strict=True)), stops > 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            with _reported():
                distributed.barrier()

    @contextlib.contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process does the body by itself, then the others do it, finding its work done."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()


@contextlib.contextmanager
def joined(device: str) -> Iterator[tuple[Ranks, str]]:
    """The processes that `torchrun` started, while the body runs; this one alone without `torchrun`.

    Args:
        device: as asked for, "auto", "cpu", "cuda"; each process of a machine gets a GPU of its own.

    Returns:
        Ranks, and this process's device.

    Raises:
        UserError: another process ended.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(), device
        return
    on_gpus = torch.cuda.is_available() and device.partition(":")[0] in ("auto", "cuda")
    if on_gpus:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    with _reported():
        distributed.init_process_group("nccl" if on_gpus else "gloo", timeout=PATIENCE)
    ranks = Ranks(distributed.get_rank(), count)
    try:
        yield ranks, device
        # Whoever parts while another still listens leaves it with a broken line, and gloo ends it.
        ranks.wait()
    finally:
        distributed.destroy_process_group()


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """What the network says when a process is gone, as one line."""
    try:
        yield
    except (RuntimeError, distributed.DistError) as error:
        remedy = "see what it said; start them again to go on from the last checkpoint"
        raise UserError(f"process {os.environ.get('RANK', '?')}", "lost another process", remedy) from error
