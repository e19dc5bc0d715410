"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Before numpy and torch are loaded, and for the programs that tests start: workers of the suite run side by
# side, where threads that wait for threads spin. A training of 240 steps took 54 s of two cores so, and 16 of one.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from realdeg import ipp

ipp.off()  # as in every program of ours

# The same examples on every run: a red run is then the change's doing. `explore` draws new ones.
# Neither looks at the clock, since a machine may be busy.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", PATIENT, derandomize=True)
settings.register_profile("explore", PATIENT, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

ROOT = Path(__file__).resolve().parents[1]
SLOW = ROOT / "tests" / "slow.txt"
CROPS = {"coffee": (216, 352), "chelsea": (90, 130), "u76c0g_bliznaca_srgb8": (210, 200)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `slow.txt` names, all their parameters, and begin with the files that hold them.

    One that starts last would keep one worker busy while the other has nothing left.
    """
    slow = set(SLOW.read_text(encoding="utf-8").splitlines())
    files = {name.partition("::")[0] for name in slow}
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in files)


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of reference inputs and outputs that our code did not make."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled photos."""
    return ROOT / "data" / "sample"


@pytest.fixture(scope="session")
def photos(sample: Path) -> list[npt.NDArray[np.uint8]]:
    """Three 72x96 crops of the bundled photographs, read by Pillow; 72 and 96 are multiples of 2, 3, 4 and 8."""
    crops = []
    for name, (top, left) in CROPS.items():
        with Image.open(sample / "clean" / f"{name}.png") as picture:
            crops.append(np.asarray(picture.convert("RGB"))[top : top + 72, left : left + 96].copy())
    return crops


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Finder of photo sets that may not be bundled; the test skips where a set is absent."""

    def find(name: str) -> Path:
        for folder in (os.environ.get("REALDEG_SHARED"), ROOT.parent / "shared"):
            if folder and (path := Path(folder) / "data" / name).exists():
                return path
        pytest.skip(f"photo set {name} is not here (set REALDEG_SHARED to the folder that holds data/{name})")

    return find


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tests run beside each other, where threads wait for threads; and sums of one are always the same."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def odd() -> Path:
    """Small pictures of the kinds that readers get wrong."""
    return ROOT / "tests" / "data" / "odd_files"
