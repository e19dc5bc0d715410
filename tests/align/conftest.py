"""Simulated captures with exact truth, shared by the tests of registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from realdeg.align.homography import Homography
from realdeg.align.pair import Registration, make_pair, register
from realdeg.align.settings import AlignSettings
from realdeg.imaging.capture import CameraModel, capture, matching_points
from realdeg.seeds import stream

CLEAN = Path(__file__).parents[2] / "data" / "sample" / "clean"
PHOTOS = ("chelsea.png", "coffee.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png")
LR_FIELD = 1.3  # side of LR's view over HR's


@dataclass(frozen=True, eq=False)
class Captured:
    """Two photos of a plane scene, and where any point of one lies in the other."""

    lr: npt.NDArray[np.uint8]
    hr: npt.NDArray[np.uint8]
    scene_from_lr: Homography
    lr_camera: CameraModel
    scene_from_hr: Homography
    hr_camera: CameraModel

    def truth(self, lr_points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(..., 2) HR px of LR px."""
        views = self.scene_from_lr.matrix, self.lr_camera, self.scene_from_hr.matrix, self.hr_camera
        return matching_points(lr_points, *views)

    def error(
        self, hr_from_lr: Callable[[Any], npt.NDArray[Any]], lr_points: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """(..., 2) by how much a map is off at LR points, LR px."""
        off = hr_from_lr(lr_points) - self.truth(lr_points)
        columns = [self.truth(lr_points + e) - self.truth(lr_points - e) for e in 0.5 * np.eye(2)]
        return np.linalg.solve(np.stack(columns, axis=-1), off[..., None])[..., 0]

    def p95(self, hr_from_lr: Callable[[Any], npt.NDArray[Any]], field: Any) -> float:
        """95th percentile of the same over a 12 x 12 grid of a box, LR px."""
        x, y = (np.linspace(a, a + n - 1, 12) for a, n in ((field.x, field.width), (field.y, field.height)))
        return float(np.percentile(np.hypot(*self.error(hr_from_lr, _grid(x, y)).T), 95))


@cache
def scene(name: str = "coffee.png", enlarge: int = 1) -> npt.NDArray[np.uint8]:
    """A bundled photo, read-only; enlarged where captures need more of it."""
    image = cv2.cvtColor(cv2.imread(str(CLEAN / name)), cv2.COLOR_BGR2RGB)
    if enlarge > 1:
        image = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    image.flags.writeable = False
    return image


def photograph(
    picture: npt.NDArray[np.uint8],
    scale: int,
    *,
    zoom: float | None = None,
    turn: float = 0.8,
    shift: tuple[float, float] = (3.3, -2.1),
    keystone: float = 0.004,
    seed: int = 0,
    hr_picture: npt.NDArray[np.uint8] | None = None,
    lr: dict[str, Any] | None = None,
    hr: dict[str, Any] | None = None,
) -> Captured:
    """LR and HR captures of a picture.

    Args:
        picture: (H, W, 3) the scene; HR covers it nearly whole, LR sees some 30 % more.
        scale: HR size / LR size.
        zoom: HR px per LR px; None: 1.01 times the scale.
        turn: rotation, degrees.
        shift: of LR's view, scene px.
        keystone: by how much the picture's pitch grows over LR's width.
        seed: of the noise.
        hr_picture: what HR sees, where that is another scene.
        lr, hr: entries of the cameras beyond a little blur and noise.
    """
    height, width = picture.shape[:2]
    hr_hw = int(height / 1.05), int(width / 1.05)
    lr_hw = int(LR_FIELD * hr_hw[0] / scale), int(LR_FIELD * hr_hw[1] / scale)
    rng = stream(seed, "capture", str(scale))

    def look(
        size_hw: tuple[int, int], pitch: float, degrees: float, offset: tuple[float, float], tilt: float
    ) -> Homography:
        a, middle = np.radians(degrees), Homography.translation(-(size_hw[1] - 1) / 2, -(size_hw[0] - 1) / 2)
        c, s = pitch * np.cos(a), pitch * np.sin(a)
        place = Homography.translation((width - 1) / 2 + offset[0], (height - 1) / 2 + offset[1])
        tilt = tilt / size_hw[1]
        return place @ Homography(np.array([[c, -s, 0], [s, c, 0], [tilt, -tilt, 1]])) @ middle

    scene_from_hr = look(hr_hw, 0.95, 0.0, (0, 0), 0.0)
    scene_from_lr = look(lr_hw, 0.95 * (zoom or 1.01 * scale), turn, shift, keystone)
    lr_camera = CameraModel(
        lr_hw, **{"blur": 0.5, "exposure": 0.9, "gamma": 1.05, "noise_8bit": 1.2, **(lr or {})}
    )
    hr_camera = CameraModel(hr_hw, **{"blur": 0.6, "noise_8bit": 1.0, **(hr or {})})
    return Captured(
        capture(picture, scene_from_lr.matrix, lr_camera, rng),
        capture(picture if hr_picture is None else hr_picture, scene_from_hr.matrix, hr_camera, rng),
        scene_from_lr,
        lr_camera,
        scene_from_hr,
        hr_camera,
    )


@cache
def nuisances(name: str, scale: int) -> Captured:
    """A bundled photo with all that real cameras do: lenses, vignetting, colours, two-axis blur, JPEG."""
    rng = stream(5, name, str(scale))

    def camera(distortion: float) -> dict[str, Any]:
        return {
            "blur": rng.uniform(0.45, 0.65),
            "exposure": rng.uniform(0.85, 1.1),
            "gamma": rng.uniform(0.93, 1.07),
            "noise_8bit": rng.uniform(0.5, 3.0),
            "distortion": distortion,
            "aspect": rng.uniform(1.0, 1.4),
            "angle": rng.uniform(0, 180),
            "vignetting": rng.uniform(0.05, 0.3),
            "white_balance": tuple(rng.uniform(0.93, 1.07, 3)),
            "jpeg": 90,
        }

    signs = rng.choice([-1, 1], 2)
    return photograph(
        scene(name, 2 if scale == 8 else 1),
        scale,
        zoom=scale * rng.uniform(0.97, 1.03),
        turn=rng.uniform(-1.5, 1.5),
        shift=tuple(rng.uniform(-5, 5, 2)),
        keystone=rng.uniform(-0.007, 0.007),
        lr=camera(0.025 * signs[0]),
        hr=camera(0.003 * signs[1]),
    )


@cache
def registered(name: str, scale: int) -> tuple[Captured, npt.NDArray[Any], npt.NDArray[Any], Registration]:
    """`nuisances`, and the pair made of it: photos, LR, HR, registration."""
    photos = nuisances(name, scale)
    found = register(photos.lr, photos.hr, AlignSettings(scale=scale))
    assert isinstance(found, Registration), found.reason
    return photos, *make_pair(photos.lr, photos.hr, found)


def texture(height: int = 240, width: int = 320, seed: int = 0, finest: int = 4) -> npt.NDArray[np.float32]:
    """(height, width) grey picture with detail at all sizes from `finest` px on, 0.05 to 0.95."""
    rng = np.random.default_rng(seed)
    parts = []
    for s in (1, 2, 4, 10):
        small = rng.standard_normal((height // (s * finest), width // (s * finest))).astype(np.float32)
        parts.append(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    return np.clip(0.5 + 0.09 * np.sum(parts, axis=0), 0.05, 0.95).astype(np.float32)


def _grid(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """On small pictures threads cost more than they bring, all the more beside other tests."""
    cv2.setNumThreads(1)


@pytest.fixture(name="photo", scope="session", params=PHOTOS)
def _photo(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(name="scene", scope="session")
def _scene() -> Callable[..., npt.NDArray[np.uint8]]:
    return scene


@pytest.fixture(name="photograph", scope="session")
def _photograph() -> Callable[..., Captured]:
    return photograph


@pytest.fixture(name="nuisances", scope="session")
def _nuisances() -> Callable[[str, int], Captured]:
    return nuisances


@pytest.fixture(name="registered", scope="session")
def _registered() -> Callable[..., Any]:
    return registered


@pytest.fixture(name="texture", scope="session")
def _texture() -> Callable[..., npt.NDArray[np.float32]]:
    return texture
