"""A noise pool of the calm windows of many photos, by the default method of `realdeg noise`.

Windows that show noise alone become patches: without shading, and with their lowest frequencies made, since
no test tells noise from content there. A photo without any gives patches as strong as its own noise is, by
its finest energy: those of other photos rescaled, or made by the set's spectrum where there are too few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.noise.choice import (
    FlatWindows,
    WindowChoice,
    choose,
    is_blocky,
    is_coloured,
    least_spectrum,
    mean_spectrum,
    strengths,
)
from realdeg.noise.settings import NoiseSettings
from realdeg.noise.spectrum import extrapolate_bands, replace_low_bands, synthesise, variance, without_shading
from realdeg.pools.found import PATCH_FILES, arrays_file
from realdeg.pools.level_function import INTENSITY_BIN, KNOTS, NoiseLevelFunction, level_function, unlike
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import PairRecord
from realdeg.seeds import seed_of

ENOUGH = 8  # patches of flat windows, from which others are rescaled
OCTAVES = 2.0  # of standard deviation, that a patch is rescaled by at most
OF_A_PHOTO = 2  # patches for one without flat windows, at the quartiles of its brightness
CONVENTION = "residuals of images in [0, 1] without mean and shading, float16; added to LR"
UNIT = 255.0


def pool_of_windows(
    job: Path, records: Sequence[PairRecord], settings: NoiseSettings, head: Mapping[str, Any]
) -> NoisePool:
    """The pool.

    Args:
        job: folder that the records' files lie in.
        records: of photos that have calm windows, no two of the same pixels; at least one.
        settings: thresholds.
        head: goes into the pool's origin.
    """
    seen, places = _seen(job, records, settings.side)
    choice = choose(seen, settings.energy, settings.shape)
    law, spectrum, strength = set_noise(seen, choice)
    patches: dict[str, Array] = {}
    about: dict[str, dict[str, Any]] = {}

    def add(name: str, patch: Array, record: PairRecord, facts: dict[str, Any]) -> None:
        patches[name] = np.clip(patch / UNIT, -1, 1).astype(np.float16)
        sigma = [round(float(one), 3) for one in patch.std((0, 1), dtype=np.float64)]
        about[name] = {**origin(record), **facts, "sigma_8bit": sigma}

    for i in _best(seen, choice, settings.per_level):
        record, number = records[seen.photo[i]], int(places[i])
        name = f"{record.key}_{number:03d}"
        with np.load(arrays_file(job, record, PATCH_FILES)) as taken:
            window = taken["pixels"][number]
            place = {"y": int(taken["y"][number]), "x": int(taken["x"][number])}
        unit = UNIT / np.iinfo(window.dtype).max
        patch = replace_low_bands(
            without_shading(window[None] * np.float32(unit))[0], seed_of(0, name, "noise")
        )
        add(name, patch, record, {"how": "flat", **place, "level": _rounded(seen.level[i])})
    flat = [name for name in patches if (UNIT * patches[name].astype(np.float32)).std() > 0]
    with_flat = {about[name]["source_sha256"] for name in patches}
    for number, record in enumerate(records):
        if record.detail["source_sha256"] in with_flat:
            continue
        here = np.flatnonzero(seen.photo == number)
        gain = float(np.median(strength[here]))
        order = here[np.argsort(seen.level[here].mean(1), kind="stable")]
        for k in range(OF_A_PHOTO):
            level = seen.level[order[(len(order) * (2 * k + 1)) // (2 * OF_A_PHOTO)]]
            sigma = np.sqrt(gain * law(level))
            key = f"{record.key}_{k}"
            facts: dict[str, Any] = {"how": "made", "level": _rounded(level)}
            near = _near(flat, about, level, sigma) if len(flat) >= ENOUGH else []
            if near:
                source = near[seed_of(0, key, "rescaled") % len(near)]
                facts |= {"how": "rescaled", "patch": source}
                patch = patches[source].astype(np.float32)
            else:
                patch = synthesise(spectrum, seed_of(0, key, "made"), settings.side)
            if not is_coloured(seen.bands[here]):
                patch, sigma = np.repeat(patch.mean(2, keepdims=True), 3, 2), np.full(3, sigma.mean())
            name = f"{record.key}_{facts['how']}{k}"
            add(name, patch * (sigma / np.maximum(patch.std((0, 1)), 1e-6)).astype(np.float32), record, facts)
    ways = [facts["how"] for facts in about.values()]
    chosen = {name: ways.count(name) for name in ("flat", "rescaled", "made")}
    chosen |= {"strong": choice.strong, "steep": choice.steep}
    gains = {
        record.key: round(float(np.median(strength[seen.photo == number])), 3)
        for number, record in enumerate(records)
    }
    told = {
        **head,
        "convention": CONVENTION,
        "chosen": chosen,
        "gains": gains,
        "level_function": law.told(),
        "spectrum": np.round(spectrum, 4).tolist(),
        "patches": about,
    }
    return NoisePool(tuple(patches), tuple(patches.values()), told)


def set_noise(seen: FlatWindows, choice: WindowChoice) -> tuple[NoiseLevelFunction, Array, Array]:
    """Level function and spectrum of a set, and how each window's noise compares with the function.

    The function is that of windows that show noise alone, corrected by what the finest energy of all others
    says: those with noise alone are few, and of the photos with the least noise.
    """
    alone = choice.taken
    if alone.any():
        spectrum = mean_spectrum(seen.bands[alone], seen.size)
        first = level_function(seen.level[alone], variance(extrapolate_bands(seen.bands[alone]), seen.size))
    else:
        spectrum = least_spectrum(seen.bands, seen.size)
        flat = np.broadcast_to(variance(spectrum, seen.size)[:, None], (3, len(KNOTS)))
        first = NoiseLevelFunction(flat, np.zeros((3, len(KNOTS)), int))
    values = first(seen.level) * strengths(seen, first, spectrum, is_blocky(seen, choice))[:, None]
    values[alone] = variance(extrapolate_bands(seen.bands[alone]), seen.size)
    law = level_function(seen.level, values)
    return law, spectrum, (values / law(seen.level)).mean(1)


def _seen(job: Path, records: Sequence[PairRecord], size: int) -> tuple[FlatWindows, Array]:
    """All windows, and of each its number in its photo's file."""
    photo, level, bands, blocks, sound, places = [], [], [], [], [], []
    for number, record in enumerate(records):
        with np.load(arrays_file(job, record, PATCH_FILES)) as taken:
            count = len(taken["y"])
            photo.append(np.full(count, number))
            level.append(taken["level"])
            bands.append(taken["bands"])
            blocks.append(taken["blocks"])
            sound.append(np.full(count, bool(record.detail["sound"])))
            places.append(np.arange(count))
    seen = FlatWindows(
        photo=np.concatenate(photo),
        level=np.concatenate(level),
        bands=np.concatenate(bands),
        blocks=np.concatenate(blocks),
        sound=np.concatenate(sound),
        size=size,
    )
    return seen, np.concatenate(places)


