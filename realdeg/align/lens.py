"""What two lenses add to the homography between a plane's photos: radial distortion and low-order terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from realdeg.arraytypes import Array

PRIORS = {
    "radial_lr": 0.02,
    "radial_hr": 0.004,
    "radial_lr_5": 0.004,
    "bend_x": 0.001,
    "bend_y": 0.001,
    "tilt_x": 0.001,
    "tilt_y": 0.001,
}
"""Terms, and the standard deviation expected of each: displacement at the corner of its photo, in half
diagonals of that photo. Wide lenses distort by up to 3 % at the corner, long ones by 0.4 %."""

MODELS: dict[str, tuple[str, ...]] = {
    "homography": (),
    "radial": ("radial_lr",),
    "two radial": ("radial_lr", "radial_hr"),
    "radial, 5th order": ("radial_lr", "radial_hr", "radial_lr_5"),
    "radial and quadratic": tuple(PRIORS),
}
"""From the plainest to the richest; the tiles choose (`fit.choose`)."""


@dataclass(frozen=True, eq=False)
class Lens:
    """A displacement field over the LR photo, linear in its terms: p -> p + sum of term x basis, LR px.

    With u = (p - centre) / radius and v = (p - centre_hr) / radius_hr:
    radial_lr = u |u|^2 (Brown's k1 of the LR lens), radial_lr_5 = u |u|^4, radial_hr = v |v|^2 (of the
    HR lens, seen from LR); bend and tilt are the four quadratics that a homography cannot make: bend_x
    moves x by u_y^2, bend_y moves y by u_x^2, tilt moves by (u_x^2, -u_x u_y) and (-u_x u_y, u_y^2).
    shift_x, shift_y and grow = u, which a homography makes too, are for single channels (`lateral`).

    Attributes:
        centre, radius: centre of the LR photo and half its diagonal, px.
        centre_hr, radius_hr: the same of the HR photo, as they lie in the LR photo, LR px.
        terms: LR px at unit radius, by name; absent = 0.
    """

    centre: tuple[float, float]
    radius: float
    centre_hr: tuple[float, float]
    radius_hr: float
    terms: Mapping[str, float]

    @classmethod
    def none(cls) -> Lens:
        """The lens that moves nothing."""
        return cls((0.0, 0.0), 1.0, (0.0, 0.0), 1.0, {})

    def with_terms(self, terms: Mapping[str, float]) -> Lens:
        """The same photos, other terms."""
        return replace(self, terms=dict(terms))

    def basis(self, points: Array, names: tuple[str, ...]) -> Array:
        """(..., 2, P) displacement by a unit of each term at LR points (..., 2)."""
        u = (points - np.array(self.centre)) / self.radius
        v = (points - np.array(self.centre_hr)) / self.radius_hr
        return np.stack([_displacement(name, u, v) for name in names], axis=-1)

    def displacement(self, points: Array) -> Array:
        """(..., 2) displacement at LR points (..., 2), LR px."""
        total = np.zeros(np.shape(points))
        if self.terms:
            u = (points - np.array(self.centre)) / self.radius
            v = (points - np.array(self.centre_hr)) / self.radius_hr
            for name, value in self.terms.items():
                total += value * _displacement(name, u, v)
        return total

    def prior_sd(self, name: str) -> float:
        """Expected size of a term, LR px."""
        return PRIORS[name] * (self.radius_hr if name == "radial_hr" else self.radius)


def _displacement(name: str, u: Array, v: Array) -> Array:
    if name.startswith("radial"):
        at = v if name == "radial_hr" else u
        square = at[..., :1] ** 2 + at[..., 1:] ** 2
        return at * (square**2 if name == "radial_lr_5" else square)
    x, y = u[..., 0], u[..., 1]
    zero = np.zeros_like(x)
    parts = {
        "bend_x": (y * y, zero),
        "bend_y": (zero, x * x),
        "tilt_x": (x * x, -x * y),
        "tilt_y": (-x * y, y * y),
        "shift_x": (np.ones_like(x), zero),
        "shift_y": (zero, np.ones_like(x)),
        "grow": (x, y),
    }
    return np.stack(parts[name], axis=-1)
