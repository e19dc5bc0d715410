"""Camera noise that goes with brightness: patches of a pool, each where the image is about as bright.

A real photo has other noise in its shadows than in its lights. So for each of eight tones a field is laid
out of patches of about that brightness, scaled to the pool's level function; between two tones fields are
mixed with weights whose squares sum to 1, which keeps the variance. All is continuous in the image, so that
NumPy and torch agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Array, Image
from realdeg.degrade.ops.step import Pools, Size, Step, part
from realdeg.degrade.ops.words import format_amount
from realdeg.errors import UserError
from realdeg.imaging.depth import to_float
from realdeg.imaging.noise import bits
from realdeg.pools.level_function import INTENSITY_BIN, KNOTS, NoiseLevelFunction, level_function, unlike
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

TONES = round(256 / INTENSITY_BIN)
RAMP = 8  # px over which neighbouring patches are mixed
LARGEST = 64  # px of a patch that are laid at once: larger patches give several
SMALLEST = 2 * RAMP
NEAREST = 8  # patches among which each place draws
KEPT = 1024  # tiles of whole patches that are kept ready: 50 MB
MOST = 8.0  # factor on the standard deviation between the noise of a photo and the level function
REMEDY = "make the pool with `realdeg noise`, or inject without match"


@dataclass(frozen=True, eq=False)
class LevelNoise:
    """What a pool tells of its noise against brightness.

    Attributes:
        pool: the patches.
        level: (n, 3) brightness of each patch, 8-bit levels.
        sigma: (n, 3) its standard deviations, units of [0, 1].
        strength: (n,) standard deviation over what the level function says at its brightness.
        law: variance against brightness, 8-bit levels.
        side: of what is laid at once, px.
        digest: content hash of all that injection depends on.
    """

    pool: NoisePool
    level: Array
    sigma: Array
    strength: Array
    law: NoiseLevelFunction
    side: int
    digest: str
    _laid: dict[int, Array] = field(default_factory=dict, init=False, repr=False)

    def field(self, step: InjectByLevel, size_hw: Size, tone: int) -> Array:
        """Noise of one tone over an image: of variance 1, times the strength of the patch that was drawn.

        Args:
            step: says how strong, and where patches are laid.
            size_hw: of the image.
            tone: 0 to 7, of brightness 16, 48 ... 240.

        Returns:
            (h, w, 3) float32.
        """
        anchor = self.pool.index_of(step.noise, step.noise_sha)
        near = self._near(tone, float(self.strength[anchor]))
        stride, (height, width) = self.side - RAMP, size_hw
        rows, columns = tiles_over(height, stride), tiles_over(width, stride)
        drawn = bits(int(step.key, 16) ^ tone, 2 + 3 * rows * columns).astype(np.int64)
        top, left = (-(RAMP + int(one * stride >> 16)) for one in drawn[:2])
        drawn = drawn[2:].reshape(rows, columns, 3)
        laid = np.zeros((rows * stride + RAMP, columns * stride + RAMP, 3), np.float32)
        for row in range(rows):
            for column in range(columns):
                which, y, x = (int(one) for one in drawn[row, column])
                index = int(near[which * len(near) >> 16])
                at = np.s_[
                    row * stride : row * stride + self.side, column * stride : column * stride + self.side
                ]
                laid[at] += self._tile(index, y, x)
        result: Array = laid[-top : height - top, -left : width - left]
        return result * np.float32(self.strength[anchor])

    def _near(self, tone: int, strength: float) -> Array:
        """Patches nearest to a tone in brightness and strength."""
        middle = np.full(3, (tone + 0.5) * INTENSITY_BIN)
        wanted = strength * np.sqrt(self.law(middle)) / 255
        away, _ = unlike(self.level, self.sigma, middle, wanted)
        return np.argsort(away, kind="stable")[:NEAREST]

    def _tile(self, index: int, y: int, x: int) -> Array:
        """(side, side, 3) a part of a patch, its channels of standard deviation 1, ready to be laid."""
        if index in self._laid:
            return self._laid[index]
        height, width = self.pool.patches[index].shape[:2]
        top, left = y * (height - self.side + 1) >> 16, x * (width - self.side + 1) >> 16
        part = self.pool.residual(index, np.s_[top : top + self.side, left : left + self.side])
        result: Array = part / self.sigma[index].astype(np.float32) * _window(self.side)
        if (height, width) == (self.side, self.side) and len(self._laid) < KEPT:
            self._laid[index] = result
        return result


def tiles_over(length: int, stride: int) -> int:
    """Tiles along an axis, so that wherever they begin no ramp at either end lies over the image."""
    return (length + RAMP) // stride + 2


@lru_cache(maxsize=2)
def level_noise(pool: NoisePool) -> LevelNoise:
    """What a pool tells of brightness; the level function is fitted where its header has none.

    Raises:
        UserError: the brightness of patches is not known, they are too small, or show no noise.
    """
    level = np.array([pool.level(index) for index in range(len(pool.names))])
    if not np.isfinite(level).all():
        name = pool.names[int(np.argmin(np.isfinite(level).all(1)))]
        raise UserError(name, "noise patch does not tell its brightness", REMEDY)
    side = min(LARGEST, *(min(patch.shape[:2]) for patch in pool.patches))
    if side < SMALLEST:
        raise UserError("noise pool", f"patches of {side} px, {SMALLEST} are needed for match", REMEDY)
    sigma = np.array([pool.residual(i).std((0, 1), dtype=np.float64) for i in range(len(level))])
    if not sigma.max() > 0:
        raise UserError("noise pool", "its patches show no noise at all", REMEDY)
    sigma = np.maximum(sigma, 1e-5)
    law = _law(pool, level, np.square(255 * sigma))
    strength = np.sqrt((np.square(255 * sigma) / law(level)).mean(1))
    strength = np.clip(strength, 1 / MOST, MOST)
    digest = fingerprint(pool.names, pool.digest, level.tolist(), law.variance.tolist())
    return LevelNoise(pool, level, sigma, strength, law, side, digest)


def _law(pool: NoisePool, level: Array, variance: Array) -> NoiseLevelFunction:
    told = pool.about.get("level_function")
    if told is None:
        return level_function(level, variance)
    try:
        knots, curves = np.asarray(told["knots"], np.float64), np.asarray(told["variance"], np.float64)
        made = np.stack([np.interp(KNOTS, knots, curve) for curve in curves])
        if made.shape != (3, len(KNOTS)) or not (np.isfinite(made).all() and (np.diff(knots) > 0).all()):
            raise ValueError("not three finite curves")
    except (TypeError, KeyError, ValueError) as error:
        problem = f"its level function is damaged ({' '.join(str(error).split())[:80]})"
        raise UserError("noise pool", problem, REMEDY) from None
    return NoiseLevelFunction(np.maximum(made, 1e-4), np.zeros(made.shape, int))


@lru_cache(maxsize=4)
def _window(side: int) -> Array:
    """(side, side, 1) weights; at a seam the squares of two neighbours' sum to 1."""
    rise = np.sin(np.pi / 2 * (np.arange(RAMP) + 0.5) / RAMP)
    one = np.concatenate([rise, np.ones(side - 2 * RAMP), rise[::-1]])
    result: Array = (one[:, None] * one)[..., None].astype(np.float32)
    result.setflags(write=False)
    return result


