"""Pairing by content: every LR photo against every HR photo, by SIFT features of thumbnails.

For names that do not help. A tele photo at x8 covers an eighth of the width of its wide photo, so LR
photos are looked at twice: as a thumbnail, and larger, tile by tile, where the thumbnail leaves it open.
Features are computed once a photo and take 0.9 MB an LR photo, 0.13 MB an HR photo. Comparing is N x M: 1 ms
a pair of photos on one core, 15 ms where the second look is needed; 100 x 100 photos take 2 to 6 minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.coarse import reduced
from realdeg.arraytypes import Array
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.io.find import Found, Match, Side, lonely, look, natural
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import PairSet, left_out_of, refuse_same_folder
from realdeg.io.photo import read
from realdeg.records import PairRecord
from realdeg.refusal import Refusal

LR_THUMBNAIL, LR_LARGE, TILES = 640, 2560, 8  # long sides, px; the large one is cut into TILES x TILES
HR_THUMBNAILS = (640, 320)
FEATURES, TILE_FEATURES = 500, 100
RATIO = 0.8
INLIER_PX = 3.0
MIN_INLIERS = 10  # wrong pairs were seen to reach 5
SURE_INLIERS = 40  # no need to look closer
MARGIN = 1.5  # by how much the best partner must beat the second


@dataclass(frozen=True)
class Features:
    """SIFT features of one picture: positions (N, 2) float32, descriptors (N, 128) uint8, square-rooted."""

    points: Array
    descriptors: Array


@dataclass(frozen=True)
class Look:
    """What is kept of a photo: its features at some sizes, the first one for the first look."""

    photo: Found
    levels: tuple[Features, ...]


def pair_by_content(
    lr: Path,
    hr: Path,
    *,
    finding: Finding = Finding(),
    workers: int = 1,
    on_photo: Callable[[int, int], None] | None = None,
) -> PairSet:
    """Pairs of photos that are each other's best match by far; their key is HR's.

    Args:
        lr: folder of LR photos.
        hr: folder of HR photos.
        finding: which files are photos.
        workers: threads; the result does not depend on it.
        on_photo: called with steps done and all steps: each photo read, each LR photo compared.

    Returns:
        The pairs, and a failed record for each photo that cannot be read, resembles no other,
        resembles two of them about equally, or shares its name with another one of its folder.

    Raises:
        UserError: a folder is unusable, both are the same, or not a single pair was found.
    """
    refuse_same_folder(lr, hr)
    of_lr, of_hr = look(lr, finding), look(hr, finding)
    photos = of_lr.single, of_hr.single
    twins = [*of_lr.refused("lr"), *of_hr.refused("hr")]
    steps = iter(range(1, 2 * len(photos[0]) + len(photos[1]) + 1))

    def step() -> None:
        if on_photo:
            on_photo(next(steps), 2 * len(photos[0]) + len(photos[1]))

    with ThreadPoolExecutor(workers) as pool:
        lrs, failed = _looks(photos[0], "lr", pool, step)
        hrs, failed_hr = _looks(photos[1], "hr", pool, step)
        failed += failed_hr
        inliers = np.zeros((len(lrs), len(hrs)), int)
        for row, found in enumerate(pool.map(partial(_row, hrs=hrs), lrs)):
            inliers[row] = found
            step()
    matches, unmatched = choose(inliers, lrs, hrs)
    if not matches:
        remedy = twins[0].reason if twins else "check the folders"
        raise UserError(lr, f"no photo shows the scene of one in {hr}", remedy)
    failed = [*twins, *failed, *unmatched]
    return PairSet(tuple(matches), tuple(failed), left_out_of=left_out_of(of_lr, of_hr))


def choose(
    inliers: npt.NDArray[np.int_], lrs: Sequence[Look], hrs: Sequence[Look]
) -> tuple[list[Match], list[PairRecord]]:
    """Mutually best and clearly best pairs, in natural order, from the (N, M) table of inliers."""
    matches, failed = [], []
    sides: tuple[tuple[Array, Sequence[Look], Sequence[Look], Side], ...] = (
        (inliers, lrs, hrs, "lr"),
        (inliers.T, hrs, lrs, "hr"),
    )
    for table, ours, theirs, side in sides:
        for row, one in enumerate(ours):
            column = int(table[row].argmax()) if len(theirs) else 0
            refused = _no_pair(table, row, column, ours, theirs)
            if refused:
                failed.append(lonely(one.photo, str(refused), side))
            elif side == "lr":
                hr = theirs[column].photo
                matches.append(Match(hr.key, one.photo.path, hr.path))
    return sorted(matches, key=lambda match: natural(match.key)), failed


def _no_pair(
    table: Array, row: int, column: int, ours: Sequence[Look], theirs: Sequence[Look]
) -> Refusal | None:
    """Why photo `row` and its best partner `column` are no pair."""
    if not len(theirs) or table[row, column] < MIN_INLIERS:
        return Refusal("resembles no photo of the other folder", "pair it by name or by a table")
    best = table[row, column]
    name = theirs[column].photo.path.name
    rivals = np.delete(table[row], column), np.delete(table[:, column], row)
    if best < MARGIN * rivals[0].max(initial=0):
        other = theirs[[i for i in range(len(theirs)) if i != column][int(rivals[0].argmax())]]
        problem = f"is ambiguous: resembles {name} and {other.photo.path.name}"
        return Refusal(problem, "pair them by a table")
    if best < MARGIN * rivals[1].max(initial=0):
        other = ours[[i for i in range(len(ours)) if i != row][int(rivals[1].argmax())]]
        problem = f"is ambiguous: {name} resembles it and {other.photo.path.name}"
        return Refusal(problem, "pair them by a table")
    return None


def _looks(
    photos: Sequence[Found], side: Side, pool: ThreadPoolExecutor, step: Callable[[], None]
) -> tuple[list[Look], list[PairRecord]]:
    """What is kept of each photo, and failed records for those that cannot be read."""
    looks, failed = [], []
    for photo, found in zip(photos, pool.map(partial(_look, side=side), photos), strict=True):
        if isinstance(found, UserError):
            failed.append(replace(lonely(photo, "", side), reason=str(found)))
        else:
            looks.append(found)
        step()
    return looks, failed


def _look(photo: Found, side: Side) -> Look | UserError:
    try:
        pixels = read(photo.path).pixels
    except UserError as error:
        return error
    if side == "hr":
        return Look(photo, tuple(_features(_thumbnail(pixels, size), FEATURES) for size in HR_THUMBNAILS))
    large = _thumbnail(pixels, LR_LARGE)
    del pixels
    small = _features(_thumbnail(large, LR_THUMBNAIL), FEATURES)
    return Look(photo, (small, _joined(_tiles(large)) if max(large.shape) > LR_THUMBNAIL else small))


def _thumbnail(pixels: Array, long_side: int) -> npt.NDArray[np.uint8]:
    """(h, w) uint8 grey, at most `long_side` long."""
    small, _ = reduced(pixels, max(pixels.shape[:2]) / long_side)
    if small.ndim == 3:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return to_8bit(small)


def _tiles(grey: Array) -> Iterator[tuple[int, int, Array]]:
    """Corner and pixels of TILES x TILES overlapping tiles: the strongest features gather in one place."""
    h, w = grey.shape
    for y in range(TILES):
        for x in range(TILES):
            top, left = max(0, h * y // TILES - 16), max(0, w * x // TILES - 16)
            yield left, top, grey[top : h * (y + 1) // TILES + 16, left : w * (x + 1) // TILES + 16]


def _joined(tiles: Iterator[tuple[int, int, Array]]) -> Features:
    parts = [(x, y, _features(tile, TILE_FEATURES)) for x, y, tile in tiles]
    points = [part.points + np.array([x, y], np.float32) for x, y, part in parts]
    return Features(np.concatenate(points), np.concatenate([part.descriptors for _, _, part in parts]))


def _features(grey: Array, count: int) -> Features:
    sift = cv2.SIFT_create(count, 3, 0.02, 10, 1.6)  # type: ignore[attr-defined]
    points, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    # Root-SIFT (Arandjelovic and Zisserman, CVPR 2012), length 512 so that it fits 8 bits.
    root = 512 * np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-7))
    positions = np.array([point.pt for point in points[:count]], np.float32)
    return Features(positions, np.minimum(root[:count].round(), 255).astype(np.uint8))


def _row(lr: Look, hrs: Sequence[Look]) -> list[int]:
    """Inliers of one LR photo with each HR photo; the second look only where the first finds nothing sure."""
    found = [max(_inliers(lr.levels[0], level) for level in hr.levels) for hr in hrs]
    if lr.levels[1] is not lr.levels[0] and max(found, default=0) < SURE_INLIERS:
        closer = [max(_inliers(lr.levels[1], level) for level in hr.levels) for hr in hrs]
        found = [max(pair) for pair in zip(found, closer, strict=True)]
    return found


def _inliers(lr: Features, hr: Features) -> int:
    """Number of distinct matches that agree on one similarity."""
    if min(len(lr.points), len(hr.points)) < MIN_INLIERS:
        return 0
    # Each HR feature looks for its partner in LR: where LR shows more, its features have none in HR.
    likeness = hr.descriptors.astype(np.float32) @ lr.descriptors.astype(np.float32).T
    best = likeness.argmax(1)
    rows = np.arange(len(best))
    first = likeness[rows, best]
    likeness[rows, best] = -np.inf
    second = likeness.max(1)
    # Both have length 512, so |a - b|^2 = 2 (512^2 - a.b).
    good = (512**2 - first) < RATIO**2 * (512**2 - second)
    if good.sum() < MIN_INLIERS:
        return 0
    source, target = lr.points[best[good]], hr.points[good]
    matrix, mask = cv2.estimateAffinePartial2D(
        target, source, method=cv2.RANSAC, ransacReprojThreshold=INLIER_PX, maxIters=1000, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-4:
        return 0
    keep = mask.ravel().astype(bool)
    # Many matches onto one spot are one observation.
    return min(len(np.unique(points[keep].round(), axis=0)) for points in (source, target))
