"""What papers and code say is drawn, and how strong noise of a recorded law is; for `accept_degrade.py`.

Nothing here comes from realdeg. A plan is its list of steps as in manifest.csv, dictionaries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Step = Mapping[str, Any]
BT601 = np.array([0.299, 0.587, 0.114])

BSRGAN = {"sigma": (0.01, 8**0.5), "size": (7, 25), "sigma_8bit": (2, 25), "quality": (30, 95)}
RANGES = {  # at x4; of all numbers of this name in a plan but for resizing
    "samsung": {"sigma": (0.2, 3), "size": (15, 15), "sigma_8bit": (0, 5), "photons": (50, 150)},
    "bsrgan": BSRGAN,
    "bsrgan_plus": {**BSRGAN, "photons": (1e2, 1e4)},
    "realesrgan": {
        **{"sigma": (0.2, 3), "size": (7, 21), "beta": (0.5, 4), "cutoff": (math.pi / 5, math.pi)},
        **{"sigma_8bit": (1, 30), "amount": (0.05, 3), "quality": (30, 95)},
    },
}


def numbers(plans: Sequence[Sequence[Step]], name: str) -> list[float]:
    """All that was drawn under a name."""
    steps = [step for plan in plans for step in plan if step["op"] != "resize"]
    return [step[name] for step in steps if isinstance(step.get(name), int | float)]


def noises(plan: Sequence[Step]) -> list[Step]:
    """Noise by laws, in order."""
    return [step for step in plan if step["op"] == "noise"]


def ops(plan: Sequence[Step]) -> list[str]:
    """Operations, in order."""
    return [step["op"] for step in plan]


SHARES: tuple[tuple[str, str, float, Callable[[Sequence[Step]], bool]], ...] = (
    ("samsung", "blurred and reduced at once", 1 / 4, lambda plan: "reduce" in ops(plan)),
    ("samsung", "Gaussian noise alone", 1 / 3, lambda plan: [n["law"] for n in noises(plan)] == ["gaussian"]),
    ("bsrgan", "two JPEGs", 0.9, lambda plan: ops(plan).count("codec") == 2),
    ("bsrgan", "grey noise", 0.4, lambda plan: noises(plan)[0]["channels"] == "grey"),
    ("bsrgan", "correlated noise", 0.2, lambda plan: noises(plan)[0]["channels"] == "correlated"),
    ("realesrgan", "first noise Gaussian", 0.5, lambda plan: noises(plan)[0]["law"] == "gaussian"),
    ("realesrgan", "first noise grey", 0.4, lambda plan: noises(plan)[0]["channels"] == "grey"),
    ("realesrgan", "a sinc at the end", 0.8, lambda plan: "blur" in ops(plan)[-2:]),
    ("realsr", "the first of twelve kernels", 1 / 12, lambda plan: plan[0]["kernel"] == "kernels_12/0"),
    ("realsr", "the first of three noises", 1 / 3, lambda plan: plan[1]["noise"] == "n0"),
)


def off_by(step: Step, noisy: np.ndarray, image: np.ndarray, rounding: float = 0) -> float:
    """Measured power of a noise step against its law, relative.

    Args:
        step: of law "gaussian", "speckle" or "poisson".
        noisy, image: (H, W, 3) in [0, 1]; an image of one pixel is flat.
        rounding: power of rounding in `noisy`, squared levels of 255.
    """
    image = image.astype(np.float64)
    measured = float(np.mean((noisy - image) ** 2)) * 255**2 - rounding
    if step["law"] == "poisson":
        counted = image @ BT601 if step["channels"] == "grey" else image
        photons = step["photons"]
        if photons == "levels":  # BasicSR's rule
            photons = 2 ** math.ceil(math.log2(len(np.unique(np.rint(counted * 255)))))
        return abs(measured / (255**2 * step.get("amount", 1) ** 2 * counted.mean() / photons) - 1)
    variance = np.full(3, step.get("sigma_8bit", 0.0) ** 2)
    if "covariance" in step:
        variance = np.diag(np.reshape(step["covariance"], (3, 3)))
    return abs(measured / np.mean(variance * (image**2 if step["law"] == "speckle" else 1)) - 1)
