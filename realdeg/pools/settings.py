"""Settings of reading a pool; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import check_limits, setting

Kind = Literal["kernel", "noise"]


@dataclass(frozen=True)
class PoolSettings:
    """What a pool holds, and how its files are to be understood."""

    kind: Kind = setting(help="What the pool holds.")
    scale: int = setting(4, "Kernels: HR size / LR size.", low=2, high=16)
    noisy_suffix: str = setting("", "Noise as differences: end of noisy photos' names, e.g. _real.")
    clean_suffix: str = setting("", "Likewise of the clean photos of the same views, e.g. _mean.")

    def __post_init__(self) -> None:
        check_limits(self)
        one, other = bool(self.noisy_suffix), bool(self.clean_suffix)
        if one != other or (one and self.kind != "noise"):
            remedy = "give `noisy_suffix` and `clean_suffix` with `kind=noise`"
            raise UserError("`noisy_suffix`", "makes noise of two photos", remedy, exit_code=EXIT_USAGE)

    @property
    def of_pairs(self) -> bool:
        """Whether noise is the difference of two photos."""
        return bool(self.noisy_suffix)
