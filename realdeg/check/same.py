"""Whether two pictures show the same thing: SIFT matches of one plane map, and like pixels under it.

What prints say is a guess. A pair of pictures is called a copy only where content agrees in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from realdeg.arraytypes import Array
from realdeg.check.geometry import correlation
from realdeg.check.prints import small_grey, ways

Kind = Literal["copy", "part", "overlap"]
Side = Literal["first", "second"]
LONGEST = 640  # px, at which pictures are compared
FEATURES = 1500
RATIO = 0.8  # Lowe's, of the best match's distance and the next one's
LEAST_INLIERS = 12
LEAST_SHARE = 0.2  # of the matches
NEAR = 3.0  # px
LIKE = 0.85  # correlation of the pixels that both show
LIKE_DETAIL = 0.5  # of what is left without slow changes, where maps are exact
COPY = 0.9  # share of both that is shared
PART = 0.6  # share of the smaller one
LEAST_PIXELS = 32 * 32
SIZES = 0.02  # by which shapes of copies differ at most
MAGNIFIED = 64.0  # by area, at most
PLAIN = 64  # px a side at which pictures without places are compared
PLAIN_LIKE, PLAIN_DETAIL = 0.98, 0.8
SLOW = 4.0  # px
WAY_NAMES = ("", "turned", "turned", "turned", "mirrored", "mirrored", "mirrored", "mirrored")


@dataclass(frozen=True)
class Same:
    """What two pictures share.

    Attributes:
        kind: "copy" of all of it; "part": most of the smaller one lies in the larger one; "overlap".
        way: "", "turned" or "mirrored".
        inner: "first" or "second", the picture of which the other one shows more.
        share: of that picture, 0 to 1.
        inliers: SIFT matches that agree; 0 of pictures that were compared without.
        correlation: of the pixels that both show.
    """

    kind: Kind
    way: str
    inner: Side
    share: float
    inliers: int
    correlation: float


def compare(first: Array, second: Array) -> Same | None:
    """Compare two pictures.

    Args:
        first, second: (H, W, 3) uint8 or uint16.

    Returns:
        None where nothing proves that they show the same.
    """
    a, b = (small_grey(image, LONGEST) for image in (first, second))
    if found := _plain(a, b) or _by_places(a, b, mirror=False):
        return found
    return _by_places(a, np.ascontiguousarray(b[:, ::-1]), mirror=True)


def _by_places(a: Array, b: Array, *, mirror: bool) -> Same | None:
    sift = cv2.SIFT_create(FEATURES)  # type: ignore[attr-defined]
    (at_a, of_a), (at_b, of_b) = (sift.detectAndCompute(image, None) for image in (a, b))
    if of_a is None or of_b is None or min(len(at_a), len(at_b)) < LEAST_INLIERS:
        return None
    matches = cv2.BFMatcher(cv2.NORM_L2).knnMatch(of_a, of_b, k=2)
    good = [m[0] for m in matches if len(m) == 2 and m[0].distance < RATIO * m[1].distance]
    if len(good) < LEAST_INLIERS:
        return None
    here = np.array([at_a[m.queryIdx].pt for m in good], np.float32)
    there = np.array([at_b[m.trainIdx].pt for m in good], np.float32)
    cv2.setRNGSeed(0)
    b_from_a, inside = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=NEAR, maxIters=2000, confidence=0.999
    )
    if b_from_a is None or inside.sum() < max(LEAST_INLIERS, LEAST_SHARE * len(good)):
        return None
    if len(np.unique(np.rint(here[inside[:, 0] > 0]), axis=0)) < LEAST_INLIERS:
        return None
    refined, _ = cv2.findHomography(here[inside[:, 0] > 0], there[inside[:, 0] > 0], cv2.LMEDS)
    whole = np.vstack([b_from_a, [0, 0, 1]])
    best = None
    for h in (whole, refined):
        if h is None or not MAGNIFIED > np.linalg.det(h[:2, :2]) > 1 / MAGNIFIED:
            continue
        told = _under(a, b, h)
        if told and (best is None or told[1] > best[1]):
            best = told
    if best is None or best[1] < LIKE or best[2] < LIKE_DETAIL:
        return None
    shares, like, _ = best
    turn = abs(np.degrees(np.arctan2(b_from_a[1, 0], b_from_a[0, 0])))
    way = "mirrored" if mirror else "turned" if turn > 30 else ""
    inner: Side = "first" if shares[0] > shares[1] else "second"
    return Same(_kind(shares), way, inner, max(shares), int(inside.sum()), like)


def _under(a: Array, b: Array, b_from_a: Array) -> tuple[tuple[float, float], float, float] | None:
    """Shares of both that are shared, correlation of the pixels there, and of their detail."""
    size, a_from_b = a.shape[::-1], np.linalg.inv(b_from_a)
    there = cv2.warpPerspective(b, a_from_b, size)
    seen = cv2.warpPerspective(np.full_like(b, 255), a_from_b, size) == 255
    if seen.sum() < LEAST_PIXELS:
        return None
    corners = np.array([[0, 0], [b.shape[1], 0], [b.shape[1], b.shape[0]], [0, b.shape[0]]], np.float32)
    area = cv2.contourArea(cv2.perspectiveTransform(corners[None], a_from_b)[0].astype(np.float32))
    shares = float(seen.mean()), min(1.0, float(seen.sum() / max(area, 1.0)))
    # Pictures may be reduced by different amounts: the finest detail is in one of them alone.
    fine = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.5) for image in (a, there)]
    slow = [one - cv2.GaussianBlur(one, (0, 0), SLOW) for one in fine]
    inner = cv2.erode(seen.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    if inner.sum() < LEAST_PIXELS:
        return None
    return shares, correlation(fine[0][inner], fine[1][inner]), correlation(slow[0][inner], slow[1][inner])


def _kind(shares: tuple[float, float]) -> Kind:
    return "copy" if min(shares) >= COPY else "part" if max(shares) >= PART else "overlap"


def _plain(a: Array, b: Array) -> Same | None:
    """Pictures of one shape, compared pixel by pixel in all ways that they can lie: sky has no places."""
    for way, one in zip(WAY_NAMES, ways(b), strict=True):
        if abs(np.log(one.shape[1] / one.shape[0] * a.shape[0] / a.shape[1])) > SIZES:
            continue
        seen = [cv2.resize(image, (PLAIN, PLAIN), interpolation=cv2.INTER_AREA).astype(np.float32)
                for image in (a, one)]  # fmt: skip
        like = correlation(*seen)
        detail = [image - cv2.GaussianBlur(image, (0, 0), SLOW) for image in seen]
        if like > PLAIN_LIKE and correlation(*detail) > PLAIN_DETAIL:
            return Same("copy", way, "second", 1.0, 0, like)
    return None
