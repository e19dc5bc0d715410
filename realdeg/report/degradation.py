"""The section of a degraded dataset: by which recipe LR was made, what was drawn, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.folder import RECIPE
from realdeg.degrade.recipe.recipe import Recipe, read_recipe
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.records import PairRecord
from realdeg.report.drawn import Tally, constants, name_figures, number_figures, tally
from realdeg.report.folder import Folder
from realdeg.report.overview import Figure
from realdeg.report.plans import Drawn, read_plan

MAX_SAMPLES = 24
MAX_CLEANUP = 16
SAMPLE = 128  # LR px a side, shown at 200 %


@dataclass(frozen=True)
class Sample:
    """A crop of LR at its own pixels: the file, relative to the page, and what was drawn for it."""

    key: str
    page: str
    file: str
    size_hw: tuple[int, int]
    drawn: Drawn


@dataclass(frozen=True)
class Used:
    """A recipe by which rows were made, and what its file says where that is here.

    Attributes:
        name, digest: as the manifest has them.
        count: its rows.
        about, source, text: of the file; "" where it is another recipe's or none.
        samples: a contact sheet.
    """

    name: str
    digest: str
    count: int
    about: str
    source: str
    text: str
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Degradation:
    """All that the template shows of the section.

    Attributes:
        recipes: the most used first.
        damage: why recipe.toml, or the plans of some pairs, could not be used.
        images: pairs whose plan was counted.
        common: steps, in words, that all of them have; captions leave them out.
    """

    recipes: list[Used]
    damage: list[str]
    images: int
    common: frozenset[str]
    numbers: list[Figure]
    names: list[Figure]
    constants: list[str]


def sampled(records: Sequence[PairRecord]) -> set[str]:
    """Keys of the pairs on the contact sheets: so many of each recipe, spread over the dataset."""
    keys: set[str] = set()
    for group in _by_recipe(records).values():
        with_plan = [record.key for record in group if record.detail.get("plan")]
        count = min(MAX_SAMPLES, len(with_plan))
        keys |= {with_plan[i] for i in np.linspace(0, len(with_plan) - 1, count).round().astype(int)}
    return keys


def sample(record: PairRecord, lr: Image, page: str, folder: Folder) -> Sample:
    """Write the crop of a pair for the contact sheet, without loss.

    Args:
        record: row of the manifest.
        lr: (h, w, 3) uint8 or uint16.
        page: of the pair.
        folder: the report's.

    Raises:
        UserError: the output cannot be written.
    """
    height, width = (min(SAMPLE, n) for n in lr.shape[:2])
    top, left = busiest(to_8bit(lr), height, width)
    crop = np.ascontiguousarray(to_8bit(lr[top : top + height, left : left + width]))
    file = folder.picture(crop, f"sample {record.key}", None)
    return Sample(record.key, page, file, (height, width), read_plan(record))


def section(
    dataset: Path, records: Sequence[PairRecord], samples: Mapping[str, Sample]
) -> Degradation | None:
    """The section, or None where no pair says what was drawn for it.

    Args:
        dataset: its folder; recipe.toml may lie in it.
        records: all.
        samples: by key, crops for the contact sheets.
    """
    grouped = _by_recipe(records)
    if not grouped:
        return None
    made, damage = _counted(records)
    recipe = None
    if (dataset / RECIPE).is_file():
        try:
            recipe = read_recipe(dataset / RECIPE)
        except UserError as error:
            damage.append(f"{RECIPE} is not used: {error.problem}")
    recipes = [
        _used(name, digest, group, recipe, [samples[r.key] for r in group if r.key in samples])
        for (name, digest), group in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return Degradation(
        recipes,
        damage,
        made.images,
        made.common if made.images > 1 else frozenset(),
        number_figures(made),
        name_figures(made),
        constants(made),
    )


def _used(
    name: str, digest: str, group: Sequence[PairRecord], recipe: Recipe | None, samples: Sequence[Sample]
) -> Used:
    if recipe and digest in _digests(recipe):
        return Used(
            name, digest, len(group), recipe.about, " ".join(recipe.source.split()), recipe.text, samples
        )
    return Used(name, digest, len(group), "", "", "", samples)


def _digests(recipe: Recipe) -> set[str]:
    """Of a recipe's file, also as the command line changes it: RealSR's without noise, another clean-up."""
    as_used = (recipe, recipe.without("inject"))
    changed = {one.cleaned_up(by).digest for one in as_used for by in range(1, MAX_CLEANUP + 1)}
    return changed | {one.digest for one in as_used}


def _by_recipe(records: Sequence[PairRecord]) -> dict[tuple[str, str], list[PairRecord]]:
    grouped: dict[tuple[str, str], list[PairRecord]] = {}
    for record in records:
        if record.ok and record.how == "degradation" and record.detail.get("plan"):
            name, digest = (str(record.detail.get(column, "")) for column in ("recipe", "recipe_sha"))
            grouped.setdefault((name, digest), []).append(record)
    return grouped


def _counted(records: Sequence[PairRecord]) -> tuple[Tally, list[str]]:
    """What was drawn over all pairs, one plan in memory at a time, and a line for those that are damaged."""
    bad: list[str] = []

    def whole() -> Iterator[Drawn]:
        for record in records:
            if record.ok:
                drawn = read_plan(record)
                if drawn:
                    yield drawn
                elif drawn.damage:
                    bad.append(record.key)

    made = tally(whole())
    if not bad:
        return made, []
    which = f"{bad[0]} and {len(bad) - 1:,} more" if len(bad) > 1 else bad[0]
    return made, [f"The plan of {which} is damaged and not counted"]