@dataclass(frozen=True, kw_only=True)
class InjectByLevel(Step):
    """Add noise of a pool by the brightness of the image.

    `noise`, `noise_sha`: the patch that says how strong; `pool_sha`: content of the whole pool; `key`: of
    where patches are laid; `amount`: factor on the noise.
    """

    op: ClassVar[str] = "inject"

    noise: str = part()
    noise_sha: str = part()
    match: str = part(default="level", known=("level",), stated=True)
    pool_sha: str = part()
    key: str = part(hexadecimal=True)
    amount: float = part("amount", default=1, low=0)

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        image = to_float(image)
        return image + self.added(image, pools)

    def added(self, image: Image, pools: Pools) -> Image:
        """The noise alone.

        Args:
            image: (h, w, 3) float32 in [0, 1].
            pools: with that which it was drawn from.

        Returns:
            (h, w, 3) float32.

        Raises:
            UserError: another pool, or one that does not tell its brightness.
        """
        levels = self.levels(pools)
        place = np.clip(image.mean(2) * np.float32(255 / INTENSITY_BIN) - np.float32(0.5), 0, TONES - 1)
        noise = np.zeros_like(image)
        for tone in np.flatnonzero(np.bincount(np.r_[np.floor(place), np.ceil(place)].astype(int).ravel())):
            weight = np.cos(np.float32(np.pi / 2) * np.minimum(np.abs(place - np.float32(tone)), 1))
            noise += weight[..., None] * levels.field(self, image.shape[:2], int(tone))
        sigma = [np.sqrt(np.interp(255 * image[..., c], KNOTS, levels.law.variance[c])) for c in range(3)]
        noise *= np.stack(sigma, -1).astype(np.float32) * np.float32(self.amount / 255)
        return noise

    def levels(self, pools: Pools) -> LevelNoise:
        """The pool, by its brightness.

        Raises:
            UserError: it is missing, has other content than that which was drawn from, or tells no
                brightness.
        """
        if pools.noises is None:
            raise UserError(self.noise, "noise patch is not in the pool", "give the noise pool")
        pools.noises.index_of(self.noise, self.noise_sha)
        levels = level_noise(pools.noises)
        if levels.digest != self.pool_sha:
            problem = "the noise pool has other content than the one drawn from"
            raise UserError(self.noise, problem, "give the pool that the plan was drawn from")
        return levels

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Patches are laid on the processor."""
        import torch

        from realdeg.imaging import batched

        levels, size = steps[0].levels(pools), (images.shape[-2], images.shape[-1])
        place = (images.mean(1, keepdim=True) * (255 / INTENSITY_BIN) - 0.5).clamp(0, TONES - 1)
        noise = torch.zeros_like(images)
        for tone in range(TONES):
            fields = np.stack([levels.field(step, size, tone) for step in steps])
            weight = ((place - tone).abs().clamp(max=1) * (np.pi / 2)).cos()
            noise = noise + weight * torch.from_numpy(fields).to(images.device).permute(0, 3, 1, 2)
        law = torch.from_numpy(levels.law.variance).to(images).expand(len(images), 3, -1)
        variance = batched.interpolated(255 * images, KNOTS.tolist(), law)
        amount = images.new_tensor([step.amount / 255 for step in steps])[:, None, None, None]
        return images + noise * variance.sqrt() * amount

    def together(self) -> tuple[object, ...]:
        """The pool."""
        return (self.pool_sha,)

    def describe(self, before: Size | None = None) -> str:
        """The patch that says how strong."""
        return f"noise by brightness, as strong as patch {self.noise}{format_amount(self.amount)}"

    @property
    def title(self) -> str:
        """As all patches."""
        return "noise patch"

    @property
    def short(self) -> str:
        """As all patches."""
        return "patch"

    def names(self) -> Iterator[tuple[str, str]]:
        """The patch that says how strong."""
        yield "noise", "patches by brightness"
        yield "noise patches drawn", self.noise

    def manifest(self) -> dict[str, Any]:
        """The patch that says how strong."""
        return {"noise": self.noise, "noise_sha": self.noise_sha}
