"""D2C-SR: train a tree of predictions and the network that joins them (Li et al., ECCV 2022).

python -m train.d2c --data PAIRS -o RUN [--preset tiny]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.options import command, settings_options
from realdeg.output import Output
from train.d2c.settings import PRESETS, D2CSettings
from train.engine.following import to_evaluate
from train.engine.program import run_options, run_program

if TYPE_CHECKING:
    from train.engine.session import Session

FREE = ("leaves", "fusion_steps", "diagnose_every")  # may differ between the halves of a resumed run


def train_d2c(
    settings: D2CSettings, *, overwrite: bool = False, quiet: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Train, or go on training, and return the run folder.

    Args:
        settings: `data` and `out` are required.
        overwrite: throw away what an earlier run left in `out`.
        say: receives lines for the user.

    Raises:
        UserError: the dataset cannot be trained on, or `out` was made with other settings.
        Interrupted: Ctrl-C; all is saved.
    """
    from train.engine.session import begun

    with begun("d2c", settings, free=FREE, overwrite=overwrite, quiet=quiet, say=say) as session:
        return _learn(session)


def _learn(session: Session[D2CSettings]) -> Path:
    from train.d2c.learning import Learning
    from train.engine.session import Nets, Stage
    from train.restore.model import D2CSR

    s, bring = session.settings, session.bring
    steps = session.first_end() if s.schedule == "paper" else session.steps
    assert s.scale is not None
    scale = s.scale
    learning = Learning(s, session.machine, session.ranks)
    rate = functools.partial(learning_rate, s, per_epoch=session.per_epoch)
    alpha = functools.partial(alpha_at, s, per_epoch=session.per_epoch)
    sizes = [sum(p.numel() for p in net.parameters()) for net in learning.nets.values()]
    joined = f", {sizes[1]:,} to join them" if len(sizes) > 1 else ""
    session.say(f"network: {sizes[0]:,} parameters in {s.children**s.depth} branches{joined}")

    def joint(i: int, batch: Any) -> dict[str, Any]:
        """The released loop; the second forward pass of the tree is left out, its images are at hand."""
        lr_image, target = bring(i, batch)
        pred, told = learning.divergence(lr_image, target, i, rate(i, steps), alpha(i))
        if learning.fusion is None:
            return told
        return {**told, **learning.convergence(pred, target, rate(i, steps))}

    def first(i: int, batch: Any) -> dict[str, Any]:
        """The paper's first stage."""
        lr_image, target = bring(i, batch)
        return learning.divergence(lr_image, target, i, rate(i, steps), alpha(i))[1]

    def second(i: int, batch: Any) -> dict[str, Any]:
        """The paper's second stage: the tree is frozen."""
        lr_image, target = bring(i, batch)
        return learning.convergence(learning.predict(lr_image), target, rate(i - steps, fusion_steps))

    def model(nets: Nets, *, fused: bool) -> D2CSR:
        tree: Any = nets["tree"]
        return D2CSR(tree, nets.get("fusion") if fused else None, scale, session.machine.exact())

    mean, whole = (functools.partial(model, fused=fused) for fused in (False, True))
    if s.schedule == "joint" or learning.fusion is None:
        stages = [Stage(joint, steps, whole)]
    else:
        fusion_steps = s.fusion_steps or max(1, steps // 4)
        stages = [
            Stage(first, steps, mean, "divergence", idle=frozenset(["fusion"])),
            Stage(second, steps + fusion_steps, whole, "convergence"),
        ]
    nets = learning.nets
    return session.learn(stages, nets=nets, optimisers=learning.optimisers, judged=list(nets))


def learning_rate(s: D2CSettings, i: int, steps: int, *, per_epoch: int) -> float:
    """Learning rate of step i."""
    from train.engine.rates import cosine, risen, stairs

    if s.lr_schedule == "cosine":
        return s.learning_rate * risen(i, s.warmup) * cosine(i, steps)
    return s.learning_rate * risen(i, s.warmup) * stairs(i // per_epoch, s.halve_every, 0.5)


def alpha_at(s: D2CSettings, i: int, *, per_epoch: int) -> float:
    """Weight of the divergence loss at step i."""
    from train.losses.divergence import alpha_schedule

    return s.alpha if s.alpha_schedule == "constant" else alpha_schedule(i // per_epoch, alpha=s.alpha)


@command(PRESETS)
@settings_options(D2CSettings, required=("data", "out"))
@run_options
def main(settings: D2CSettings, resume: bool, output: Output) -> None:
    """Train D2C-SR on a dataset of pairs. Stop it with Ctrl-C at any time; run it again to go on.

    Examples:
      realdeg train d2c --data pairs -o run --preset tiny
      realdeg train d2c --data pairs -o run --dry-run
    """
    assert settings.data is not None
    following = functools.partial(to_evaluate, data=settings.data)
    run_program(train_d2c, settings, output, resume=resume, following=following)
