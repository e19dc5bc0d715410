"""One training from a dataset to checkpoints: all that a program's networks and losses have no part in.

with begun("d2c", settings, FREE, ...) as session:
    learning = Learning(session.settings, session.machine, session.ranks)
    session.learn([Stage(learning.step, session.steps, model)], nets=..., optimisers=...)
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from realdeg.degrade.resolved import ResolvedRecipe
from realdeg.errors import UserError
from realdeg.guard import locked
from realdeg.noise.structure import doubt
from realdeg.output import current
from realdeg.records import fingerprint
from realdeg.settings import to_mapping, write_run
from train.data.batches import Crops, to_device
from train.data.cache import cache_folder
from train.data.degraded import DegradedCrops, source_patch
from train.data.learned import note_learned
from train.data.learning_set import UNMEASURABLE, LearningSet, learning_set, measurable
from train.data.pairs import Pair, Split, counted, read_split
from train.engine import history
from train.engine.average import Average
from train.engine.loop import fit
from train.engine.outline import data_told, machine_told, nets_told, schedule_told
from train.engine.ranks import Ranks, joined
from train.engine.run_settings import FREE, RunSettings, portable
from train.engine.runs import LearnedFrom, clear, refuse_other_pairs, refuse_other_settings
from train.engine.surroundings import note_surroundings
from train.evaluate.check import checker, spread
from train.machine import Machine, choose, hold_memory
from train.restore.checkpoint import EMA_SUFFIX, Checkpoint, Stateful, latest
from train.restore.model import Upscaler

S = TypeVar("S", bound=RunSettings)
Nets = Mapping[str, nn.Module]
Step = Callable[[int, Any], Mapping[str, "Tensor | float"]]
ELSEWHERE = frozenset(
    ("out", "data", "extra", "cache", "device", "tensorboard", "vgg_weights", "trust_weights")
)  # where, not what


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Attributes:
        step: learns from batch i; returns scalars by name.
        steps: number of the step at which it ends, counted from the start of the run.
        model: the networks that are judged, by name, as a function of images.
        what: names it in the progress line.
        idle: names of the networks that do not learn yet.
    """

    step: Step
    steps: int
    model: Callable[[Nets], Upscaler]
    what: str = "training"
    idle: frozenset[str] = frozenset()


