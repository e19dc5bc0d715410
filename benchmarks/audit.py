"""Are wrong pairs named rightly, and good ones left alone?

    python benchmarks/audit.py --photos FOLDER [--pairs FOLDER ...] [--scale 4]

Of each photo a good pair and one of each kind of fault are made, LR with a camera's noise; each kind is a set
of its own. Copies are looked for among all photos. FOLDERs of --pairs hold registered pairs
of others (`realdeg check FOLDER`): how many of them are accused, and of what.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from realdeg import ipp
from realdeg.check import grid, same, twins
from realdeg.check.gather import gather
from realdeg.check.judge import judge
from realdeg.check.pair import examine
from realdeg.check.prints import print_of
from realdeg.check.settings import CheckSettings
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.resample import resize
from realdeg.io.find import find_images
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from realdeg.seeds import stream

SIDE = 1000
NOISE = 2.0
Image = np.ndarray
Pair = tuple[Image, Image]


def taken(hr: Image, scale: int, key: str, how: str = "centre") -> Image:
    image = hr.astype(np.float32)
    height, width = (side // scale for side in hr.shape[:2])
    if how == "top-left":
        low = cv2.GaussianBlur(image, (0, 0), 0.5 * scale)[::scale, ::scale]
    elif how == "align_corners":
        x, y = (np.linspace(0, scale * n - 1, n, dtype=np.float32) for n in (width, height))
        low = cv2.remap(cv2.GaussianBlur(image, (0, 0), 0.5 * scale), *np.meshgrid(x, y), cv2.INTER_LANCZOS4)
    else:
        low = resize(image, 1 / scale)
    return clipped(low + stream(0, key, how).normal(0, NOISE, low.shape))


def clipped(image: Image) -> Image:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def coded(image: Image, quality: int) -> Image:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def torn(hr: Image, scale: int) -> Image:
    made, third = hr.copy(), hr.shape[1] // 3
    made[:, third : 2 * third] = np.roll(hr, round(1.5 * scale), axis=1)[:, third : 2 * third]
    return made


def enlarged(hr: Image) -> Image:
    small = cv2.resize(hr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, hr.shape[1::-1], interpolation=cv2.INTER_CUBIC)


FAULTS: dict[str, tuple[Callable[[Image, int, str], Pair], str]] = {
    "good": (lambda hr, s, k: (taken(hr, s, k), hr), ""),
    "displaced by 2 LR px": (lambda hr, s, k: (taken(hr, s, k), np.roll(hr, 2 * s, axis=1)), "HR px beside"),
    "top-left grid": (lambda hr, s, k: (taken(hr, s, k, "top-left"), hr), "top-left"),
    "align_corners": (lambda hr, s, k: (taken(hr, s, k, "align_corners"), hr), "align_corners"),
    "a third moved": (lambda hr, s, k: (taken(hr, s, k), torn(hr, s)), "moved on its own"),
    "cast": (lambda hr, s, k: (clipped(taken(hr, s, k) * np.array([1.2, 1, 0.8])), hr), "a cast"),
    "JPEG 40": (lambda hr, s, k: (taken(hr, s, k), coded(hr, 40)), "JPEG"),
    "HR blurred": (
        lambda hr, s, k: (taken(hr, s, k), cv2.GaussianBlur(hr, (0, 0), 0.7 * s)),
        "shows no more",
    ),
    "HR enlarged x2": (lambda hr, s, k: (taken(hr, s, k), enlarged(hr)), "enlarged"),
    "mirrored": (lambda hr, s, k: (np.ascontiguousarray(taken(hr, s, k)[:, ::-1]), hr), "mirrored"),
}
COPIES: dict[str, Callable[[Image], Image]] = {
    "JPEG 70, brighter": lambda a: clipped(coded(a, 70) * 1.1 + 5.0),
    "half": lambda a: cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "mirrored": lambda a: np.ascontiguousarray(a[:, ::-1]),
    "crop, 1/2 a side": lambda a: part(a, 0.5),
    "crop, 1/3 a side": lambda a: part(a, 0.33),
    "mirrored crop, JPEG 80": lambda a: coded(np.ascontiguousarray(part(a, 0.5)[:, ::-1]), 80),
}


def part(image: Image, share: float) -> Image:
    height, width = (round(share * side) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 3, (image.shape[1] - width) // 3
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def photos(folder: Path, scale: int) -> dict[str, Image]:
    made = {}
    for one in find_images(folder, Finding(follow_links=True)):
        image = to_8bit(read(one.path).pixels)
        factor = SIDE / max(image.shape[:2])
        if factor < 1:
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        height, width = (side // scale * scale for side in image.shape[:2])
        made[one.key] = np.ascontiguousarray(image[:height, :width])
    return made


def faults(images: dict[str, Image], scale: int) -> None:
    print("kind | pairs | kept | named rightly | the set as a whole")
    for kind, (make, word) in FAULTS.items():
        verdicts, named, places = Counter[str](), 0, []
        for key, image in images.items():
            looked = examine(*make(image, scale, key), scale)
            found = judge(looked.figures, scale, CheckSettings())
            verdicts[found.verdict] += 1
            named += bool(word) and word in found.reason
            places += [looked.place] if looked.place else []
        placed = grid.of_set(*grid.rows(places), scale) if places else None
        told = grid.in_words(placed, scale) if placed else "not measured"
        print(kind, len(images), verdicts["keep"], named, told.split(":")[0] or "-", sep=" | ")


def copies(images: dict[str, Image]) -> None:
    keys = list(images)
    prints = [print_of(image) for image in images.values()]
    print("copy | candidates | proven | others proven")
    for kind, change in COPIES.items():
        found, proven, others = 0, 0, 0
        for number, key in enumerate(keys):
            made = change(images[key])
            for one in twins.candidates([print_of(made), *prints], 1):
                shown = same.compare(made, images[keys[one.second - 1]]) is not None
                found += one.second - 1 == number
                proven += shown and one.second - 1 == number
                others += shown and one.second - 1 != number
        print(kind, f"{found} of {len(keys)}", proven, others, sep=" | ")


def others(folder: Path) -> None:
    verdicts, reasons, errors, begun = Counter[str](), [], [], time.process_time()
    items = gather(folder, None, None).items
    for item in items:
        lr, hr = read(item.lr).pixels, read(item.hr).pixels
        scale = hr.shape[0] // lr.shape[0]
        figures = examine(lr, hr, scale).figures
        found = judge(figures, scale, CheckSettings())
        verdicts[found.verdict] += 1
        reasons += [f"{item.key}: {found.reason}"] if found.verdict != "keep" else []
        errors.append(float(figures.get("residual_sure_px") or 0))
    seconds = (time.process_time() - begun) / len(items)
    worst = f"residual median {np.median(errors):.3f}, worst {max(errors):.3f}"
    print(folder.name, f"{len(items)} pairs", dict(verdicts), worst, f"{seconds:.2f} CPU s a pair", sep=" | ")
    print(*(f"  {line}" for line in reasons), sep="\n", end="\n" if reasons else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, action="append", default=[])
    parser.add_argument("--scale", type=int, default=4)
    given = parser.parse_args()
    ipp.off()
    images = photos(given.photos, given.scale)
    for folder in given.pairs:
        others(folder)
    faults(images, given.scale)
    copies(images)


if __name__ == "__main__":
    main()
