"""What a training is, in lines for whoever wants to hear more: data, machine, networks, schedule."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from realdeg.words import counted
from train.data.learning_set import LearningSet
from train.data.pairs import Split
from train.engine.run_settings import RunSettings
from train.machine import Machine


def data_told(data: Path, split: Split, learned: LearningSet, folder: Path) -> str:
    """How much there is to learn from, and of which sizes.

    Args:
        data: the dataset.
        split: what is checked on.
        learned: what is learned from.
        folder: of decoded images.
    """
    scenes = counted(len({pair.scene for pair in learned.pairs}), "scenes")
    pairs = counted(len(learned.pairs), "pairs")
    megapixels = sum(hr.shape[0] * hr.shape[1] for hr in learned.hr) / 1e6
    return (
        f"dataset: {data}: {pairs} x{split.scale} of {scenes} to learn from, LR {_sizes(learned)} px, "
        f"{megapixels:.3g} megapixels of HR; {counted(len(split.val), 'pairs')} to check on, "
        f"{counted(len(split.held), 'pairs')} held out; decoded in {folder}"
    )


def _sizes(learned: LearningSet) -> str:
    """The smallest LR and the largest, by their pixels."""
    found = sorted((lr.shape[0] * lr.shape[1], lr.shape[1], lr.shape[0]) for lr in learned.lr)
    words = list(dict.fromkeys(f"{width}x{height}" for _, width, height in found))
    return words[0] if len(words) == 1 else f"{words[0]} to {words[-1]}"


def machine_told(machine: Machine, processes: int) -> str:
    """The device, its threads and what computes there."""
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    form = "bf16" if machine.bf16 else "fp32"
    together = f", {counted(processes, 'processes', 'process')}"
    return f"machine: {machine.device}, {threads}{together}, networks in {form}, torch {torch.__version__}"


def nets_told(nets: Mapping[str, nn.Module], frozen: Mapping[str, nn.Module], ema: float) -> str:
    """Parameters of each network.

    Args:
        nets: those that learn, by name.
        frozen: those that do not.
        ema: weight of the past in averaged weights; 0: none are.
    """
    told = [f"{name} {_size(net)}" for name, net in nets.items()]
    told += [f"{name} {_size(net)} (frozen)" for name, net in frozen.items()]
    averaged = f"; averaged weights, {ema:g} of the past" if ema else ""
    return f"model: parameters: {', '.join(told)}{averaged}"


def _size(net: nn.Module) -> str:
    return f"{sum(part.numel() for part in net.parameters()):,}"


def schedule_told(
    s: RunSettings, stages: Sequence[tuple[str, int]], per_epoch: int, checked: int
) -> list[str]:
    """How long it takes, in which stages, at which rate, and what is written how often.

    Args:
        s: settings.
        stages: name and last step of each.
        per_epoch: steps in one pass over the images.
        checked: pairs of a validation.
    """
    parts = ", ".join(f"{what} to step {end:,}" for what, end in stages)
    epochs = stages[-1][1] / per_epoch
    warmup = f"{counted(s.warmup, 'steps')} of warmup" if s.warmup else ""
    rate = ", ".join(filter(None, (f"{s.learning_rate:g}", getattr(s, "lr_schedule", ""), warmup)))
    accumulated = f" in {s.accumulate} parts" if s.accumulate > 1 else ""
    return [
        f"schedule: {parts}; {counted(per_epoch, 'steps')} an epoch, {epochs:.4g} epochs; "
        f"{counted(s.batch, 'crops')} of {s.patch} LR px a step{accumulated}; learning rate {rate}",
        f"written: metrics each {counted(s.log_every, 'steps')}, a validation of {counted(checked, 'pairs')} "
        f"each {s.check_every:,}, a checkpoint each {s.save_every:,}",
    ]