def _best(seen: FlatWindows, choice: WindowChoice, most: int) -> Array:
    """Windows that were taken, the best of each range of brightness, in order of photos."""
    kept: list[int] = []
    tone = np.minimum(seen.level.mean(1) / INTENSITY_BIN, 7).astype(int)
    for number in range(8):
        here = np.flatnonzero(choice.taken & (tone == number))
        kept += here[np.argsort(choice.score[here], kind="stable")][:most].tolist()
    return np.sort(np.array(kept, int))


def _near(names: Sequence[str], about: Mapping[str, Any], level: Array, sigma: Array) -> list[str]:
    """Patches nearest in brightness and strength, none that is much fainter or stronger."""
    levels = np.array([about[name]["level"] for name in names])
    found = np.maximum([about[name]["sigma_8bit"] for name in names], 1e-2)
    distance, octaves = unlike(levels, found, level, sigma)
    return [names[i] for i in np.argsort(distance, kind="stable")[:ENOUGH] if octaves[i] <= OCTAVES]


def origin(record: PairRecord) -> dict[str, Any]:
    """What a pool says of the photo of a patch."""
    return {name: record.detail[name] for name in ("source", "source_sha256", "iso", "camera")}


def _rounded(level: Array) -> list[float]:
    return [round(float(one), 2) for one in level]
