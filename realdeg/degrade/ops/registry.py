"""All operations that recipes draw, all steps that plans have: where one is added besides its own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realdeg.degrade.ops.blur import Blur, BlurOp, Reduce, ReduceOp
from realdeg.degrade.ops.camera import Camera, CameraOp
from realdeg.degrade.ops.codec import Codec, CodecOp, Video, VideoOp
from realdeg.degrade.ops.context import Op
from realdeg.degrade.ops.level_noise import InjectByLevel
from realdeg.degrade.ops.light import Clip, Grey, Light
from realdeg.degrade.ops.noise import GaussianNoise, Inject, InjectOp, NoiseOp, PoissonNoise
from realdeg.degrade.ops.order import OneOf, Sequence, Shuffle
from realdeg.degrade.ops.resize import Resize, ResizeOp
from realdeg.degrade.ops.sharpen import Sharpen, SharpenOp
from realdeg.degrade.ops.step import PlanError, Step
from realdeg.degrade.ops.tone import Tone, ToneOp

OPS: dict[str, type[Op]] = {
    kind.op: kind
    for kind in (
        BlurOp,
        ReduceOp,
        ResizeOp,
        NoiseOp,
        InjectOp,
        CodecOp,
        VideoOp,
        CameraOp,
        SharpenOp,
        ToneOp,
        Sequence,
        Shuffle,
        OneOf,
    )
}

# Of several with one name the first that `is_meant` by an entry of JSON, else the last.
STEPS: tuple[type[Step], ...] = (
    Blur,
    Reduce,
    Resize,
    PoissonNoise,
    GaussianNoise,
    InjectByLevel,
    Inject,
    Codec,
    Video,
    Camera,
    Sharpen,
    Tone,
    Clip,
    Light,
    Grey,
)
NAMES: tuple[str, ...] = tuple(dict.fromkeys(kind.op for kind in STEPS))


def read_step(raw: Mapping[str, Any]) -> Step:
    """A step of what JSON gave.

    Raises:
        PlanError: an unknown operation, an entry that is missing, too much, or not what is meant; in words.
    """
    op = raw.get("op")
    kinds = [kind for kind in STEPS if kind.op == op]
    if not kinds:
        raise PlanError(f"unknown operation {str(op)[:40]!r}")
    kind = next((one for one in kinds[:-1] if one.is_meant(raw)), kinds[-1])
    try:
        step, used = kind.from_json(raw)
    except PlanError as error:
        raise PlanError(f"{op}: {error}") from None
    if more := [name for name in raw if name != "op" and name not in used]:
        raise PlanError(f"{op}: has an entry {str(more[0])[:40]!r} that is not known")
    return step
