"""KernelGAN: the blur kernel of a photo from its own patches, for many photos at once.

A linear generator G reduces crops of the photo by 2; a critic D of 7 x 7 px tells its output from crops of
the photo itself. What G does to deceive D is the blur with which the photo looks like itself at half the
size: the camera's. Written from the paper (Bell-Kligler, Shocher and Irani, "Blind Super-Resolution Kernel
Estimation using an Internal-GAN", NeurIPS 2019); no code of its authors is used.

G's six convolutions are linear, so each step composes them to their one 13 x 13 kernel and filters with
that, which is the same function with the same gradients at a thousandth of the work. Every tensor begins
with an axis of photos; nothing ever mixes them, statistics of the normalisation included.

Mended against the published program: the bicubic reference reduces each channel by itself (there each was
R + G + B, so on grey photos its squared error was nine times ours; the threshold 0.4 for it becomes 0.04).
The noise on real crops is added to copies of them (there it piled up in the photo). When G learns, D judges
its images with noise on them, as when D learns: at the start these images are black to 1e-6, which five
normalisations enlarge 316 times each, so that without the noise G's first 100 steps or more follow the
rounding of sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from realdeg.arraytypes import Array
from realdeg.imaging.kernels import centre_of_mass
from realdeg.imaging.resample import cubic, resize
from realdeg.kernels.settings import EARLY
from realdeg.seeds import stream

SIDE = 13  # of the kernel
CROP, REAL = 64, 26  # G sees crops of 64 px, D what G makes of them
MIN_SIDE = 2 * CROP  # the photo at half the size holds a crop
GENERATOR = ((64, 1, 7), (64, 64, 5), (64, 64, 3), (64, 64, 1), (64, 64, 1), (1, 64, 1))  # out, in, side
WIDTH, DEPTH, WINDOW = 64, 5, 7  # of D: channels, 1 x 1 layers with normalisation, field of view
VIEWS = (REAL - WINDOW + 1) ** 2  # of D in a crop
XAVIER_GAIN = 0.1
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)
DECAY, DECAY_EVERY = 0.1, 750
NOISE_REAL, NOISE_FAKE = 2 / 255, 1 / 255  # standard deviations on [-1, 1]
SETTLED, SETTLED_FOR, CHECK_EVERY = 0.04, 3, 200  # see the module's text
BICUBIC, BICUBIC_FACTOR, BICUBIC_LEAST, BICUBIC_LOW = 5.0, 0.01, 5e-6, 5e-3
SUM, BOUNDARY, CENTRE, SPARSE = 0.5, 0.5, 1.0, 5.0
MIDDLE = SIDE // 2 + 0.5  # where LR pixels sit between four HR pixels
KEPT, BELOW = 40, 0.75  # post-processing


@dataclass(frozen=True, eq=False)
class KernelGANResult:
    """What KernelGAN has made of one photo.

    Attributes:
        kernel: (13, 13) float64, as trained: G's kernel.
        before: (13, 13) likewise after four fifths of the iterations.
        bicubic: last mean squared difference of G and bicubic reduction, on [-1, 1].
        critic_score: last mean of what D says of G's images, 0 to 1.
    """

    kernel: Array
    before: Array
    bicubic: float
    critic_score: float


def estimate_kernels(
    photos: Sequence[Array],
    keys: Sequence[str],
    *,
    iterations: int = EARLY,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    group: int | None = None,
) -> list[KernelGANResult]:
    """Train one G and one D for each photo, groups of photos in step.

    A photo's kernel does not depend on the others in its group, but for the last digit of sums, which
    libraries add in an order that depends on the size of groups; after 100 iterations that digit has become
    0.001 in the weights. So all groups have one size, the last being filled up; on processors it is 1.

    Args:
        photos: (H, W, 3) float32, RGB in [0, 1], at least `MIN_SIDE` px a side.
        keys: one a photo; its draws depend on (seed, key, iteration) and on nothing else.
        iterations: 3000 are published; 1000 are as good, 250 lose about 1 dB.
        seed: of the run.
        device: of the nets.
        dtype: of the nets.
        group: photos in step; default 1 on a processor, which gains nothing by more, else all at once.

    Raises:
        ValueError: a photo is too small.
    """
    if small := [key for key, photo in zip(keys, photos, strict=True) if min(photo.shape[:2]) < MIN_SIDE]:
        raise ValueError(f"{', '.join(small)}: at least {MIN_SIDE} px a side are needed")
    to = torch.empty(0, dtype=dtype, device=device)
    group = group or (1 if to.device.type == "cpu" else max(1, len(photos)))
    result: list[KernelGANResult] = []
    for start in range(0, len(photos), group):
        # The last group is filled up with its last photo.
        picked = [min(i, len(photos) - 1) for i in range(start, start + group)]
        part = [photos[i] for i in picked], [keys[i] for i in picked]
        result += _in_step(*part, iterations, seed, to)
    return result[: len(photos)]


def _in_step(
    photos: Sequence[Array], keys: Sequence[str], iterations: int, seed: int, to: Tensor
) -> list[KernelGANResult]:
    """Train one group; nets have the type of `to` and live where it does."""
    sources = [CropSource(photo, key, seed) for photo, key in zip(photos, keys, strict=True)]
    rngs = [stream(seed, key, "kernelgan start") for key in keys]
    g, d = new_generator(rngs, to), new_critic(rngs, to)
    opt_g = torch.optim.Adam(g, LEARNING_RATE, BETAS, fused=True)
    opt_d = torch.optim.Adam(d.parameters, LEARNING_RATE, BETAS, fused=True)
    constraints = Constraints(len(photos), to)
    before = torch.zeros(len(photos), SIDE, SIDE)
    for i in range(iterations):
        for opt in (opt_g, opt_d):
            opt.param_groups[0]["lr"] = LEARNING_RATE * DECAY ** (i // DECAY_EVERY)
        if i == iterations * 4 // 5:
            before = collapsed(g).detach()
        wide, real, noise = (
            torch.from_numpy(np.stack(part)).to(to)
            for part in zip(*(source.draw(i) for source in sources), strict=True)
        )
        seen = windows(wide)
        layers = d.normalised()

        kernel = collapsed(g)
        fake = filtered(seen, kernel)
        judged = critic(
            fake + NOISE_FAKE * noise[:, 1], *(layer.detach() for layer in layers), *d.rest(detached=True)
        )
        loss = (judged - 1).abs().mean((1, 2)) + constraints(kernel, fake, seen, i)
        descend(opt_g, loss)

        with torch.no_grad():
            fake = filtered(seen, collapsed(g))
        both = torch.stack([real + NOISE_REAL * noise[:, 0], fake + NOISE_FAKE * noise[:, 1]], 1)
        judged = critic(both, *layers, *d.rest())
        descend(opt_d, ((judged[:, 0] - 1).abs() + judged[:, 1].abs()).mean(1) / 2)
    kernels = collapsed(g).detach().double().cpu().numpy()
    return [
        KernelGANResult(kernel, old, mse, critic_score)
        for kernel, old, mse, critic_score in zip(
            kernels,
            before.double().cpu().numpy(),
            constraints.bicubic.tolist(),
            judged[:, 1].detach().mean(1).tolist(),
            strict=True,
        )
    ]


def descend(optimiser: torch.optim.Optimizer, losses: Tensor) -> None:
    """One step of all photos: their losses are added, and share no parameter."""
    optimiser.zero_grad()
    torch.autograd.backward(losses.sum())
    optimiser.step()


# Generator


def new_generator(rngs: Sequence[np.random.Generator], to: Tensor) -> list[Tensor]:
    """Weights (photos, out, in, side, side) of the six layers, without bias: 150,656 a photo."""
    return [_xavier(rngs, shape[:2], (shape[2], shape[2]), to) for shape in GENERATOR]


def collapsed(layers: Sequence[Tensor]) -> Tensor:
    """(photos, 13, 13): the one kernel of G's layers, applied as correlation; last layers first."""
    result = layers[-1]  # (photos, 1, 64, 1, 1)
    photos = len(result)
    whole = result.flatten(2)  # (photos, 1, channels * s^2) of what has been composed
    channels, s = result.shape[2], 1
    for layer in reversed(layers[:-1]):
        inner, t = layer.shape[2], layer.shape[-1]
        taps = whole.reshape(photos, channels, s * s).transpose(1, 2)
        products = (taps @ layer.flatten(2)).transpose(1, 2)  # (photos, inner * t^2, s^2)
        if s * t > 1 and s > 1:
            products = F.fold(products, (s + t - 1, s + t - 1), t)
        whole, channels, s = products.reshape(photos, 1, -1), inner, s + t - 1
    return whole.reshape(photos, s, s)


