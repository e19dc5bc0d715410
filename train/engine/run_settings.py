"""Settings that every training has: data, run folder, batches, what is written down, and the machine."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import check_limits, setting, to_mapping

# What may differ between the two halves of a resumed run. Most of it changes nothing of what a step computes;
# more steps stretch a cosine schedule, which is what whoever asks for more wants; and a run that went wrong
# is saved by another rate, batch or bound on gradients. All of it is said and goes into history.jsonl.
FREE = frozenset(
    (
        *("data", "extra", "out", "cache", "device", "precision", "tensorboard", "compile", "vgg_weights"),
        "trust_weights",
        *("learning_rate", "warmup", "clip", "batch", "accumulate"),
        *("epochs", "steps", "check_every", "check_images", "save_every", "log_every"),
    )
)


@dataclass(frozen=True)
class RunSettings:
    """What steers any training; a program's settings go on from here and put its own defaults in place."""

    data: Path | None = setting(None, "Dataset folder with manifest.csv.")
    extra: Path | None = setting(None, "Second dataset to learn from, less what either holds out.")
    recipe: str | None = setting(
        None, "Make LR of each HR crop while training: a preset or file as of `realdeg degrade`."
    )
    kernel_pool: Path | None = setting(None, "Blur kernels for the recipe.")
    noise_pool: Path | None = setting(None, "Noise patches for the recipe.")
    jpeg: Literal["real", "model"] = setting(
        "real", "JPEG of the recipe: the codec, on the processor; or kornia's model of it, on the device."
    )
    out: Path | None = setting(None, "Run folder to make, or to go on with.", short="-o")
    scale: int | None = setting(
        None, "HR / LR size; default: the dataset's. 1: pairs of one size (not vspsr).", low=1
    )
    seed: int = setting(0, "Of initial weights, crops and whatever else is drawn.", low=0)

    patch: int = setting(48, "LR crop side in pixels.", low=1)
    batch: int = setting(16, "Crops a step, over all processes of `torchrun`.", low=1)
    epochs: int = setting(1000, "Passes over the images; used where --steps is 0.", low=1)
    steps: int = setting(0, "Training steps; 0 = --epochs passes.", low=0)
    learning_rate: float = setting(1e-4, "Learning rate of Adam.", above=0, was=("lr",))
    warmup: int = setting(0, "Steps of linear rise of the learning rate (ours).", low=0)
    weight_decay: float = setting(0.0, "Of Adam.", low=0)
    clip: float = setting(0.0, "Largest norm of a gradient (ours); 0: whatever it is.", low=0)
    accumulate: int = setting(1, "Parts that a batch is worked through in: less memory, same step.", low=1)
    ema: float = setting(
        0.0, "Weight of the past in averaged weights, which are then judged and used (ours); 0: none.", low=0
    )

    vgg_weights: Path | None = setting(
        None, "torchvision's VGG-19 weights; default: torch's cache, or fetched once."
    )
    trust_weights: bool = setting(
        False, "Use weights of VGG-19, or LPIPS, that are not the published ones by their SHA-256."
    )
    check_every: int = setting(2500, "Steps between validations.", low=1)
    check_images: int = setting(0, "Validation pairs to use, evenly spread; 0 = all.", low=0)
    save_every: int = setting(1000, "Steps between checkpoints; the newest two are kept.", low=1)
    log_every: int = setting(20, "Steps between rows of metrics.csv.", low=1)
    device: str = setting("auto", "auto, cpu, cuda, cuda:1 or mps.")
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "Of the networks; losses are float32.")
    tensorboard: Literal["auto", "on", "off"] = setting(
        "auto", "TensorBoard events in RUN/tensorboard.", was=("track",)
    )
    cache: Path | None = setting(None, "Folder of decoded images; default: DATA/cache.")

    def __post_init__(self) -> None:
        check_limits(self)
        if self.ema >= 1:
            raise UserError("--ema", f"{self.ema:g} is too large", "less than 1", exit_code=EXIT_USAGE)


def portable(settings: RunSettings) -> dict[str, Any]:
    """Settings that belong to a network and its training, without this machine's files and folders."""
    hints = typing.get_type_hints(type(settings))
    local = {
        f.name
        for f in dataclasses.fields(settings)
        if Path in (hints[f.name], *typing.get_args(hints[f.name])) or f.name == "trust_weights"
    }
    return {name: value for name, value in to_mapping(settings).items() if name not in local}
