"""Pairs of photos of kinds that a plain simulator does not have, each with its exact truth.

Both views as in `simulated_pairs.py`: zoom within 3 % of the scale, rotation within 1.5 degrees, keystone
within 1.5 %, radial distortion within 3 % (LR) and 0.4 % (HR) at the corner, exposure within 35 %, tone
curve, white balance, vignetting, a kernel with two axes, noise up to 4 levels, JPEG 90; rendered by
`exact_camera.py`. `GOOD` kinds should be kept, `BAD` ones refused, or masked where they are not valid.
`python benchmarks/stress_pairs.py --photos FOLDER --sheet FILE` draws an example of each kind.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from exact_camera import GREEN, Lens, Psf, Scene, Sensor, Spot, View

from realdeg.align.homography import Homography
from realdeg.imaging.colour import srgb_to_linear
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.seeds import stream

GOOD = (
    "plain",
    "lateral colour",
    "bayer",
    "phone LR",
    "phone HR",
    "local tone LR",
    "local tone HR",
    "coma",
    "median LR",
    "facade",
    "sky",
    "band",
    "depth of field",
    "night",
    "clipped",
    "roll",
    "small HR 300",
    "small LR 128",
)
BAD = (
    "parallax 0.3",
    "parallax 0.5",
    "parallax 1.0",
    "shadows",
    "leaves",
    "people",
    "enlarged 1.5",
    "enlarged 2.5",
    "HR half soft",
    "HR soft",
    "mirrored",
    "inverted",
)
HR_HW = (900, 1200)
PITCH = 2.0  # scene px per HR px
LR_FIELD = 1.2  # side of LR's view over HR's
ROOM = 1.25  # side of the scene over HR's view


@dataclass(frozen=True)
class Case:
    """One pair before it is made."""

    photo: Path
    other: Path
    scale: int
    kind: str
    seed: int
    hr_hw: tuple[int, int] = HR_HW

    @property
    def good(self) -> bool:
        """Whether the pair should be kept."""
        return self.kind in GOOD


@dataclass
class Draw:
    """What a case has drawn, for its kind to change before the photos are taken."""

    rng: np.random.Generator
    case: Case
    lr_view: View
    hr_view: View
    lr_psf: Psf
    hr_psf: Psf
    lr_sensor: Sensor
    hr_sensor: Sensor
    scene: np.ndarray  # linear, what LR sees
    hr_scene: np.ndarray | None = None  # what HR sees, where that differs
    step: np.ndarray | None = None  # scene px by which a part is seen elsewhere in HR
    part: np.ndarray | None = None  # (H, W) of the scene, in [0, 1]: that part, or what is out of focus
    enlarged: float = 1.0
    lr_processing: list = field(default_factory=list)
    hr_processing: list = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two photos, and where any point of one lies in the other.

    Attributes:
        lr, hr: uint8 RGB.
        changed: (h, w) bool over LR: what HR shows otherwise, or elsewhere, or not in focus.
        step, part: see `Draw`: points of LR within `part` lie where their own plane is.
    """

    case: Case
    lr: np.ndarray
    hr: np.ndarray
    lr_view: View
    hr_view: View
    changed: np.ndarray
    step: np.ndarray | None = None
    part: np.ndarray | None = None

    def truth(self, points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) HR px of LR px, in one colour; each point in its own plane."""
        there = self.lr_view.scene(points, channel)
        if self.step is not None:
            there = there - self.step * (_at(self.part, there) > 0.5)[..., None]
        return self.hr_view.photo(there, channel)

    def main_truth(self, points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) HR px of LR px as if all were in the main plane."""
        return self.hr_view.photo(self.lr_view.scene(points, channel), channel)

    def error(self, hr_from_lr, points: np.ndarray, channel: int = GREEN) -> np.ndarray:
        """(..., 2) how far a map is off at LR points, LR px."""
        off = hr_from_lr(points) - self.truth(points, channel)
        columns = [self.main_truth(points + e) - self.main_truth(points - e) for e in 0.5 * np.eye(2)]
        return np.linalg.solve(np.stack(columns, axis=-1), off[..., None])[..., 0]

    def seen_by_both(self) -> np.ndarray:
        """(h, w) bool over LR: pixels whose centre lies in HR too."""
        at = self.main_truth(self.lr_view.pixels())
        return ((at >= -0.5) & (at <= np.array(self.hr.shape[1::-1]) - 0.5)).all(-1)


