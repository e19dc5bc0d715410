"""Weights that others trained: from a path, torch's cache, or once from their official address.

Each file is known by its SHA-256, wherever it lies: what is measured through other weights is another figure.
torchvision publishes the first eight digits, in the files' names. The whole hashes are those that several
projects state independently of each other for these addresses; none of the files was at hand here.
"""

from __future__ import annotations

import hashlib
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
        sha256: hash of its bytes, hexadecimal.
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
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "VGG-19's ImageNet weights",
    ),
    "alexnet": Published(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "AlexNet's ImageNet weights",
    ),
    "lpips_alex": Published(
        "lpips_alex_v0.1.pth",
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "LPIPS' linear layers for AlexNet, version 0.1",
    ),
}


def at_hand(*names: str) -> bool:
    """Whether all of them lie in torch's cache: nothing would have to be fetched."""
    return all(PUBLISHED[name].cached.is_file() for name in names)


def weights(name: str, path: Path | None = None, *, trust: bool = False) -> dict[str, Tensor]:
    """Tensors of a published file by name, on the CPU.

    Args:
        name: of `PUBLISHED`.
        path: the file, where it lies elsewhere; else it is taken from torch's cache, or fetched into it.
        trust: take a file that is not the published one. It may hold other numbers, but never runs code.

    Raises:
        UserError: it cannot be fetched (the line says which file, from where, and where to put it), it is
            another file (the line says its hash), or it doesn't hold tensors alone.
    """
    known = PUBLISHED[name]
    if path is None:
        path = known.cached
        if not path.is_file():
            _fetch(known)
    elif not path.is_file():
        raise UserError(path, "there is no such file", known.what, exit_code=EXIT_MISSING_RESOURCE)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != known.sha256 and not trust:
                raise _another(path, known, digest)
            file.seek(0)
            found = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception:  # torch raises anything at all on broken files
        raise UserError(path, f"does not hold {known.what}", "remove it, or give another file") from None
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) and value.is_floating_point() and _finite(value)
        for name, value in found.items()
    ):
        raise UserError(path, f"does not hold {known.what}", "give another file")
    return dict(found)


def _finite(value: Tensor) -> bool:
    return bool(value.isfinite().all())


def _another(path: Path, known: Published, digest: str) -> UserError:
    """The error about a file that is not the published one, or cut short."""
    problem = f"is not the published file of {known.what}: its SHA-256 is {digest}, not {known.sha256}"
    other = "remove it to have it fetched" if path == known.cached else "copy it again"
    return UserError(path, problem, f"{other}, or use it all the same with --trust-weights")


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
