"""Workbench for real-world image super-resolution data: align, degrade, train.

`import realdeg` costs next to nothing: a name brings in what it needs when it is first used, and torch only
with `realdeg.torch`. docs/library.md shows what there is.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realdeg import torch as torch
    from realdeg.api.calibration import Camera as Camera
    from realdeg.api.calibration import calibrate as calibrate
    from realdeg.api.datasets import Dataset as Dataset
    from realdeg.api.datasets import Pair as Pair
    from realdeg.api.datasets import load_manifest as load_manifest
    from realdeg.api.datasets import open_dataset as open_dataset
    from realdeg.api.datasets import to_markdown as to_markdown
    from realdeg.api.images import Photo as Photo
    from realdeg.api.images import read as read
    from realdeg.api.images import write as write
    from realdeg.api.kernels import KernelEstimate as KernelEstimate
    from realdeg.api.kernels import estimate_kernel as estimate_kernel
    from realdeg.api.measures import psnr as psnr
    from realdeg.api.measures import ssim as ssim
    from realdeg.api.pools import KernelPool as KernelPool
    from realdeg.api.pools import NoisePool as NoisePool
    from realdeg.api.recipes import Degraded as Degraded
    from realdeg.api.recipes import Plan as Plan
    from realdeg.api.recipes import Recipe as Recipe
    from realdeg.api.recipes import replay as replay
    from realdeg.api.registration import Registration as Registration
    from realdeg.api.registration import register as register
    from realdeg.api.rejection import Rejection as Rejection
    from realdeg.errors import UserError as UserError
    from realdeg.inputs import BadInput as BadInput

_MODULE_OF = {
    "BadInput": "realdeg.inputs",
    "Camera": "realdeg.api.calibration",
    "Dataset": "realdeg.api.datasets",
    "Degraded": "realdeg.api.recipes",
    "KernelEstimate": "realdeg.api.kernels",
    "KernelPool": "realdeg.api.pools",
    "NoisePool": "realdeg.api.pools",
    "Pair": "realdeg.api.datasets",
    "Photo": "realdeg.api.images",
    "Plan": "realdeg.api.recipes",
    "Recipe": "realdeg.api.recipes",
    "Registration": "realdeg.api.registration",
    "Rejection": "realdeg.api.rejection",
    "UserError": "realdeg.errors",
    "calibrate": "realdeg.api.calibration",
    "estimate_kernel": "realdeg.api.kernels",
    "load_manifest": "realdeg.api.datasets",
    "open_dataset": "realdeg.api.datasets",
    "psnr": "realdeg.api.measures",
    "read": "realdeg.api.images",
    "register": "realdeg.api.registration",
    "replay": "realdeg.api.recipes",
    "ssim": "realdeg.api.measures",
    "to_markdown": "realdeg.api.datasets",
    "write": "realdeg.api.images",
}

__all__ = [
    "BadInput",
    "Camera",
    "Dataset",
    "Degraded",
    "KernelEstimate",
    "KernelPool",
    "NoisePool",
    "Pair",
    "Photo",
    "Plan",
    "Recipe",
    "Registration",
    "Rejection",
    "UserError",
    "calibrate",
    "estimate_kernel",
    "load_manifest",
    "open_dataset",
    "psnr",
    "read",
    "register",
    "replay",
    "ssim",
    "to_markdown",
    "torch",
    "write",
]


if not TYPE_CHECKING:  # to a type checker, names that are not above are mistakes

    def __getattr__(name: str) -> object:
        if name == "torch":
            return importlib.import_module("realdeg.torch")
        if name == "__version__":
            from importlib.metadata import version

            return version("realdeg")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'realdeg' has no attribute {name!r}")
        found = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
