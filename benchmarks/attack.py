"""Attacks on jobs and trainings: kills, exchanged and absent inputs, damage, full disks, closed outputs.

    python benchmarks/attack.py [--kind KIND] [--command COMMAND] [--seed N] [--rounds N] [--seconds S]

Commands run as a user runs them, on photos of some 100 px, each in a folder of its own. What they leave is
held against calm runs of the right inputs, byte by byte, and what their tables and journals claim against the
files (`claims.py`, which knows nothing of realdeg's code). Which attack hits which inputs follows from the
seed; when a kill hits does not. Prints a table, and ends with 1 if anything did not hold.
docs/reliability.md has its figures. Full disks need Linux's `unshare` and mount.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import platform
import pty
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import claims
from attacked import COMMANDS, FUTURE, KEYS, NEW, Attacked, Library, environment, run, shoot

ROUNDS, ALL_ROUNDS, SECONDS = 12, 30, 600.0
KINDS = ("kills", "swaps", "absent", "damage", "full disk", "closed outputs")
NAMESPACE = "REALDEG_ATTACK_NAMESPACE"  # set where this process may mount
CODES = (0, 1, 2, 3, 130)


@dataclass
class Tally:
    """What was tried and what held, by kind and claim."""

    tried: dict[tuple[str, str], int] = field(default_factory=dict)
    failed: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def held(self, kind: str, what: str, holds: bool, detail: str = "") -> bool:
        """Count one trial; `detail` says how to see it again where it did not hold."""
        with self.lock:
            self.tried[kind, what] = self.tried.get((kind, what), 0) + 1
            if not holds:
                self.failed.setdefault((kind, what), []).append(detail)
                print(f"did not hold: {kind}: {what}: {detail}", file=sys.stderr, flush=True)
        return holds

    def table(self) -> str:
        """For people and docs/reliability.md."""
        lines = ["| kind | what was tried | how many | what held |", "|---|---|---|---|"]
        for (kind, what), count in self.tried.items():
            bad = len(self.failed.get((kind, what), ()))
            lines.append(
                f"| {kind} | {what} | {count} | {'all' if not bad else f'{count - bad} of {count}'} |"
            )
        return "\n".join(lines)


@dataclass
class Campaign:
    """What all attacks share.

    Attributes:
        folder: for everything.
        library: of photos.
        seed, rounds: of the draws; kills of each command.
        until: monotonic time after which nothing more is begun.
        tally: of what held.
    """

    folder: Path
    library: Library
    seed: int
    rounds: int
    until: float
    tally: Tally

    def over(self) -> bool:
        """Whether nothing more is to be begun."""
        return time.monotonic() > self.until


class Attack:
    """One command in a folder of its own, with what its calm runs made."""

    def __init__(self, campaign: Campaign, kind: str, command: Attacked) -> None:
        self.campaign, self.kind, self.command = campaign, kind, command
        self.folder = campaign.folder / f"{kind} {command.name}".replace(" ", "-")
        self.folder.mkdir()
        self.rng = random.Random(f"{campaign.seed} {kind} {command.name}")
        self.inputs = command.inputs(self.folder / "in", campaign.library)
        self.out = command.output(self.folder, "out")
        self.state = command.state(self.out)
        self.made: claims.Made = {}
        self.seed = command.seeds[0]

    def held(self, what: str, holds: bool, detail: str = "") -> bool:
        """Count one trial of this command."""
        told = f"{self.command.name}: {detail}" if detail else self.command.name
        return self.campaign.tally.held(self.kind, what, holds, told)

    def said(self, *more: str, out: Path | None = None, root: Path | None = None) -> tuple[int, str]:
        """Exit code and output of a run to its end."""
        line = self.command.command(
            root or self.inputs.root, out or self.out, *self.alone(more), seed=self.seed
        )
        done = run(line, self.folder)
        return done.returncode, done.stdout + done.stderr

    def alone(self, more: Sequence[str]) -> list[str]:
        """Options with one worker, which starts sooner, unless they say how many."""
        return [*more, *(() if self.command.name == "train" or "-j" in more else ("-j", "1"))]

    def realdeg(self, *arguments: object) -> tuple[int, str]:
        """Exit code and output of another command."""
        done = run([sys.executable, "-m", "realdeg", *map(str, arguments)], self.folder)
        return done.returncode, done.stdout + done.stderr

    def learn(self) -> None:
        """Calm runs with every content under every name: what each source gives."""
        for seed in self.command.seeds:
            for turn in range(len(KEYS)):
                self.inputs.place(self.inputs.rotated(turn))
                state = self.command.state(self.calm(seed))
                for row in claims.rows(state):
                    claim = claims.of_row(row)
                    if claim.status == "ok":
                        self.made[claim.seed, claim.key, claim.sources] = claim.files
                shutil.rmtree(self.folder / "calm", ignore_errors=True)

    def calm(self, seed: str | None = None) -> Path:
        """Output of a calm run of the inputs as they are, into a fresh folder."""
        shutil.rmtree(self.folder / "calm", ignore_errors=True)
        (self.folder / "calm").mkdir()
        out = self.command.output(self.folder / "calm", self.out.stem)
        line = self.command.command(
            self.inputs.root, out, *self.alone(("-q",)), seed=self.seed if seed is None else seed
        )
        done = run(line, self.folder)
        if not self.command.state(out).is_dir():
            raise RuntimeError(f"a calm run failed: {done.returncode} {done.stdout}{done.stderr}")
        return out

    def split(self, out: Path | None = None) -> None:
        """Split the output by scenes, where it is a dataset that knows no split."""
        if not (self.command.pool or self.command.dataset):
            self.realdeg("split", out or self.out, "--test", 1, "-q")

    def differences(self) -> list[str]:
        """What the output has other than a calm run of the inputs as they are now, split alike."""
        calm = self.calm()
        self.split(calm)
        found = claims.differences(self.state, self.command.state(calm))
        if self.command.pool:
            same = self.out.is_file() and self.out.read_bytes() == calm.read_bytes()
            found += [] if same else [f"{self.out.name} differs"]
        return found

    def some(self, names: Iterable[str]) -> list[str]:
        """All of them from `ALL_ROUNDS` rounds on; with fewer as large a share, drawn."""
        names = list(names)
        count = -(-len(names) * min(self.campaign.rounds, ALL_ROUNDS) // ALL_ROUNDS)
        drawn = set(self.rng.sample(names, count))
        return [name for name in names if name in drawn]

    def untrue(self) -> list[str]:
        """Claims of table and journal that do not hold now."""
        return claims.untrue(self.state, self.made)

    def again(self, placed: dict[str, int]) -> None:
        """Start over: these inputs, and a finished output of them, split."""
        self.inputs.place(placed)
        shutil.rmtree(self.state, ignore_errors=True)
        self.out.unlink(missing_ok=True) if self.command.pool else None
        code, text = self.said("-q")
        if not self.state.is_dir():
            raise RuntimeError(f"a first run failed: {code} {text}")
        self.split()


# Kills


def kills(attack: Attack) -> None:
    """A storm: inputs change, the command runs in one of its ways and is killed; at last one calm run."""
    if attack.command.name == "train":
        _training_kills(attack)
        return
    rng, inputs, command = attack.rng, attack.inputs, attack.command
    attack.learn()
    attack.again(inputs.rotated(0))
    splits = claims.splits(attack.state)
    spans = {n: _span(attack, "-j", str(n)) for n in (1, 2)}
    killed = 0
    for _ in range(3 * attack.campaign.rounds):
        if killed >= attack.campaign.rounds or attack.campaign.over():
            break
        if rng.random() < 0.7:
            inputs.change(rng)
        seed = rng.choice(command.seeds)
        ways = ["--overwrite"] if seed != attack.seed or rng.random() < 0.15 else []
        ways += ["--limit", "2"] if rng.random() < 0.15 else []
        workers = rng.choice((1, 1, 2))
        attack.seed = seed
        line = command.command(inputs.root, attack.out, "-q", "-j", str(workers), *ways, seed=seed)
        parent = rng.random() < 0.4
        shot = shoot(line, attack.folder, attack.state, rng.uniform(0, spans[workers]), parent=parent)
        killed += shot.killed
        told = f"seed {attack.campaign.seed}, kill {killed}, {' '.join(line[2:])}"
        if shot.killed:
            who = "the parent alone" if parent else "all its processes"
            attack.held(f"kill -9 of {who}", True)
        else:
            refused = shot.code == 1 and ("other settings" in shot.said or "rejected" in shot.said)
            fine = (shot.code in CODES and shot.code < 2) or refused
            attack.held("runs between kills that came to an end", fine, f"{told}: {shot.code} {shot.said}")
        wrong = attack.untrue()
        attack.held("tables and journals true after it", not wrong, f"{told}: {wrong[:3]}")
        if not (command.pool or command.dataset):
            now = claims.splits(attack.state)
            lost = [key for key, part in splits.items() if part and part != now.get(key)]
            attack.held("splits still there after it", not lost, f"{told}: {lost}")
    _calm_end(attack)


def _span(attack: Attack, *more: str) -> float:
    """How long a command that does everything anew holds its folder, s."""
    line = attack.command.command(attack.inputs.root, attack.out, *more, "--overwrite", seed=attack.seed)
    return 1.05 * shoot(line, attack.folder, attack.state, None, parent=False).seconds


def _calm_end(attack: Attack) -> None:
    """One calm run to the end must give what a calm run into a fresh folder gives."""
    code, text = attack.said("-q")
    if "other settings" in text:
        attack.said("-q", "--overwrite")
    different = attack.differences()
    attack.held(
        "bytes of a calm run of the right inputs after the storm",
        not different,
        f"{different[:5]} {text[-300:]}",
    )
    strays = claims.unnamed(attack.state) + [str(p) for p in attack.folder.rglob(".*.realdeg-tmp")]
    attack.held("no stray or temporary files after the storm", not strays, f"{strays[:5]}")
    code, text = attack.realdeg("verify", attack.state)
    attack.held("`realdeg verify` agrees", code == 0, text[-300:])


def _weights(out: Path) -> bytes:
    """The newest weights of a run; b"" where there are none."""
    found = sorted((out / "checkpoints").glob("*.safetensors"))
    return found[-1].read_bytes() if found else b""


def _training_kills(attack: Attack) -> None:
    """Trainings are killed while the pairs under them change; at last the weights are those of a calm one."""
    rng, inputs = attack.rng, attack.inputs
    inputs.place(inputs.rotated(0))
    span, killed = 0.0, 0
    owner: dict[str, int] | None = None  # what the weights that lie there were made of
    for number in range(3 * attack.campaign.rounds):
        if killed >= attack.campaign.rounds or attack.campaign.over():
            break
        if number and rng.random() < 0.25:
            inputs.change(rng)
        foreign = owner is not None and owner != inputs.placed
        anew = rng.random() < (0.5 if foreign else 0.1)
        before = _weights(attack.out)
        line = attack.command.command(inputs.root, attack.out, "-q", *(["--overwrite"] if anew else []))
        delay = rng.uniform(0, span) if span else None
        shot = shoot(line, attack.folder, attack.out, delay, parent=rng.random() < 0.4)
        span = span or shot.seconds
        killed += shot.killed
        after = _weights(attack.out)
        told = f"seed {attack.campaign.seed}, kill {killed}, {' '.join(line[2:])}"
        told += f": {shot.code} {shot.said[-300:]}"
        if shot.killed:
            attack.held("kill -9 of a training", True)
        if foreign and not anew:
            refused = after == before and (
                shot.killed or (shot.code == 1 and "was trained on other" in shot.said)
            )
            attack.held("trainings over other pairs refused, killed or not", refused, told)
        elif not shot.killed:
            attack.held("trainings between kills that came to an end", shot.code == 0, told)
        if not after:
            owner = None
        elif after != before and (anew or not before):
            owner = dict(inputs.placed)
    foreign = owner is not None and owner != inputs.placed
    code, text = attack.said("-q", *(["--overwrite"] if foreign else []))
    calm = attack.folder / "calm"
    attack.said("-q", out=calm)
    same = bool(_weights(calm)) and _weights(attack.out) == _weights(calm)
    attack.held(
        "weights of a calm training on the right pairs after the storm", same, f"{code} {text[-300:]}"
    )


# Other inputs under the same names


def swaps(attack: Attack) -> None:
    """Inputs are exchanged between runs, without kills: what is delivered is made of what is there."""
    if attack.command.name == "train":
        _training_swaps(attack)
        return
    inputs, rng = attack.inputs, attack.rng
    attack.learn()

    def right(what: str, *more: str) -> None:
        code, text = attack.said("-q", *more)
        different, wrong = attack.differences(), attack.untrue()
        attack.held(
            what,
            code < 2 and not different and not wrong,
            f"{code} {different[:3]} {wrong[:3]} {text[-200:]}",
        )

    attack.again(inputs.rotated(0))
    other = attack.command.inputs(attack.folder / "other", attack.campaign.library)
    other.place(inputs.rotated(1))
    mine, attack.inputs = attack.inputs, other
    right("another folder with the same names")
    attack.inputs = mine
    right("and back")
    a, b, c, d = KEYS
    for what, placed in (
        ("two photos exchange names", {a: 1, b: 0, c: 2, d: 3}),
        ("a photo replaced by another, size and date kept", {a: 1, b: 0, c: 0, d: 3}),
    ):
        inputs.place(placed)
        right(what)
    inputs.place({a: 3, b: 0, c: 0, d: 1}, in_place=True)
    right("photos written over in place (cp -p)")
    if attack.command.dataset:
        # Not the user's dataset any more: what its manifest does not vouch for must not be cut.
        table = (inputs.root / "manifest.csv").read_bytes()
        inputs.place(inputs.rotated(2))
        (inputs.root / "manifest.csv").write_bytes(table)
        code, text = attack.said("-q")
        good = code == 1 and "vouches for" in text and not attack.untrue()
        attack.held("images exchanged under a manifest", good, f"{code} {text[-300:]}")
        inputs.place(inputs.rotated(2))
        right("and its manifest made right")
    _dates(attack)
    for in_place in (False, True):
        _race(attack, rng, in_place)


def _dates(attack: Attack) -> None:
    """Dates that say nothing: in the future, or touched; what is made stays."""
    for what, when in (
        ("dated in the future: not made again", FUTURE),
        ("touched: not made again", 1_600_000_000),
    ):
        for path in attack.inputs.paths():
            os.utime(path, (when, when))
        for _ in range(2):
            before = _inodes(attack.state)
            code, text = attack.said("-q")
            kept = _inodes(attack.state) == before
            attack.held(what, code < 2 and kept, f"{code} {text[-200:]}")


def _inodes(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files lie where outputs go, and when they were written."""
    paths = (path for part in claims.FOLDERS for path in (folder / part).rglob("*") if path.is_file())
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def _race(attack: Attack, rng: random.Random, in_place: bool) -> None:
    """Photos are replaced again and again while the command runs: each pair is of one content, or failed."""
    inputs = attack.inputs
    inputs.place(inputs.rotated(0))
    done = threading.Event()

    def replace() -> None:
        turn = 0
        while not done.wait(rng.uniform(0.005, 0.1)):
            turn += 1
            inputs.place(inputs.rotated(turn), in_place=in_place)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        code, text = attack.said("-q", "--overwrite")
    finally:
        done.set()
        thread.join()
    how = "written over in place" if in_place else "replaced"
    # An output that is a link to a photo that is written over in place changes with it: a row of it is no
    # longer true, and the next run must see that.
    wrong = [] if in_place else attack.untrue()
    attack.held(f"photos {how} while a job runs", code < 2 and not wrong, f"{code} {wrong[:3]} {text[-200:]}")
    code, text = attack.said("-q")
    different = attack.differences()
    attack.held(
        "and the run after it", code < 2 and not different, f"{how}: {code} {different[:3]} {text[-200:]}"
    )


