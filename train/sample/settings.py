"""Settings of drawing samples; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import check_limits, setting
from train.restore.inference_settings import agreement

if TYPE_CHECKING:
    from train.restore.enforced import How


@dataclass(frozen=True)
class SampleSettings:
    """Which samples are drawn of each photo, and what they are to agree with."""

    count: int = setting(10, "Samples of each photo.", low=1, flag="--n")
    seed: int = setting(0, "Number of the first sample.", low=0)
    seeds: str | None = setting(None, "These samples alone, e.g. 3,7,12.")
    reference: str | None = setting(
        None, "RefVAE: a picture, a folder (seed k takes picture k), or self, noise, prior; default: self."
    )
    project: bool = setting(False, "Samples agree with LR: the closest that do.", flag="--project")
    cem: bool = setting(False, "The same by the published module, for comparison.", flag="--cem")
    walk: str | None = setting(None, "An animated picture on the way from seed A to seed B.", metavar="A:B")
    frames: int = setting(16, "Of the walk, each way.", low=2, high=200)

    def __post_init__(self) -> None:
        check_limits(self)
        self.chosen, self.ends, self.how  # noqa: B018  (refuse what is none)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Seeds of the samples: different ones, in their order."""
        if self.seeds:
            return tuple(dict.fromkeys(_numbers("--seeds", self.seeds, ",")))
        return tuple(range(self.seed, self.seed + self.count))

    @property
    def ends(self) -> tuple[int, int] | None:
        """Seeds that the walk leads from and to."""
        if not self.walk:
            return None
        ends = _numbers("--walk", self.walk, ":")
        if len(ends) != 2:
            problem = "is not a pair of seeds"
            raise UserError(f"--walk {self.walk}", problem, "e.g. 0:1", exit_code=EXIT_USAGE)
        return ends[0], ends[1]

    @property
    def how(self) -> How:
        """What makes samples agree with LR."""
        return agreement(project=self.project, cem=self.cem)


def _numbers(option: str, text: str, between: str) -> tuple[int, ...]:
    """Numbers from 0 on, in their order."""
    words = text.split(between)
    if not all(word.strip().isdigit() for word in words):
        problem = f"holds something else than numbers with {between!r} between them"
        raise UserError(f"{option} {text}", problem, "numbers from 0 on", exit_code=EXIT_USAGE)
    return tuple(map(int, words))
