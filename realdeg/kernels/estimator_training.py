"""Training of the estimator of blur kernels, in minutes on a processor.

Examples are photos reduced by random kernels; their statistics and kernels go through a network of three
layers. What is minimised is the logarithm of the squared error, of the kernel and of the image it would make:
the mean of both PSNRs. A second head learns, without moving the rest, how large the error will be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realdeg.arraytypes import Array
from realdeg.kernels.estimator import COARSEST, FAR, Estimator
from realdeg.kernels.estimator_settings import TrainSettings

WIDTH, AXES, KERNELS = 256, 192, 64  # of layers, of statistics, of the basis of kernels
DROPPED = 0.1
RATE, DECAY, BATCH = 1e-3, 1e-4, 256
DOUBT_RATE = 1e-2  # of the head that doubts, which is linear
FLOOR = 2e-4  # share of kernels' power: an error that is good enough
CONTRAST = 0.05  # variance of photos in [0, 1]
KEPT_FOR_AXES = 8000  # examples


class Network(nn.Module):
    """Statistics (B, f) to kernels (B, n^2) and the logarithms of their errors' share of power (B,)."""

    def __init__(self, seen: Tensor, kernels: Tensor) -> None:
        super().__init__()
        mean, spread = seen.mean(0), seen.std(0) + 1e-4
        z = ((seen - mean) / spread)[:KEPT_FOR_AXES].clamp(-FAR, FAR)
        _, size, axes = torch.linalg.svd(z, full_matrices=False)
        count = min(AXES, len(size))
        scale = (size[:count] / math.sqrt(len(z))).clamp(min=0.05)
        middle = kernels.mean(0)
        _, _, basis = torch.linalg.svd(kernels[:KEPT_FOR_AXES] - middle, full_matrices=False)
        self.mean, self.spread = nn.Buffer(mean), nn.Buffer(spread)
        self.axes = nn.Buffer(axes[:count].T / scale)
        self.basis, self.middle = nn.Buffer(basis[:KERNELS].clone()), nn.Buffer(middle)
        self.first, self.second = nn.Linear(count, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.last, self.doubt = nn.Linear(WIDTH, len(self.basis)), nn.Linear(WIDTH, 1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.constant_(self.doubt.bias, -5)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels and logarithms of errors."""
        x = ((seen - self.mean) / self.spread).clamp(-FAR, FAR) @ self.axes
        x = F.dropout(F.gelu(self.first(x)), DROPPED, self.training)
        x = x + F.gelu(self.second(x))
        doubt = self.doubt(x.detach())[:, 0]
        x = F.dropout(x, DROPPED, self.training)
        return self.last(x) @ self.basis + self.middle, doubt


def train(
    seen: Array,
    kernels: Array,
    scene: Array,
    *,
    scale: int,
    about: dict[str, Any],
    settings: TrainSettings = TrainSettings(),
    say: Callable[[int, float], None] | None = None,
) -> Estimator:
    """Fit the network to examples.

    Args:
        seen: (N, f) float32 statistics.
        kernels: (N, n, n) float32.
        scene: of `scene_covariance`, for the side of `binned` kernels.
        scale: HR size / LR size.
        about: what the examples are; goes into the weights' file.
        settings: passes and seed.
        say: called after each pass with its number and its mean PSNR of kernels, dB.
    """
    coarse = binned(kernels)
    n = coarse.shape[-1]
    torch.manual_seed(settings.seed)
    x, y = torch.from_numpy(seen), torch.from_numpy(coarse.reshape(len(coarse), -1))
    net = Network(x, y)
    covariance = torch.from_numpy(scene.astype(np.float32))
    power = float(y.square().mean())
    image_power = float(((net.middle @ covariance) * net.middle).sum())
    doubting = list(net.doubt.parameters())
    ids = {id(one) for one in doubting}
    groups: list[dict[str, Any]] = [
        {"params": [one for one in net.parameters() if id(one) not in ids]},
        {"params": doubting, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, RATE, weight_decay=DECAY)
    steps = max(1, len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, DOUBT_RATE], total_steps=settings.epochs * steps, pct_start=0.1
    )
    for epoch in range(settings.epochs):
        order = torch.randperm(len(x))
        total = 0.0
        for step in range(steps):
            batch = order[step * BATCH : (step + 1) * BATCH]
            made, doubt = net(x[batch])
            wrong = made - y[batch]
            error = wrong.square().mean(1) / power + FLOOR
            image = ((wrong @ covariance) * wrong).sum(1) / image_power + FLOOR / 100
            # The head that doubts sees the error but does not change it.
            loss = (error.log() + image.log()) / 2 + F.smooth_l1_loss(
                doubt, error.detach().log(), reduction="none"
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss.mean())
            optimiser.step()
            schedule.step()
            total -= 10 * float((error.detach() * power).log10().mean())
        if say:
            say(epoch + 1, total / steps)
    with torch.no_grad():  # from shares to mean squares
        net.doubt.bias.add_(math.log(power))
    return _estimator(net.eval(), n, scale, about)


def binned(kernels: Array) -> Array:
    """(N, n, n) kernels, or where n is more than `COARSEST`, sums over 2 x 2 weights: (N, n / 2, n / 2)."""
    n = kernels.shape[-1]
    if n <= COARSEST:
        return kernels
    return kernels.reshape(-1, n // 2, 2, n // 2, 2).sum((2, 4))


def scene_covariance(photos: Sequence[Array], n: int) -> Array:
    """Covariance of the pixels of an (n, n) window of sharp photos: what an error of a kernel costs.

    Args:
        photos: (H, W) float32, 8-bit levels, all larger than the window.
        n: side of kernels.

    Returns:
        (n^2, n^2) float64; e' C e is the mean squared error of an image whose kernel is wrong by e.
    """
    reach = 2 * n
    total = np.zeros((reach, reach))
    for photo in photos:
        part = photo - photo.mean()
        size = [m + n for m in part.shape]
        spectrum = np.abs(np.fft.rfft2(part, size)) ** 2
        lags = np.roll(np.fft.irfft2(spectrum, size), (n, n), (0, 1))[:reach, :reach]
        total += lags / max(lags[n, n], 1e-9)
    total = (total + np.roll(total[::-1, ::-1], (1, 1), (0, 1))) / (2 * len(photos))
    y, x = np.divmod(np.arange(n * n), n)
    return CONTRAST * total[y[:, None] - y + n, x[:, None] - x + n]


def _estimator(net: Network, n: int, scale: int, about: dict[str, Any]) -> Estimator:
    arrays = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    layers = {
        name: (np.ascontiguousarray(arrays[f"{name}.weight"].T), arrays[f"{name}.bias"])
        for name in ("first", "second", "last", "doubt")
    }
    basis, middle = arrays["basis"].reshape(-1, n, n), arrays["middle"].reshape(n, n)
    return Estimator(scale, arrays["mean"], arrays["spread"], arrays["axes"], layers, basis, middle, about)
