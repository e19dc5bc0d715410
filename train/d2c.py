"""D2C-SR: train a tree of predictions and the network that joins them (Li et al., ECCV 2022).

python -m train.d2c --data PAIRS -o RUN [--preset tiny]
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realdeg.errors import UserError
from realdeg.settings import to_mapping, write_run
from train.d2c_settings import PRESETS, D2CSettings
from train.settings import command

if TYPE_CHECKING:
    from train.ranks import Ranks

# What may differ between the two halves of a resumed run: none of it changes what a step computes,
# except that more steps stretch a cosine schedule, which is what whoever asks for more wants.
FREE = {
    *("data", "extra", "out", "cache", "device", "precision", "track", "leaves", "compile", "vgg_weights"),
    *("epochs", "steps", "fusion_steps"),
    *("check_every", "check_images", "save_every", "log_every", "diagnose_every"),
}


def train_d2c(
    settings: D2CSettings, *, overwrite: bool = False, quiet: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Train, or go on training, and return the run folder.

    Args:
        settings: `data` and `out` are required.
        overwrite: throw away what an earlier run left in `out`.
        say: receives lines for the user.

    Raises:
        UserError: the dataset cannot be trained on, or `out` was made with other settings.
        Interrupted: Ctrl-C; all is saved.
    """
    from realdeg.guard import locked
    from train.ranks import joined
    from train.runs import clear

    if settings.data is None or settings.out is None:
        raise UserError("train.d2c", "needs a dataset and a run folder", "give --data and -o")
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(settings.out, f"cannot be made ({error.strerror})", "choose another -o") from None
    with joined(settings.device) as (ranks, device), contextlib.ExitStack() as stack:
        if ranks.is_first:
            stack.enter_context(locked(settings.out))
            if overwrite:
                clear(settings.out)
        ranks.wait()
        own = say if ranks.is_first else lambda text: None
        return _train(replace(settings, device=device), ranks, quiet, own)


