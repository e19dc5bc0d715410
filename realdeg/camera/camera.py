"""A camera put together: of what each of its registered pairs tells, pools and a recipe that imitates it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from realdeg import inputs
from realdeg.arraytypes import Array
from realdeg.atomic import write_text
from realdeg.camera.law import FEWEST, by_level, noise_law, noise_shape, prevailing
from realdeg.camera.pair_noise import BINS, PairNoise, noise_of_pair
from realdeg.camera.settings import CalibrateSettings
from realdeg.degrade.ops.level_noise import SMALLEST
from realdeg.degrade.recipe.recipe import Degraded, Recipe, from_text, read_recipe
from realdeg.errors import UserError
from realdeg.imaging.blur import AlignedKernel, blur_subsample
from realdeg.inputs import ImageLike, PathLike
from realdeg.kernels.folder import kernels_of, pool_of_arrays
from realdeg.kernels.settings import KernelSettings
from realdeg.pools.found import cell, of_cells
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import PairRecord
from realdeg.settings import to_mapping, versions
from realdeg.typed import Json, Mistyped, read_json

KERNELS, NOISE, RECIPE, FIGURES = "kernels.npz", "noise.npz", "camera.toml", "camera.json"
METHOD = "least squares of pairs"
FIGURES_OF_KERNELS = (
    "width_x",
    "width_y",
    "centre_x",
    "centre_y",
    "residual_8bit",
    "explained",
    *(f"{name}_{c}" for name in ("gain", "offset_8bit") for c in "rgb"),
)


@dataclass(frozen=True, eq=False)
class Measured:
    """What one registered pair tells of its camera.

    Attributes:
        record: its key, and the figures of its kernels by column.
        kernels: (n, k, k), one for each part of the photo that gave one.
        noise: of the pair.
    """

    record: PairRecord
    kernels: Array
    noise: PairNoise


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera's blur, noise and tone, as pools and a recipe that draws from them.

    Attributes:
        name: of the camera.
        kernels: one for each pair, or each part of one.
        noise: patches; None where no pair shows noise alone.
        recipe_text: TOML of the recipe.
        figures: all that was measured; JSON values (camera.json).
        scale: HR size / LR size.
        refused: why pairs told nothing, by key; of a camera that was read they stand in its manifest.
    """

    name: str
    kernels: KernelPool = field(repr=False)
    noise: NoisePool | None = field(repr=False)
    recipe_text: str = field(repr=False)
    figures: Mapping[str, Any] = field(repr=False)
    scale: int
    refused: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def recipe(self) -> Recipe:
        """The recipe; it draws from `kernels` and `noise`."""
        return from_text(self.recipe_text, self.name)

    def __call__(self, image: ImageLike, *, seed: int, key: str = "") -> Degraded:
        """A pair of an image as this camera would have taken it: its recipe with its pools.

        Args:
            image: (H, W, 3) clean image; see `Recipe.__call__`.
            seed: of the run.
            key: of the image.

        Returns:
            LR, HR and the plan; unpacks as `lr, plan`.

        Raises:
            UserError: as `Recipe.__call__`.
        """
        return self.recipe(
            image, seed=seed, key=key, scale=self.scale, kernels=self.kernels, noises=self.noise
        )

    def save(self, out: PathLike) -> None:
        """Write kernels.npz, noise.npz, camera.toml and camera.json, each whole or not at all.

        Args:
            out: folder, made where it is missing; `realdeg degrade --recipe OUT` takes it.

        Raises:
            BadInput: `out` is no path.
            UserError: the folder cannot be written.
        """
        out = inputs.path(out, "out")
        self.kernels.save(out / KERNELS)
        if self.noise is not None:
            self.noise.save(out / NOISE)
        else:
            (out / NOISE).unlink(missing_ok=True)
        write_text(out / FIGURES, json.dumps(self.figures, indent=1, ensure_ascii=False) + "\n")
        write_text(out / RECIPE, self.recipe_text)

    @classmethod
    def load(cls, folder: PathLike, scale: int) -> Camera:
        """A camera that was saved.

        Args:
            folder: of `save`, or of `realdeg calibrate`.
            scale: HR size / LR size.

        Raises:
            BadInput: an argument that cannot be used.
            UserError: no such folder, or one that is damaged.

        Example:
            >>> import realdeg
            >>> realdeg.Camera.load("missing", scale=2)
            Traceback (most recent call last):
            ...
            realdeg.errors.UserError: missing: is no camera's folder: it has no camera.toml; ...
        """
        folder, scale = inputs.path(folder, "folder"), inputs.scale(scale)
        if not (folder / RECIPE).is_file():
            remedy = "give a folder that `realdeg calibrate` has written"
            raise UserError(folder, f"is no camera's folder: it has no {RECIPE}", remedy)
        recipe = read_recipe(folder / RECIPE)
        recipe.check(scale)
        try:
            figures = read_json(folder / FIGURES, dict[str, Json])
        except (OSError, Mistyped) as error:
            raise UserError(folder / FIGURES, f"is damaged or missing ({error})", "calibrate again") from None
        return cls(
            str(figures.get("name", folder.name)),
            KernelPool.read(folder / KERNELS, scale),
            NoisePool.read(folder / NOISE) if (folder / NOISE).is_file() else None,
            recipe.text,
            figures,
            scale,
        )


