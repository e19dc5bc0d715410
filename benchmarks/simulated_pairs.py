"""Simulated camera pairs with exact truth, good ones and eight kinds of bad ones.

Two captures of one plane photo (drawn by `exact_camera.py`): zoom within 3 % of the scale, rotation up to
1.5 degrees, keystone up to 1.5 %, radial distortion up to 3 % (LR) and 0.4 % (HR) at the photo's corner,
exposure within 35 %, tone curve, white balance, vignetting, a PSF with two axes, noise up to 4 levels,
JPEG 90.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from exact_camera import exact_capture as capture

from realdeg.align.homography import Homography
from realdeg.imaging.capture import CameraModel, matching_points
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.io.photo import read
from realdeg.seeds import stream

BAD = (
    "other scene",
    "parallax",
    "moved",
    "HR out of focus",
    "LR out of focus",
    "wrong zoom",
    "flat",
    "repeated texture",
)
HR_HW = (1200, 1600)
LR_FIELD = 1.3  # side of LR's view over HR's


@dataclass(frozen=True)
class Case:
    """One simulated pair, before it is made."""

    photo: Path
    other: Path
    scale: int
    kind: str
    seed: int


@dataclass(frozen=True)
class Pair:
    """Two photos, and where any point of one lies in the other."""

    lr: np.ndarray
    hr: np.ndarray
    scene_from_lr: np.ndarray
    lr_camera: CameraModel
    scene_from_hr: np.ndarray
    hr_camera: CameraModel

    def truth(self, lr_points: np.ndarray) -> np.ndarray:
        """(..., 2) HR px of LR px."""
        return matching_points(
            lr_points, self.scene_from_lr, self.lr_camera, self.scene_from_hr, self.hr_camera
        )

    def error(self, hr_from_lr, lr_points: np.ndarray) -> np.ndarray:
        """(..., 2) how far a map is off at LR points, LR px."""
        off = hr_from_lr(lr_points) - self.truth(lr_points)
        columns = [self.truth(lr_points + e) - self.truth(lr_points - e) for e in 0.5 * np.eye(2)]
        return np.linalg.solve(np.stack(columns, axis=-1), off[..., None])[..., 0]

    def in_lr_colours(self, hr_values: np.ndarray, lr_points: np.ndarray) -> np.ndarray:
        """(N, 3) in [0, 1]: what LR's camera would have made of the light that HR's made `hr_values` of."""
        there = self.truth(lr_points)
        light = srgb_to_linear(np.asarray(hr_values, np.float32) ** np.float32(1 / self.hr_camera.gamma))
        for camera, points, sign in ((self.hr_camera, there, -1), (self.lr_camera, lr_points, 1)):
            gain = camera.exposure * np.array(camera.white_balance) * _vignette(camera, points)[:, None]
            light = light * gain.astype(np.float32) ** sign
        return linear_to_srgb(np.clip(light, 0, 1)) ** np.float32(self.lr_camera.gamma)

    @cached_property
    def hr_green(self) -> np.ndarray:
        """(H, W) float64: the channel with least noise."""
        return self.hr[..., 1].astype(np.float64)


def _vignette(camera: CameraModel, points: np.ndarray) -> np.ndarray:
    """(N,) share of the light that arrives at points of a photo: the cos^4 law of `capture`."""
    if not camera.vignetting:
        return np.ones(len(points))
    centre, radius = camera._frame
    distance2 = (((points - centre) / radius) ** 2).sum(-1)
    return (1 + (1 / np.sqrt(1 - camera.vignetting) - 1) * distance2) ** -2


def simulate(case: Case) -> Pair:
    """Photograph the scene of a case twice."""
    rng = stream(case.seed, case.photo.name, f"{case.scale} {case.kind}")
    scene = read(case.photo).pixels
    scene = scene if scene.dtype == np.uint8 else (scene >> 8).astype(np.uint8)
    if scene.shape[0] > scene.shape[1]:
        scene = np.ascontiguousarray(scene.transpose(1, 0, 2))
    height, width = scene.shape[:2]
    hr_hw = tuple(int(min(a, b)) for a, b in zip(HR_HW, (height / 1.05, width / 1.05), strict=True))
    pitch = max(min(height / hr_hw[0], width / hr_hw[1]) / 1.1, 0.6)
    zoom = case.scale * (0.6 if case.kind == "wrong zoom" else rng.uniform(0.97, 1.03))
    lr_hw = tuple(int(LR_FIELD * side / case.scale) for side in hr_hw)
    scene = _prepared(scene, case, pitch, rng)
    scene_from_hr = _view(rng, hr_hw, (height, width), pitch)
    scene_from_lr = _view(rng, lr_hw, (height, width), pitch * zoom)
    soft_lr = 3.5 if case.kind == "LR out of focus" else rng.uniform(0.4, 0.65)
    soft_hr = 1.5 * case.scale if case.kind == "HR out of focus" else rng.uniform(0.45, 0.75)
    lr_camera = _camera(rng, lr_hw, soft_lr, 0.03)
    hr_camera = _camera(rng, hr_hw, soft_hr, 0.004)
    lr = capture(scene, scene_from_lr.matrix, lr_camera, rng)
    if case.kind == "other scene":
        scene = cv2.resize(read(case.other).pixels, (width, height), interpolation=cv2.INTER_AREA)
    hr = capture(scene, scene_from_hr.matrix, hr_camera, rng)
    if case.kind in ("parallax", "moved"):
        hr = _with_motion(case, scene, hr, scene_from_hr, hr_camera, pitch, rng)
    return Pair(lr, hr, scene_from_lr.matrix, lr_camera, scene_from_hr.matrix, hr_camera)


def _prepared(scene, case: Case, pitch: float, rng):
    if case.kind == "flat":
        return np.full_like(scene, 128)
    if case.kind == "repeated texture":
        side = int(24 * pitch * case.scale)
        top, left = (int(rng.integers(0, n - side)) for n in scene.shape[:2])
        part = scene[top : top + side, left : left + side]
        counts = [-(-n // side) for n in scene.shape[:2]]
        return np.ascontiguousarray(np.tile(part, (*counts, 1))[: scene.shape[0], : scene.shape[1]])
    return scene


def _view(rng, size_hw, scene_hw, pitch: float) -> Homography:
    """Random `scene_from_photo`: up to 1.5 degrees, a shift, up to 1.5 % keystone over the photo."""
    turn, (height, width) = np.radians(rng.uniform(-0.75, 0.75)), size_hw
    middle = Homography.translation(-(width - 1) / 2, -(height - 1) / 2)
    tilt = rng.uniform(-0.0075, 0.0075, 2) / np.array([width, height])
    c, s = pitch * np.cos(turn), pitch * np.sin(turn)
    view = Homography(np.array([[c, -s, 0], [s, c, 0], [*tilt, 1]]))
    shift = rng.uniform(-0.03, 0.03, 2) * pitch * np.array([width, height])
    place = Homography.translation(*((np.array(scene_hw[::-1]) - 1) / 2 + shift))
    return place @ view @ middle


def _camera(rng, size_hw, blur: float, distortion: float) -> CameraModel:
    return CameraModel(
        size_hw,
        blur,
        exposure=rng.uniform(1 / 1.35, 1.35) ** 0.7,
        gamma=rng.uniform(0.92, 1.08),
        noise_8bit=rng.uniform(0.5, 4.0),
        distortion=rng.uniform(-distortion, distortion),
        aspect=rng.uniform(1.0, 1.5),
        angle=rng.uniform(0, 180),
        vignetting=rng.uniform(0, 0.3),
        white_balance=tuple(rng.uniform(0.92, 1.08, 3)),
        jpeg=90,
    )


def _with_motion(case: Case, scene, hr, scene_from_hr, camera: CameraModel, pitch: float, rng):
    """HR in which a part was seen from elsewhere, by 2 to 4 LR px."""
    angle = rng.uniform(0, 2 * np.pi)
    step = rng.uniform(2.0, 4.0) * case.scale * pitch * np.array([np.cos(angle), np.sin(angle)])
    moved = capture(scene, (Homography.translation(*step) @ scene_from_hr).matrix, camera, rng)
    height, width = hr.shape[:2]
    y, x = np.mgrid[:height, :width]
    if case.kind == "parallax":
        where = x > width * rng.uniform(0.4, 0.6)
    else:
        cx, cy = rng.uniform(0.35, 0.65, 2) * np.array([width, height])
        where = (np.abs(x - cx) < 0.18 * width) & (np.abs(y - cy) < 0.25 * height)
    return np.where(where[..., None], moved, hr)


def located(pair: Pair, delivered: np.ndarray, box, scale: int, points: np.ndarray) -> np.ndarray:
    """(N, 2) by how much the delivered HR is off at LR points, LR px; NaN where it shows no texture.

    Each patch of the delivered image is found again in its own source photo: the source is drawn where
    the truth says that the patch belongs (quintic spline), brought to its brightness by a cubic
    polynomial, and moved until both agree.

    Args:
        pair: the simulated pair.
        delivered: HR image of the finished pair.
        box: LR crop of the pair.
        scale: HR size / LR size.
        points: (N, 2) LR photo points.
    """
    green = delivered[..., 1].astype(np.float64)
    half, found = 24, []
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    for point in points:
        at = np.rint(scale * (point - [box.x, box.y] + 0.5) - 0.5).astype(int)
        at = np.clip(at, half, np.array(green.shape[::-1]) - half - 1)
        patch = green[at[1] - half : at[1] + half + 1, at[0] - half : at[0] + half + 1]
        pixels = np.stack([x + at[0], y + at[1]], axis=-1)
        found.append(_patch_shift(pair, patch, (pixels + 0.5) / scale - 0.5 + [box.x, box.y], scale))
    return np.array(found)


def _patch_shift(pair: Pair, patch, lr_points, scale: int):
    weight = np.outer(np.hanning(len(patch)), np.hanning(len(patch)))
    off = np.zeros(2)
    for _ in range(4):
        seen = _spline(pair.hr_green, pair.truth(lr_points + off))
        seen = np.polynomial.Polynomial.fit(seen.ravel(), patch.ravel(), 3, w=np.sqrt(weight.ravel()))(seen)
        gy, gx = np.gradient(seen)
        design = np.stack([gx, gy, seen, np.ones_like(seen)], -1).reshape(-1, 4)
        w = weight.ravel()[:, None]
        normal = design.T @ (w * design)
        solution = np.linalg.lstsq(normal, design.T @ (w[:, 0] * patch.ravel()), rcond=None)[0]
        if solution[2] < 0.2 or np.linalg.eigvalsh(normal[:2, :2])[0] / w.sum() < 4.0:
            return np.full(2, np.nan)
        off = off + solution[:2] / solution[2] / scale
    return off


def _spline(image, at):
    from scipy.ndimage import map_coordinates

    low = np.floor(at.min((0, 1))).astype(int) - 16
    low = np.clip(low, 0, np.array(image.shape[::-1]) - 1)
    high = np.ceil(at.max((0, 1))).astype(int) + 17
    part = image[low[1] : high[1], low[0] : high[0]]
    return map_coordinates(part, [at[..., 1] - low[1], at[..., 0] - low[0]], order=5, mode="mirror")


def with_seed(case: Case, seed: int) -> Case:
    """The same case, drawn anew."""
    return replace(case, seed=seed)
