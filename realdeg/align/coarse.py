"""Rough registration: SIFT on both photos at one scale, similarity by RANSAC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.homography import Homography

Grey = npt.NDArray[Any]

MAX_PIXELS = 1_000_000  # SIFT holds about 250 bytes per pixel
QUICK_PIXELS = 300_000  # enough for most photos, in a quarter of the time
MAX_FEATURES = 8000  # far below the 2**18 descriptors at which OpenCV's matcher gives up
MIN_INLIERS = 12
PLENTY = 4 * MIN_INLIERS  # so many do not agree by chance, and leave nothing to look for
LOWE_RATIO = 0.85
INLIER_PX = 3.0
REST_BLUR = 0.35  # with the area means' 0.29 this makes the 0.45 px of a camera's own blur


@dataclass(frozen=True)
class Start:
    """A rough `hr_from_lr`, and how many SIFT matches agree on it.

    Attributes:
        hr_from_lr: similarity.
        inliers: distinct SIFT matches that agree on it.
        matches: all SIFT matches.
        scatter: root mean square distance of the inliers from where it puts them, LR px.
        centre, radius: their mean LR position, and root mean square distance from there.
    """

    hr_from_lr: Homography
    inliers: int
    matches: int
    scatter: float = float("inf")
    centre: tuple[float, float] = (0.0, 0.0)
    radius: float = 0.0

    def sd(self, points: npt.NDArray[Any]) -> float:
        """LR px that the similarity may be off at the worst of (N, 2) LR points, if matches err at random.

        Least squares leaves scatter / sqrt(n) at the matches' centre, and a turn and a zoom about it.
        """
        if self.inliers < MIN_INLIERS:
            return float("inf")
        away = np.hypot(*(points - np.array(self.centre)).T).max()
        return float(self.scatter * np.sqrt((1 + (away / max(self.radius, 1e-6)) ** 2) / self.inliers))


def rough(lr: Grey, hr: Grey, zoom: float | None = None, pixels: int = MAX_PIXELS) -> Start:
    """Similarity between two photos from SIFT matches.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        hr: (H, W) uint8 luma of the HR photo.
        zoom: expected HR px per LR px. HR is brought to LR's scale first: equal scales for SIFT and
            zoom**2 times fewer pixels. None: SIFT's own scale invariance, then common zooms.
        pixels: larger photos are reduced to so many.

    Returns:
        The best start found; `inliers` below `MIN_INLIERS` means that there is none to trust.
    """
    small_lr, lr_from_small = reduced(lr, pixels_ratio(lr, pixels))
    shrink = lr_from_small.zoom_at((0, 0))
    features_lr = _sift(small_lr)
    best = Start(Homography.identity(), 0, 0)
    for guess in [zoom] if zoom else [None, 2.0, 4.0, 8.0, 3.0, 1.0]:
        ratio = max(pixels_ratio(hr, pixels), guess * shrink if guess else 1.0)
        small_hr, hr_from_small = reduced(hr, ratio)
        found = _match(features_lr, _sift(small_hr))
        if found is not None and found.inliers > best.inliers:
            best = replace(
                found,
                hr_from_lr=hr_from_small @ found.hr_from_lr @ lr_from_small.inverse(),
                scatter=found.scatter * shrink,
                centre=tuple(lr_from_small(np.array(found.centre)).tolist()),
                radius=found.radius * shrink,
            )
        if best.inliers >= PLENTY:
            break
    return best


def pixels_ratio(image: npt.NDArray[Any], pixels: int) -> float:
    """By how much to shrink an image so that it has at most `pixels`; at least 1."""
    return max(1.0, float(np.sqrt(image.shape[0] * image.shape[1] / pixels)))


def reduced(image: Grey, ratio: float) -> tuple[Grey, Homography]:
    """The image blurred and area-reduced by about `ratio`, and its `image_from_small`."""
    if ratio <= 1.01:
        return image, Homography.identity()
    height, width = image.shape[:2]
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if ratio > 1.5:
        small = cv2.GaussianBlur(small, (0, 0), REST_BLUR)
    sx, sy = width / size[0], height / size[1]
    matrix = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
    return small, Homography(matrix)


def matched_points(lr: Grey, hr: Grey) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """SIFT matches that pass the ratio test: positions (N, 2) in one picture and (N, 2) in the other."""
    one, other = _sift(lr), _sift(hr)
    if len(one[0]) < MIN_INLIERS or len(other[0]) < MIN_INLIERS:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return _ratio_test(one, other)


def _sift(grey: Grey) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Positions (N, 2) and root-normalised descriptors (N, 128), strongest first."""
    # Without enable_precise_upscale OpenCV's SIFT is biased by a quarter of a pixel (opencv issue 23123).
    sift = cv2.SIFT_create(MAX_FEATURES, 3, 0.02, 10, 1.6, cv2.CV_32F, True)  # type: ignore[attr-defined]
    points, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    points, descriptors = points[: 2 * MAX_FEATURES], descriptors[: 2 * MAX_FEATURES]
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-7))
    return np.array([point.pt for point in points]), root


def _ratio_test(
    lr: tuple[npt.NDArray[Any], npt.NDArray[Any]], hr: tuple[npt.NDArray[Any], npt.NDArray[Any]]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(lr[1], hr[1], k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < LOWE_RATIO * p[1].distance]
    return lr[0][[m.queryIdx for m in good]], hr[0][[m.trainIdx for m in good]]


def _match(
    lr: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    hr: tuple[npt.NDArray[Any], npt.NDArray[Any]],
) -> Start | None:
    """Similarity (4 parameters: a homography from few inliers is useless) between two pictures."""
    if len(lr[0]) < MIN_INLIERS or len(hr[0]) < MIN_INLIERS:
        return None
    source, target = _ratio_test(lr, hr)
    if len(source) < 4:
        return None
    matrix, mask = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=INLIER_PX, maxIters=5000, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-4:
        return None
    keep = mask.ravel().astype(bool)
    # Many matches onto one spot are one observation.
    distinct = min(len(np.unique(source[keep].round(), axis=0)), len(np.unique(target[keep].round(), axis=0)))
    similarity = Homography(np.vstack([matrix, [0, 0, 1]]))
    off = np.hypot(*(similarity(source[keep]) - target[keep]).T) / similarity.zoom_at((0, 0))
    centre = source[keep].mean(0)
    return Start(
        similarity,
        int(distinct),
        len(source),
        float(np.sqrt((off**2).mean())),
        (float(centre[0]), float(centre[1])),
        float(np.sqrt(((source[keep] - centre) ** 2).sum(1).mean())),
    )
