"""Small real work in a temporary folder for `realdeg doctor`: each trial says what it did, or raises.

Those that come later use what those before them made, as a user's jobs do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from realdeg.errors import UserError

if TYPE_CHECKING:
    from realdeg.arraytypes import Array
    from realdeg.jobs import JobReport

SCALE = 2
MOST_SECONDS = 300  # for a program of its own
TRAINING = (
    *("--preset", "tiny", "--steps", "2", "--patch", "12", "--batch", "2", "--width", "8", "--groups", "1"),
    *("--blocks", "1", "--fusion-width", "8", "--check-every", "2", "--save-every", "2", "--device", "cpu"),
)


class Wrong(Exception):
    """Something ran to its end and did not do what it should."""


def write(folder: Path) -> str:
    """A file that could not be written to its end must leave the old one."""
    from realdeg.atomic import whole_file, write_text

    path = folder / "whole" / "file.txt"
    write_text(path, "old")
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(b"ha")
            raise KeyError
    except KeyError:
        pass
    if path.read_bytes() != b"old" or list(path.parent.iterdir()) != [path]:
        raise Wrong("a file that was not written to its end replaced another, or stays")
    write_text(path, "new")
    if path.read_bytes() != b"new":
        raise Wrong("a file is not what was written")
    return "a file is whole or as it was"


def hold(folder: Path) -> str:
    """A folder held twice must be refused."""
    from realdeg.guard import LOCK, locked

    with locked(folder):
        try:
            with locked(folder):
                pass
        except UserError:
            pass
        else:
            raise Wrong("a folder can be held twice here, so run one job at a time")
    if (folder / LOCK).exists():
        raise Wrong("a lock stays behind")
    return "a second job on a folder is refused"


def align(folder: Path) -> str:
    """A simulated pair registered by the job, and where its middle lies compared with the truth."""
    import numpy as np

    from realdeg.align.folder import align_folders
    from realdeg.align.homography import Homography
    from realdeg.align.settings import AlignSettings
    from realdeg.imaging.capture import CameraModel, capture, matching_points
    from realdeg.io.save import write_image

    picture, rng = _scene(440), np.random.default_rng(3)
    cameras = (
        CameraModel((220, 220), blur=0.5, noise_8bit=1.0),
        CameraModel((400, 400), blur=0.6, noise_8bit=1.0),
    )
    views = _view(220, 1.98, 0.01), _view(400, 1.0, 0.0)
    photos = folder / "photos"
    for side, view, camera in zip(("lr", "hr"), views, cameras, strict=True):
        write_image(photos / side / "0.png", capture(picture, view, camera, rng))
    report = align_folders(photos / "lr", photos / "hr", folder / "pairs", AlignSettings(scale=SCALE))
    _all_made(report, 1)
    found = Homography(np.reshape(report.records[0].detail["hr_from_lr"], (3, 3)))
    points = np.array([[110.0, 110.0], [80.0, 130.0], [140.0, 90.0]])
    truth = matching_points(points, views[0], cameras[0], views[1], cameras[1])
    off = float(np.hypot(*(found(points) - truth).T).max()) / SCALE
    if not off < 0.1:
        raise Wrong(f"registration is off by {off:.2f} LR px")
    return f"a simulated pair registered to {off:.3f} LR px"


def degrade(folder: Path) -> str:
    """Two images degraded by two processes, checked by their hashes, and found again by a second run."""
    import cv2
    import numpy as np

    from realdeg.degrade.folder import degrade_folder
    from realdeg.degrade.replay import replay
    from realdeg.degrade.settings import DegradeSettings
    from realdeg.identity import file_hash
    from realdeg.io.save import write_image
    from realdeg.jobs import Running

    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 256, (64, 96, 3)).astype(np.uint8)
        write_image(folder / "clean" / f"{number}.png", cv2.GaussianBlur(noise, (0, 0), 1.5))
    settings = DegradeSettings(SCALE, recipe="realesrgan")
    report = degrade_folder(folder / "clean", folder / "out", settings, running=Running(workers=2))
    _all_made(report)
    for record in report.records:
        for side in ("lr", "hr"):
            path = folder / "out" / getattr(record, side)
            if file_hash(path) != record.sha256(side):
                raise Wrong(f"{path.name} is not what the manifest says")
    again = degrade_folder(folder / "clean", folder / "out", settings, running=Running(workers=2))
    if (report.count("ok"), again.resumed) != (2, 2):
        raise Wrong(f"{report.count('ok')} of 2 made, {again.resumed} of 2 found again")
    if not all(record.detail.get("equal") for record in replay(folder / "out").records):
        raise Wrong("LR made again is not equal to the byte")
    return "2 images by 2 processes, resumed, and made again to the byte"


def kernels(folder: Path) -> str:
    """The kernel of a photo, learned from it alone and written as a pool."""
    import numpy as np

    from realdeg.io.save import write_image
    from realdeg.kernels.folder import estimate_photos
    from realdeg.kernels.settings import KernelSettings
    from realdeg.pools.kernel_pool import KernelPool

    write_image(folder / "soft" / "0.png", _scene(256))
    pool = folder / "kernels.npz"
    _all_made(estimate_photos(folder / "soft", pool, KernelSettings(SCALE, min_confidence=0)), 1)
    (kernel,) = KernelPool.read(pool, SCALE).kernels
    if not np.isclose(kernel.sum(), 1, atol=1e-3):
        raise Wrong(f"a kernel's sum is {kernel.sum():.3f}, not 1")
    return f"a kernel of {kernel.shape[1]}x{kernel.shape[0]} px of one photo"


def noise(folder: Path) -> str:
    """Noise of a known strength taken from a photo."""
    import numpy as np

    from realdeg.io.save import write_image
    from realdeg.noise.folder import extract_noise_pool
    from realdeg.noise.settings import NoiseSettings
    from realdeg.pools.noise_pool import NoisePool

    sigma, rng = 4.0, np.random.default_rng(5)
    photo = np.linspace(90, 170, 512)[None, :, None] + sigma * rng.standard_normal((512, 512, 3))
    write_image(folder / "grainy" / "0.png", np.rint(photo).clip(0, 255).astype(np.uint8))
    pool = folder / "noise.npz"
    _all_made(extract_noise_pool(folder / "grainy", pool, NoiseSettings()), 1)
    found = 255 * float(np.mean([patch.std() for patch in NoisePool.read(pool).patches]))
    if not abs(found / sigma - 1) < 0.15:
        raise Wrong(f"noise of {sigma:.1f} levels was taken as {found:.1f}")
    return f"noise of {sigma:.1f} levels found as {found:.1f}"


def tile(folder: Path) -> str:
    """The degraded pairs cut on one grid."""
    from realdeg.dataset.settings import TileSettings
    from realdeg.dataset.tile import tile_dataset

    report = tile_dataset(_needed(folder / "out", "degrade"), folder / "tiles", TileSettings(size=32))
    _all_made(report, 12)
    return "2 pairs cut into 12 tiles"


def report(folder: Path) -> str:
    """A page of the degraded pairs, with one for each."""
    from realdeg.report.page import build_report

    page = build_report(_needed(folder / "out", "degrade"), folder / "report")
    pages = len(list(page.parent.rglob("*.html")))
    if pages < 3:
        raise Wrong(f"{pages} pages, 3 were due")
    return f"{pages} pages of 2 pairs"


def train(folder: Path) -> str:
    """Two steps of D2C-SR on the degraded pairs, as a program of its own."""
    data = _needed(folder / "out", "degrade")
    _program("train.d2c", "--data", data, "-o", folder / "run", *TRAINING)
    if not list((folder / "run").rglob("*.safetensors")):
        raise Wrong("no weights were written")
    return "2 steps of D2C-SR on the processor"


def upscale(folder: Path) -> str:
    """A photo enlarged by the network that was just trained."""
    from realdeg.io.photo import read

    run = _needed(folder / "run", "train")
    photo = folder / "out" / "LR" / "0.png"
    _program("train.upscale", photo, "--run", run, "-o", folder / "large", "--device", "cpu")
    small, large = read(photo).pixels.shape, read(folder / "large" / "0.png").pixels.shape
    if large != (SCALE * small[0], SCALE * small[1], 3):
        raise Wrong(f"{small[1]}x{small[0]} px became {large[1]}x{large[0]}")
    return f"{small[1]}x{small[0]} px became {large[1]}x{large[0]}"


def _scene(size: int) -> Array:
    """A picture with detail of all sizes, as photos have, (size, size, 3) uint8."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(3)
    scene = np.zeros((size, size, 3), np.float32)
    for sigma in (1.5, 4.0, 12.0, 40.0):
        layer = cv2.GaussianBlur(rng.standard_normal(scene.shape).astype(np.float32), (0, 0), sigma)
        scene += layer / layer.std()
    return np.clip(128 + 28 * scene, 0, 255).astype(np.uint8)


