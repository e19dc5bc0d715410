"""`realdeg.register`: where one photo lies in another, and the pair that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg import inputs, ipp
from realdeg.align import verdict
from realdeg.align.crop import Box
from realdeg.align.finished import Finished, finish
from realdeg.align.pair import register as find
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection as Refused
from realdeg.align.warp import Warp
from realdeg.api.rejection import Rejection, rejection
from realdeg.arraytypes import Image
from realdeg.imaging.depth import to_float
from realdeg.inputs import ImageLike
from realdeg.io.photo import Photo
from realdeg.io.save import to_uint
from realdeg.settings import from_mapping


@dataclass(frozen=True, eq=False)
class Registration:
    """Where LR lies in HR, how sure that is, and the finished pair.

    Attributes:
        scale: HR size / LR size of the pair.
        warp: maps (..., 2) pixels (x, y) of the LR photo to pixels of the HR photo; pixel centres lie on
            integers. `warp.inverse` maps back.
        error: stated accuracy: 95th percentile of the map's error over the pair that the registration itself
            expects, LR px.
        residual: blind check: the same percentile of what is left in the finished pair beyond the
            measurement's own noise, by phase correlation, LR px.
        zoom: HR px per LR px as measured, at the field's centre.
        rotation: of HR against LR there, degrees; positive turns x towards y.
        blur: of HR that matches LR best, LR px (standard deviation).
        crop: part of the LR photo that the pair shows: `.x`, `.y`, `.width`, `.height`, px.
    """

    scale: int
    warp: Warp
    error: float
    residual: float
    zoom: float
    rotation: float
    blur: float
    crop: Box
    _made: Finished = field(repr=False)
    _float: tuple[bool, bool] = field(repr=False)

    @property
    def hr_from_lr(self) -> Warp:
        """The map under the name by which it composes: the same as `warp`."""
        return self.warp

    def pair(self) -> tuple[Image, Image]:
        """The finished pair.

        Returns:
            LR (h, w, 3), a crop of the photo, never resampled, and HR (scale h, scale w, 3), resampled once
            and brought to LR's brightness; each of the type that `register` was given.
        """
        lr, hr = self._made.lr, self._made.hr
        return to_float(lr) if self._float[0] else lr, to_float(hr) if self._float[1] else hr

    def valid(self) -> npt.NDArray[np.bool_]:
        """(h, w) where the pair is valid: all of it, unless it was registered with `mask=True`."""
        if self._made.valid is None:
            return np.ones(self._made.lr.shape[:2], bool)
        return self._made.valid > 0


@ipp.without()  # as in jobs: the same pixels on every processor
def register(
    lr: ImageLike, hr: ImageLike, scale: int | None = 4, **settings: Any
) -> Registration | Rejection:
    """Register two photos of one scene into a training pair.

    Args:
        lr: (h, w, 3) photo of the short focal length, uint8, uint16, or float in [0, 1]; RGB, sRGB-encoded.
            Grey, `realdeg.Photo`, pictures of Pillow and paths are taken as well.
        hr: (H, W, 3) photo of the long focal length, likewise.
        scale: HR size / LR size of the pair; None: the whole scale nearest to the measured zoom.
        settings: fields of `realdeg.align.settings.AlignSettings`, by name: `max_error`, `mask` and so on.

    Returns:
        The registration, or why the photos give no pair: other scenes, parallax, too little texture, a zoom
        that is not the scale, an error above `max_error`. Floats are registered with 16 bits.

    Raises:
        BadInput: an argument that cannot be used (see docs/library.md), or an unknown setting.
        UserError: the file of a path cannot be read.

    Source:
        Li et al., D2CRealSR, ECCV 2022, Sec. 4.1; what is done otherwise, and why, in docs/architecture.md.

    Example:
        >>> import realdeg
        >>> hr = realdeg.read("data/sample/clean/coffee.png").pixels
        >>> lr = realdeg.Recipe.load("bicubic")(hr[:396, :600], scale=2, seed=0).lr
        >>> found = realdeg.register(lr, hr, scale=2)
        >>> bool(found), found.error < 0.05
        (True, True)
        >>> small, large = found.pair()
        >>> large.shape[0] == 2 * small.shape[0]
        True
        >>> realdeg.register(hr, hr, scale=2).reason
        'HR is no larger than LR (zoom x1.000); swap the folders, or use a longer focal length'
    """
    lr, hr = inputs.opened(lr, "lr"), inputs.opened(hr, "hr")
    small, large = inputs.image(lr, "lr"), inputs.image(hr, "hr")
    by = None if scale is None else inputs.scale(scale)
    asked = from_mapping(AlignSettings, {**settings, "scale": by}, "register")
    zoomed = [one.digital_zoom if isinstance(one, Photo) else None for one in (lr, hr)]
    if refused := verdict.digital_zoom(zoomed[0], zoomed[1], asked):
        return rejection(str(refused))
    whole = small.dtype == np.float32, large.dtype == np.float32
    small, large = (to_uint(one, np.uint16) if one.dtype == np.float32 else one for one in (small, large))
    found = find(small, large, asked)
    if isinstance(found, Refused):
        return rejection(str(found))
    if found.refused is not None:
        return rejection(str(found.refused))
    made = finish(small, large, found, asked)
    if made.refused is not None:
        return rejection(str(made.refused))
    found = made.found
    assert found.residual is not None  # a pair that cannot be measured is refused
    return Registration(
        scale=found.scale,
        warp=found.hr_from_lr,
        error=found.error,
        residual=found.residual.beyond_noise,
        zoom=found.zoom,
        rotation=found.rotation,
        blur=found.psf.sigma,
        crop=found.field,
        _made=made,
        _float=whole,
    )
