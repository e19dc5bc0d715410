"""`realdeg.calibrate`: a camera measured from registered pairs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from realdeg import inputs, ipp
from realdeg.api.registration import Registration
from realdeg.api.rejection import Rejection, rejection
from realdeg.camera.camera import Camera, Measured, camera_of, measure
from realdeg.camera.folder import chosen
from realdeg.camera.settings import CalibrateSettings
from realdeg.dataset.pairs import Dataset, Pair, open_dataset
from realdeg.imaging.depth import to_float
from realdeg.inputs import BadInput, ImageLike, PathLike
from realdeg.kernels.folder import read_pair, record_of, too_uncertain
from realdeg.pools.found import told
from realdeg.records import PairRecord
from realdeg.settings import from_mapping

__all__ = ["Camera", "calibrate"]
Told = Measured | PairRecord


@ipp.without()  # as in jobs: the same pixels on every processor
def calibrate(
    pairs: PathLike | Dataset | Iterable[Pair | Registration | tuple[ImageLike, ImageLike]],
    scale: int | None = None,
    *,
    name: str = "camera",
    **settings: Any,
) -> Camera | Rejection:
    """Measure the camera that took the LR photos of registered pairs.

    Args:
        pairs: folder of a dataset, a `realdeg.Dataset`, or pairs one after the other: `realdeg.Pair`, the
            `realdeg.Registration` of two photos, or (lr, hr), images (h, w, 3) and (scale h, scale w, 3).
            One pair is held in memory at a time.
        scale: HR size / LR size; None: that of the dataset, or of the first pair.
        name: of the camera, for its recipe.
        settings: fields of `realdeg.camera.settings.CalibrateSettings`: `camera`, `size`, `grid`,
            `max_error`, `patch`.

    Returns:
        The camera: a recipe with its kernel and noise pools, and the figures (widths of the kernels, law of
        the noise over brightness, tone; 8-bit levels and HR px) with their errors. Or the first reason,
        where no pair gives a kernel.

    Raises:
        BadInput: an argument that cannot be used, pairs of another scale, no pair at all, or an unknown
            setting.
        UserError: no dataset, no such pair in it, or a file that cannot be read.

    Source:
        docs/recipes.md; benchmarks/README.md says how well it imitates cameras.

    Example:
        >>> import realdeg
        >>> hr = realdeg.read("data/sample/clean/coffee.png").pixels[:396, :600]
        >>> lr, plan = realdeg.Recipe.load("bicubic")(hr, scale=2, seed=0)
        >>> camera = realdeg.calibrate([(lr, hr)], name="bicubic", size=12)
        >>> camera.kernels.kernels[0].shape, camera.figures["pairs"], camera.refused
        ((12, 12), 1, {})
        >>> camera(hr, seed=0).lr.shape == lr.shape
        True
    """
    if not isinstance(name, str) or not name:
        raise BadInput("name", f"{name!r} is no name", "give a text")
    if isinstance(pairs, (str, os.PathLike)):
        pairs = open_dataset(inputs.path(pairs, "pairs"))
    if isinstance(pairs, Dataset):
        by = inputs.scale(_scale_of(pairs) if scale is None else scale)
        asked = from_mapping(CalibrateSettings, {**settings, "scale": by}, "calibrate")
        told = _of_dataset(pairs, asked)
    else:
        by, images = _images(pairs, scale)
        asked = from_mapping(CalibrateSettings, {**settings, "scale": by}, "calibrate")
        told = _of_images(images, asked)
    measured: list[Measured] = []
    refused: dict[str, str] = {}
    for one in told:
        if isinstance(one, Measured):
            measured.append(one)
        else:
            refused[one.key] = rejection(one.reason).reason
    if not measured:
        return Rejection(next(iter(refused.values())))
    return camera_of(name, measured, refused, asked)


def _scale_of(dataset: Dataset) -> int:
    if len(dataset.scales) != 1:
        found = ", ".join(f"x{scale}" for scale in dataset.scales) or "no pair"
        raise BadInput("scale", f"is not given, and {dataset.folder} holds {found}", "give the scale")
    return dataset.scales[0]


def _of_dataset(dataset: Dataset, settings: CalibrateSettings) -> Iterator[Told]:
    """What each chosen pair of a dataset tells; its stated error counts."""
    keys = set(dataset.keys)
    for pair in chosen(dataset.folder, settings):
        if pair.key not in keys:
            continue
        record = record_of(pair, settings.scale)
        if refused := too_uncertain(pair, settings.max_error):
            yield PairRecord(pair.key, "rejected", told(pair.lr, refused))
        else:
            yield measure(*read_pair(pair, settings.scale), record, settings)


def _images(pairs: Any, scale: int | None) -> tuple[int, Iterator[tuple[str, Any, Any]]]:
    """The scale, and keys and images of pairs of any kind."""
    if not isinstance(pairs, Iterable):
        remedy = "give a folder, a dataset, or a list of (lr, hr)"
        raise BadInput("pairs", f"is of type {type(pairs).__name__}", remedy)
    unpacked = (_unpacked(place, pair) for place, pair in enumerate(pairs))
    first = next(unpacked, None)
    if first is None:
        raise BadInput("pairs", "holds no pair", "give at least one")
    key, lr, hr = first
    if scale is None:
        lr, hr = inputs.image(lr, "lr"), inputs.image(hr, "hr")
        scale = max(1, round(hr.shape[0] / lr.shape[0]))

    def every() -> Iterator[tuple[str, Any, Any]]:
        yield key, lr, hr
        yield from unpacked

    return inputs.scale(scale), every()


def _unpacked(place: int, pair: Any) -> tuple[str, Any, Any]:
    if isinstance(pair, Pair):
        return pair.key, pair.lr, pair.hr
    if isinstance(pair, Registration):
        return (f"pair_{place}", *pair.pair())
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return f"pair_{place}", pair[0], pair[1]
    remedy = "give realdeg.Pair, realdeg.Registration, or (lr, hr)"
    raise BadInput(f"pair {place}", f"is of type {type(pair).__name__}", remedy)


def _of_images(images: Iterator[tuple[str, Any, Any]], settings: CalibrateSettings) -> Iterator[Told]:
    for key, lr, hr in images:
        small, large = (to_float(image) for image in inputs.pair(lr, hr, settings.scale))
        record = PairRecord(key, "rejected", scale=settings.scale, scene=key, how="pairs", source_lr=key)
        yield measure(small, large, record, settings)
