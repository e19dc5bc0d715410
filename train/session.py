"""One training from a dataset to checkpoints: all that a program's networks and losses have no part in.

with begun("d2c", settings, FREE, ...) as session:
    learning = Learning(session.settings, session.machine, session.ranks)
    session.learn([Stage(learning.step, session.steps, model)], nets=..., optimisers=...)
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from realdeg.errors import UserError
from realdeg.guard import locked
from realdeg.records import fingerprint
from realdeg.settings import to_mapping, write_run
from train.average import SUFFIX, Average
from train.batches import Crops, to_device
from train.cache import cache_folder, check_sizes, decoded
from train.check import checker, spread
from train.degraded import DegradedCrops
from train.loop import fit
from train.machine import Machine, choose, hold_memory
from train.pairs import Split, read_split
from train.ranks import Ranks, joined
from train.restore.checkpoint import Stateful, latest
from train.restore.model import Enlarger
from train.run_settings import FREE, RunSettings, portable
from train.runs import clear, refuse_other_pairs, refuse_other_settings
from train.surroundings import note_surroundings

S = TypeVar("S", bound=RunSettings)
Nets = Mapping[str, nn.Module]
Step = Callable[[int, Any], Mapping[str, "Tensor | float"]]


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Attributes:
        step: learns from batch i; returns scalars by name.
        steps: number of the step at which it ends, counted from the start of the run.
        model: the networks that are judged, by name, as a function of images.
        what: names it in the progress line.
    """

    step: Step
    steps: int
    model: Callable[[Nets], Enlarger]
    what: str = "training"


@dataclass
class Session(Generic[S]):
    """A run folder that is locked, its pairs decoded, and the processes and the device that learn.

    Attributes:
        kind: of the program: "d2c", "vspsr", "refvae".
        settings: with scale and device set.
        machine: where networks run.
        ranks: processes that learn together.
        split: pairs to learn from and to check on.
        source: the batch of step i, a pure function of i.
        steps: of the whole training, as the settings have it.
        per_epoch: steps in one pass over the images.
        learned_from: fingerprint of what is learned from.
        folder: of decoded images.
        say: receives lines for the user; silent in all processes but the first.
    """

    kind: str
    settings: S
    machine: Machine
    ranks: Ranks
    split: Split
    source: Callable[[int], Any]
    steps: int
    per_epoch: int
    learned_from: str
    folder: Path
    say: Callable[[str], None]
    quiet: bool = False

    @property
    def out(self) -> Path:
        """The run folder."""
        assert self.settings.out is not None
        return self.settings.out

    def bring(self, i: int, batch: Any) -> tuple[Tensor, Tensor]:
        """LR (B, 3, p, p) and HR (B, 3, s p, s p) of a batch, float32 in [0, 1], on the device."""
        lr, hr = to_device(batch, self.machine.device)
        if isinstance(self.source, DegradedCrops) and self.source.grouped:
            return self.source.on_device(i, hr), hr
        return lr, hr

    def learn(
        self,
        stages: Sequence[Stage],
        *,
        nets: Nets,
        optimisers: Mapping[str, Stateful],
        judged: Collection[str],
        about: Mapping[str, Any] | None = None,
        source: Callable[[int], Any] | None = None,
        frozen: Nets | None = None,
    ) -> Path:
        """Train to the end, going on from the newest whole checkpoint.

        Args:
            stages: one after the other.
            nets: all networks that learn, by name.
            optimisers: by name.
            judged: names of the networks that make images: they are averaged (`ema`) and judged.
            about: stored with the weights beside kind, scale and settings.
            source: in place of the session's own: batches with more in them.
            frozen: networks that are stored and do not learn.

        Returns:
            The run folder.

        Raises:
            UserError, Interrupted: as of `train.loop.fit`.
        """
        s = self.settings
        parts: dict[str, Any] = {**nets, **optimisers, **(frozen or {})}
        average = Average({name: nets[name] for name in judged}, s.ema) if s.ema else None
        if average is not None:
            parts |= {f"{name}{SUFFIX}": net for name, net in average.nets.items()}
        shown: Nets = {**nets, **(average.nets if average is not None else {})}
        if self.ranks.is_first:
            write_run(self.out, f"python -m train.{self.kind}", to_mapping(s))
            found = latest(self.out, lambda text: None)
            note_surroundings(self.out, self.machine, self.ranks.count, found.step if found else 0)
        stored = {
            "kind": self.kind, "scale": s.scale, "settings": portable(s), "data": self.learned_from,
            **(about or {}),
        }  # fmt: skip
        chosen = spread(self.split.val, s.check_images) if self.ranks.is_first else ()

        def averaged(step: Step, i: int, batch: Any) -> Mapping[str, Tensor | float]:
            told = step(i, batch)
            if average is not None:
                average.update(nets, i)
            return told

        for stage in stages:
            fit(
                functools.partial(averaged, stage.step), batches=source or self.source, parts=parts,
                out=self.out, steps=stage.steps, about=stored, check_every=s.check_every,
                check=checker(chosen, stage.model(shown), self.folder) if chosen else None,
                save_every=s.save_every, log_every=s.log_every, track=s.track, what=stage.what,
                quiet=self.quiet, ranks=self.ranks,
            )  # fmt: skip
        return self.out


