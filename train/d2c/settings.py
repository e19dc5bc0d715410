"""What steers a training of D2C-SR: its settings, each with its source, and named sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from realdeg.settings import setting
from train.engine.run_settings import RunSettings

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
        "learning_rate": 4e-4,
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
        "learning_rate": 2e-3,
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
class D2CSettings(RunSettings):
    """Everything that steers a training; defaults are those of the released code unless said otherwise."""

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
    batch: int = setting(4, "Crops a step (released code), over all processes of `torchrun`.", low=1)
    epochs: int = setting(20_000, "Passes over the images (released code); used where --steps is 0.", low=1)
    schedule: Literal["joint", "paper"] = setting(
        "joint",
        "joint: both networks in each step (released code); paper: divergence first, then convergence.",
    )
    fusion_steps: int = setting(
        0, "Steps of the second stage of --schedule paper; 0 = a quarter of the first (not published).", low=0
    )
    learning_rate: float = setting(1e-4, "Learning rate of Adam (released code).", above=0, was=("lr",))
    lr_schedule: Literal["halve", "cosine"] = setting(
        "halve",
        "halve: by half each --halve-every epochs (released code); cosine: to 0 at the last step (ours).",
    )
    halve_every: int = setting(2000, "Epochs between halvings (released code).", low=1)
    branch_loss: Literal["l2", "l1"] = setting(
        "l2", "Of each branch, Eq. 1: mean square, or absolute, error."
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

    luma: Literal["bt601", "mean"] = setting(
        "bt601", "Of the divergence loss: Y (paper, Eq. 2), or the mean of the channels (released code)."
    )
    normalise: Literal["image", "batch"] = setting(
        "image", "Divergence loss for each image (ours), or over the whole batch (released code)."
    )
    fusion_relu: bool = setting(
        False, "A ReLU before the softmax of the weights (released code), which lets none fall to 0."
    )
    vgg: float = setting(
        0.0, "Weight of |VGG19(SR) - VGG19(HR)| in the convergence loss (paper, Table 2; not published).",
        low=0,
    )  # fmt: skip

    check_every: int = setting(2500, "Steps between validations (released code: 20 epochs).", low=1)
    diagnose_every: int = setting(
        500, "Steps between gradient ratios and branch distances; 0 = never.", low=0
    )

    leaves: Literal["separate", "grouped"] = setting(
        "separate", "Branches of a level one by one, or as grouped convolutions: the same to rounding."
    )
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = setting(
        "off", "torch.compile of both networks; reduce-overhead and max-autotune use CUDA graphs."
    )