def _training_swaps(attack: Attack) -> None:
    inputs = attack.inputs
    inputs.place(inputs.rotated(0))
    attack.said("-q", "--steps", "24")
    before = _weights(attack.out)

    def refused(what: str) -> None:
        code, text = attack.said("-q", "--steps", "48")
        same = _weights(attack.out) == before
        attack.held(what, code == 1 and same and "other" in text, f"{code} {text[-300:]}")

    inputs.place({**inputs.placed, KEYS[1]: 2, KEYS[2]: 1})
    refused("a training resumed over pairs that exchanged names")
    for side, (folder, kind) in enumerate((("LR", "small_inverted"), ("HR", "inverted"))):
        for number, key in enumerate(KEYS):
            shutil.copy2(attack.campaign.library.files[kind][number], inputs.path(folder, key))
        code, text = attack.said("-q", "--steps", "48")
        good = code == 1 and _weights(attack.out) == before
        attack.held(
            "a training resumed over pixels that its manifest does not vouch for",
            good,
            f"{side} {text[-300:]}",
        )
    inputs.vouch()
    refused("a training resumed over inverted pixels")
    inputs.place(inputs.rotated(0))
    for path in inputs.paths():
        os.utime(path, (FUTURE, FUTURE))
    code, text = attack.said("-q", "--steps", "48")
    fine = code == 0 and _weights(attack.out) != before
    attack.held("a training resumed over its own pairs with other dates", fine, f"{code} {text[-300:]}")