def simulate(case: Case) -> Pair:
    """Photograph the scene of a case twice."""
    drawn = _drawn(case)
    KINDS[case.kind](drawn)
    return _taken(drawn)


def _drawn(case: Case) -> Draw:
    rng = stream(case.seed, case.photo.name, f"{case.scale} {case.kind}")
    small = {"small HR 300": (300, 300), "small LR 128": (round(128 * case.scale / LR_FIELD),) * 2}
    scene, hr_hw = _scene(case, small.get(case.kind, case.hr_hw), rng)
    lr_hw = tuple(round(LR_FIELD * side / case.scale) for side in hr_hw)
    zoom = case.scale * rng.uniform(0.97, 1.03)
    hr_lens = Lens(hr_hw, rng.uniform(-0.004, 0.004))
    lr_lens = Lens(lr_hw, rng.uniform(-0.03, 0.03))
    return Draw(
        rng,
        case,
        View(_plane(rng, lr_hw, scene.shape[:2], PITCH * zoom), lr_lens),
        View(_plane(rng, hr_hw, scene.shape[:2], PITCH), hr_lens),
        Psf.gaussian(rng.uniform(0.4, 0.65), rng.uniform(1.0, 1.5), rng.uniform(0, 180)),
        Psf.gaussian(rng.uniform(0.45, 0.75), rng.uniform(1.0, 1.5), rng.uniform(0, 180)),
        _sensor(rng),
        _sensor(rng),
        scene,
    )


def _scene(case: Case, hr_hw: tuple[int, int], rng) -> tuple[np.ndarray, tuple[int, int]]:
    """Linear light of a part of the photo, PITCH times as fine as HR, and HR's size."""
    photo = _upright(read(case.photo).pixels, hr_hw)
    most = [int(n / (PITCH * ROOM)) for n in photo.shape[:2]]
    hr_hw = (min(hr_hw[0], most[0]), min(hr_hw[1], most[1]))
    needed = [int(np.ceil(PITCH * ROOM * n)) for n in hr_hw]
    reduction = min(n / m for n, m in zip(photo.shape[:2], needed, strict=True))
    reduction = max(1.0, reduction * rng.uniform(0.75, 1.0))
    if min(hr_hw) < 500:  # a small crop is a crop of a photo, not the whole of it
        reduction = min(reduction, rng.uniform(1.0, 2.0))
    if reduction > 1:
        size = [int(n / reduction) for n in photo.shape[1::-1]]
        photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    needed = [min(m, n) for m, n in zip(needed, photo.shape[:2], strict=True)]
    places = [[int(rng.integers(0, n - m + 1)) for n, m in zip(photo.shape[:2], needed, strict=True)]]
    if min(hr_hw) < 500:
        places += [
            [int(rng.integers(0, n - m + 1)) for n, m in zip(photo.shape[:2], needed, strict=True)]
            for _ in range(11)
        ]
    parts = [photo[y : y + needed[0], x : x + needed[1]] for y, x in places]
    best = max(parts, key=_texture) if len(parts) > 1 else parts[0]
    return srgb_to_linear(best.astype(np.float32) / 255), hr_hw


def _texture(part: np.ndarray) -> float:
    """Lower quartile over tiles of the detail that LR can see."""
    grey = cv2.GaussianBlur(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 4)
    slope = cv2.Sobel(grey, -1, 1, 0) ** 2 + cv2.Sobel(grey, -1, 0, 1) ** 2
    return float(np.quantile(cv2.resize(slope, (6, 6), interpolation=cv2.INTER_AREA), 0.25))


def _upright(photo: np.ndarray, hr_hw: tuple[int, int]) -> np.ndarray:
    photo = photo if photo.dtype == np.uint8 else (photo >> 8).astype(np.uint8)
    if (photo.shape[0] > photo.shape[1]) != (hr_hw[0] > hr_hw[1]):
        photo = np.ascontiguousarray(photo.transpose(1, 0, 2))
    return photo


