"""D2C-SR: train a tree of predictions and the network that joins them (Li et al., ECCV 2022).

python -m train.d2c --data PAIRS -o RUN [--preset tiny]
"""

# ruff: noqa: RUF009  (`setting` returns a dataclass field, not a shared default)
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import to_mapping, write_run
from train.settings import check_limits, command, setting

PRESETS: dict[str, dict[str, Any]] = {
    # The released training: every field as it stands below.
    "paper": {},
    # Rungs of the size ladder, by their parameters at x4; "paper" has 5.77 M.
    "d2c-3.98m": {"blocks": 2},
    "d2c-3.32m": {"groups": 1, "blocks": 3},
    "small": {"width": 32, "groups": 2, "blocks": 1, "fusion_width": 32},  # 0.78 M
    "d2c-0.19m": {"width": 16, "groups": 1, "blocks": 2, "fusion_width": 32},
    "d2c-0.16m": {"width": 16, "groups": 1, "blocks": 1, "fusion_width": 16},
    # The paper's Table 3: other networks as published, and a tree of each with fewer parameters.
    "srresnet": {"host": "srresnet", "depth": 0, "width": 64, "blocks": 16},
    "d2c-srresnet": {"host": "srresnet", "width": 48, "blocks": 1},
    "vdsr": {"host": "vdsr", "depth": 0, "width": 64, "blocks": 18},
    "d2c-vdsr": {"host": "vdsr", "width": 32, "blocks": 9},
    "rrdb": {"host": "rrdb", "depth": 0, "width": 64, "blocks": 23, "growth": 32},
    "d2c-rrdb": {"host": "rrdb", "width": 64, "blocks": 2, "growth": 32},
    "rdn": {"host": "rdn", "depth": 0, "width": 64, "groups": 20, "blocks": 6, "growth": 32},
    "d2c-rdn": {"host": "rdn", "width": 64, "groups": 4, "blocks": 4, "growth": 32},
    "edsr": {"host": "edsr", "depth": 0, "width": 256, "blocks": 32},
    "d2c-edsr": {"host": "edsr", "width": 96, "blocks": 4},
    "imdn": {"host": "imdn", "depth": 0, "width": 64, "blocks": 6},
    "d2c-imdn": {"host": "imdn", "width": 32, "blocks": 3, "fusion_width": 32},
    "rcan": {"host": "rcan", "depth": 0, "width": 64, "groups": 10, "blocks": 20},
    # The released network, learned as one does today (ours): larger batches and rates, averaged weights.
    "modern": {
        "base": "bicubic",
        "batch": 16,
        "steps": 200_000,
        "lr": 4e-4,
        "lr_schedule": "cosine",
        "warmup": 1000,
        "clip": 1.0,
        "ema": 0.999,
        "alpha": 1e-2,
        "alpha_schedule": "constant",
    },
    # Two minutes on two CPU cores. Not the paper's: see each field.
    "tiny": {
        "width": 16,
        "groups": 1,
        "blocks": 1,
        "fusion_width": 16,
        "base": "bicubic",
        "patch": 32,
        "batch": 8,
        "steps": 1000,
        "lr": 2e-3,
        "lr_schedule": "cosine",
        "warmup": 50,
        "alpha": 1e-2,
        "alpha_schedule": "constant",
        "check_every": 250,
        "check_images": 8,
        "save_every": 250,
        "log_every": 10,
        "diagnose_every": 100,
    },
}


