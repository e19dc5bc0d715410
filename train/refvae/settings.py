"""What steers a training of RefVAE: its settings, each with its source, and named sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import setting
from train.engine.run_settings import RunSettings

PRESETS: dict[str, dict[str, Any]] = {
    # The paper's training: every field as it stands below.
    "paper": {},
    # Minutes on two CPU cores, and no weights to fetch. Not the paper's: see each field.
    "tiny": {
        "width": 128, "latent": 64, "code_grid": 4, "trunk": "random", "side": 64, "start": "bicubic",
        "gan": 0.0, "matching": 0.0, "lpips": 0.0, "content": 0.0, "tv": 0.0, "kl": 1e-5, "style": 1.0,
        "patch": 24, "batch": 4, "steps": 1500, "learning_rate": 5e-4, "lr_schedule": "cosine", "warmup": 50,
        "weight_decay": 0.0, "clip": 1.0, "ema": 0.99, "check_every": 500, "check_images": 4,
        "save_every": 250, "log_every": 10,
    },
}  # fmt: skip


@dataclass(frozen=True)
class RefVAESettings(RunSettings):
    """Everything that steers a training; defaults are the paper's unless said otherwise.

    The paper's losses are sums over pixels and channels, with weights that hold for one size of crop; here
    they are means, and a weight of 1 says the same of crops of any size.
    """

    references: Path | None = setting(
        None, "Pictures whose style is taken: a folder, or one file (paper: WikiArt)."
    )
    itself: float = setting(0.25, "Share of crops that are their own reference (ours).", low=0)
    prior: float = setting(0.25, "Share of crops whose code is drawn from N(0, I) (ours).", low=0)
    side: int = setting(256, "Of a reference, px.", low=32)

    width: int = setting(512, "Channels of the fused features, a multiple of 8.", low=8)
    latent: int = setting(256, "Length of the code z.", low=1)
    code_grid: int = setting(
        16, "Side of the features that the code is made of, px (released code).", low=1, was=("grid",)
    )
    norm: Literal["batch", "group"] = setting(
        "batch", "In the code's encoder: batch norm, or group norm, which needs no other references (ours)."
    )
    trunk: Literal["vgg19", "random"] = setting(
        "vgg19", "What images are seen through: VGG-19's weights; or random ones, to try out (ours)."
    )
    start: Literal["random", "bicubic"] = setting(
        "random",
        "random: torch's initial weights (paper); bicubic: nothing is added to the bicubic image at first, "
        "and codes have little noise (ours).",
    )

    pixel: float = setting(1.0, "Weight of |Y - SR|, Eq. 6.", low=0)
    reduced: float = setting(1.0, "Weight of |Down(Y) - Down(SR)| by MATLAB's bicubic, Eq. 6.", low=0)
    content: float = setting(1.0, "Weight of the difference at relu4_1, Eq. 6.", low=0)
    style: float = setting(10.0, "Weight of the distance to the reference's style, Eq. 7.", low=0)
    lpips: float = setting(1.0, "Weight of LPIPS; 0: none.", low=0)
    tv: float = setting(1.0, "Weight of the total variation, Eq. 8.", low=0)
    kl: float = setting(1.0, "Weight of the code's divergence from N(0, I), Eq. 4.", low=0)
    gan: float = setting(
        0.01, "Weight of the adversarial loss (not published; ours); 0: no discriminator.", low=0
    )
    matching: float = setting(
        0.01, "Weight of the difference in the discriminator's features (released code).", low=0
    )
    alexnet: Path | None = setting(None, "torchvision's AlexNet, for --lpips.")
    lpips_heads: Path | None = setting(None, "alex.pth of LPIPS 0.1, for --lpips.")

    patch: int = setting(32, "LR crop side in pixels.", low=4)
    batch: int = setting(16, "Crops a step, over all processes of `torchrun`.", low=1)
    steps: int = setting(50_000, "Training steps; 0 = --epochs passes.", low=0)
    learning_rate: float = setting(1e-4, "Learning rate of Adam.", above=0, was=("lr",))
    lr_schedule: Literal["constant", "half", "cosine"] = setting(
        "constant",
        "constant; half: to a tenth at half time (released code); cosine: to 0 at the last step (ours).",
    )
    weight_decay: float = setting(1e-4, "Of Adam.", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.itself + self.prior > 1:
            problem = f"and --prior {self.prior:g} are more than all crops"
            raise UserError(f"--itself {self.itself:g}", problem, "at most 1 in sum", exit_code=EXIT_USAGE)