def _plane(rng, size_hw, scene_hw, pitch: float, turn: float | None = None) -> Homography:
    """Random `scene_from_photo`: up to 0.75 degrees, a shift, up to 1.5 % keystone over the photo."""
    turn = np.radians(rng.uniform(-0.75, 0.75)) if turn is None else turn
    height, width = size_hw
    middle = Homography.translation(-(width - 1) / 2, -(height - 1) / 2)
    tilt = rng.uniform(-0.0075, 0.0075, 2) / np.array([width, height])
    c, s = pitch * np.cos(turn), pitch * np.sin(turn)
    view = Homography(np.array([[c, -s, 0], [s, c, 0], [*tilt, 1]]))
    shift = rng.uniform(-0.03, 0.03, 2) * pitch * np.array([width, height])
    place = Homography.translation(*((np.array(scene_hw[::-1]) - 1) / 2 + shift))
    return place @ view @ middle


def _sensor(rng) -> Sensor:
    return Sensor(
        exposure=rng.uniform(1 / 1.35, 1.35) ** 0.7,
        white_balance=tuple(rng.uniform(0.92, 1.08, 3)),
        gamma=rng.uniform(0.92, 1.08),
        vignetting=rng.uniform(0, 0.3),
        noise_8bit=rng.uniform(0.5, 4.0),
    )


def _taken(d: Draw) -> Pair:
    lr_scene = Scene(d.scene)
    light = lr_scene.light(d.lr_view, d.lr_psf)
    lr = _processed(d.lr_sensor.develop(light, d.lr_view, d.rng), d.lr_processing, d.lr_sensor)
    hr_scene = Scene(d.hr_scene) if d.hr_scene is not None else lr_scene
    view = d.hr_view
    if d.enlarged > 1:
        size = tuple(round(n / d.enlarged) for n in view.lens.size_hw)
        small = replace(view.lens, size_hw=size, lateral=tuple(v / d.enlarged for v in view.lens.lateral))
        ratio = view.lens.size_hw[0] / size[0]
        shift = (ratio - 1) / 2
        grow = Homography(np.array([[ratio, 0, shift], [0, ratio, shift], [0, 0, 1]]))
        view = View(view.scene_from_photo @ grow, small)
    light = hr_scene.light(view, d.hr_psf)
    at = view.pixels()
    part = None if d.part is None else _at(d.part, view.scene(at))
    if d.step is not None:
        # HR shows scene point s + step where the main plane has s.
        elsewhere = View(Homography.translation(*d.step) @ view.scene_from_photo, view.lens)
        beyond = hr_scene.light(elsewhere, d.hr_psf)
        part = _at(d.part, elsewhere.scene(at))
        light = np.where(part[..., None] > 0.5, beyond, light)
    elif part is not None and d.hr_scene is None:
        soft = hr_scene.light(view, d.hr_psf.scaled(d.rng.uniform(0.9, 1.3) * d.case.scale))
        light = light + part[..., None].astype(np.float32) * (soft - light)
    hr = _processed(d.hr_sensor.develop(light, view, d.rng), d.hr_processing, d.hr_sensor)
    if d.enlarged > 1:
        hr = cv2.resize(hr, d.hr_view.lens.size_hw[::-1], interpolation=cv2.INTER_CUBIC)
        hr = d.hr_sensor.stored(hr.astype(np.float32) / 255)
    return Pair(d.case, lr, hr, d.lr_view, d.hr_view, _changed(d), d.step, d.part)


def _changed(d: Draw) -> np.ndarray:
    """(h, w) bool over LR."""
    at = d.lr_view.scene(d.lr_view.pixels())
    if d.case.good:
        return np.zeros(at.shape[:2], bool)
    if d.hr_scene is not None:
        differ = cv2.GaussianBlur(np.abs(d.hr_scene - d.scene).max(-1), (0, 0), d.lr_view.pitch / 2)
        return _at(differ, at) > 0.01
    if d.part is not None:
        return _at(d.part, at) > 0.5
    return np.ones(at.shape[:2], bool)


def _processed(encoded: np.ndarray, steps: list, sensor: Sensor) -> np.ndarray:
    for step in steps:
        encoded = step(encoded)
    return sensor.stored(encoded)