@contextlib.contextmanager
def begun(
    kind: str,
    settings: S,
    *,
    free: Collection[str] = (),
    overwrite: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = print,
    identity: Sequence[str] = (),
) -> Iterator[Session[S]]:
    """A session on `settings.data` and `settings.out`, ready to learn, while the body runs.

    Args:
        kind: of the program.
        settings: `data` and `out` are required.
        free: names of settings that a resumed run may change, beside those of `train.run_settings`.
        overwrite: throw away what an earlier run left in `out`.
        quiet: no progress.
        say: receives lines for the user.
        identity: what else is learned from, which a resumed run must find again.

    Raises:
        UserError: the dataset cannot be trained on, or `out` was made with other settings or pairs.
        Interrupted: Ctrl-C; all is saved.
    """
    if settings.data is None or settings.out is None:
        raise UserError(f"train.{kind}", "needs a dataset and a run folder", "give --data and -o")
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(settings.out, f"cannot be made ({error.strerror})", "choose another -o") from None
    with joined(settings.device) as (ranks, device), contextlib.ExitStack() as stack:
        if ranks.is_first:
            stack.enter_context(locked(settings.out))
            if overwrite:
                clear(settings.out)
        ranks.wait()
        own = say if ranks.is_first else lambda text: None
        names = FREE | frozenset(free)
        yield _prepared(kind, replace(settings, device=device), names, ranks, quiet, own, identity)


def _prepared(
    kind: str,
    s: S,
    free: Collection[str],
    ranks: Ranks,
    quiet: bool,
    say: Callable[[str], None],
    identity: Sequence[str],
) -> Session[S]:
    assert s.data is not None
    assert s.out is not None
    split = read_split(s.data, scale=s.scale, extra=s.extra)
    data, out = s.data, s.out
    s = replace(s, scale=split.scale)
    with ranks.first_alone():  # which then writes run.yaml
        refuse_other_settings(out, to_mapping(s), set(free), to_mapping(type(s)()))
    machine = choose(s.device, s.precision)
    if machine.device.type == "cpu":
        hold_memory()
    folder = cache_folder(data, s.cache)
    with ranks.first_alone():
        lr, hr = (
            decoded([getattr(pair, side) for pair in split.train], folder, say) for side in ("lr", "hr")
        )
    keys = tuple(pair.key for pair in split.train)
    check_sizes(keys, lr, hr, scale=split.scale, patch=s.patch)
    crops = Crops(keys, tuple(lr), tuple(hr), split.scale, s.patch, s.batch, s.seed, ranks.share(s.batch))
    source, recipe = _source(s, split.scale, crops, machine.device.type)
    learned_from = fingerprint(keys, *recipe, *identity)
    refuse_other_pairs(out, learned_from)
    say(f"device: {machine.why}" + (f", {ranks.count} processes" if ranks.count > 1 else ""))
    say(f"pairs: {len(keys)} x{s.scale} to learn from; validation: {len(split.val)} ({split.note})")
    steps = s.steps or s.epochs * crops.steps_per_epoch
    return Session(
        kind, s, machine, ranks, split, source, steps, crops.steps_per_epoch, learned_from, folder, say, quiet
    )


def _source(s: RunSettings, scale: int, crops: Crops, device: str) -> tuple[Callable[[int], Any], list[str]]:
    """Where batches come from, and what of it a resumed run must find again."""
    if s.recipe is None:
        return crops, []
    from realdeg.degrade.given import given
    from realdeg.degrade.settings import DegradeSettings

    made_with = given(DegradeSettings(scale, s.kernel_pool, s.noise_pool, s.seed, s.recipe))
    source = DegradedCrops(crops, made_with, grouped=device != "cpu", jpeg_model=s.jpeg == "model")
    return source, [s.jpeg, *(str(value) for value in made_with.identity().values())]