def _train(s: D2CSettings, ranks: Ranks, quiet: bool, say: Callable[[str], None]) -> Path:
    from torch import Tensor

    from realdeg.records import fingerprint
    from train.average import SUFFIX, Average
    from train.batches import Crops, to_device
    from train.cache import cache_folder, check_sizes, decoded
    from train.check import checker, spread
    from train.d2c_learning import Learning
    from train.loop import fit
    from train.machine import choose, hold_memory
    from train.pairs import read_split
    from train.restore.checkpoint import latest
    from train.runs import refuse_other_pairs, refuse_other_settings
    from train.surroundings import note_surroundings

    assert s.data is not None
    assert s.out is not None
    split = read_split(s.data, scale=s.scale, extra=s.extra)
    s = replace(s, scale=split.scale)
    assert s.scale is not None
    assert s.out is not None
    with ranks.first_alone():  # which then writes run.yaml
        refuse_other_settings(s.out, to_mapping(s), FREE, to_mapping(D2CSettings()))
    machine = choose(s.device, s.precision)
    if machine.device.type == "cpu":
        hold_memory()
    assert s.data is not None
    folder = cache_folder(s.data, s.cache)
    with ranks.first_alone():
        lr, hr = (
            decoded([getattr(pair, side) for pair in split.train], folder, say) for side in ("lr", "hr")
        )
    keys = tuple(pair.key for pair in split.train)
    check_sizes(keys, lr, hr, scale=s.scale, patch=s.patch)
    crops = Crops(keys, tuple(lr), tuple(hr), s.scale, s.patch, s.batch, s.seed, ranks.share(s.batch))
    source, identity = _source(s, crops, machine.device.type)
    learned_from = fingerprint(keys, *identity)
    refuse_other_pairs(s.out, learned_from)
    steps = s.steps or s.epochs * crops.steps_per_epoch

    learning = Learning(s, machine, ranks)
    rate = functools.partial(learning_rate, s, per_epoch=crops.steps_per_epoch)
    alpha = functools.partial(alpha_at, s, per_epoch=crops.steps_per_epoch)
    sizes = [sum(p.numel() for p in net.parameters()) for net in learning.nets.values()]
    say(f"device: {machine.why}" + (f", {ranks.count} processes" if ranks.count > 1 else ""))
    say(f"pairs: {len(keys)} x{s.scale} to learn from; validation: {len(split.val)} ({split.note})")
    joined = f", {sizes[1]:,} to join them" if len(sizes) > 1 else ""
    say(f"network: {sizes[0]:,} parameters in {s.children**s.depth} branches{joined}")

    def bring(i: int, batch: Any) -> tuple[Tensor, Tensor]:
        lr_image, target = to_device(batch, machine.device)
        return (source.on_device(i, target) if getattr(source, "grouped", False) else lr_image), target

    def averaged(step: Callable[[int, Any], dict[str, Any]]) -> Callable[[int, Any], dict[str, Any]]:
        def do(i: int, batch: Any) -> dict[str, Any]:
            told = step(i, batch)
            if average is not None:
                average.update(learning.nets, i)
            return told

        return do

    def joint(i: int, batch: Any) -> dict[str, Any]:
        """The released loop; the second forward pass of the tree is left out, its images are at hand."""
        lr_image, target = bring(i, batch)
        pred, told = learning.divergence(lr_image, target, i, rate(i, steps), alpha(i))
        if learning.fusion is None:
            return told
        return {**told, **learning.convergence(pred, target, rate(i, steps))}

    def first(i: int, batch: Any) -> dict[str, Any]:
        """The paper's first stage."""
        return learning.divergence(*bring(i, batch), i, rate(i, steps), alpha(i))[1]

    def second(i: int, batch: Any) -> dict[str, Any]:
        """The paper's second stage: the tree is frozen."""
        lr_image, target = bring(i, batch)
        return learning.convergence(learning.predict(lr_image), target, rate(i - steps, fusion_steps))

    parts: dict[str, Any] = {**learning.nets, **learning.optimisers}
    average = Average(learning.nets, s.ema) if s.ema else None
    if average is not None:
        parts |= {f"{name}{SUFFIX}": net for name, net in average.nets.items()}
    judged: dict[str, Any] = average.nets if average is not None else learning.nets
    about = {"kind": "d2c", "scale": s.scale, "settings": _portable(s), "data": learned_from}
    go = functools.partial(
        fit, batches=source, parts=parts, out=s.out, about=about, check_every=s.check_every,
        save_every=s.save_every, log_every=s.log_every, track=s.track, quiet=quiet, ranks=ranks,
    )  # fmt: skip
    if ranks.is_first:
        write_run(s.out, "python -m train.d2c", to_mapping(s))
        begun = latest(s.out, lambda text: None)
        note_surroundings(s.out, machine, ranks.count, begun.step if begun else 0)
    chosen = spread(split.val, s.check_images) if ranks.is_first else ()
    watch = functools.partial(checker, chosen, machine, judged["tree"], scale=s.scale, folder=folder)
    whole = watch(fusion=judged.get("fusion")) if chosen else None
    if s.schedule == "joint" or learning.fusion is None:
        go(averaged(joint), steps=steps, check=whole)
    else:
        fusion_steps = s.fusion_steps or max(1, steps // 4)
        mean = watch(fusion=None) if chosen else None
        go(averaged(first), steps=steps, check=mean, what="divergence")
        go(averaged(second), steps=steps + fusion_steps, check=whole, what="convergence")
    return s.out


def _source(s: D2CSettings, crops: Any, device: str) -> tuple[Any, list[str]]:
    """Where batches come from, and what of it a resumed run must find again."""
    if s.recipe is None:
        return crops, []
    from realdeg.degrade.given import given
    from realdeg.degrade.settings import DegradeSettings
    from train.degraded import DegradedCrops

    assert s.scale is not None
    made_with = given(DegradeSettings(s.scale, s.kernel_pool, s.noise_pool, s.seed, s.recipe))
    source = DegradedCrops(crops, made_with, grouped=device != "cpu", jpeg_model=s.jpeg == "model")
    return source, [s.jpeg, *(str(value) for value in made_with.identity().values())]


def learning_rate(s: D2CSettings, i: int, steps: int, *, per_epoch: int) -> float:
    """Learning rate of step i, a pure function, so that resuming needs no schedule state."""
    rise = min(1.0, (i + 1) / s.warmup) if s.warmup else 1.0
    if s.lr_schedule == "cosine":
        return s.lr * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, i / steps)))
    return s.lr * rise * 0.5 ** (i // per_epoch // s.halve_every)


def alpha_at(s: D2CSettings, i: int, *, per_epoch: int) -> float:
    """Weight of the divergence loss at step i."""
    from train.losses.divergence import alpha_schedule

    return s.alpha if s.alpha_schedule == "constant" else alpha_schedule(i // per_epoch, alpha=s.alpha)


def _portable(s: D2CSettings) -> dict[str, Any]:
    """Settings that belong to the network and its training, without this machine's folders."""
    return {
        name: value
        for name, value in to_mapping(s).items()
        if name not in ("data", "extra", "out", "cache", "kernel_pool", "noise_pool", "vgg_weights")
    }


@command(D2CSettings, PRESETS, required=("data", "out"))
@click.option(
    "--resume/--overwrite", default=True, help="Go on with the run in -o (default), or start it anew."
)
@click.option("-q", "--quiet", is_flag=True, help="Only problems.")
def main(settings: D2CSettings, resume: bool, quiet: bool) -> None:
    """Train D2C-SR on a dataset of pairs. Stop it with Ctrl-C at any time; run it again to go on."""
    say = (lambda text: None) if quiet else click.echo
    out = train_d2c(settings, overwrite=not resume, quiet=quiet, say=say)
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
        say(f"{out}: done; next: python -m train.evaluate --run {out} --data {settings.data}")


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m train.d2c")
