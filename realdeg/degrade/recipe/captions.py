"""A plan in words, for captions: what each step does and every number that was drawn for it, with units."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from realdeg.degrade.ops.context import Plan, Step
from realdeg.degrade.recipe.sizes import with_factors

KINDS = {
    "isotropic": "iso",
    "anisotropic": "aniso",
    "generalised_isotropic": "generalised iso",
    "generalised_anisotropic": "generalised aniso",
    "plateau_isotropic": "plateau iso",
    "plateau_anisotropic": "plateau aniso",
}
FORMATS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "jpeg_differentiable": "JPEG model"}
CODECS = {"h264": "H.264", "hevc": "HEVC"}
METHODS = {"matlab_bicubic": "MATLAB bicubic"}
LAWS = {"poisson": "Poisson", "gaussian": "Gaussian"}
LARGEST = 1e9  # no number that is drawn is near it


def told(step: Step) -> str:
    """One step of a plan in words, "" for clipping.

    Args:
        step: from a plan; a resize says its factor where `sizes.with_factors` has added one, else its size.

    Returns:
        For example "blur aniso 13 px, sigma 1.9/0.8 px, 41°", "JPEG 64"; three significant digits or more.

    Raises:
        ValueError: the step is damaged; says how.
    """
    op = step.get("op")
    if not isinstance(op, str) or op not in WORDS:
        raise ValueError(f"unknown operation {str(op)[:40]!r}")
    try:
        return WORDS[op](step)
    except KeyError as error:
        raise ValueError(f"{op} lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{op}: {error}") from None


def tell(plan: Plan, scale: int) -> list[str]:
    """A whole plan in words, a text for each step that has any.

    Args:
        plan: of one image.
        scale: HR size / LR size.

    Raises:
        ValueError: the plan is damaged; says where and how.
    """
    return [words for step in with_factors(plan, scale) if (words := told(step))]


def plain(value: Any) -> str:
    """A number as people write it: three significant digits or all before the point.

    Raises:
        ValueError: not a number that can have been drawn.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    if not abs(value) < LARGEST:  # also for what is not a number
        raise ValueError("a number is too large")
    if abs(value) >= 100 or value == int(value):
        return str(round(value))
    if abs(value) < 1e-3:
        return f"{value:.1e}".replace("e-0", "e-")
    return f"{value:.3g}"


def _blur(step: Step) -> str:
    return f"blur {_kernel(step)}"


def _reduce(step: Step) -> str:
    return f"reduce by {plain(step['factor'])}, {_kernel(step)}"


def _kernel(step: Step) -> str:
    kind = _name(step["kind"])
    if kind == "pool":
        return f"kernel {_name(step['kernel'])}"
    parts = [KINDS.get(kind, kind) + (f" {plain(step['size'])} px" if "size" in step else "")]
    if "sigma" in step:
        parts.append(
            f"sigma {'/'.join(plain(step[axis]) for axis in ('sigma', 'sigma_y') if axis in step)} px"
        )
    if "cutoff" in step:
        parts.append(f"cutoff {plain(step['cutoff'])} rad/px")
    if "length" in step:
        parts.append(f"{plain(step['length'])} px long")
    if "radius" in step:
        parts.append(f"radius {plain(step['radius'])} px")
    if "angle" in step:
        parts.append(_degrees(step["angle"]))
    if "beta" in step:
        parts.append(f"beta {plain(step['beta'])}")
    return ", ".join(parts)


def _resize(step: Step) -> str:
    method = _name(step["method"])
    by = f"x{plain(step['factor'])}" if "factor" in step else f"to {_size(step['size'])} px"
    words = f"resize {METHODS.get(method, method)} {by}"
    if "displaced" in step:
        words += f", displaced {_pair(step['displaced'])} px"
    return words