# Inputs that are not there


def absent(attack: Attack) -> None:
    """Some or all inputs are not seen by one run: nothing of the others is lost."""
    inputs, command, state = attack.inputs, attack.command, attack.state
    if command.name == "train":
        return
    whole = inputs.rotated(0)
    attack.again(whole)
    splits, files, table = claims.splits(state), claims.products(state), claims.rows(state)

    def stays(what: str, code: int, text: str, absent: Sequence[str] = ()) -> None:
        now = {row["key"]: row for row in claims.rows(state)}
        lost = [row["key"] for row in table if now.get(row["key"], {}).get("status") != row["status"]]
        moved = [key for key in splits if now.get(key, {}).get("split") != splits[key]]
        gone = [
            path for path, sha in files.items() if claims.products(state).get(path) != sha and "/" in path
        ]
        marked = [key for key, row in now.items() if row.get("absent")]
        told = f"{code} rows {lost[:3]} splits {moved[:3]} files {gone[:3]} absent {marked} {text[-200:]}"
        good = (
            code < 2 and not (lost or moved or gone) and all(key.startswith(tuple(absent)) for key in marked)
        )
        attack.held(what, good and bool(marked) == bool(absent), told)

    limit = str(len(table) // 2)
    stays("--limit after a whole run", *attack.said("-q", "--limit", limit))
    stays("--limit with --overwrite", *attack.said("-q", "--limit", limit, "--overwrite"))
    half = {key: whole[key] for key in KEYS[:2]}
    inputs.place(half)
    stays("half of the inputs missing", *attack.said("-q"), KEYS[2:])
    inputs.place(whole)
    before = _inodes(state)
    stays("and there again", *attack.said("-q"))
    attack.held("and nothing made again", _inodes(state) == before)
    if command.pool:
        different = attack.differences()
        attack.held("and the pool as before", not different, str(different[:3]))
    everything = (
        claims.products(state),
        (state / claims.TABLE).read_bytes(),
        (state / claims.JOURNAL).read_bytes(),
    )
    inputs.root.rename(attack.folder / "away")
    for what in ("the disk unmounted: no folder", "the disk unmounted: an empty folder"):
        code, text = attack.said("-q")
        now = (
            claims.products(state),
            (state / claims.TABLE).read_bytes(),
            (state / claims.JOURNAL).read_bytes(),
        )
        good = code in (1, 2) and text.count("\n") == 1 and now == everything
        attack.held(what, good, f"{code} {text[-300:]}")
        for name in ("", *(folder for folder, _ in inputs.sides)):
            (inputs.root / name).mkdir(exist_ok=True)
    shutil.rmtree(inputs.root)
    (attack.folder / "away").rename(inputs.root)
    inputs.path(inputs.sides[0][0], KEYS[3]).write_bytes(b"no picture")
    code, text = attack.said("-q")
    now = claims.splits(state)
    good = code == 1 and all(now.get(key) == splits[key] for key in splits)
    attack.held(
        "an input that cannot be read: its row fails, splits stay", good, f"{code} {now} {text[-200:]}"
    )
    inputs.place(whole)
    stays("and can be read again", *attack.said("-q"))
    inputs.place({**half, NEW[0]: 3})
    code, text = attack.said("-q", "--prune")
    keys = [row["key"] for row in claims.rows(state)]
    strays, wrong = claims.unnamed(state), [key for key in keys if key.startswith(KEYS[2:])]
    left = {path.stem for path in (state / claims.LEFTOVER).rglob("*") if path.is_file()}
    good = code < 2 and not strays and not wrong and any(name.startswith(KEYS[2]) for name in left)
    attack.held(
        "--prune: rows forgotten, files in leftover/",
        good,
        f"{code} {strays[:3]} {wrong} {left} {text[-200:]}",
    )
    different = _but_splits(attack)
    attack.held("and the rest as of a calm run", not different, str(different[:3]))


def _but_splits(attack: Attack) -> list[str]:
    """Differences to a calm run that was not split."""
    calm = attack.calm()
    if attack.command.pool:
        return [] if attack.out.read_bytes() == calm.read_bytes() else [f"{attack.out.name} differs"]
    found = claims.differences(attack.state, attack.command.state(calm))
    mine, theirs = (
        {r["key"]: r["status"] for r in claims.rows(f)} for f in (attack.state, attack.command.state(calm))
    )
    return [line for line in found if not line.startswith(claims.TABLE)] + (
        [] if mine == theirs else [f"{mine}"]
    )


# Damage


def damage(attack: Attack) -> None:
    """Outputs, table and journal are damaged: `realdeg verify` finds each, `--repair` restores calm bytes."""
    rng, state, command = attack.rng, attack.state, attack.command
    if command.name == "train":
        _damaged_training(attack)
        return
    attack.again(attack.inputs.rotated(0))
    calm = command.state(attack.calm())
    attack.split(calm)
    whole = attack.folder / "whole"
    shutil.copytree(state, whole)
    splits = not command.pool

    def anew() -> None:
        shutil.rmtree(state)
        shutil.copytree(whole, state)

    for what in attack.some(PLANTS):
        plant = PLANTS[what]
        anew()
        plant(state, rng)
        code, text = attack.realdeg("verify", state)
        attack.held(
            f"{what}: found by `realdeg verify`",
            code == 1 and "Traceback" not in text,
            f"{code} {text[-300:]}",
        )
        code, text = attack.realdeg("verify", "--repair", state)
        lost = ("split",) if what == LOST_SPLIT and splits else ()
        different = claims.differences(state, calm, lost)
        attack.held(
            f"{what}: `--repair` gives calm bytes",
            code == 0 and not different,
            f"{code} {different[:3]} {text[-300:]}",
        )
    for what in attack.some(UNKNOWN):
        plant = UNKNOWN[what]
        for other in ((), OTHER[command.name]):
            anew()
            plant(state / claims.JOURNAL)
            before = claims.products(state)
            code, text = attack.said("-q", *other)
            good = code == 1 and text.count("\n") == 1 and claims.products(state) == before
            settings = "other settings" if other else "its own settings"
            attack.held(f"journal {what}: a job with {settings} is refused", good, f"{code} {text[-300:]}")
        code, text = attack.realdeg("verify", state)
        attack.held(f"journal {what}: found by `realdeg verify`", code == 1, f"{code} {text[-300:]}")
        code, text = attack.said("-q", "--overwrite")
        different = claims.differences(state, calm)
        attack.held(
            "and `--overwrite` gives calm bytes",
            code < 2 and not different,
            f"{code} {different[:3]} {text[-300:]}",
        )
    anew()
    before = claims.products(state)
    code, text = attack.said("-q", *OTHER[command.name])
    good = code == 1 and "other settings" in text and claims.products(state) == before
    attack.held("another recipe or scale into the same folder is refused", good, f"{code} {text[-300:]}")
    for what, spoil in SPOILT.items():
        anew()
        table = state / claims.TABLE
        table.write_bytes(spoil(table.read_bytes()))
        broken, before = table.read_bytes(), claims.products(state)
        code, text = attack.realdeg("verify", state)
        attack.held(f"table {what}: found by `realdeg verify`", code == 1, f"{code} {text[-300:]}")
        code, text = attack.said("-q")
        same = code == 1 and table.read_bytes() == broken and claims.products(state) == before
        mended = code == 0 and not claims.differences(state, calm)
        good = (same or mended) and "Traceback" not in text
        attack.held(f"table {what}: a job is refused or mends it", good, f"{code} {text[-300:]}")
        table.unlink()
        code, text = attack.said("-q")
        different = claims.differences(state, calm, ("split",))
        attack.held(
            "and without it the journal gives calm bytes",
            code < 2 and not different,
            f"{code} {different[:3]}",
        )


LOST_SPLIT = "a row taken out of the table"
OTHER = {
    "degrade": ("--scale", "4"),
    "align": ("--brightness", "none"),
    "adopt": ("--scale", "4"),
    "kernels": ("--min-confidence", "0.1"),
    "noise": ("--size", "48"),
    "tile": ("--size", "32"),
}


def _output(state: Path, rng: random.Random) -> Path:
    return state / rng.choice(sorted(path for row in claims.rows(state) for path in claims.of_row(row).files))


def _truncate(state: Path, rng: random.Random) -> None:
    path = _output(state, rng)
    _write(path, path.read_bytes()[: path.stat().st_size // 2])


def _flip(state: Path, rng: random.Random) -> None:
    path = _output(state, rng)
    data, status = bytearray(path.read_bytes()), path.stat()
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _write(path, bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write(path: Path, data: bytes) -> None:
    """A new file in place of one that may be a link to a photo."""
    path.unlink()
    path.write_bytes(data)


def _exchange(state: Path, rng: random.Random) -> None:
    one = _output(state, rng)
    other = rng.choice(sorted(path for path in one.parent.iterdir() if path != one))
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _stray(state: Path, rng: random.Random) -> None:
    folder = next(state / part for part in claims.FOLDERS if (state / part).is_dir())
    (folder / "stray.png").write_bytes(b"of an earlier life")


def _temporary(state: Path, rng: random.Random) -> None:
    """As a process of this machine leaves it that was killed while it wrote."""
    process = subprocess.Popen(["true"])
    process.wait()
    host = hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()
    (state / f".{'0' * 12}.{host}.{process.pid}.{'0' * 8}.realdeg-tmp").write_bytes(b"half")


def _lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    status = path.stat()
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _a_record(lines: list[str], rng: random.Random) -> int:
    return rng.choice([i for i, line in enumerate(lines) if '"key"' in line])


def _torn(state: Path, rng: random.Random) -> None:
    _lines(state / claims.JOURNAL, lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]])


def _garbage(state: Path, rng: random.Random) -> None:
    def change(lines: list[str]) -> list[str]:
        lines[_a_record(lines, rng)] = "\x00\x00\x00\n"
        return lines

    _lines(state / claims.JOURNAL, change)


def _rowless(state: Path, rng: random.Random) -> None:
    def change(lines: list[str]) -> list[str]:
        del lines[rng.randrange(1, len(lines))]
        return lines

    _lines(state / claims.TABLE, change)


def _other_hash(state: Path, rng: random.Random) -> None:
    path = state / claims.TABLE
    row = rng.choice(claims.rows(state))
    path.write_text(path.read_text().replace(row["lr_sha256"], "0" * 64))


PLANTS: dict[str, Callable[[Path, random.Random], None]] = {
    "a file cut in half": _truncate,
    "one bit, size and date kept": _flip,
    "a file deleted": lambda state, rng: _output(state, rng).unlink(),
    "two outputs exchanged": _exchange,
    "a file that no row names": _stray,
    "a temporary file of a dead process": _temporary,
    "the journal's last line torn": _torn,
    "a line of the journal zeroed": _garbage,
    LOST_SPLIT: _rowless,
    "another hash in the table": _other_hash,
}
UNKNOWN: dict[str, Callable[[Path], None]] = {
    "with a damaged header": lambda path: _lines(path, lambda lines: ["{" + lines[0][5:], *lines[1:]]),
    "without its header": lambda path: _lines(path, lambda lines: lines[1:]),
    "empty": lambda path: path.write_text(""),
    "deleted": lambda path: path.unlink(),
}


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut in its last cell": lambda data: data[:-20],
    "cut in a row": lambda data: data[:-200],
    "that is none": lambda data: b"\x00\xff" * 99,
}


def _damaged_training(attack: Attack) -> None:
    """The newest checkpoint is damaged: the training goes on from the one before, to the same weights."""
    attack.inputs.place(attack.inputs.rotated(0))
    calm = attack.folder / "calm"
    attack.said("-q", "--steps", "24", out=calm)
    for suffix in ("safetensors", "state.pt", "json"):
        for what in ("cut in half", "one bit flipped", "deleted"):
            shutil.rmtree(attack.out, ignore_errors=True)
            attack.said("-q", "--steps", "24")
            newest = sorted((attack.out / "checkpoints").glob(f"*.{suffix}"))[-1]
            data = bytearray(newest.read_bytes())
            data[attack.rng.randrange(len(data))] ^= 1 << attack.rng.randrange(8)
            newest.unlink()
            if what != "deleted":
                newest.write_bytes(bytes(data) if what.startswith("one") else bytes(data[: len(data) // 2]))
            code, text = attack.said("-q", "--steps", "24")
            same = _weights(attack.out) == _weights(calm) and bool(_weights(calm))
            attack.held(
                f"the newest checkpoint's {suffix} {what}", code == 0 and same, f"{code} {text[-300:]}"
            )


# Full disk


def full_disk(attack: Attack) -> None:
    """The disk of the output runs full at random: one line, exit code 1; with space again, calm bytes."""
    if not os.environ.get(NAMESPACE):
        attack.campaign.tally.notes.append(
            f"full disk of {attack.command.name}: not run, mounting is not allowed here"
        )
        return
    command, rng = attack.command, attack.rng
    disk = attack.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "tmpfs", str(disk)], check=True)
    try:
        attack.out = command.output(disk, "out")
        attack.state = command.state(attack.out)
        attack.inputs.place(attack.inputs.rotated(0))
        is_training = command.name == "train"
        steps = ("--steps", "24") if is_training else ()
        if is_training:
            calm = attack.folder / "calm"
            attack.said("-q", *steps, out=calm)
            need = 2 * sum(path.stat().st_size for path in calm.rglob("*") if path.is_file())
        else:
            attack.learn()
            calm = command.state(attack.calm())
            need = sum(4096 + path.stat().st_size for path in calm.parent.rglob("*") if path.is_file())
        filler = disk / "filler"
        for _ in range(max(2, attack.campaign.rounds // 5)):
            if attack.campaign.over():
                break
            for path in (attack.state, attack.out):
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
            filler.write_bytes(b"x" * max(0, DISK_KB * 1024 - 8192 - int(rng.uniform(0.02, 0.9) * need)))
            workers = () if is_training else ("-j", rng.choice(("1", "2")))
            code, text = attack.said("-q", *workers, *steps)
            told = f"{code} {' '.join(workers)} {text[-400:]}"
            if code != 0:
                said = code == 1 and any("disk is full" in line for line in text.splitlines())
                attack.held("disks that ran full: said in a line, exit code 1", said, told)
            attack.held(
                "no traceback, full or not", "Traceback" not in text and "internal error" not in text, told
            )
            if not is_training:
                vain = [c.key for c in claims.journal(attack.state) if c.status == "failed"]
                attack.held(
                    "stops after the first failure",
                    len(vain) <= (1 if workers[1] == "1" else 8),
                    f"{told} {vain}",
                )
                wrong = attack.untrue()
                attack.held("tables and journals true", not wrong, f"{told} {wrong[:3]}")
            filler.unlink()
            code, text = attack.said("-q", *workers, *steps)
            if is_training:
                different = [] if _weights(attack.out) == _weights(calm) else ["weights differ"]
            else:
                different = claims.differences(attack.state, calm)
            attack.held(
                "with space again, calm bytes",
                code == 0 and not different,
                f"{told} then {code} {different[:3]} {text[-300:]}",
            )
    finally:
        subprocess.run(["umount", str(disk)], check=False)


DISK_KB = 4096


# Closed outputs

STREAMS = {
    "standard output closed": ">&-",
    "standard error closed": "2>&-",
    "both closed": ">&- 2>&-",
    "input, output and error closed": "<&- >&- 2>&-",
    "standard output on a full disk": ">/dev/full",
    "standard error on a full disk": "2>/dev/full",
    "a reader that leaves": "| true",
}


def closed_outputs(attack: Attack) -> None:
    """Every command without the streams that it writes to: no traceback, its own exit code, its work done."""
    campaign, library = attack.campaign, attack.campaign.library
    command = attack.command
    attack.inputs.place(attack.inputs.rotated(0))
    lines: dict[str, list[str]] = {}
    out = attack.folder / "made"
    python = [sys.executable, "-m"]
    if command.name == "train":
        attack.said("-q", "--steps", "8")
        root, given = str(attack.inputs.root), ["--run", str(attack.out)]
        lines["train.d2c"] = [*command.command(attack.inputs.root, out), "--steps", "8"]
        lines["train.evaluate"] = [
            *python,
            "train.evaluate",
            *given,
            "--data",
            root,
            "-o",
            str(out),
            "--split",
            "all",
        ]
        for name in ("upscale", "sample"):
            lines[f"train.{name}"] = [*python, f"train.{name}", *given, f"{root}/LR", "-o", str(out)]
        lines["train.export"] = [*python, "train.export", *given, "-o", str(out.with_suffix(".safetensors"))]
    else:
        lines[command.name] = [
            *command.command(attack.inputs.root, command.output(attack.folder, "made")),
            "-j",
            "1",
        ]
    if command.name == "degrade":
        attack.said("-q")
        made, photos = str(attack.out), str(library.files["photo"][0].parent)
        pool = str(attack.folder / "pool.npz")
        attack.realdeg("kernels", photos, "--scale", 2, "--min-confidence", 0, "-o", pool, "-q", "-j", 1)
        lines |= {
            name: [*python, "realdeg", name, *more]
            for name, more in {
                "split": [made],
                "verify": [made],
                "replay": [made, "-j", "1"],
                "export": [made, "--format", "d2c-sr", "-o", str(out)],
                "report": [made, "-o", str(out)],
                "compare": [made, "--real", photos],
                "calibrate": [made, "--scale", "2", "-o", str(out), "-j", "1"],
                "recipes": [],
                "pool": [pool, "--kind", "kernel", "--scale", "2"],
                "completion": ["bash"],
                "doctor": [],
                "--help": [],
                "--version": [],
            }.items()
        }
    for name, line in lines.items():
        if campaign.over():
            break
        _without_streams(attack, name, line)


def _without_streams(attack: Attack, name: str, line: Sequence[str]) -> None:
    def anew() -> None:
        for path in attack.folder.glob("made*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def made() -> list[str]:
        return sorted(
            str(path.relative_to(attack.folder))
            for top in attack.folder.glob("made*")
            for path in top.rglob("*")
        )

    anew()
    calm = run(line, attack.folder)
    wanted = made()
    good = calm.returncode in CODES and "Traceback" not in calm.stderr + calm.stdout
    attack.held("every command in the open", good, f"{name}: {calm.returncode} {calm.stderr[-300:]}")
    for what in attack.some(STREAMS):
        how = STREAMS[what]
        anew()
        caught = attack.folder / "caught.txt"
        script = f'"$@" {how}' if how.startswith("|") else f'exec "$@" {how}'
        shell = [
            "bash",
            "-c",
            f"{{ {script}; }} 2>{caught}; exit ${{PIPESTATUS[0]}}" if "|" in how else script,
            "-",
            *line,
        ]
        done = run(shell, attack.folder)
        said = done.stdout + done.stderr + (caught.read_text() if "|" in how else "")
        allowed = {calm.returncode}
        if calm.stdout and calm.returncode == 0 and ((">/dev/full" in how and "2>" not in how) or "|" in how):
            allowed = {1} if "full" in how else {0, 1}  # the result could not be printed, and it says so
        good = done.returncode in allowed and "Traceback" not in said and "Exception ignored" not in said
        good = good and made() == wanted
        attack.held(
            what,
            good,
            f"{name}: {done.returncode} for {sorted(allowed)}, {len(made())} files for {len(wanted)} "
            f"{said[-300:]}",
        )
    anew()
    code, said = _on_terminal(line, attack.folder)
    good = code == calm.returncode and "\x1b" not in said and "Traceback" not in said
    attack.held("a terminal that cannot draw (TERM=dumb)", good, f"{name}: {code} {said[-300:]!r}")


def _on_terminal(line: Sequence[str], folder: Path) -> tuple[int, str]:
    """A command on a terminal that says of itself that it moves no cursor."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        line, stdin=slave, stdout=slave, stderr=slave, env={**environment(folder), "TERM": "dumb"}
    )
    os.close(slave)
    said = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the last one that held the terminal has ended
            break
        if not part:
            break
        said += part
    os.close(master)
    return process.wait(), said.decode(errors="replace")


# Running


@dataclass(frozen=True)
class Part:
    """What is attacked in one go: a kind on one command."""

    kind: str
    command: Attacked
    attack: Callable[[Attack], None]


ATTACKS: dict[str, Callable[[Attack], None]] = {
    "kills": kills,
    "swaps": swaps,
    "absent": absent,
    "damage": damage,
    "full disk": full_disk,
    "closed outputs": closed_outputs,
}


def attempt(campaign: Campaign, part: Part) -> None:
    """One part; what it did not foresee counts as not held."""
    if campaign.over():
        campaign.tally.notes.append(f"{part.kind} of {part.command.name}: not run, the time was over")
        return
    try:
        part.attack(Attack(campaign, part.kind, part.command))
    except Exception as error:
        traceback.print_exc()
        detail = f"{part.command.name}: {type(error).__name__}: {error}"
        campaign.tally.held(part.kind, "came to its end", False, detail)


def _may_mount() -> None:
    """Start anew where mounts are this process's own, if the system allows that; else go on without."""
    if os.environ.get(NAMESPACE) or not shutil.which("unshare"):
        return
    apart = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    with tempfile.TemporaryDirectory() as folder:
        trial = subprocess.run(
            [*apart, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
        )
    if trial.returncode == 0:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", [*apart, sys.executable, __file__, *sys.argv[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind; may be repeated")
    parser.add_argument("--command", action="append", choices=list(COMMANDS), help="only this command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"kills of each command; {ALL_ROUNDS}: all else whole"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin nothing more after so long")
    parser.add_argument("--jobs", type=int, default=2, help="attacks at a time")
    parser.add_argument("--json", type=Path, help="where the result is written")
    parser.add_argument("--folder", type=Path, help="work here, and leave everything for a look")
    given = parser.parse_args()
    if "full disk" in (given.kind or KINDS):
        _may_mount()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="realdeg-attack-"))
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    tally = Tally()
    try:
        library = Library(folder / "library")
        campaign = Campaign(folder, library, given.seed, given.rounds, begun + given.seconds, tally)
        chosen = [COMMANDS[name] for name in given.command or COMMANDS]
        parts = [
            Part(kind, command, ATTACKS[kind])
            for kind in given.kind or KINDS
            if kind in ATTACKS
            for command in chosen
        ]
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(functools.partial(attempt, campaign), parts))
    finally:
        if given.folder is None:
            time.sleep(1.0)  # workers whose parent was killed see it within half a second
            shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - begun
    print(tally.table())
    for note in tally.notes:
        print(note)
    count, bad = sum(tally.tried.values()), sum(map(len, tally.failed.values()))
    print(f"{count} trials, {bad} did not hold, seed {given.seed}, {seconds:.0f} s")
    if given.json:
        rows = [
            {"kind": kind, "what": what, "tried": n, "failed": tally.failed.get((kind, what), [])}
            for (kind, what), n in tally.tried.items()
        ]
        told = {
            "seed": given.seed,
            "rounds": given.rounds,
            "seconds": round(seconds),
            "python": platform.python_version(),
        }
        given.json.write_text(json.dumps({**told, "notes": tally.notes, "trials": rows}, indent=1) + "\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
