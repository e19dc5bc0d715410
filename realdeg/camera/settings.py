"""Settings of calibration; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from realdeg.settings import setting


@dataclass(frozen=True)
class CalibrateSettings:
    """How a camera is measured from registered pairs."""

    scale: int = setting(help="HR size / LR size of the pairs.", low=2, high=16)
    camera: str = setting("*", "Keys of the camera's pairs, e.g. 'Canon_*'.", was=("only",))
    size: int | None = setting(
        None, "Side of the kernels, HR px; default about 6 times the scale.", low=3, high=65
    )
    grid: tuple[int, int] = setting(
        (1, 1), "Kernels down and across each photo, for lenses that blur the corners.", low=1, high=16
    )
    max_error: float = setting(0.2, "Refuse pairs whose stated error is above (LR px).", low=0)
    patch: int = setting(
        16, "Side of the noise patches, LR px; smaller ones find more flat places.", low=8, high=256
    )
