"""VSpSR: train a network that draws images from the SR space (variational sparse representation, NTIRE 2021).

python -m train.vspsr --data PAIRS -o RUN [--preset tiny]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.options import command, settings_options
from realdeg.output import Output
from train.engine.following import to_sample
from train.engine.program import run_options, run_program
from train.vspsr.settings import PRESETS, VSpSRSettings

if TYPE_CHECKING:
    from train.engine.session import Session


def train_vspsr(
    settings: VSpSRSettings,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, or go on training, and return the run folder.

    Args:
        settings: `data` and `out` are required.
        overwrite: throw away what an earlier run left in `out`.
        quiet: no progress.
        say: receives lines for the user.

    Raises:
        UserError: the dataset cannot be trained on, `out` was made with other settings, or a model that is
            built on cannot be had.
        Interrupted: Ctrl-C; all is saved.
    """
    from train.engine.session import begun

    with begun("vspsr", settings, overwrite=overwrite, quiet=quiet, say=say) as session:
        return _learn(session)


def _learn(session: Session[VSpSRSettings]) -> Path:
    from train.engine.session import Nets, Stage
    from train.restore.vspsr import VSpSR
    from train.vspsr.build import base_of, begin_with, held
    from train.vspsr.learning import Learning

    s, machine = session.settings, session.machine
    assert s.scale is not None
    base, about = (None, None) if s.mu is None else base_of(s.mu, s.scale, s.device)
    learning = Learning(s, machine, session.ranks, base)
    pair = learning.pair
    if s.init is not None:
        begin_with(s.init, pair.net)
    session.say(pair.described(f"{s.basis} basis vectors", "critic"))

    def step(i: int, batch: Any) -> Any:
        lr, hr = session.bring(i, batch)
        return learning.step(lr, hr, i, learning_rate(s, i, session.steps, per_epoch=session.per_epoch))

    def model(nets: Nets) -> VSpSR:
        net: Any = nets["net"]
        return VSpSR(net, base, machine.exact())

    return session.learn(
        [Stage(step, session.steps, model)], nets=pair.nets, optimisers=pair.optimisers,
        judged=["net"], frozen=held(base), about=None if about is None else {"mu": about},
    )  # fmt: skip


def learning_rate(s: VSpSRSettings, i: int, steps: int, *, per_epoch: int) -> float:
    """Learning rate of step i."""
    from train.engine.rates import cosine, risen, stairs

    if s.lr_schedule == "cosine":
        return s.learning_rate * risen(i, s.warmup) * cosine(i, steps)
    return s.learning_rate * risen(i, s.warmup) * stairs(i // per_epoch, s.tenth_every, 0.1)


@command(PRESETS)
@settings_options(VSpSRSettings, required=("data", "out"))
@run_options
def main(settings: VSpSRSettings, resume: bool, output: Output) -> None:
    """Train VSpSR on a dataset of pairs. Stop it with Ctrl-C at any time; run it again to go on.

    Examples:
      realdeg train vspsr --data pairs -o run --preset tiny
    """
    assert settings.data is not None
    following = functools.partial(to_sample, data=settings.data)
    run_program(train_vspsr, settings, output, resume=resume, following=following)
