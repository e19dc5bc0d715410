"""Weights that others trained: from a path, torch's cache, or once from their official address."""

from __future__ import annotations

import pickle
import urllib.error
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from realdeg.errors import EXIT_MISSING_RESOURCE, UserError


@dataclass(frozen=True)
class Published:
    """A file of weights.

    Attributes:
        file: its name in torch's cache.
        address: where it is published.
        sha256: the beginning of its hash.
        what: in words.
    """

    file: str
    address: str
    sha256: str
    what: str

    @property
    def cached(self) -> Path:
        """Where torch and torchvision keep it (`TORCH_HOME`)."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.file


PUBLISHED = {
    "vgg19": Published(
        "vgg19-dcbb9e9d.pth",
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        "dcbb9e9d",
        "VGG-19's ImageNet weights",
    ),
    "alexnet": Published(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be79",
        "AlexNet's ImageNet weights",
    ),
    "lpips_alex": Published(
        "lpips_alex_v0.1.pth",
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
        "df73285e35b22355",
        "LPIPS' linear layers for AlexNet, version 0.1",
    ),
}


def at_hand(*names: str) -> bool:
    """Whether all of them lie in torch's cache: nothing would have to be fetched."""
    return all(PUBLISHED[name].cached.is_file() for name in names)


def weights(name: str, path: Path | None = None) -> dict[str, Tensor]:
    """Tensors of a published file by name, on the CPU.

    Args:
        name: of `PUBLISHED`.
        path: the file, where it lies elsewhere; else it is taken from torch's cache, or fetched into it.

    Raises:
        UserError: it cannot be fetched (the line says which file, from where, and where to put it), or it
            doesn't hold tensors alone.
    """
    known = PUBLISHED[name]
    if path is None:
        path = known.cached
        if not path.is_file():
            _fetch(known)
    elif not path.is_file():
        raise UserError(path, "there is no such file", known.what, exit_code=EXIT_MISSING_RESOURCE)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise UserError(path, f"does not hold {known.what}", "remove it, or give another file") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(path, f"does not hold {known.what}", "give another file")
    return dict(found)


def _fetch(known: Published) -> None:
    known.cached.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            known.address, str(known.cached), hash_prefix=known.sha256, progress=False
        )
    except (OSError, RuntimeError, urllib.error.URLError) as error:
        problem = f"cannot be fetched ({' '.join(str(error).split())})"
        remedy = f"put {known.address} (sha256 {known.sha256}...) at {known.cached}, or give its path"
        raise UserError(known.what, problem, remedy, exit_code=EXIT_MISSING_RESOURCE) from None
