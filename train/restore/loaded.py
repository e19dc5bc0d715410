"""`train.load`: a trained model for whoever imports it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Image
from realdeg.inputs import ImageLike, PathLike
from realdeg.settings import from_mapping
from train.restore.inference_settings import InferenceOptions
from train.restore.model import Trained
from train.restore.models import load as restore


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model as a function of images.

    Attributes:
        scale: HR size / LR size.
        device: where it runs, in words.
        trained: the model of this package that does the work, with its networks.
    """

    scale: int
    device: str
    trained: Trained = field(repr=False)

    def __call__(self, image: ImageLike) -> Image:
        """Enlarge an image.

        Args:
            image: (h, w, 3) uint8, uint16, or float in [0, 1]; RGB, sRGB-encoded. Grey, `realdeg.Photo`,
                pictures of Pillow and paths are taken as well.

        Returns:
            (scale h, scale w, 3) of the image's type; of floats float32 in [0, 1], not rounded.

        Raises:
            BadInput: an argument that cannot be used.
            UserError: the file of a path cannot be read.
        """
        pixels = inputs.image(image, "image")
        if pixels.dtype != np.float32:
            return self.trained(pixels)
        made = self.trained.predict(pixels)[0].clamp(0, 1)
        return np.ascontiguousarray(made.permute(1, 2, 0).numpy())


def load(path: PathLike | None = None, **options: Any) -> Model:
    """The trained model of a run folder, of one file, or the one that comes with realdeg.

    Args:
        path: folder of a run (its newest whole checkpoint), or a .safetensors file; None: the D2C-SR for x4
            that comes with realdeg (docs/model_card.md).
        options: fields of `train.restore.inference_settings.InferenceOptions`: `device` ("auto", "cpu",
            "cuda:1"), `precision`, `tile` (HR px; memory stays bounded), `project`, `ensemble`.

    Returns:
        A function of images.

    Raises:
        BadInput: `path` is no path.
        UserError: nothing whole to load, an unknown option, or no such device.

    Source:
        docs/d2c.md (Li et al., D2C-SR, ECCV 2022) and docs/space.md (VSpSR and RefVAE, NTIRE 2021).

    Example:
        >>> import numpy as np, train
        >>> model = train.load(device="cpu")
        >>> model(np.full((16, 24, 3), 128, np.uint8)).shape
        (64, 96, 3)
        >>> model(np.full((16, 24), 0.5)).dtype
        dtype('float32')
    """
    use = from_mapping(InferenceOptions, options, "train.load")
    where = {} if path is None else _place(inputs.path(path, "path"))
    model = restore(say=warnings.warn, **where, **{name: getattr(use, name) for name in options})
    return Model(model.scale, str(model.machine.device), model)


def _place(path: Path) -> dict[str, Any]:
    """A folder is a run, anything else a file."""
    return {"run": path} if path.is_dir() or not path.suffix else {"checkpoint": path}
