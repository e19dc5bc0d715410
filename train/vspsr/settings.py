"""What steers a training of VSpSR: its settings, each with its source, and named sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from realdeg.settings import setting
from train.engine.run_settings import RunSettings

# The paper's second stage: 100 epochs from a trained #2, which --init names.
_TUNED: dict[str, Any] = {"epochs": 100, "learning_rate": 1e-5}

PRESETS: dict[str, dict[str, Any]] = {
    # The paper's base model at x4, row #2 of its ablation: every field as it stands below.
    "paper": {},
    "paper-1": {"stochastic_coefficients": False},
    "paper-2": {},
    "paper-3": {"stochastic_basis": True},
    "paper-4": {"interpolation": "none"},
    "paper-5": {"basis": 64},
    "paper-6": {**_TUNED, "gan": 0.01, "beta": 1.0},
    "paper-7": {**_TUNED, "gan": 0.01, "beta": 0.1},  # the paper's final model
    "paper-8": {**_TUNED, "gan": 0.1, "beta": 1.0},
    "paper-9": {**_TUNED, "gan": 0.1, "beta": 0.1},
    "paper-x8": {"patch": 32, "beta": 0.1, "interpolation": "bicubic"},
    # Minutes on two CPU cores, and no weights to fetch. Not the paper's: see each field.
    "tiny": {
        "basis": 64, "interpolation": "bicubic", "vgg": 0.0, "gan": 0.0, "kl": 1e-3, "patch": 24, "batch": 8,
        "steps": 1500, "learning_rate": 1e-3, "lr_schedule": "cosine", "warmup": 50, "weight_decay": 0.0,
        "clip": 1.0,
        "ema": 0.99, "base": "bicubic", "check_every": 500, "check_images": 8, "save_every": 250,
        "log_every": 10,
    },
}  # fmt: skip


@dataclass(frozen=True)
class VSpSRSettings(RunSettings):
    """Everything that steers a training; defaults are those of the paper or its released code."""

    basis: int = setting(256, "Basis vectors n, a multiple of 4 (paper: 256 or 64).", low=4)
    stochastic_basis: bool = setting(False, "The basis is drawn, too (paper's ablation #3).")
    stochastic_coefficients: bool = setting(True, "Coefficients are drawn (paper); else there is one image.")
    interpolation: Literal["bilinear", "bicubic", "none"] = setting(
        "bilinear", "Of LR in the deterministic part (paper: bilinear; x8: bicubic)."
    )
    base: Literal["none", "bicubic"] = setting(
        "none", "What is learned is added to nothing (paper), or the bicubic image (ours; learns sooner)."
    )
    mu: Path | None = setting(
        None, "A trained model of ours, run or file, as deterministic part in place of --interpolation."
    )
    patches: Literal["apart", "overlap"] = setting(
        "apart", "Patches side by side (paper), or twice as large and fading into each other (ours)."
    )
    correlation: float = setting(
        0.0, "LR px over which the noise of coefficients is alike (ours); 0: independent (paper).", low=0
    )
    init: Path | None = setting(None, "Begin with the weights of another VSpSR, run or file (fine-tuning).")

    alpha: float = setting(3.0, "Shape of the Gamma prior of precisions, Eq. 1 (paper).", above=0)
    beta: float = setting(0.5, "Rate of it (paper: 0.5; fine-tuned with 0.1 or 1).", above=0)
    kl: float = setting(0.1, "Weight of the divergence from the prior, Eq. 5 (released code).", low=0)
    gan: float = setting(0.01, "Weight of the adversarial loss (paper); 0: no discriminator.", low=0)
    vgg: float = setting(0.01, "Weight of the squared difference in VGG-19 (released code); 0: none.", low=0)
    critic: Literal["joint", "released"] = setting(
        "joint",
        "joint: D judges real and generated crops as one batch, without sigmoid (ours); "
        "released: apart, with it.",
    )

    patch: int = setting(48, "LR crop side in pixels (paper, x4), at least 16.", low=16)
    batch: int = setting(4, "Crops a step (paper), over all processes of `torchrun`.", low=1)
    epochs: int = setting(300, "Passes over the images (paper); used where --steps is 0.", low=1)
    learning_rate: float = setting(1e-4, "Learning rate of Adam (paper).", above=0, was=("lr",))
    lr_schedule: Literal["tenth", "cosine"] = setting(
        "tenth", "tenth: to a tenth each --tenth-every epochs (paper); cosine: to 0 at the last step (ours)."
    )
    tenth_every: int = setting(100, "Epochs (paper).", low=1)
    weight_decay: float = setting(1e-4, "Of Adam (released code).", low=0)
    clip: float = setting(0.1, "Largest norm of a gradient (paper); 0: whatever it is.", low=0)
