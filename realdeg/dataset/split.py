"""Which pairs are trained on and which say how good the result is; scenes never fall on both sides."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.guard import locked
from realdeg.records import PairRecord, read_manifest, write_manifest
from realdeg.seeds import seed_of
from realdeg.vouching import require_vouched


def split_scenes(
    records: Sequence[PairRecord],
    *,
    test: float,
    val: float = 0,
    seed: int = 0,
    group: str | None = None,
) -> list[PairRecord]:
    """Assign "test", "val" and "train" to the pairs of status "ok", scene by scene.

    Scenes are ordered by a hash of seed and name, and the first ones are taken, so that a scene added
    later moves at most one other.

    Args:
        records: of a dataset; their order is kept.
        test: scenes to test on: a number of 1 or more, or a share below 1.
        val: likewise, for validation.
        seed: another seed chooses other scenes.
        group: regular expression; its first group (or the whole match) in a key names the scene.

    Raises:
        UserError: no scene would be left to train on, or `group` is no expression or misses a key.
    """
    scenes = {record.key: _scene(record, group) for record in records if record.ok}
    names = sorted(set(scenes.values()), key=lambda name: (seed_of(seed, name, "split"), name))
    counts = {"test": _count(test, len(names)), "val": _count(val, len(names))}
    if names and sum(counts.values()) >= len(names):
        raise UserError(
            "split",
            f"{counts['test']} test and {counts['val']} val scenes leave none of {len(names)} to train on",
            "ask for fewer with --test or --val",
            exit_code=EXIT_USAGE,
        )
    chosen = {name: "test" for name in names[: counts["test"]]}
    chosen |= {name: "val" for name in names[counts["test"] : counts["test"] + counts["val"]]}
    return [
        replace(r, scene=scenes[r.key], split=chosen.get(scenes[r.key], "train"))
        if r.ok
        else r.with_split("")  # one that comes back later must not bring the split of an earlier choice
        for r in records
    ]


def split_dataset(
    folder: Path, *, test: float, val: float = 0, seed: int = 0, group: str | None = None
) -> dict[str, int]:
    """Write the split into a dataset's manifest; pairs by split.

    A later run of the job that made the dataset keeps it (`realdeg.jobs`).

    Raises:
        UserError: as `split_scenes`; no dataset, it is in use, or a file is not what the manifest says.
    """
    read_manifest(folder)  # says so where this is no dataset, before anything is locked
    with locked(folder):
        before = read_manifest(folder)
        require_vouched(folder, before)
        records = split_scenes(before, test=test, val=val, seed=seed, group=group)
        write_manifest(folder, records)
    return dict(Counter(record.split for record in records if record.ok))


def _scene(record: PairRecord, group: str | None) -> str:
    if group is None:
        return record.scene or record.key
    try:
        found = re.search(group, record.key)
    except re.error as error:
        raise UserError(
            "--group", f"{group!r} is no regular expression ({error})", exit_code=EXIT_USAGE
        ) from None
    if not found:
        raise UserError("--group", f"{group!r} does not match the key {record.key!r}", exit_code=EXIT_USAGE)
    return found.group(1) if found.re.groups else found.group(0)


def _count(wanted: float, scenes: int) -> int:
    if not math.isfinite(wanted) or wanted < 0 or (wanted >= 1 and wanted != int(wanted)):
        problem = f"{wanted:g} scenes: give a whole number, or a share below 1"
        raise UserError("split", problem, exit_code=EXIT_USAGE)
    return int(wanted) if wanted >= 1 or wanted == 0 else max(1, round(wanted * scenes))
