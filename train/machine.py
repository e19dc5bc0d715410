"""Where the numbers are crunched, in which precision, and why: the only place of `train` that decides it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_USAGE, UserError

PRECISIONS = ("auto", "fp32", "bf16")
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Machine:
    """A device, the type of its convolutions, and the reasons in words."""

    device: torch.device
    bf16: bool
    why: str

    def place(self, net: M) -> M:
        """`net` on the device, channels last (2 to 4 times faster in float32 on a CPU, never slower)."""
        return net.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context in which networks run; losses belong outside, in float32."""
        return (
            torch.autocast(self.device.type, dtype=torch.bfloat16) if self.bf16 else contextlib.nullcontext()
        )

    def exact(self) -> Machine:
        """The same machine in float32, in which figures are quoted."""
        return replace(self, bf16=False)

    def bring(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) on the device, channels last."""
        return images.to(device=self.device, memory_format=torch.channels_last)


def choose(device: str = "auto", precision: str = "auto") -> Machine:
    """The machine for a program.

    Args:
        device: "auto", or a torch device: "cpu", "cuda", "cuda:1", "mps". Auto prefers CUDA, then MPS.
        precision: "fp32"; "bf16" = networks under autocast; "auto" = bf16 where the hardware has units for
            it (a 64-channel training step took half the time on an AVX-512 BF16 CPU).

    Raises:
        UserError: no such device here, or an unknown name.
    """
    if precision not in PRECISIONS:
        raise UserError(
            "--precision", f"unknown: {precision!r}", f"one of {', '.join(PRECISIONS)}", exit_code=EXIT_USAGE
        )
    if device == "auto":
        name, reason = _best()
    else:
        name, reason = device, "asked for"
    try:
        chosen = torch.device(name)
    except RuntimeError:
        remedy = "one of auto, cpu, cuda, cuda:0, mps"
        raise UserError("--device", f"unknown: {device!r}", remedy, exit_code=EXIT_USAGE) from None
    _require(chosen)
    units = _has_bf16(chosen)
    bf16 = precision == "bf16" or (precision == "auto" and units)
    how = "asked for" if precision != "auto" else "it has units for it" if units else "no bf16 units"
    threads = f", {torch.get_num_threads()} threads" if chosen.type == "cpu" else ""
    return Machine(
        chosen, bf16, f"{_title(chosen)} ({reason}{threads}), {'bf16' if bf16 else 'fp32'} ({how})"
    )


def hold_memory() -> bool:
    """Let this process keep what it frees for its next step, where the C library is glibc; else False.

    glibc gives each large array back to the system and asks for it again, and the system clears every page
    that it hands out: of a training step of D2C-SR on two cores that was up to 45 %.
    """
    import ctypes

    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(*pair) for pair in ((mmap_max, 0), (trim_threshold, -1), (top_pad, 64 << 20)))


def _best() -> tuple[str, str]:
    if torch.cuda.is_available():
        return "cuda:0", "the first GPU found"
    if torch.backends.mps.is_available():
        return "mps", "no CUDA GPU, but Metal"
    return "cpu", "no GPU found"


def _require(device: torch.device) -> None:
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here.get(device.type):
        remedy = "use --device auto, or install a torch build for it"
        raise UserError(
            f"--device {device}", "is not available here", remedy, exit_code=EXIT_MISSING_RESOURCE
        )


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type != "cpu":
        return False
    # Emulated bf16 is slower than fp32; these two instruction sets are the ones that pay.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def _title(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
