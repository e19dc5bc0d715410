"""Settings of calibration; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CalibrateSettings:
    """How a camera is measured from registered pairs.

    Attributes:
        scale: HR size / LR size of the pairs.
        only: shell pattern of the keys that belong to the camera, e.g. "Canon_*".
        size: side of the kernels, HR px; None: about 6 times the scale.
        grid: kernels down and across each photo.
        max_error: pairs whose stated error is above are refused, LR px.
        patch: side of the noise patches, LR px.
    """

    scale: int
    only: str = "*"
    size: int | None = None
    grid: tuple[int, int] = (1, 1)
    max_error: float = 0.2
    patch: int = 16
