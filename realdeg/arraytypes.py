"""Names for arrays in signatures; shapes, ranges and units stand in docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Numbers of any shape and type."""
Image = npt.NDArray[Any]
"""(H, W, 3) RGB: uint8, uint16, or float32 in [0, 1]."""
Kernel = npt.NDArray[Any]
"""(h, w) blur kernel, float, its sum 1."""
Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) RGB uint8."""
