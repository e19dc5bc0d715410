"""The images that are learned from: decoded, of sizes that fit, and unlike any that is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realdeg.errors import UserError
from train.data.alike import Thumbnails, like_any, of_pairs, stacked
from train.data.cache import Say, as_uint8, cached, check_measurable, check_sizes, decoded, large_enough
from train.data.pairs import Pair, Split

ALIKE, SMALL = "like a picture held out", "with LR smaller than the patch of {patch}"
UNMEASURABLE = "too small to be checked on"


@dataclass(frozen=True)
class LearningSet:
    """Pairs to learn from.

    Attributes:
        pairs: in their order.
        lr, hr: their images, (H, W, 3) uint8.
        small: thumbnails of HR by its hash (`train.data.alike`).
        left_out: how many pairs were left out, by reason.
    """

    pairs: tuple[Pair, ...]
    lr: tuple[np.ndarray, ...]
    hr: tuple[np.ndarray, ...]
    small: dict[str, Thumbnails]
    left_out: dict[str, int]


def learning_set(
    split: Split, folder: Path, patch: int, say: Say = lambda text: None, needed: int | None = None
) -> LearningSet:
    """What of a split's training pairs can and may be learned from.

    Args:
        split: with the pairs that are held out.
        folder: of decoded images.
        patch: side of the LR crop, px.
        say: receives lines for the user.
        needed: side that LR needs for such a crop, px, where a recipe cleans HR up; default `patch`.

    Raises:
        UserError: an image does not decode, HR is not `scale` times LR, or nothing is left.
    """
    pairs = split.train
    lr = decoded([p.lr for p in pairs], folder, say, hashes=[p.lr_sha256 for p in pairs])
    hr = decoded([p.hr for p in pairs], folder, say, hashes=[p.hr_sha256 for p in pairs])
    check_sizes([pair.key for pair in pairs], lr, hr, scale=split.scale)
    needed = patch if needed is None else needed
    places = large_enough(lr, needed)
    if not places:
        largest = max(min(one.shape[:2]) for one in lr)
        all_of = f"all {len(lr)} LR images are" if len(lr) > 1 else "its only LR image is"
        problem, remedy = f"{all_of} smaller than the patch of {patch}", f"use --patch {largest} or less"
        if needed > patch:
            problem = (
                f"{all_of} smaller than the {needed} px that a patch of {patch} needs before the clean-up"
            )
            remedy = "use a smaller --patch, or a recipe without [hr] cleanup"
        raise UserError(pairs[0].lr.parent, problem, remedy)
    left_out = dict(split.left_out)
    if len(places) < len(pairs):
        left_out[SMALL.format(patch=needed)] = len(pairs) - len(places)
    small = of_pairs([pairs[i] for i in places] + list(split.held), folder, lambda pair: _hr(pair, folder))
    held = [small[pair.hr_sha256] for pair in split.held if pair.hr_sha256 in small]
    alike = like_any(stacked([small[pairs[i].hr_sha256] for i in places]), stacked(held))
    if alike.any():
        left_out[ALIKE] = int(alike.sum())
    places = [i for i, same in zip(places, alike, strict=True) if not same]
    if not places:
        problem = "holds nothing to learn from: each picture is like one that is held out"
        raise UserError(pairs[0].hr.parent, problem, "split the dataset anew")
    kept = tuple(pairs[i] for i in places)
    return LearningSet(
        kept, tuple(lr[i] for i in places), tuple(hr[i] for i in places),
        {pair.hr_sha256: small[pair.hr_sha256] for pair in kept}, left_out,
    )  # fmt: skip


def measurable(pairs: Sequence[Pair], folder: Path, scale: int, say: Say = lambda text: None) -> list[Pair]:
    """The pairs that are large enough to be checked on.

    Raises:
        UserError: an image does not decode, or none of the pairs is.
    """
    hr = decoded([p.hr for p in pairs], folder, say, hashes=[p.hr_sha256 for p in pairs])
    kept, problems = [], []
    for pair, large in zip(pairs, hr, strict=True):
        try:
            check_measurable(pair.key, large, scale)
            kept.append(pair)
        except UserError as error:
            problems.append(error)
    if problems and not kept:
        raise problems[0]
    return kept


def _hr(pair: Pair, folder: Path) -> np.ndarray:
    found = cached(pair.hr_sha256, folder)
    return as_uint8(pair.hr) if found is None else found