def windows(crops: Tensor) -> Tensor:
    """(photos, 3 * 26^2, 13^2): what the kernel sees of (photos, 3, 64, 64) crops in steps of 2."""
    seen = crops.unfold(-2, SIDE, 2).unfold(-2, SIDE, 2)
    return seen.reshape(len(crops), -1, SIDE * SIDE)


def filtered(seen: Tensor, kernel: Tensor) -> Tensor:
    """(photos, 3, 26, 26): crops reduced by 2, from their windows and (photos, 13, 13) kernels."""
    return (seen @ kernel.reshape(len(seen), -1, 1)).reshape(-1, 3, REAL, REAL)


class Constraints:
    """What G's kernel has to be besides convincing, with weights that change as training goes on.

    G is first bound to bicubic reduction. Where it has learned that, the bond is loosened a hundredfold
    every 200 iterations, and once it is loose the kernel has to be centred and sparse. The paper is silent
    about the width of the Gaussian in the boundary's mask; here it is the kernel's side.
    """

    def __init__(self, photos: int, to: Tensor) -> None:
        self.weight = to.new_full((photos,), BICUBIC)
        self.bicubic = to.new_zeros(photos)
        self._streak = to.new_zeros(photos)
        self._settled = to.new_zeros(photos, dtype=torch.bool)
        self._reference = torch.from_numpy(bicubic_kernel()).to(to).expand(photos, -1, -1)
        self._mask = torch.from_numpy(boundary_mask()).to(to)
        self._places = torch.arange(SIDE, dtype=to.dtype, device=to.device)

    def __call__(self, kernel: Tensor, fake: Tensor, seen: Tensor, iteration: int) -> Tensor:
        """(photos,) weighted sum of the constraints."""
        mse = (fake - filtered(seen, self._reference)).square().mean((1, 2, 3))
        self._follow(mse.detach(), iteration)
        free = (self.weight < BICUBIC_LOW).to(kernel.dtype)
        total = kernel.sum((1, 2))
        x = (kernel.sum(1) * self._places).sum(1) / total
        y = (kernel.sum(2) * self._places).sum(1) / total
        centre = ((x - MIDDLE).square() + (y - MIDDLE).square()) / 2
        sparse = (kernel.abs() + 1e-12).pow(0.2).mean((1, 2))
        return (
            self.weight * mse
            + SUM * (1 - total).abs()
            + BOUNDARY * (kernel * self._mask).abs().mean((1, 2))
            + CENTRE * free * torch.where(free > 0, centre, 0.0)
            + SPARSE * free * sparse
        )

    def _follow(self, mse: Tensor, iteration: int) -> None:
        self.bicubic = mse
        self._streak = torch.where(mse < SETTLED, self._streak + 1, 0.0)
        if iteration % CHECK_EVERY == 0:
            looser = (self.weight * BICUBIC_FACTOR).clamp(min=BICUBIC_LEAST)
            self.weight = torch.where(self._settled, looser, self.weight)
        self._settled = self._settled | (self._streak >= SETTLED_FOR)


