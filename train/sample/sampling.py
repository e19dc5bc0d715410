"""Many explanations of one photo: samples, where they agree and where not, and the way between two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from realdeg.atomic import whole_file, write_text
from realdeg.degrade.sheet import Cell, contact_sheet
from realdeg.identity import file_hash
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.io.save import to_uint, write_image
from realdeg.report.evaluation import heat
from realdeg.report.flicker import write_animation
from realdeg.typed import read_json
from train.memory import enough_memory
from train.restore.enforced import How, enforced
from train.restore.guides import named
from train.restore.model import like
from train.restore.moments import Moments
from train.restore.space import Guide, Sampler, Space
from train.sample.settings import SampleSettings

RECORD = "samples.json"
CROP = 256  # HR px of a picture on the sheet
WALKED = 768  # HR px of a walk's pictures at most: its frames are in memory together
LEVELS = 255.0
STEP_MS = 80


@dataclass(frozen=True)
class SampleRequest:
    """What is wanted of a photo.

    Attributes:
        seeds: of the samples.
        how: what makes samples agree with LR: "none", "project" or "cem".
        walk: seeds between which to go, or None.
        frames: pictures of the walk, each way.
    """

    seeds: tuple[int, ...]
    how: How = "none"
    walk: tuple[int, int] | None = None
    frames: int = SampleSettings.frames


def sample_photo(
    model: Space,
    source: Path,
    out: Path,
    wish: SampleRequest,
    guide: Guide | None = None,
    about: Mapping[str, Any] = {},
) -> bool:
    """Draw samples of a photo into a folder.

    Writes `seed_SEED.png` for each sample, `mode.png`, and, of two samples or more, `mean.png`,
    `deviation.png` (blue: none, red: `deviation_red` of the record) and `deviation.npy` ((s h, s w) float32,
    standard deviation over the samples, root mean square over RGB, 8-bit levels); `sheet.png`, all at the
    place with most detail; `walk.png`, an animated PNG; and last `samples.json`, which says how each was
    made. Samples are drawn one after the other: memory is bounded by the photo, not by their number.

    Args:
        model: to draw from.
        source: LR photo.
        out: folder.
        wish: what is wanted.
        guide: what samples lean on.
        about: what else the record is to say; a photo whose record says the same is not done again.

    Returns:
        Whether anything had to be done.

    Raises:
        UserError: the photo cannot be read, or not be enlarged, or a reference is bad.
    """
    record = {
        **(about or {}), "source": source.name, "source_sha256": file_hash(source), "scale": model.scale,
        "torch": torch.__version__, "device": model.machine.why, "wish": json.loads(json.dumps(asdict(wish))),
    }  # fmt: skip
    if _done(out, record):
        return False
    lr = read(source).pixels
    with enough_memory(str(source), "cut the photo into parts"):
        sampler = model.sampler(lr, guide)
        sheet = _Sheet(lr, model.scale)
        moments = Moments()
        references = {}
        for seed in wish.seeds:
            image = enforced(sampler.draw(seed), lr, model.scale, wish.how).clamp(0, 1)
            moments.add(image)
            references[str(seed)] = named(guide, seed)
            write_image(out / _name(seed), like(lr, image))
            sheet.add(image, f"seed {seed}", references[str(seed)])
        mode = enforced(sampler.mode(), lr, model.scale, wish.how).clamp(0, 1)
        write_image(out / "mode.png", like(lr, mode))
        if len(wish.seeds) > 1:
            record |= _write_moments(out, lr, moments, sheet)
        sheet.write(out / "sheet.png", mode, [source.name, f"x{model.scale}", f"{len(wish.seeds)} samples"])
        if wish.walk is not None:
            _write_walk(out / "walk.png", sampler, lr, model.scale, wish)
    made = {_name(seed): file_hash(out / _name(seed)) for seed in wish.seeds}
    more = {"references": references, "sha256": made}
    write_text(out / RECORD, json.dumps({**record, **more}, indent=2, ensure_ascii=False) + "\n")
    return True


def files(wish: SampleRequest) -> list[str]:
    """Names of the files that a photo's folder may receive."""
    others = ("mode.png", "mean.png", "deviation.png", "deviation.npy", "sheet.png", "walk.png", RECORD)
    return [*(_name(seed) for seed in wish.seeds), *others]