def _view(size: int, pitch: float, turn: float) -> Array:
    """Map from a photo's pixels to those of the scene: a zoom and a turn about both middles."""
    import numpy as np

    c, s, middle = pitch * np.cos(turn), pitch * np.sin(turn), (size - 1) / 2
    x, y = 219.5 - (c * middle - s * middle), 219.5 - (s * middle + c * middle)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])


def _all_made(report: JobReport, count: int | None = None) -> None:
    """Every item of a job must have been made."""
    for record in report.records:
        if not record.ok:
            raise Wrong(record.reason)
    if count is not None and report.count("ok") != count:
        raise Wrong(f"{report.count('ok')} of {count} made")


def _needed(path: Path, trial: str) -> Path:
    if not path.exists():
        raise Wrong(f"needs what {trial} makes")
    return path


def _program(module: str, *words: str | Path) -> None:
    """Run a program of this installation, wherever that is; its last line is the reason where it fails."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(
        command,
        capture_output=True,
        env=environment,
        encoding="utf-8",
        errors="replace",
        timeout=MOST_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).split("\n")
        said = next((line for line in reversed(lines) if line.strip()), f"exit code {done.returncode}")
        raise Wrong(said.removeprefix("error: "))


QUICK: dict[str, tuple[Callable[[Path], str], str]] = {
    "write": (write, "use another disk: this one does not rename files as it should"),
    "lock": (hold, "use a file system with locks, or run one job at a time"),
}
"""Trials by name, with what to do where they fail: those that take no time."""
JOBS: dict[str, tuple[Callable[[Path], str], str]] = {
    "align": (align, "reinstall opencv-contrib-python, numpy and scipy"),
    "degrade": (degrade, "look at the libraries and the free space above; run with -j 1"),
    "kernels": (kernels, "reinstall realdeg, numpy and scipy"),
    "noise": (noise, "reinstall numpy and scipy"),
    "tile": (tile, "look at what degrade says"),
    "report": (report, "reinstall realdeg and jinja2"),
    "train": (train, "reinstall torch for this processor"),
    "upscale": (upscale, "reinstall torch for this processor"),
}
"""A tiny job of each kind."""
