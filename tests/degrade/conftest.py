"""Code that is not ours, and pools, shared by the tests of degradation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import loadmat


@pytest.fixture(scope="session")
def independent() -> ModuleType:
    """`independent.py` beside this file: a plan applied by SciPy, Pillow and formulas written anew."""
    path = Path(__file__).with_name("independent.py")
    spec = importlib.util.spec_from_file_location("independent", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def kernel_arrays(sample: Path) -> dict[str, npt.NDArray[Any]]:
    """KAIR's twelve kernels, read by SciPy, under the names that a pool gives them."""
    cells = loadmat(sample / "kernels" / "kernels_12.mat")["kernels"].ravel()
    return {f"kernels_12/{i}": np.asarray(cell, np.float64) for i, cell in enumerate(cells)}


@pytest.fixture(scope="session")
def noise_arrays() -> dict[str, npt.NDArray[Any]]:
    """Three made-up noise patches: residuals larger and smaller than LR, and pixel values."""
    rng = np.random.default_rng(11)
    return {
        "large": rng.normal(0, 0.03, (60, 70, 3)).astype(np.float32),
        "small": rng.normal(0.01, 0.02, (11, 13, 3)).astype(np.float32),
        "pixels": rng.integers(100, 140, (40, 30, 3)).astype(np.uint8),
    }