def _name(seed: int) -> str:
    return f"seed_{seed}.png"


class _Record(TypedDict):
    sha256: dict[str, str]


def _done(out: Path, record: Mapping[str, Any]) -> bool:
    """Whether an earlier call has made the same, and it is still there."""
    try:
        found: dict[str, Any] = dict(read_json(out / RECORD, _Record, more=True))
        # Where the model lies is no matter, and what it holds is told by its hash.
        same = all(found.get(name) == value for name, value in record.items() if name != "model")
        return same and all(file_hash(out / name) == wanted for name, wanted in found["sha256"].items())
    except (OSError, ValueError):
        return False


def _write_moments(out: Path, lr: np.ndarray, moments: Moments, sheet: _Sheet) -> dict[str, float]:
    deviation = LEVELS * moments.std.square().mean(0).sqrt().numpy().astype(np.float32)
    red = max(1.0, float(np.quantile(deviation, 0.995)))
    colours = heat(deviation / red)
    write_image(out / "mean.png", like(lr, moments.mean))
    write_image(out / "deviation.png", colours)
    with whole_file(out / "deviation.npy") as temporary, temporary.open("wb") as file:
        np.save(file, deviation)
    sheet.head("mean", moments.mean)
    sheet.head(f"deviation, red {red:.1f} levels", colours)
    return {"deviation_mean": round(float(deviation.mean()), 4), "deviation_red": round(red, 4)}


class _Sheet:
    """Pictures of the place with most detail, collected while samples come and go."""

    def __init__(self, lr: np.ndarray, scale: int) -> None:
        self.scale = scale
        high, wide = (min(max(1, CROP // scale), side) for side in lr.shape[:2])
        grey = to_8bit(lr)
        top, left = busiest(grey, high, wide)
        self.there = np.s_[scale * top : scale * (top + high), scale * left : scale * (left + wide)]
        self.first = [
            Cell(np.repeat(np.repeat(grey[top : top + high, left : left + wide], scale, 0), scale, 1), "LR"),
            Cell(np.ascontiguousarray(np.asarray(resize(grey, scale))[self.there]), "bicubic"),
        ]
        self.heads: list[Cell] = []
        self.samples: list[Cell] = []

    def _crop(self, image: Tensor) -> np.ndarray:
        return to_uint(np.ascontiguousarray(image[(..., *self.there)].permute(1, 2, 0).numpy()))

    def add(self, image: Tensor, title: str, words: str) -> None:
        """A sample."""
        self.samples.append(Cell(self._crop(image), title, [words] if words else []))

    def head(self, title: str, image: Tensor | np.ndarray) -> None:
        """What stands before the samples."""
        crop = self._crop(image) if isinstance(image, Tensor) else np.ascontiguousarray(image[self.there])
        self.heads.append(Cell(crop, title))

    def write(self, path: Path, mode: Tensor, heading: Sequence[str]) -> None:
        """All of them on one sheet."""
        cells = [*self.first, Cell(self._crop(mode), "mode"), *self.heads, *self.samples]
        write_image(path, contact_sheet(cells, heading), level=6)


def _write_walk(path: Path, sampler: Sampler, lr: np.ndarray, scale: int, wish: SampleRequest) -> None:
    """There and back again as an animated PNG, without loss."""
    assert wish.walk is not None
    high, wide = (min(max(1, WALKED // scale), side) for side in lr.shape[:2])
    top, left = busiest(to_8bit(lr), high, wide)
    there = np.s_[..., scale * top : scale * (top + high), scale * left : scale * (left + wide)]
    first, last = wish.walk
    way = []
    for i in range(wish.frames + 1):
        image = enforced(sampler.between(first, last, i / wish.frames), lr, scale, wish.how)
        way.append(to_uint(np.ascontiguousarray(image.clamp(0, 1)[there].permute(1, 2, 0).numpy())))
    write_animation(path, [*way, *reversed(way[1:-1])], frame_ms=STEP_MS)