def _at(field_: np.ndarray, scene_points: np.ndarray) -> np.ndarray:
    """(...) a map over the scene at scene points, nearest pixel."""
    x, y = (np.rint(scene_points[..., i]).astype(int) for i in (0, 1))
    return field_[np.clip(y, 0, field_.shape[0] - 1), np.clip(x, 0, field_.shape[1] - 1)]


# --- good kinds ---------------------------------------------------------------------------------------------


def _plain(d: Draw) -> None:
    """Nothing else."""


def _lateral_colour(d: Draw) -> None:
    """Red and blue are scaled against green, in both cameras and differently."""
    cubic = d.rng.uniform(0, 1, 2)
    # by 0.3 to 1 HR px at the corner, LR's in units of the same
    amounts = d.rng.uniform(0.3, 1.0, (2, 2)) * d.rng.choice([-1, 1], (2, 2))
    for name, unit, (red, blue), share in (
        ("lr_view", 1 / d.case.scale, amounts[0], cubic[0]),
        ("hr_view", 1.0, amounts[1], cubic[1]),
    ):
        view = getattr(d, name)
        lens = replace(view.lens, lateral=(red * unit, 0.0, blue * unit), cubic=share)
        setattr(d, name, replace(view, lens=lens))


def _bayer(d: Draw) -> None:
    """One colour a pixel in both cameras, noise before the colours are interpolated."""
    d.lr_sensor, d.hr_sensor = (replace(s, mosaic=True) for s in (d.lr_sensor, d.hr_sensor))


def _phone(side: str):
    def kind(d: Draw) -> None:
        """Edge-preserving noise reduction and sharpening, as phones do."""
        colour, space = d.rng.uniform(0.04, 0.1), d.rng.uniform(1.0, 2.0)
        sigma, amount = d.rng.uniform(0.8, 1.5), d.rng.uniform(0.5, 1.2)

        def process(image: np.ndarray) -> np.ndarray:
            smooth = cv2.bilateralFilter(np.clip(image, 0, 1).astype(np.float32), 7, colour, space)
            return smooth + amount * (smooth - cv2.GaussianBlur(smooth, (0, 0), sigma))

        (d.lr_processing if side == "LR" else d.hr_processing).append(process)

    return kind