@dataclass(frozen=True)
class D2CSettings:
    """Everything that steers a training; defaults are those of the released code unless said otherwise."""

    data: Path | None = setting(None, "Dataset folder with manifest.csv.")
    extra: Path | None = setting(None, "Second dataset to learn from, less the scenes that --data holds out.")
    recipe: str | None = setting(
        None, "Make LR of each HR crop while training: a preset or file as of `realdeg degrade`."
    )
    kernel_pool: Path | None = setting(None, "Blur kernels for the recipe.")
    noise_pool: Path | None = setting(None, "Noise patches for the recipe.")
    jpeg: Literal["real", "model"] = setting(
        "real", "JPEG of the recipe: the codec, on the processor; or kornia's model of it, on the device."
    )
    out: Path | None = setting(None, "Run folder to make, or to go on with.", short="-o")
    scale: int | None = setting(None, "HR / LR size; default: the dataset's.", low=2)
    seed: int = setting(0, "Of initial weights and crops.", low=0)

    host: Literal["rcan", "srresnet", "vdsr", "rrdb", "rdn", "edsr", "imdn"] = setting(
        "rcan", "Network that the tree grows from (paper, Sec. 3 and Table 3)."
    )
    depth: int = setting(
        2, "Levels L of the tree (paper, Sec. 4); 0: the host alone, without convergence network.", low=0
    )
    children: int = setting(2, "Branches C a node (paper, Sec. 4); the tree has C^L leaves.", low=1)
    deep_residual: bool = setting(
        True, "Leaves add the features of all their ancestors (paper, Sec. 3); else the shallow one alone."
    )
    groups: int = setting(2, "Residual groups G a branch (paper); rdn: dense groups. Others: unused.", low=1)
    blocks: int = setting(
        4, "Blocks B a group (paper), or a branch; vdsr: layers of it; rdn: layers of a group.", low=1
    )
    growth: int = setting(32, "Channels that each dense layer adds (rrdb, rdn).", low=1)
    width: int = setting(64, "Feature channels n (paper).", low=4)
    fusion_width: int = setting(64, "Channels of the convergence network (paper).", low=1)
    base: Literal["mean", "bicubic"] = setting(
        "mean",
        "Leaves are added to the mean colour (released code) or the bicubic image (ours; learns sooner).",
    )

    patch: int = setting(96, "LR crop side in pixels (released code).", low=1)
    batch: int = setting(4, "Crops a step (released code).", low=1)
    epochs: int = setting(20_000, "Passes over the images (released code); used where --steps is 0.", low=1)
    steps: int = setting(0, "Training steps; 0 = --epochs passes.", low=0)
    schedule: Literal["joint", "paper"] = setting(
        "joint",
        "joint: both networks in each step (released code); paper: divergence first, then convergence.",
    )
    fusion_steps: int = setting(
        0, "Steps of the second stage of --schedule paper; 0 = a quarter of the first (not published).", low=0
    )
    lr: float = setting(1e-4, "Learning rate of Adam (released code).", above=0)
    lr_schedule: Literal["halve", "cosine"] = setting(
        "halve",
        "halve: by half each --halve-every epochs (released code); cosine: to 0 at the last step (ours).",
    )
    halve_every: int = setting(2000, "Epochs between halvings (released code).", low=1)
    warmup: int = setting(0, "Steps of linear rise of the learning rate (ours).", low=0)
    branch_loss: Literal["l2", "l1"] = setting(
        "l2", "Of each branch, Eq. 1: mean square, or absolute, error."
    )
    clip: float = setting(0.0, "Largest norm of a gradient (ours); 0: whatever it is.", low=0)
    accumulate: int = setting(1, "Parts that a batch is worked through in: less memory, same step.", low=1)
    ema: float = setting(
        0.0, "Weight of the past in averaged weights, which are then judged and used (ours); 0: none.", low=0
    )
    weight_decay: float = setting(1e-8, "Of Adam (released code).", low=0)

    alpha: float = setting(2e-5, "Weight of the divergence loss, Eq. 7 (released code).", low=0)
    alpha_schedule: Literal["pulses", "constant"] = setting(
        "pulses", "pulses: on for 200 epochs of 1000, halved each 2000 (released code); constant (ours)."
    )
    theta: float = setting(0.8, "Discount of near relatives, Eq. 6 (released code).", above=0)
    margin_far: float = setting(
        5e-5, "Margin between leaves with only the root in common (released code).", low=0
    )
    margin_near: float = setting(2e-5, "Margin between leaves of one parent (released code).", low=0)

    check_every: int = setting(2500, "Steps between validations (released code: 20 epochs).", low=1)
    check_images: int = setting(0, "Validation pairs to use, evenly spread; 0 = all.", low=0)
    save_every: int = setting(1000, "Steps between checkpoints; the newest two are kept.", low=1)
    log_every: int = setting(20, "Steps between rows of metrics.csv.", low=1)
    diagnose_every: int = setting(
        500, "Steps between gradient ratios and branch distances; 0 = never.", low=0
    )

    device: str = setting("auto", "auto, cpu, cuda, cuda:1 or mps.")
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "Of the networks; losses are float32.")
    track: Literal["auto", "on", "off"] = setting("auto", "TensorBoard events in RUN/tensorboard.")
    cache: Path | None = setting(None, "Folder of decoded images; default: DATA/cache.")

    def __post_init__(self) -> None:
        check_limits(self)
        if self.ema >= 1:
            raise UserError("--ema", f"{self.ema:g} is too large", "less than 1", exit_code=EXIT_USAGE)


