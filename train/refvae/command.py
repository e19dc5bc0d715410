"""RefVAE: train a network that draws images from the SR space after reference pictures (NTIRE 2021).

python -m train.refvae --data PAIRS --references PICTURES -o RUN [--preset tiny]
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.options import command, settings_options
from realdeg.output import Output
from train.engine.following import to_sample
from train.engine.program import run_options, run_program
from train.refvae.settings import PRESETS, RefVAESettings

if TYPE_CHECKING:
    from train.engine.session import Session
    from train.restore.guides import Pictures

# May differ between the halves of a resumed run; references are known by content (reference_list.py).
FREE = ("references", "alexnet", "lpips_heads")


def train_refvae(
    settings: RefVAESettings,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Train, or go on training, and return the run folder.

    Args:
        settings: `data`, `references` and `out` are required.
        overwrite: throw away what an earlier run left in `out`.
        quiet: no progress.
        say: receives lines for the user.

    Raises:
        UserError: the dataset or the references cannot be learned from, `out` was made with other settings,
            or published weights are not to be had.
        Interrupted: Ctrl-C; all is saved.
    """
    from train.data.reference_list import settled
    from train.engine.session import begun
    from train.restore.guides import Pictures, guide

    pictures = guide(str(settings.references)) if settings.references is not None else None
    if not isinstance(pictures, Pictures):
        remedy = "give --references PICTURES"
        raise UserError("train.refvae", "needs a folder of reference pictures", remedy, exit_code=EXIT_USAGE)
    names = [path.name for path in pictures.paths]
    first = os.environ.get("RANK", "0") == "0"
    chosen: list[Pictures] = []

    def settle(out: Path) -> list[str]:
        found, notes = settled(pictures, out, say if first else lambda text: None)
        chosen.append(found)
        return notes

    with begun(
        "refvae", settings, free=FREE, overwrite=overwrite, quiet=quiet, say=say, identity=names,
        prepare=settle,
    ) as session:  # fmt: skip
        return _learn(session, chosen[0])


def _learn(session: Session[RefVAESettings], pictures: Pictures) -> Path:
    import torch

    from train.data.references import WithReferences
    from train.engine.session import Nets, Stage
    from train.refvae.learning import Learning
    from train.restore.refvae import RefVAE

    s, machine = session.settings, session.machine
    assert s.scale is not None
    scale = s.scale
    learning = Learning(s, machine, session.ranks)
    pair = learning.pair
    session.say(pair.described(f"seen through {s.trunk}", "discriminator"))
    session.say(f"references: {len(pictures)}")
    source = WithReferences(
        session.source, pictures, side=s.side, itself=s.itself, prior=s.prior, seed=s.seed,
        places=session.ranks.share(s.batch),
    )  # fmt: skip

    def step(i: int, batch: Any) -> Any:
        lr, hr = session.bring(i, batch)
        references = torch.from_numpy(batch.references).to(machine.device).permute(0, 3, 1, 2).float() / 255
        rate = learning_rate(s, i, session.steps)
        return learning.step(lr, hr, references, torch.from_numpy(batch.kinds), i, rate)

    def model(nets: Nets) -> RefVAE:
        net: Any = nets["net"]
        return RefVAE(net, learning.features, scale, machine.exact(), s.side)

    return session.learn(
        [Stage(step, session.steps, model)], nets=pair.nets, optimisers=pair.optimisers,
        judged=["net"], source=source,
    )  # fmt: skip


def learning_rate(s: RefVAESettings, i: int, steps: int) -> float:
    """Learning rate of step i."""
    from train.engine.rates import cosine, risen

    if s.lr_schedule == "cosine":
        return s.learning_rate * risen(i, s.warmup) * cosine(i, steps)
    fallen = 0.1 if s.lr_schedule == "half" and 2 * i >= steps else 1.0
    return s.learning_rate * risen(i, s.warmup) * fallen


@command(PRESETS)
@settings_options(RefVAESettings, required=("data", "references", "out"))
@run_options
def main(settings: RefVAESettings, resume: bool, output: Output) -> None:
    """Train RefVAE on a dataset of pairs. Stop it with Ctrl-C at any time; run it again to go on.

    Examples:
      realdeg train refvae --data pairs --references paintings -o run --preset tiny
    """
    data, references = settings.data, settings.references
    assert data is not None
    assert references is not None

    def following(out: Path) -> str:
        return to_sample(out, data, "--reference", references)

    run_program(train_refvae, settings, output, resume=resume, following=following)