def _local_tone(side: str):
    def kind(d: Draw) -> None:
        """Tones compressed by neighbourhood: a guided-filter base, or CLAHE."""
        strength, clahe = d.rng.uniform(0.3, 0.6), d.rng.random() < 0.4
        limit = d.rng.uniform(1.2, 2.0)

        def process(image: np.ndarray) -> np.ndarray:
            image = np.clip(image, 0, 1).astype(np.float32)
            luma = image @ np.array([0.299, 0.587, 0.114], np.float32)
            if clahe:
                tool = cv2.createCLAHE(clipLimit=limit, tileGridSize=(4, 4))
                new = tool.apply(np.rint(luma * 65535).astype(np.uint16)).astype(np.float32) / 65535
            else:
                base = _guided(luma, max(4, min(luma.shape) // 25), 0.02)
                new = luma + strength * (luma.mean() - base)
            return np.clip(image * ((new + 0.02) / (luma + 0.02))[..., None], 0, 1)

        (d.lr_processing if side == "LR" else d.hr_processing).append(process)

    return kind


def _guided(image: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Guided filter of an image by itself (He et al., 2013)."""

    def mean(x):
        return cv2.blur(x, (2 * radius + 1,) * 2)

    middle = mean(image)
    variance = mean(image * image) - middle * middle
    a = variance / (variance + eps)
    return mean(a) * image + mean(middle - a * middle)


def _coma(d: Draw) -> None:
    """A kernel with a tail to one side, in both; the truth is its centroid's.

    That is where coarse detail lies; detail of 4 px is displaced by some 0.03 px against it.
    """
    for name in ("lr_psf", "hr_psf"):
        spot, angle = getattr(d, name).spots[0], d.rng.uniform(0, 2 * np.pi)
        reach, share = d.rng.uniform(0.5, 1.0), d.rng.uniform(0.15, 0.35)
        tail = Spot(
            share,
            reach * np.cos(angle),
            reach * np.sin(angle),
            1.6 * spot.along,
            1.2 * spot.across,
            float(np.degrees(angle)),
        )
        setattr(d, name, Psf((replace(spot, share=1 - share), tail)))


def _median(d: Draw) -> None:
    """LR through a 3 x 3 median."""
    d.lr_processing.append(lambda image: cv2.medianBlur(np.clip(image, 0, 1).astype(np.float32), 3))


def _facade(d: Draw) -> None:
    """Equal windows in equal distances; a ground floor, and some windows, are unlike the others."""
    rng, unit = d.rng, PITCH * d.case.scale
    height, width = d.scene.shape[:2]
    cell = (rng.uniform(14, 26, 2) * unit).astype(int)
    y, x = (int(rng.integers(0, n - c)) for n, c in zip((height, width), cell, strict=True))
    wall = d.scene.mean((0, 1)) * np.ones((*cell, 3), np.float32)
    wall *= 0.75 + 0.25 * d.scene[y : y + cell[0], x : x + cell[1]] / max(1e-3, d.scene.mean())
    top, left = (cell * 0.22).astype(int)
    bottom, right = (cell * 0.78).astype(int)
    window = wall.copy()
    window[top:bottom, left:right] *= 0.25
    frame = max(2, int(unit))
    for edge in (slice(top, top + frame), slice(bottom - frame, bottom)):
        window[edge, left:right] = wall.mean() * 1.6
    middle = (left + right) // 2
    window[top:bottom, middle - frame // 2 : middle + frame // 2] = wall.mean() * 1.6
    counts = [-(-n // c) for n, c in zip((height, width), cell, strict=True)]
    scene = np.tile(window, (*counts, 1))[:height, :width].copy()
    for row in range(counts[0]):
        for column in range(counts[1]):
            if rng.random() < 0.15:  # a blind, a curtain, somebody who looks out
                a, b = row * cell[0] + top, column * cell[1] + left
                shape = scene[a : a + bottom - top, b : b + right - left].shape
                scene[a : a + shape[0], b : b + shape[1]] = d.scene[a : a + shape[0], b : b + shape[1]]
    ground = int(height * rng.uniform(0.72, 0.8))
    scene[ground:] = d.scene[ground:]
    d.scene = np.clip(scene, 0, 1)


def _without(d: Draw, plain: np.ndarray, colour) -> None:
    """Takes the texture away where `plain` (in [0, 1]) is 1; slow gradients stay."""
    height, width = plain.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = d.rng.uniform(-0.15, 0.15, 2)
    smooth = np.array(colour)[None, None] * (1 + slope[0] * x + slope[1] * y)[..., None]
    d.scene = (d.scene * (1 - plain[..., None]) + smooth * plain[..., None]).astype(np.float32)


def _wave(d: Draw, n: int, size: float) -> np.ndarray:
    """(n,) a wandering line of sd `size`."""
    steps = d.rng.standard_normal(n // 8 + 2).astype(np.float32)[None]
    line = cv2.GaussianBlur(steps, (0, 0), n / 150)
    line = cv2.resize(line, (n, 1), interpolation=cv2.INTER_CUBIC)[0]
    return size * line / line.std()


def _sky(d: Draw) -> None:
    """The upper 60 to 70 % of HR's view shows nothing."""
    height, width = d.scene.shape[:2]
    edge = height / 2 + (d.rng.uniform(0.60, 0.70) - 0.5) * height / ROOM + _wave(d, width, 0.015 * height)
    plain = np.clip(edge[None] - np.arange(height)[:, None], 0, 1)
    _without(d, plain, srgb_to_linear(np.array([0.55, 0.68, 0.85], np.float32)))


def _band(d: Draw) -> None:
    """Texture in one third of HR's view, a band; the rest is plain."""
    height, width = d.scene.shape[:2]
    across = d.rng.random() < 0.5
    n, m = (height, width) if across else (width, height)
    middle = n / 2 + d.rng.uniform(-0.2, 0.2) * n / ROOM
    half = n / ROOM / 6
    distance = np.abs(np.arange(n)[:, None] - middle - _wave(d, m, 0.01 * n)[None])
    plain = np.clip(distance - half, 0, 1)
    _without(d, plain if across else plain.T, d.scene.mean((0, 1)))


def _depth_of_field(d: Draw) -> None:
    """A part of the scene is out of focus in both photos alike."""
    part = _region(d, d.rng.uniform(0.25, 0.45), soft=0.1)[..., None]
    sigma = d.rng.uniform(0.5, 1.2) * PITCH * d.case.scale
    d.scene = d.scene + part * (cv2.GaussianBlur(d.scene, (0, 0), sigma) - d.scene)


def _night(d: Draw) -> None:
    """Little light, much noise."""
    for name in ("lr_sensor", "hr_sensor"):
        s = getattr(d, name)
        dark, noise = d.rng.uniform(0.12, 0.3), d.rng.uniform(7, 14)
        setattr(d, name, replace(s, exposure=s.exposure * dark, noise_8bit=noise))


def _clipped(d: Draw) -> None:
    """3 to 8 % of the highlights are beyond white in one photo or both."""
    both = d.rng.random() < 0.5
    names = ["lr_sensor", "hr_sensor"] if both else [d.rng.choice(["lr_sensor", "hr_sensor"])]
    for name in names:
        s = getattr(d, name)
        brightest = (d.scene * np.array(s.white_balance, np.float32)).max(-1)
        white = np.quantile(brightest[::4, ::4], 1 - d.rng.uniform(0.03, 0.08))
        setattr(d, name, replace(s, exposure=1 / float(white), vignetting=s.vignetting / 3))


def _roll(d: Draw) -> None:
    """The cameras are turned against each other by 4 to 6 degrees."""
    angle = np.radians(d.rng.uniform(4, 6)) * d.rng.choice([-1, 1])
    size = d.hr_view.lens.size_hw
    plane = _plane(d.rng, size, d.scene.shape[:2], PITCH, angle)
    d.hr_view = replace(d.hr_view, scene_from_photo=plane)


# --- bad kinds ----------------------------------------------------------------------------------------------


def _region(d: Draw, share: float, soft: float = 0.0) -> np.ndarray:
    """(H, W) float32 over the scene: 1 in `share` of HR's view, from one side; 0 elsewhere."""
    height, width = d.scene.shape[:2]
    y, x = np.mgrid[-ROOM : ROOM : height * 1j, -ROOM : ROOM : width * 1j].astype(np.float32)
    angle = d.rng.choice([0, 90, 180, 270]) + d.rng.uniform(-15, 15)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along = c * x + s * y
    inner = along[(np.abs(x) <= 1) & (np.abs(y) <= 1)]
    edge = np.quantile(inner[::97], 1 - share)
    if not soft:
        return (along > edge).astype(np.float32)
    return np.clip((along - edge) / soft + 0.5, 0, 1).astype(np.float32)


def _parallax(step: float):
    def kind(d: Draw) -> None:
        """A third of the field is seen from elsewhere."""
        angle = d.rng.uniform(0, 2 * np.pi)
        d.step = step * d.lr_view.pitch * np.array([np.cos(angle), np.sin(angle)])
        d.part = _region(d, 1 / 3)

    return kind


def _shadows(d: Draw) -> None:
    """Three shadows, their edges 8 to 20 % of the view from their middle, wander by 2 to 6 % of it."""
    height, width = d.scene.shape[:2]
    size = min(height, width) / ROOM
    depth = d.rng.uniform(0.35, 0.6)
    move = size * d.rng.uniform(0.02, 0.06) * _direction(d.rng)
    masks = [np.zeros((height, width), np.float32) for _ in range(2)]
    for _ in range(3):
        middle = np.array([width, height]) * d.rng.uniform(0.25, 0.75, 2)
        angles = np.sort(d.rng.uniform(0, 2 * np.pi, 7))
        radii = size * d.rng.uniform(0.08, 0.2, 7)
        outline = middle + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1)
        for mask, shift in zip(masks, (0, move), strict=True):
            cv2.fillPoly(mask, [np.int32(outline + shift)], 1.0)
    masks = [cv2.GaussianBlur(m, (0, 0), 2 * PITCH)[..., None] for m in masks]
    d.hr_scene = d.scene * (1 - (1 - depth) * masks[1])
    d.scene = d.scene * (1 - (1 - depth) * masks[0])


def _direction(rng) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _leaves(d: Draw) -> None:
    """24 small things on 4 % of the view, each somewhere else in HR by 1 to 4 LR px."""
    height, width = d.scene.shape[:2]
    side = np.sqrt(0.04 / 24 * height * width) / ROOM
    before, after = d.scene.copy(), d.scene.copy()
    for _ in range(24):
        middle = np.array([width, height]) * (0.5 + d.rng.uniform(-0.46, 0.46, 2) / ROOM)
        texture = _patch(d, int(2.4 * side))
        colour = texture * d.rng.uniform(0.4, 1.6, 3).astype(np.float32)
        turn, ratio = d.rng.uniform(0, 180), d.rng.uniform(0.5, 0.8)
        axes = (side * 0.56 / np.sqrt(ratio), side * 0.56 * np.sqrt(ratio))
        move = d.rng.uniform(1, 4) * d.lr_view.pitch * _direction(d.rng)
        _paste(before, colour, middle, axes, turn)
        _paste(after, colour, middle + move, axes, turn + d.rng.uniform(-15, 15))
    d.scene, d.hr_scene = before, after


def _people(d: Draw) -> None:
    """Two or three figures that walk on by 3 to 20 LR px."""
    height, width = d.scene.shape[:2]
    before, after = d.scene.copy(), d.scene.copy()
    for _ in range(int(d.rng.integers(2, 4))):
        tall = height / ROOM * d.rng.uniform(0.25, 0.4)
        foot = np.array([width * (0.5 + d.rng.uniform(-0.4, 0.4) / ROOM), height * d.rng.uniform(0.55, 0.8)])
        move = np.array([d.rng.choice([-1, 1]) * d.rng.uniform(3, 20) * d.lr_view.pitch, 0])
        clothes = _patch(d, int(tall)) * d.rng.uniform(0.3, 1.2, 3).astype(np.float32)
        trousers = np.full_like(clothes, d.rng.uniform(0.02, 0.3, 3))
        skin = np.full((int(tall), int(tall), 3), (0.55, 0.33, 0.24), np.float32)
        for image, shift in ((before, 0), (after, move)):
            for x, y, wide, high, stuff in (
                (-0.07, 0.24, 0.05, 0.25, trousers),
                (0.07, 0.24, 0.05, 0.25, trousers),
                (0.0, 0.62, 0.14, 0.22, clothes),
                (0.0, 0.91, 0.065, 0.085, skin),
            ):
                _paste(image, stuff, foot + shift + tall * np.array([x, -y]), (wide * tall, high * tall), 0)
    d.scene, d.hr_scene = before, after


def _patch(d: Draw, side: int) -> np.ndarray:
    """(side, side, 3) of the other photo, linear."""
    photo = read(d.case.other).pixels
    photo = photo if photo.dtype == np.uint8 else (photo >> 8).astype(np.uint8)
    side_there = min(side, *photo.shape[:2])
    y, x = (int(d.rng.integers(0, n - side_there + 1)) for n in photo.shape[:2])
    part = photo[y : y + side_there, x : x + side_there].astype(np.float32) / 255
    return srgb_to_linear(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))


def _paste(image: np.ndarray, texture: np.ndarray, middle, axes, turn: float) -> None:
    """Lay an ellipse of a texture over an image, its edge one scene px soft."""
    half = texture.shape[0] // 2
    left, top = np.rint(np.asarray(middle) - half).astype(int)
    mask = np.zeros(texture.shape[:2], np.float32)
    cv2.ellipse(mask, (half, half), [int(a) for a in axes], turn, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None]
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = (min(n, o + s) for n, o, s in zip(image.shape, (top, left), texture.shape, strict=False))
    if y1 <= y0 or x1 <= x0:
        return
    inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    view = image[y0:y1, x0:x1]
    view += mask[inner] * (np.clip(texture[inner], 0, 1) - view)


def _enlarged(factor: float):
    def kind(d: Draw) -> None:
        """HR is a smaller photo, enlarged."""
        d.enlarged = factor
        step = 5 if factor == 2.5 else 3
        size = tuple(n - n % step for n in d.hr_view.lens.size_hw)
        d.hr_view = View(d.hr_view.scene_from_photo, replace(d.hr_view.lens, size_hw=size))

    return kind


def _half_soft(d: Draw) -> None:
    """HR is out of focus over half of the view, to LR's detail or less."""
    d.part = _region(d, 0.5, soft=0.05)


def _soft(d: Draw) -> None:
    """HR has no more detail than LR."""
    d.hr_psf = d.lr_psf.scaled(d.case.scale * d.rng.uniform(0.9, 1.2))


def _mirrored(d: Draw) -> None:
    d.hr_processing.append(lambda image: np.ascontiguousarray(image[:, ::-1]))


def _inverted(d: Draw) -> None:
    d.hr_processing.append(lambda image: 1 - np.clip(image, 0, 1))


KINDS = {
    "plain": _plain,
    "lateral colour": _lateral_colour,
    "bayer": _bayer,
    "phone LR": _phone("LR"),
    "phone HR": _phone("HR"),
    "local tone LR": _local_tone("LR"),
    "local tone HR": _local_tone("HR"),
    "coma": _coma,
    "median LR": _median,
    "facade": _facade,
    "sky": _sky,
    "band": _band,
    "depth of field": _depth_of_field,
    "night": _night,
    "clipped": _clipped,
    "roll": _roll,
    "small HR 300": _plain,
    "small LR 128": _plain,
    "parallax 0.3": _parallax(0.3),
    "parallax 0.5": _parallax(0.5),
    "parallax 1.0": _parallax(1.0),
    "shadows": _shadows,
    "leaves": _leaves,
    "people": _people,
    "enlarged 1.5": _enlarged(1.5),
    "enlarged 2.5": _enlarged(2.5),
    "HR half soft": _half_soft,
    "HR soft": _soft,
    "mirrored": _mirrored,
    "inverted": _inverted,
}


def photos_of(places: list[Path], least: int = 0) -> list[Path]:
    """Photos, and those of folders, whose shorter side has at least so many px."""
    paths = [p for place in places for p in ([place] if place.is_file() else folder_of(place))]
    return [path for path in paths if not least or min(read(path).pixels.shape[:2]) >= least]


def folder_of(folder: Path) -> list[Path]:
    """Photos of a folder."""
    return [found.path for found in find_images(folder)]


def sheet(case: Case, height: int = 260) -> np.ndarray:
    """(height, W, 3) LR and HR whole, then a part of each at one magnification."""
    pair = simulate(case)
    tiles = [
        cv2.resize(image, (height * 4 // 3, height), interpolation=cv2.INTER_AREA)
        for image in (pair.lr, pair.hr)
    ]
    side = height // case.scale
    changed = np.argwhere(pair.changed & pair.seen_by_both())
    some = 0 < len(changed) < 0.9 * pair.changed.size
    y, x = changed[len(changed) // 2] if some else np.array(pair.lr.shape[:2]) // 2
    columns, rows = np.arange(side) + x - side // 2, np.arange(side) + y - side // 2
    points = np.stack(np.meshgrid(columns, rows), -1).astype(np.float32)
    near = cv2.remap(
        pair.lr, points[..., 0], points[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    tiles.append(cv2.resize(near, (height, height), interpolation=cv2.INTER_NEAREST))
    there = pair.main_truth(cv2.resize(points, (height, height)).astype(float)).astype(np.float32)
    tiles.append(cv2.remap(pair.hr, there[..., 0], there[..., 1], cv2.INTER_CUBIC))
    row = np.hstack(tiles)
    cv2.putText(row, f"{case.kind} x{case.scale}", (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 0, 0), 2)
    return row


def main() -> None:
    """Write a sheet with an example of each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="sharp photos, or folders")
    parser.add_argument("--sheet", type=Path, required=True, help="JPEG or PNG to write")
    parser.add_argument("--kinds", nargs="+", default=GOOD + BAD)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    photos = photos_of(options.photos)
    rows = [
        sheet(Case(photos[k % len(photos)], photos[(k + 1) % len(photos)], options.scale, kind, options.seed))
        for k, kind in enumerate(options.kinds)
    ]
    cv2.imwrite(str(options.sheet), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
