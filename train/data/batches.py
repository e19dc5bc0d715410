"""Random crops of pairs: the batch of step i is a function of (seed, i), so resuming needs no replay.

The processor only moves bytes, (H, W, 3) uint8 as they lie in the cache, and turns them on the way: OpenCV
does that at 20,000 patches a second and core, an indexed flip in torch at 700. Floating point, four times
the bytes, begins on the device that trains.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from realdeg.seeds import stream

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Crops as they are copied.

    Attributes:
        keys: B keys of the pairs, for messages.
        lr: (B, p, p, 3) uint8.
        hr: (B, s p, s p, 3) uint8, HR of the same field.
    """

    keys: tuple[str, ...]
    lr: np.ndarray
    hr: np.ndarray


@dataclass(frozen=True)
class Crops:
    """Batches of a dataset: `crops(i)` is the batch of step i.

    One epoch is every image once in random order, with one random crop each (D2C-SR, official code); the
    order goes on over the end of an epoch inside a batch, so that no image is left out.

    Args:
        keys, lr, hr: pairs as (H, W, 3) uint8 arrays, HR `scale` times LR.
        patch: side of the LR crop in pixels, at most the smallest LR side.
        size: crops a batch, B.
        seed: of the run.
        share: places of the batch that this process learns from; None: all.
    """

    keys: tuple[str, ...]
    lr: tuple[np.ndarray, ...]
    hr: tuple[np.ndarray, ...]
    scale: int
    patch: int
    size: int
    seed: int = 0
    share: range | None = None

    @property
    def places(self) -> range:
        """Places in the batch of the crops that are made here."""
        return range(self.size) if self.share is None else self.share

    def __call__(self, step: int) -> Batch:
        """The crops of one step, copied."""
        p, s, count = self.patch, self.scale, len(self.lr)
        rng = stream(self.seed, str(step), "crops")
        spots = rng.random((self.size, 2))
        turns = rng.random((self.size, 3)) < 0.5
        lr = np.empty((len(self.places), p, p, 3), np.uint8)
        hr = np.empty((len(self.places), s * p, s * p, 3), np.uint8)
        keys = []
        for at, b in enumerate(self.places):
            epoch, place = divmod(step * self.size + b, count)
            image = _order(self.seed, epoch, count)[place]
            small, large = self.lr[image], self.hr[image]
            # Starts 0 .. H - p inclusive; the released code never samples the last row and column.
            y = int(spots[b, 0] * (small.shape[0] - p + 1))
            x = int(spots[b, 1] * (small.shape[1] - p + 1))
            lr[at] = dihedral(small[y : y + p, x : x + p], turns[b])
            hr[at] = dihedral(large[s * y : s * (y + p), s * x : s * (x + p)], turns[b])
            keys.append(self.keys[image])
        return Batch(tuple(keys), lr, hr)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the images, at least 1."""
        return max(1, len(self.lr) // self.size)


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    return [int(i) for i in stream(seed, str(epoch), "order").permutation(count)]


def dihedral(pixels: np.ndarray, turns: Sequence[bool]) -> np.ndarray:
    """A square (H, H, 3) crop flipped left-right, flipped up-down, transposed, where `turns` says so."""
    import cv2

    mirror, upside, transpose = turns
    if mirror or upside:
        pixels = cv2.flip(pixels, -1 if mirror and upside else 1 if mirror else 0)
    return cv2.transpose(pixels) if transpose else pixels


def to_device(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """LR (B, 3, p, p) and HR (B, 3, s p, s p), float32 in [0, 1], channels last, on `device`."""
    import torch

    def bring(pixels: np.ndarray) -> torch.Tensor:
        whole = torch.from_numpy(pixels)
        if device.type == "cuda":
            whole = whole.pin_memory()
        # (B, H, W, 3) seen as (B, 3, H, W) is channels_last already: nothing is transposed.
        return whole.to(device, non_blocking=True).permute(0, 3, 1, 2).float().mul_(1 / 255)

    return bring(batch.lr), bring(batch.hr)


def prefetch(source: Callable[[int], T], steps: Sequence[int], depth: int = 3) -> Generator[T, None, None]:
    """`source(i)` for each step, made by one thread that is at most `depth` batches ahead.

    A thread, not processes: copying a batch between processes costs more than cutting it. An exception in
    `source` is raised here, at its step; closing the iterator ends the thread.
    """
    ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def hand_over(item: T | BaseException) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for step in steps:
                if stop.is_set():
                    return
                hand_over(source(step))
        except BaseException as error:
            hand_over(error)

    thread = threading.Thread(target=work, name="crops", daemon=True)
    thread.start()
    try:
        for _ in steps:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