# What may differ between the two halves of a resumed run: none of it changes what a step computes,
# except that more steps stretch a cosine schedule, which is what whoever asks for more wants.
FREE = {
    *("data", "extra", "out", "cache", "device", "precision", "track"),
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
    from train.runs import clear

    if settings.data is None or settings.out is None:
        raise UserError("train.d2c", "needs a dataset and a run folder", "give --data and -o")
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(settings.out, f"cannot be made ({error.strerror})", "choose another -o") from None
    with locked(settings.out):
        if overwrite:
            clear(settings.out)
        return _train(settings, quiet, say)


def _train(s: D2CSettings, quiet: bool, say: Callable[[str], None]) -> Path:
    import torch
    from torch import Tensor
    from torch.nn import functional as F

    from realdeg.records import fingerprint
    from train.average import SUFFIX, Average
    from train.batches import Crops, to_device
    from train.cache import cache_folder, check_sizes, decoded
    from train.check import checker, spread
    from train.descent import descend, gradient_ratio
    from train.loop import fit
    from train.losses.divergence import diagnosis, divergence_loss, margins_for
    from train.machine import choose, hold_memory
    from train.pairs import read_split
    from train.runs import refuse_other_pairs, refuse_other_settings

    assert s.data is not None
    assert s.out is not None
    split = read_split(s.data, scale=s.scale, extra=s.extra)
    s = replace(s, scale=split.scale)
    assert s.scale is not None
    assert s.out is not None
    refuse_other_settings(s.out, to_mapping(s), FREE, to_mapping(D2CSettings()))
    machine = choose(s.device, s.precision)
    if machine.device.type == "cpu":
        hold_memory()
    folder = cache_folder(s.data, s.cache)
    lr, hr = (decoded([getattr(pair, side) for pair in split.train], folder, say) for side in ("lr", "hr"))
    keys = tuple(pair.key for pair in split.train)
    check_sizes(keys, lr, hr, scale=s.scale, patch=s.patch)
    crops = Crops(keys, tuple(lr), tuple(hr), s.scale, s.patch, s.batch, s.seed)
    source, identity = _source(s, crops, machine.device.type)
    learned_from = fingerprint(keys, *identity)
    refuse_other_pairs(s.out, learned_from)
    steps = s.steps or s.epochs * crops.steps_per_epoch

    tree, fusion = (net and machine.place(net) for net in build(s))
    opt_d, opt_c = (
        net and torch.optim.Adam(net.parameters(), lr=s.lr, weight_decay=s.weight_decay)
        for net in (tree, fusion)
    )
    margins = margins_for(s.depth, far=s.margin_far, near=s.margin_near).to(machine.device)
    rate = functools.partial(learning_rate, s, per_epoch=crops.steps_per_epoch)
    alpha = functools.partial(alpha_at, s, per_epoch=crops.steps_per_epoch)
    sizes = [sum(p.numel() for p in net.parameters()) if net else 0 for net in (tree, fusion)]
    say(f"device: {machine.why}")
    say(f"pairs: {len(keys)} x{s.scale} to learn from; validation: {len(split.val)} ({split.note})")
    say(f"network: {sizes[0]:,} parameters in {s.children**s.depth} branches, {sizes[1]:,} to join them")

    def bring(i: int, batch: Any) -> tuple[Tensor, Tensor]:
        lr_image, target = to_device(batch, machine.device)
        return (source.on_device(i, target) if getattr(source, "grouped", False) else lr_image), target

    def divergence(lr_image: Tensor, target: Tensor, i: int) -> tuple[Tensor, dict[str, Any]]:
        """Eq. 1-7: each branch is fitted on its own, and kept apart from the others."""
        made: list[Tensor] = []
        told: dict[str, Any] = {}

        def losses() -> Iterator[Tensor]:
            for share, (small, large) in in_parts(lr_image, target):
                with machine.autocast():
                    pred = tree(small)
                pred = pred.float()
                away = pred - large[:, None]
                error = away.square() if s.branch_loss == "l2" else away.abs()
                fit = error.mean((0, 2, 3, 4)).sum()
                t_d = divergence_loss(pred, large, margins, children=s.children, theta=s.theta)
                found = {f"{s.branch_loss.upper()}_D": fit.detach(), "T_D": t_d.detach()}
                if s.diagnose_every and i % s.diagnose_every == 0 and pred.shape[1] > 1:
                    found["gradient_ratio"] = gradient_ratio(fit, s.alpha * t_d, list(tree.parameters()))
                    found |= diagnosis(pred.detach(), large, margins, children=s.children)
                for name, value in found.items():
                    told[name] = told.get(name, 0) + share * value
                made.append(pred.detach())
                yield share * (fit + alpha(i) * t_d)

        descend(opt_d, losses(), rate(i, steps), s.clip)
        return torch.cat(made), told

    def convergence(pred: Tensor, target: Tensor, learning: float) -> dict[str, Any]:
        """Eq. 8 and 9, on predictions without history: no gradient of it reaches the tree."""
        told = {"L2_C": torch.zeros((), device=pred.device)}

        def losses() -> Iterator[Tensor]:
            for share, (some, large) in in_parts(pred, target):
                with machine.autocast():
                    fused, _ = fusion(some)
                loss = share * F.mse_loss(fused.float(), large)
                told["L2_C"] += loss.detach()
                yield loss

        descend(opt_c, losses(), learning, s.clip)
        return told

    def in_parts(*batch: Tensor) -> Iterator[tuple[float, tuple[Tensor, ...]]]:
        """A batch in parts, and which share of it each is."""
        for part in zip(*(one.chunk(s.accumulate) for one in batch), strict=True):
            yield len(part[0]) / len(batch[0]), part

    def averaged(step: Callable[[int, Any], dict[str, Any]]) -> Callable[[int, Any], dict[str, Any]]:
        def do(i: int, batch: Any) -> dict[str, Any]:
            told = step(i, batch)
            if average is not None:
                average.update(nets, i)
            return told

        return do

    def joint(i: int, batch: Any) -> dict[str, Any]:
        """The released loop; the second forward pass of the tree is left out, its images are at hand."""
        lr_image, target = bring(i, batch)
        pred, told = divergence(lr_image, target, i)
        if fusion is None:
            return told
        return {**told, **convergence(pred, target, rate(i, steps))}

    def first(i: int, batch: Any) -> dict[str, Any]:
        """The paper's first stage."""
        return divergence(*bring(i, batch), i)[1]

    def second(i: int, batch: Any) -> dict[str, Any]:
        """The paper's second stage: the tree is frozen."""
        lr_image, target = bring(i, batch)
        with torch.no_grad(), machine.autocast():
            pred = tree(lr_image).float()
        return convergence(pred, target, rate(i - steps, fusion_steps))

    parts = {"tree": tree, "fusion": fusion, "opt_d": opt_d, "opt_c": opt_c}
    parts = {name: part for name, part in parts.items() if part is not None}
    nets = {name: part for name, part in parts.items() if name in ("tree", "fusion")}
    average = Average(nets, s.ema) if s.ema else None
    if average is not None:
        parts |= {f"{name}{SUFFIX}": net for name, net in average.nets.items()}
    judged = average.nets if average is not None else nets
    about = {"kind": "d2c", "scale": s.scale, "settings": _portable(s), "data": learned_from}
    go = functools.partial(
        fit, batches=source, parts=parts, out=s.out, about=about, check_every=s.check_every,
        save_every=s.save_every, log_every=s.log_every, track=s.track, quiet=quiet,
    )  # fmt: skip
    write_run(s.out, "python -m train.d2c", to_mapping(s))
    chosen = spread(split.val, s.check_images)
    watch = functools.partial(checker, chosen, machine, judged["tree"], scale=s.scale, folder=folder)
    whole = watch(fusion=judged.get("fusion")) if chosen else None
    if s.schedule == "joint" or fusion is None:
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


def build(s: D2CSettings) -> tuple[Any, Any]:
    """Divergence and convergence networks with their initial weights; the host alone and None at depth 0.

    Args:
        s: with its scale set.

    Raises:
        UserError: a scale or width that the host cannot have.
    """
    import torch

    from train.nets.bicubic import BicubicBase, quieten
    from train.nets.blocks import initialise
    from train.nets.host import SinglePath
    from train.nets.hosts import HOSTS
    from train.nets.tree import FusionNet, TreeNet

    assert s.scale is not None
    generator = torch.Generator().manual_seed(s.seed)
    host = HOSTS[s.host](s.scale, s)
    try:
        if s.depth:
            tree: Any = TreeNet(host, s.depth, s.children, deep_residual=s.deep_residual)
        else:
            tree = SinglePath(host)
    except ValueError as error:  # a scale or width that the host cannot have
        raise UserError(f"--host {s.host}", str(error), "choose another", exit_code=EXIT_USAGE) from None
    fusion = FusionNet(s.children**s.depth, width=s.fusion_width) if s.depth else None
    initialise(tree, generator, host.gain)
    if fusion is not None:
        initialise(fusion, generator)
    if s.base == "bicubic":
        tree.base = BicubicBase(s.scale)
        quieten(tree.tails)
    return tree, fusion


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
        if name not in ("data", "extra", "out", "cache", "kernel_pool", "noise_pool")
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
    say(f"{out}: done; next: python -m train.evaluate --run {out} --data {settings.data}")


if __name__ == "__main__":
    from realdeg.cli.main import run

    run(main, "python -m train.d2c")