@dataclass
class Session(Generic[S]):
    """A run folder that is locked, its pairs decoded, and the processes and the device that learn.

    Attributes:
        kind: of the program: "d2c", "vspsr", "refvae".
        settings: with scale and device set.
        machine: where networks run.
        ranks: processes that learn together.
        split: pairs to check on.
        learned: pairs to learn from.
        source: the batch of step i, a pure function of i.
        steps: of the whole training, as the settings have it.
        per_epoch: steps in one pass over the images.
        learned_from: fingerprints of what is learned from.
        folder: of decoded images.
        say: receives lines for the user; silent in all processes but the first.
        changed: settings that are others than when the run was left, by name: before and now.
        notes: what else is not as it was, in words.
    """

    kind: str
    settings: S
    machine: Machine
    ranks: Ranks
    split: Split
    learned: LearningSet
    source: Callable[[int], Any]
    steps: int
    per_epoch: int
    learned_from: LearnedFrom
    folder: Path
    say: Callable[[str], None]
    quiet: bool = False
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """The run folder."""
        assert self.settings.out is not None
        return self.settings.out

    def more(self, *lines: str) -> None:
        """Lines for whoever wants to hear more (-v); from the first process alone."""
        for line in lines if self.ranks.is_first and not self.quiet else ():
            current().more(line)

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
            UserError, Interrupted: as of `train.engine.loop.fit`; or a stage that has ended would be longer.
        """
        s = self.settings
        ends = [stage.steps for stage in stages]
        found = latest(self.out, lambda text: None)
        _refuse_other_ends(self.out, found, ends, self.per_epoch)
        parts: dict[str, Any] = {**nets, **optimisers, **(frozen or {})}
        average = Average({name: nets[name] for name in judged}, s.ema) if s.ema else None
        if average is not None:
            parts |= {f"{name}{EMA_SUFFIX}": net for name, net in average.nets.items()}
            parts["average"] = average
        shown: Nets = {**nets, **(average.nets if average is not None else {})}
        chosen: Sequence[Pair] = ()
        if self.ranks.is_first:
            wanted = spread(self.split.val, s.check_images)
            chosen = measurable(wanted, self.folder, self.split.scale, self.say)
            if len(chosen) < len(wanted):
                self.say(f"validation: {len(wanted) - len(chosen)} pairs are {UNMEASURABLE}")
            begins = f"goes on from {found.weights}, step {found.step:,}" if found else "begins anew"
            self.more(
                nets_told(nets, frozen or {}, s.ema),
                *schedule_told(s, [(one.what, one.steps) for one in stages], self.per_epoch, len(chosen)),
                f"run: {self.out}: {begins}",
            )
            self._note(found.step if found else 0)
            write_run(self.out, f"python -m train.{self.kind}", to_mapping(s))
            note_surroundings(self.out, self.machine, self.ranks.count, found.step if found else 0)
        stored = {
            "kind": self.kind, "scale": s.scale, "settings": portable(s), **self.learned_from.stored(),
            "stages": ends, **(about or {}),
        }  # fmt: skip

        def averaged(stage: Stage, i: int, batch: Any) -> Mapping[str, Tensor | float]:
            told = stage.step(i, batch)
            if average is not None:
                average.update(nets, stage.idle)
            return told

        for stage in stages:
            fit(
                functools.partial(averaged, stage), batches=source or self.source, parts=parts,
                out=self.out, steps=stage.steps, about=stored, check_every=s.check_every,
                check=checker(chosen, stage.model(shown), self.folder) if chosen else None,
                save_every=s.save_every, log_every=s.log_every, track=s.tensorboard, what=stage.what,
                quiet=self.quiet, ranks=self.ranks,
            )  # fmt: skip
        return self.out

    def first_end(self) -> int:
        """Number of the step at which the first of several stages ends.

        Where epochs say it and the stage is over, it's where it was: a batch of another size makes epochs of
        another length, which cannot reach back.
        """
        found = latest(self.out, lambda text: None)
        if found is not None and "stages" in found.about and not self.settings.steps:
            then, end = found.about["settings"], int(found.about["stages"][0])
            if found.step > end and not then["steps"] and then["epochs"] == self.settings.epochs:
                return end
        return self.steps

    def _note(self, step: int) -> None:
        """Write down what is learned from, and what has changed since the run was left."""
        note_learned(self.out, self.learned.pairs, self.learned.small)
        if step and self.changed:
            self.say(f"changed at step {step}: {history.in_words(self.changed)}")
            history.note(self.out, step, changed=self.changed)
        for line in self.notes if step else ():
            history.note(self.out, step, said=line)


def _refuse_other_ends(out: Path, found: Checkpoint | None, ends: Sequence[int], per_epoch: int) -> None:
    """Refuse to move the end of a stage that is over: what came after it was made on what it left.

    Raises:
        UserError: names the stage's steps.
    """
    if found is None:
        return
    then = found.about.get("settings", {})
    steps = then.get("steps") or then.get("epochs", 0) * per_epoch  # of a run of an earlier version
    before = found.about.get("stages") or [steps]
    for number, (was, now) in enumerate(zip(before, ends[:-1], strict=False), 1):
        if found.step > was and now != was:
            problem = f"has ended stage {number} of {len(ends)} after {was} steps, which cannot become {now}"
            remedy = f"use --steps {was} and more --fusion-steps, another -o, or --overwrite"
            raise UserError(out, problem, remedy)


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
    prepare: Callable[[Path], list[str]] = lambda out: [],
) -> Iterator[Session[S]]:
    """A session on `settings.data` and `settings.out`, ready to learn, while the body runs.

    Args:
        kind: of the program.
        settings: `data` and `out` are required.
        free: names of settings that a resumed run may change, beside those of `train.engine.run_settings`.
        overwrite: throw away what an earlier run left in `out`.
        quiet: no progress.
        say: receives lines for the user.
        identity: names of what else is learned from, by which runs of earlier versions are known again.
        prepare: looks at what else is learned from before anything is decoded, given the run folder; says
            what has changed since the run began. Called by each process, by the first one before the others.

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
        with ranks.first_alone():
            notes = prepare(settings.out)
        yield _prepared(kind, replace(settings, device=device), names, ranks, quiet, own, identity, notes)