def measure(lr: Array, hr: Array, record: PairRecord, settings: CalibrateSettings) -> Measured | PairRecord:
    """Kernels, noise and tone of one pair.

    Args:
        lr: (h, w, 3) float32, RGB in [0, 1].
        hr: (scale h, scale w, 3), likewise.
        record: of the pair; its `source_lr` is named where it is refused.
        settings: of the calibration.

    Returns:
        What it tells, or the record with the reason why that is nothing.
    """
    record, kernels = of_cells(record, *kernels_of(lr, hr, kernel_settings(settings)))
    if not record.ok:
        return record
    noise = noise_of_pair(lr, predicted_lr(hr, kernels, record, settings), settings.patch)
    return Measured(
        replace(record, detail={**record.detail, "noise_patches": len(noise.patches)}), kernels, noise
    )


def kernel_settings(settings: CalibrateSettings) -> KernelSettings:
    """How kernels are fitted to a camera's pairs."""
    return KernelSettings(
        settings.scale, size=settings.size, grid=settings.grid, max_error=settings.max_error
    )


def predicted_lr(hr: Array, kernels: Array, record: PairRecord, settings: CalibrateSettings) -> Array:
    """LR as the kernel, gain and offset of a pair make it of HR.

    Args:
        hr: (H, W, 3) float32, RGB in [0, 1].
        kernels: (n, k, k) of the pair, one a cell.
        record: of the pair, as `measure_pair` wrote it.
        settings: of the calibration.

    Returns:
        (H // scale, W // scale, 3) float32, not clipped; NaN in cells without a kernel.
    """
    scale = settings.scale
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    predicted = np.full((height, width, 3), np.nan, np.float32)
    names = str(record.detail["cells"]).split() or [""]
    for i, (name, kernel) in enumerate(zip(names, kernels, strict=True)):
        # The kernel as it was fitted, with what is left of misregistration: not moved to its centre of mass.
        at = AlignedKernel(kernel, ((kernel.shape[1] - 1) // 2, (kernel.shape[0] - 1) // 2), (0.0, 0.0))
        made = blur_subsample(np.ascontiguousarray(hr, np.float32), at, scale)
        gain, offset = (
            np.array([np.atleast_1d(record.detail[f"{what}_{c}"])[i] for c in "rgb"])
            for what in ("gain", "offset_8bit")
        )
        rows, columns = slice(None), slice(None)
        if name:
            row, column = (int(part) for part in name[1:].split("c"))
            rows = cell(row, settings.grid[0], height)
            columns = cell(column, settings.grid[1], width)
        predicted[rows, columns] = (made * gain + offset / 255)[rows, columns]
    return predicted


def camera_of(
    name: str, measured: Sequence[Measured], refused: Mapping[str, str], settings: CalibrateSettings
) -> Camera:
    """The camera of its pairs.

    Args:
        name: of the camera.
        measured: of each pair that tells something, at least one.
        refused: why the others told nothing, by key.
        settings: of the calibration.
    """
    asked = to_mapping(settings)
    records = [one.record for one in measured]
    kernels = pool_of_arrays(records, [one.kernels for one in measured], METHOD, asked)
    assert kernels is not None
    noises = {one.record.key: one.noise for one in measured}
    tone = _tone(list(noises.values()))
    law = noise_law(list(noises.values()))
    curve = by_level(list(noises.values()), law)
    names, patches, about = _patches(noises, law)
    matched = curve is not None and min((min(one.shape[:2]) for one in patches), default=0) >= SMALLEST
    noise = None
    if patches:
        header = {"method": "residuals of pairs", **asked, "patches": about, "law": law}
        if curve is not None:
            header |= {"level_function": curve.told()}
        noise = NoisePool(tuple(names), tuple(patches), header)
    figures = {
        "name": name,
        **asked,
        "pairs": len(measured),
        "refused_pairs": len(refused),
        "kernels": {figure: _between(records, figure) for figure in FIGURES_OF_KERNELS},
        "noise": {"patches": len(patches), **law, **noise_shape(patches)},
        "residual_tone": tone,
        "made_with": versions(),
    }
    text = recipe_text(name, len(measured), tone_step(tone), bool(patches), matched)
    return Camera(name, kernels, noise, text, figures, settings.scale, refused)


def _patches(
    noises: Mapping[str, PairNoise], law: dict[str, Any]
) -> tuple[list[str], list[Array], dict[str, Any]]:
    """Names, patches, and what is known of each: those in which noise prevails, or else the flattest."""
    found = [
        (not prevails, float(noise.slopes[i]), f"{key}/{i}", noise.patches[i], noise.levels[i])
        for key, noise in noises.items()
        for i, prevails in enumerate(prevailing(noise, law))
    ]
    order = sorted(range(len(found)), key=lambda i: found[i][:2])
    calm = sum(not one[0] for one in found)
    kept = sorted(order[: max(calm, FEWEST)])
    about = {found[i][2]: {"level": [round(float(value), 2) for value in found[i][4]]} for i in kept}
    return [found[i][2] for i in kept], [found[i][3] for i in kept], about


def recipe_text(name: str, pairs: int, tone: str, noisy: bool, matched: bool) -> str:
    """The recipe of a camera, which draws from the pools beside it; no noise where none could be measured."""
    about = f"The camera {name}, measured from {pairs} registered pairs (realdeg calibrate)."
    text = (
        f'name = {json.dumps(name)}\nabout = {json.dumps(about)}\n\n[[steps]]\nop = "reduce"\nkind = "pool"\n'
    )
    text += tone
    if noisy:
        text += '\n[[steps]]\nop = "inject"\n' + ('match = "level"\n' if matched else "")
    return text


def tone_step(tone: Sequence[Mapping[str, Any]]) -> str:
    """The step of a recipe that adds a residual tone; "" where pairs are too few to tell one.

    Each value is drawn towards 0 by its own error, v^3 / (v^2 + error^2): what pairs do not agree on is no
    property of the camera.

    Args:
        tone: of `camera.json`: ranges of brightness with mean and error for r, g, b.
    """
    curves, levels = [], [(one["from"] + one["to"]) / 2 for one in tone]
    for c in "rgb":
        known = [
            (level, one[c]["mean"] ** 3 / max(one[c]["mean"] ** 2 + one[c]["error"] ** 2, 1e-9))
            for level, one in zip(levels, tone, strict=True)
            if one[c] and one[c]["error"] is not None
        ]
        shifts = np.interp(levels, *np.array(known).T) if known else np.zeros(len(levels))
        # A curve never falls, nor after rounding.
        rising = np.maximum.accumulate(np.round(levels + shifts, 2))
        curves.append(np.round(rising - levels, 2).tolist())
    if not np.any(curves):
        return ""
    lines = [f"{name} = {curve}" for name, curve in zip(("red", "green", "blue"), curves, strict=True)]
    return "\n".join(['\n[[steps]]\nop = "tone"', f"levels = {levels}", *lines]) + "\n"


def _between(records: Sequence[PairRecord], name: str) -> dict[str, float | None]:
    """Mean of a figure, standard deviation between pairs, and standard error of the mean (None: one pair)."""
    values = np.array([np.mean(record.detail[name]) for record in records], float)
    return _stated(values)


def _stated(values: Array) -> dict[str, float | None]:
    many = len(values) > 1
    sd = float(values.std(ddof=1)) if many else None
    error = None if sd is None else round(sd / len(values) ** 0.5, 5)
    return {
        "mean": round(float(values.mean()), 5),
        "sd": None if sd is None else round(sd, 5),
        "error": error,
    }


def _tone(noises: Sequence[PairNoise]) -> list[dict[str, Any]]:
    """What gain and offset leave of the tone curve, by brightness of the prediction and channel."""
    result = []
    tones = np.array([noise.tone for noise in noises])
    for b in range(BINS):
        low, high = 256 * b // BINS, 256 * (b + 1) // BINS
        entry: dict[str, Any] = {"from": low, "to": high}
        for c, name in enumerate("rgb"):
            values = tones[:, b, c][np.isfinite(tones[:, b, c])]
            entry[name] = _stated(values) if len(values) else None
        result.append(entry)
    return result
