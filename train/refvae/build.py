"""The networks of RefVAE as settings describe them, and as a checkpoint holds them."""

from __future__ import annotations

from pathlib import Path

import torch

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import from_mapping
from train.machine import choose
from train.nets.bicubic import quieten
from train.nets.patchgan import SMALLEST, PatchGAN
from train.nets.refvae import Features, RefVAENet
from train.nets.trunks import seeded
from train.refvae.settings import RefVAESettings
from train.restore.checkpoint import Checkpoint
from train.restore.inference_settings import InferenceOptions
from train.restore.models import ema_suffix
from train.restore.pretrained import weights
from train.restore.refvae import RefVAE

SMALLEST_SEEN, SMALLEST_JUDGED = 16, SMALLEST  # HR px
QUIET_CODE = -4.0  # logarithm of the variance of codes at first


def build(s: RefVAESettings) -> tuple[RefVAENet, PatchGAN | None]:
    """The network and, where the adversarial loss has a weight, its discriminator, with initial weights.

    Args:
        s: with its scale set.

    Raises:
        UserError: a width that RefVAE cannot have, or crops that are too small to be looked at.
    """
    assert s.scale is not None
    judged = bool(s.gan or s.matching)
    least = SMALLEST_JUDGED if judged else SMALLEST_SEEN
    if s.patch * s.scale < least:
        problem = f"makes HR crops of {s.patch * s.scale} px, less than the {least} that "
        problem += "the discriminator judges" if judged else "features are taken of"
        remedy = f"at least {-(-least // s.scale)}"
        raise UserError(f"--patch {s.patch}", problem, remedy, exit_code=EXIT_USAGE)
    with torch.random.fork_rng(devices=[]):  # torch's own initial weights, as in the released code
        torch.manual_seed(s.seed)
        try:
            net = RefVAENet(s.width, s.latent, s.norm, s.code_grid)
        except ValueError as error:
            raise UserError(f"--width {s.width}", str(error), exit_code=EXIT_USAGE) from None
        if s.start == "bicubic":
            quieten(torch.nn.ModuleList([net.draw]), 0.01)
            # Codes with noise as large as themselves are not listened to, and then say nothing.
            with torch.no_grad():
                net.code.bias[s.latent :] = QUIET_CODE
        return net, PatchGAN() if judged else None


def seen_through(
    s: RefVAESettings, wanted: tuple[str, ...], path: Path | None, *, trust: bool = False
) -> Features:
    """The frozen network that images are seen through: VGG-19, or one of its shape with random weights.

    Args:
        wanted: names of ReLUs, see `train.nets.trunks.RELU`.
        path: torchvision's weights; None: torch's cache, or fetched.
        trust: also weights that aren't the published ones.

    Raises:
        UserError: the weights are not to be had.
    """
    features = Features(wanted)
    known = weights("vgg19", path, trust=trust) if s.trunk == "vgg19" else seeded(features.trunk, 0)
    try:
        features.trunk.take(known)
    except (KeyError, RuntimeError):
        raise UserError(path or "vgg19", "does not hold VGG-19's weights", "give another file") from None
    return features


def restored(found: Checkpoint, use: InferenceOptions) -> RefVAE:
    """The trained model of a checkpoint.

    Raises:
        UserError: its weights are others than its settings say, or VGG-19's are not to be had.
    """
    told = {**found.about["settings"], "gan": 0.0, "matching": 0.0}
    s = from_mapping(RefVAESettings, told, str(found.weights))
    net, _ = build(s)
    found.load_weights({f"net{ema_suffix(found)}": net})
    features = seen_through(s, ("4_1",), use.vgg_weights, trust=use.trust_weights)
    machine = choose(use.device, use.precision)
    return RefVAE(
        machine.place(net), machine.place(features), int(found.about["scale"]), machine, s.side, use.tile,
        use.project, use.ensemble,
    )  # fmt: skip