def _prepared(
    kind: str,
    s: S,
    free: Collection[str],
    ranks: Ranks,
    quiet: bool,
    say: Callable[[str], None],
    identity: Sequence[str],
    notes: list[str],
) -> Session[S]:
    assert s.data is not None
    assert s.out is not None
    data, out = s.data, s.out
    with ranks.first_alone():  # which then remembers hashes
        split = read_split(data, scale=s.scale, extra=s.extra)
    s = replace(s, scale=split.scale)
    with ranks.first_alone():  # which then writes run.yaml
        changed = refuse_other_settings(out, s, set(free))
    machine = choose(s.device, s.precision)
    if machine.device.type == "cpu":
        hold_memory()
    folder = cache_folder(data, s.cache)
    made_with = _recipe(s, split.scale)
    cleanup = made_with.recipe.cleanup if made_with else 1
    noise = made_with.noise_file if made_with else None
    if noise and (line := doubt(noise.pool(), noise.path)):
        say(line)
    with ranks.first_alone():
        learned = learning_set(split, folder, s.patch, say, source_patch(s.patch, split.scale, cleanup))
    pairs = learned.pairs
    keys = tuple(pair.key for pair in pairs)
    crops = Crops(
        keys, learned.lr, learned.hr, split.scale, s.patch, s.batch, s.seed, ranks.share(s.batch)
    )  # fmt: skip
    source, recipe = _source(s, made_with, crops, machine.device.type)
    images = [pair.hr_sha256 for pair in pairs]
    if s.recipe is None:
        images += [pair.lr_sha256 for pair in pairs]
    before = [pair.key for pair in split.older]
    learned_from = LearnedFrom(
        fingerprint(keys, *recipe, *identity), fingerprint("content", keys, images, *recipe),
        fingerprint(before, *recipe, *identity),
    )  # fmt: skip
    if refuse_other_pairs(out, learned_from):
        lost = len(before) - len(pairs)
        notes = [*notes, f"an earlier version also learned from {lost} pairs that are held out now"]
        say(notes[-1])
        learned = replace(learned, pairs=tuple(dict.fromkeys((*pairs, *split.older))))
    say(f"device: {machine.why}" + (f", {ranks.count} processes" if ranks.count > 1 else ""))
    say(f"pairs: {len(keys)} x{s.scale} to learn from; validation: {len(split.val)} ({split.note})")
    if learned.left_out:
        say(f"left out: {counted(learned.left_out)}")
    steps = s.steps or s.epochs * crops.steps_per_epoch
    changed = {name: values for name, values in changed.items() if name not in ELSEWHERE}
    session = Session(
        kind, s, machine, ranks, split, learned, source, steps, crops.steps_per_epoch, learned_from, folder,
        say, quiet, changed, notes,
    )  # fmt: skip
    session.more(data_told(data, split, learned, folder), machine_told(machine, ranks.count))
    return session


def _recipe(s: RunSettings, scale: int) -> ResolvedRecipe | None:
    """The recipe that LR is made by on the way, with its pools."""
    if s.recipe is None:
        return None
    from realdeg.degrade.resolved import resolve
    from realdeg.degrade.settings import DegradeSettings

    return resolve(DegradeSettings(scale, s.kernel_pool, s.noise_pool, s.seed, s.recipe))


def _source(
    s: RunSettings, made_with: ResolvedRecipe | None, crops: Crops, device: str
) -> tuple[Callable[[int], Any], list[str]]:
    """Where batches come from, and what of it a resumed run must find again."""
    if made_with is None:
        return crops, []
    source = DegradedCrops(crops, made_with, grouped=device != "cpu", jpeg_model=s.jpeg == "model")
    return source, [s.jpeg, *(str(value) for value in made_with.identity().values())]
