"""Small real work in a temporary folder for `realdeg doctor`: each trial says what it did, or raises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from realdeg.errors import UserError


class Wrong(Exception):
    """Something ran to its end and did not do what it should."""


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
    settings = DegradeSettings(2, recipe="realesrgan")
    report = degrade_folder(folder / "clean", folder / "out", settings, running=Running(workers=2))
    for record in report.records:
        if not record.ok:
            raise Wrong(record.reason)
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


def align(folder: Path) -> str:
    """A simulated pair registered, and where the middle lies compared with the truth."""
    import cv2
    import numpy as np

    from realdeg.align.pair import register
    from realdeg.align.settings import AlignSettings
    from realdeg.imaging.capture import Camera, capture, matching_points

    rng = np.random.default_rng(3)
    scene = np.zeros((440, 440, 3), np.float32)
    for sigma in (1.5, 4.0, 12.0, 40.0):  # detail of all sizes, as photos have
        layer = cv2.GaussianBlur(rng.standard_normal(scene.shape).astype(np.float32), (0, 0), sigma)
        scene += layer / layer.std()
    picture = np.clip(128 + 28 * scene, 0, 255).astype(np.uint8)

    def view(size: int, pitch: float, turn: float) -> np.ndarray:
        c, s, middle = pitch * np.cos(turn), pitch * np.sin(turn), (size - 1) / 2
        x, y = 219.5 - (c * middle - s * middle), 219.5 - (s * middle + c * middle)
        return np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])

    cameras = Camera((220, 220), blur=0.5, noise_8bit=1.0), Camera((400, 400), blur=0.6, noise_8bit=1.0)
    views = view(220, 1.98, 0.01), view(400, 1.0, 0.0)
    lr, hr = (capture(picture, v, camera, rng) for v, camera in zip(views, cameras, strict=True))
    found = register(lr, hr, AlignSettings(scale=2))
    if not hasattr(found, "hr_from_lr"):
        raise Wrong(str(getattr(found, "reason", found)))
    points = np.array([[110.0, 110.0], [80.0, 130.0], [140.0, 90.0]])
    truth = matching_points(points, views[0], cameras[0], views[1], cameras[1])
    off = float(np.hypot(*(found.hr_from_lr(points) - truth).T).max()) / 2
    if not off < 0.1:
        raise Wrong(f"registration is off by {off:.2f} LR px")
    return f"a simulated pair registered to {off:.3f} LR px"


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


def write(folder: Path) -> str:
    """A file that could not be written to its end must leave the old one."""
    from realdeg.atomic import whole_file, write_text

    path = folder / "whole" / "file.txt"
    write_text(path, "old")
    try:
        with whole_file(path) as temporary:
            temporary.write_text("ha")
            raise KeyError
    except KeyError:
        pass
    if path.read_text() != "old" or list(path.parent.iterdir()) != [path]:
        raise Wrong("a file that was not written to its end replaced another, or stays")
    write_text(path, "new")
    if path.read_text() != "new":
        raise Wrong("a file is not what was written")
    return "a file is whole or as it was"


def learn(folder: Path) -> str:
    """Steps down the gradient on the processor must lower the loss."""
    import torch

    torch.manual_seed(0)
    lr, net = torch.rand(2, 3, 16, 16), torch.nn.Conv2d(3, 12, 3, padding=1)
    hr = torch.nn.functional.interpolate(lr, scale_factor=2, mode="bicubic")
    losses = []
    for _ in range(5):
        loss = (torch.nn.functional.pixel_shuffle(net(lr), 2) - hr).abs().mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():  # torch's optimisers take seconds to load
            for weights, gradient in zip(net.parameters(), gradients, strict=True):
                weights.sub_(gradient, alpha=0.5)
        losses.append(loss.item())
    if not losses[-1] < losses[0]:
        raise Wrong(f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}")
    return f"5 steps of a layer on the processor, loss {losses[0]:.2f} to {losses[-1]:.2f}"


TRIALS: dict[str, tuple[Callable[[Path], str], str]] = {
    "write": (write, "use another disk: this one does not rename files as it should"),
    "lock": (hold, "use a file system with locks, or run one job at a time"),
    "degrade": (degrade, "look at the libraries and the free space above; run with -j 1"),
    "align": (align, "reinstall opencv-contrib-python, numpy and scipy"),
    "learn": (learn, "reinstall torch for this processor"),
}
"""Trials by name, with what to do where they fail."""