def bicubic_kernel() -> Array:
    """(13, 13): reduction by 2 by MATLAB's bicubic, its centre at 6.5."""
    line = cubic((np.arange(SIDE) - MIDDLE) / 2)
    line = line / line.sum()
    return np.outer(line, line)


def boundary_mask() -> Array:
    """(13, 13): 0 in the middle 9 x 9, then up to 30 (1 - a Gaussian of the corner)."""
    squares = np.square(np.arange(SIDE) - SIDE // 2)
    mask = 30 * (1 - np.exp(-(squares[:, None] + squares) / (2 * SIDE**2)))
    middle = slice((SIDE - 7) // 2 - 1, -((SIDE - 7) // 2 - 1))
    mask[middle, middle] = 0
    return mask


# Critic


@dataclass(frozen=True, eq=False)
class Critic:
    """D: 7 x 7 to 64 channels, five 1 x 1 with normalisation and ReLU, 1 x 1 to one: 30,977 weights a photo.

    Attributes:
        first, hidden, last: weights (photos, 64, 147), (photos, 5, 64, 64), (photos, 1, 64).
        first_bias, hidden_bias, last_bias: (photos, 64), (photos, 5, 64), (photos, 1).
        gain, shift: (photos, 5, 64) of the normalisation.
        probes: left singular vectors of the weights, as far as power iteration has found them.
    """

    first: Tensor
    hidden: Tensor
    last: Tensor
    first_bias: Tensor
    hidden_bias: Tensor
    last_bias: Tensor
    gain: Tensor
    shift: Tensor
    probes: tuple[Tensor, Tensor]

    @property
    def parameters(self) -> list[Tensor]:
        """All that is learned."""
        return [self.first, self.hidden, self.last, *self.rest()]

    def rest(self, *, detached: bool = False) -> tuple[Tensor, ...]:
        """What spectral normalisation leaves alone."""
        rest = (self.first_bias, self.hidden_bias, self.last_bias, self.gain, self.shift)
        return tuple(part.detach() for part in rest) if detached else rest

    def normalised(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights over their largest singular values; one power iteration (spectral normalisation)."""
        return (
            self.first / _largest(self.first, self.probes[0]),
            self.hidden / _largest(self.hidden, self.probes[1]),
            self.last / self.last.norm(dim=2, keepdim=True),
        )


def new_critic(rngs: Sequence[np.random.Generator], to: Tensor) -> Critic:
    """D for each photo; its first guess of singular vectors is fifteen iterations old, as in torch."""
    photos = len(rngs)
    hidden = [_xavier(rngs, (WIDTH, WIDTH), (), to) for _ in range(DEPTH)]
    first = _xavier(rngs, (WIDTH, 3), (WINDOW, WINDOW), to).detach().flatten(2).requires_grad_()
    last = _xavier(rngs, (1, WIDTH), (), to)
    probes = tuple(
        torch.from_numpy(np.stack([rng.standard_normal((*layers, WIDTH, 1)) for rng in rngs])).to(to)
        for layers in ((), (DEPTH,))
    )
    made = Critic(
        first,
        torch.stack(hidden, 1).detach().requires_grad_(),
        last,
        to.new_zeros(photos, WIDTH).requires_grad_(),
        to.new_zeros(photos, DEPTH, WIDTH).requires_grad_(),
        to.new_zeros(photos, 1).requires_grad_(),
        to.new_ones(photos, DEPTH, WIDTH).requires_grad_(),
        to.new_zeros(photos, DEPTH, WIDTH).requires_grad_(),
        (probes[0], probes[1]),
    )
    for _ in range(15):
        made.normalised()
    return made


def critic(
    images: Tensor,
    first: Tensor,
    hidden: Tensor,
    last: Tensor,
    first_bias: Tensor,
    hidden_bias: Tensor,
    last_bias: Tensor,
    gain: Tensor,
    shift: Tensor,
) -> Tensor:
    """What D says of crops: 1 for real.

    Statistics of the normalisation are those of one crop and never averaged, as with batches of one.

    Args:
        images: (photos, 3, 26, 26), or (photos, n, 3, 26, 26) for n crops of each photo.
        first, hidden, last, first_bias, hidden_bias, last_bias, gain, shift: see `Critic`.

    Returns:
        (photos, n, 20^2); n is 1 for the first form.
    """
    photos = len(images)
    crops = images.reshape(-1, 3, REAL, REAL)
    views = F.unfold(crops, WINDOW).reshape(photos, -1, 3 * WINDOW**2, VIEWS)
    n = views.shape[1]
    x = views.transpose(1, 2).reshape(photos, 3 * WINDOW**2, n * VIEWS)
    x = first @ x + first_bias[:, :, None]
    for k in range(DEPTH):
        x = hidden[:, k] @ x + hidden_bias[:, k, :, None]
        x = F.instance_norm(x.reshape(1, photos * WIDTH * n, VIEWS)).reshape(photos, WIDTH, n * VIEWS)
        x = (x * gain[:, k, :, None] + shift[:, k, :, None]).relu()
    return (last @ x + last_bias[:, :, None]).sigmoid().reshape(photos, n, VIEWS)


def _largest(weights: Tensor, probe: Tensor) -> Tensor:
    """Largest singular values of (..., out, in) weights; `probe` (..., out, 1) gets nearer to its vector."""
    with torch.no_grad():
        right = F.normalize(weights.mT @ probe, dim=-2)
        probe.copy_(F.normalize(weights @ right, dim=-2))
    return probe.clone().mT @ weights @ right


def _xavier(
    rngs: Sequence[np.random.Generator], channels: tuple[int, int], sides: tuple[int, ...], to: Tensor
) -> Tensor:
    """Normal weights (photos, out, in, *sides) of variance gain^2 2 / (inputs + outputs)."""
    sigma = XAVIER_GAIN * math.sqrt(2 / (sum(channels) * math.prod(sides)))
    drawn = np.stack([rng.standard_normal((*channels, *sides)) for rng in rngs])
    return (torch.from_numpy(drawn).to(to) * sigma).requires_grad_()


# Crops


class CropSource:
    """A photo that crops are drawn from, at even places, mostly where it has strong edges."""

    def __init__(self, photo: Array, key: str, seed: int) -> None:
        self.key, self.seed = key, seed
        self._pixels = np.ascontiguousarray(photo.transpose(2, 0, 1), np.float32) * 2 - 1
        grey = photo.mean(2, dtype=np.float64)
        # G's crops by the edges that half the size still shows; places in it are even ones of the photo.
        half = edge_map(resize(grey, 0.5))
        self._wide = _Chances(cv2.blur(half, (CROP // 4, CROP // 4), borderType=cv2.BORDER_CONSTANT), 2)
        self._real = _Chances(
            cv2.blur(edge_map(grey), (REAL // 2, REAL // 2), borderType=cv2.BORDER_CONSTANT), 1
        )

    def draw(self, iteration: int) -> tuple[Array, Array, Array]:
        """(3, 64, 64) crop for G, (3, 26, 26) for D, on [-1, 1]; (2, 3, 26, 26) normal noise."""
        rng = stream(self.seed, self.key, f"kernelgan {iteration}")
        wide, real = rng.random(2)
        noise = rng.standard_normal((2, 3, REAL, REAL), dtype=np.float32)
        return (self._crop(*self._wide(wide), CROP), self._crop(*self._real(real), REAL), noise)

    def _crop(self, y: int, x: int, side: int) -> Array:
        top, left = (
            min(max(at - side // 2, 0), size - side) // 2 * 2
            for at, size in zip((y, x), self._pixels.shape[1:], strict=True)
        )
        return self._pixels[:, top : top + side, left : left + side]


class _Chances:
    """Places of a map, drawn in proportion to it."""

    def __init__(self, chances: Array, step: int) -> None:
        self._sums = np.cumsum(chances.ravel())
        self._width, self._step = chances.shape[1], step

    def __call__(self, part: float) -> tuple[int, int]:
        at = int(np.searchsorted(self._sums, part * self._sums[-1], side="right"))
        at = min(at, len(self._sums) - 1)
        return at // self._width * self._step, at % self._width * self._step


def edge_map(grey: Array) -> Array:
    """(H, W) sum of 1: the strongest 3 % of slopes along x, along y and of any direction, spread over 5 x 5.

    Each of the three counts alike, and in each all strong slopes do. Without slopes all places do.
    """
    dy, dx = np.gradient(grey.astype(np.float64))
    total = np.zeros(grey.shape)
    for slopes in (np.abs(dx), np.abs(dy), np.hypot(dx, dy)):
        strong = slopes > np.quantile(slopes, 0.97)
        total += strong / max(1, strong.sum())
    total = cv2.blur(total, (5, 5), borderType=cv2.BORDER_CONSTANT)
    if not total.sum() > 0:
        total = np.ones(grey.shape)
    return total / total.sum()


# Kernels


def pruned(kernel: Array, kept: int = KEPT) -> Array:
    """The kernel without its small weights: less 3/4 of the 41st largest, what is above 0, sum 1."""
    level = BELOW * np.sort(kernel.ravel())[-kept - 1]
    rest = np.maximum(kernel - level, 0)
    return rest / rest.sum()


def centred(kernel: Array, scale: int) -> Array:
    """The kernel, padded, its centre of mass at side // 2 + (scale - side % 2) / 2, by cubic spline."""
    height, width = kernel.shape
    x, y = centre_of_mass(kernel)
    shift = (
        height // 2 + 0.5 * (scale - height % 2) - y,
        width // 2 + 0.5 * (scale - width % 2) - x,
    )
    around = np.pad(kernel, int(np.ceil(np.abs(shift).max() - 1e-9)) + 1)
    return ndimage.shift(around, shift)


def analytic_x4(kernel: Array, *, cropped: bool = True) -> Array:
    """The kernel of reducing by 2 twice, (3n - 2, 3n - 2), or its middle: n // 2 less on each side.

    Args:
        kernel: (n, n), sum 1, of reducing by 2.
        cropped: only the middle.
    """
    n = len(kernel)
    whole = np.zeros((3 * n - 2, 3 * n - 2))
    for r in range(n):
        for c in range(n):
            whole[2 * r : 2 * r + n, 2 * c : 2 * c + n] += kernel[r, c] * kernel
    part = whole[n // 2 : -(n // 2), n // 2 : -(n // 2)] if cropped and n > 1 else whole
    return part / part.sum()