def _noise(step: Step) -> str:
    law, channels = _name(step["law"]), _name(step["channels"])
    words = f"{LAWS.get(law, law)} noise {channels}"
    if law == "poisson":
        photons = step["photons"]
        words += ", photons by levels" if photons == "levels" else f", photons {plain(photons)}"
        return words + _amount(step)
    if "covariance" in step:
        return f"{words}, sigma {'/'.join(plain(one) for one in sigmas(step))} levels"
    return f"{words}, sigma {plain(step['sigma_8bit'])} levels"


def sigmas(step: Step) -> list[float]:
    """Standard deviations of the channels of a step with a covariance, 8-bit levels.

    Raises:
        ValueError: it is damaged.
    """
    covariance = step["covariance"]
    if not isinstance(covariance, list) or len(covariance) != 9:
        raise ValueError("a covariance has nine numbers")
    variances = [covariance[i] for i in (0, 4, 8)]
    for one in variances:
        plain(one)
    return [math.sqrt(max(one, 0)) for one in variances]


def _inject(step: Step) -> str:
    if "match" in step:
        _name(step["pool_sha"])
        return f"noise by brightness, as strong as patch {_name(step['noise'])}" + _amount(step)
    words = f"noise patch {_name(step['noise'])} at x {plain(step['noise_x'])}, y {plain(step['noise_y'])}"
    return words + (", mirrored" if step.get("noise_mirrored") else "") + _amount(step)


def _amount(step: Step) -> str:
    return f", amount {plain(step['amount'])}" if "amount" in step else ""


def _codec(step: Step) -> str:
    kind = _name(step["format"])
    words = f"{FORMATS.get(kind, kind)} {plain(step['quality'])}"
    sampling = step.get("subsampling", "420")
    return words if sampling == "420" else f"{words} {':'.join(_name(sampling))}"


def _video(step: Step) -> str:
    codec = _name(step["codec"])
    frames, pan = plain(step["frames"]), _pair(step["pan"])
    return f"{CODECS.get(codec, codec)} CRF {plain(step['crf'])}, {frames} frames, pan {pan} px"


def _camera(step: Step) -> str:
    gains = f"red x{plain(step['red_gain'])}, blue x{plain(step['blue_gain'])}, all x{plain(step['gain'])}"
    noise = f"shot {plain(step['shot'])}, read {plain(step['read'])}, colour matrix {plain(step['ccm'])}"
    return f"camera {_name(step['pattern']).upper()} {_name(step['demosaic'])}, {gains}, {noise}"


def _sharpen(step: Step) -> str:
    radius, threshold = plain(step["radius"]), plain(step["threshold"])
    return f"sharpen {plain(step['weight'])}, radius {radius} px, threshold {threshold} levels"


def _clip(step: Step) -> str:
    return ""


def _light(step: Step) -> str:
    return "to linear light" if _name(step["to"]) == "linear" else "to sRGB values"


def _grey(step: Step) -> str:
    return "to grey"


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{str(value)[:40]!r} is no name")
    return value


def _pair(values: Any) -> str:
    if not isinstance(values, list) or len(values) != 2:
        raise ValueError(f"{str(values)[:40]} where two numbers are meant")
    return ", ".join(plain(one) for one in values)


def _size(values: Any) -> str:
    if not isinstance(values, list) or len(values) != 2:
        raise ValueError(f"{str(values)[:40]} where height and width are meant")
    return "x".join(plain(one) for one in reversed(values))


def _degrees(value: Any) -> str:
    plain(value)
    return f"{round(value)}°"


def _tone(step: Step) -> str:
    shifts = [one for channel in step["shift"] for one in channel]
    return f"tone {plain(min(shifts))} to {plain(max(shifts))} levels"


WORDS: dict[str, Callable[[Step], str]] = {
    "blur": _blur,
    "reduce": _reduce,
    "resize": _resize,
    "noise": _noise,
    "inject": _inject,
    "codec": _codec,
    "video": _video,
    "camera": _camera,
    "sharpen": _sharpen,
    "tone": _tone,
    "clip": _clip,
    "light": _light,
    "grey": _grey,
}
