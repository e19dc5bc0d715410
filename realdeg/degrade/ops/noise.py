"""Noise by laws, and noise of a camera out of a pool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from realdeg.degrade.ops.context import (
    Drawing,
    Op,
    Step,
    flag,
    missing_pool,
    name_of,
    names,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Law, Names, ends, parse
from realdeg.degrade.ops.level_noise import level_noise
from realdeg.imaging.noise import CHANNELS

MATCHES = ("none", "level")
LAWS = ("gaussian", "poisson", "gaussian_poisson", "speckle")


@dataclass(frozen=True, kw_only=True)
class Noise(Op):
    """Noise by a law: normal, photon noise, both one after the other, or normal times the image.

    Correlated channels are those of BSRGAN: covariance L^2 |U' D U| with random D in [0, 1] and a random
    rotation U, L the upper end of `sigma`.
    """

    op: ClassVar[str] = "noise"

    law: Names = names(LAWS, "gaussian", "Distribution.")
    sigma: Law = number([1, 25], "Standard deviation of gaussian and speckle, 8-bit levels.", low=0)
    photons: Law | None = field(
        default=parse([50, 150]),
        metadata={
            "law": True,
            "low": 0.5,
            "word": "levels",
            "plain": [50, 150],
            "help": 'Photons at white; "levels": BasicSR\'s rule.',
        },
    )
    amount: Law = number(1, "Factor on Poisson noise (BasicSR's scale).", low=0)
    channels: Names = names(
        CHANNELS, "colour", "Own noise for each channel, the same for all, or correlated."
    )
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "noise", two for gaussian_poisson."""
        law = name_of(self.law, d.structure(place))
        rng = d.values(place)
        channels = name_of(self.channels, rng)
        if d.grey:
            channels = "grey"
        normal: Step = {"op": "noise", "law": "speckle" if law == "speckle" else "gaussian"}
        if law != "poisson":
            normal |= {"channels": channels, "sigma_8bit": value_of(self.sigma, d, rng)}
            if channels == "correlated":
                normal |= {"covariance": _covariance(rng, ends(self.sigma, d.s)[1])}
                del normal["sigma_8bit"]
            d.add({**normal, "key": d.field_key(place)})
        if law in ("poisson", "gaussian_poisson"):
            photons: Any = value_of(self.photons, d, rng) if self.photons else "levels"
            step: Step = {"op": "noise", "law": "poisson", "photons": photons}
            if (amount := value_of(self.amount, d, rng)) != 1:
                step["amount"] = amount
            # Photon noise in one colour space has no covariance to draw.
            step["channels"] = "colour" if channels == "correlated" else channels
            d.add({**step, "key": d.field_key(f"{place}:poisson")})
        if self.clip:
            d.add({"op": "clip"})


@dataclass(frozen=True, kw_only=True)
class Inject(Op):
    """Add a patch of camera noise from the pool (RealSR, Ji et al., CVPRW 2020, Algorithm 1).

    A patch larger than the image gives a random window; a smaller one is mirrored on from its corner. With
    match "level" patches are laid where the image is as bright as the photo they come from, scaled to the
    pool's level function; the patch that is named says how strong the noise is.
    """

    op: ClassVar[str] = "inject"

    match: Names = names(MATCHES, "none", "What patches have to share with the place that they are put.")
    amount: Law = number(1, "Factor on the noise.", low=0)
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "inject"."""
        if d.noises is None:
            raise missing_pool("noise", d)
        rng = d.values(place)
        index = int(rng.random() * len(d.noises.names))
        step: Step = {"op": "inject", "noise": d.noises.names[index], "noise_sha": d.noises.hash_of(index)}
        if name_of(self.match, d.structure(place)) == "level":
            digest = level_noise(d.noises).digest
            step |= {"match": "level", "pool_sha": digest, "key": d.field_key(place)}
        else:
            patch = d.noises.patches[index].shape[:2]
            y, x = (int(rng.random() * max(1, p - n + 1)) for p, n in zip(patch, d.size, strict=True))
            mirrored = any(p < n for p, n in zip(patch, d.size, strict=True))
            step |= {"noise_y": y, "noise_x": x, "noise_mirrored": mirrored}
        if (amount := value_of(self.amount, d, rng)) != 1:
            step["amount"] = amount
        d.add(step, encoded=True)
        if self.clip:
            d.add({"op": "clip"}, encoded=True)

    def pools(self) -> set[str]:
        """The noise pool."""
        return {"noise"}


def _covariance(rng: np.random.Generator, level: float) -> list[float]:
    """BSRGAN's covariance of the channels, 8-bit levels squared, row by row; its spectrum made positive."""
    diagonal = np.diag([rng.random() for _ in range(3)])
    turn = np.linalg.svd(np.array([[rng.random() for _ in range(3)] for _ in range(3)]))[0]
    values, vectors = np.linalg.eigh(np.abs(level**2 * turn.T @ diagonal @ turn))
    made = (vectors * np.abs(values)) @ vectors.T
    return [round(float(one), 4) for one in made.ravel()]
