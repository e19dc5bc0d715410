"""Random lives of a dataset: manifest, journal and folders agree with a model of twenty lines."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realdeg import atomic
from realdeg.dataset.settings import SplitSettings
from realdeg.dataset.split import split_dataset
from realdeg.errors import UserError
from realdeg.identity import file_hash
from realdeg.jobs import Running, run_job
from realdeg.ledger import read_journal
from realdeg.records import MANIFEST, PairRecord, read_manifest, with_files

KEYS = st.sampled_from("abcd")
# Two of equal length, so that their size does not tell them apart.
CONTENTS = st.sampled_from(["red", "tan", "red", "tan", "green", "broken", "dull"])
DATES = st.sampled_from([1e9, 2e9, 4e9])
GOOD = {"red", "tan", "green"}


@dataclass(frozen=True)
class Photo:
    key: str
    path: Path

    @property
    def sources(self):
        return (self.path,)


def work(item, out, tag):
    """LR and HR whose bytes follow from the photo's."""
    content = item.path.read_text()
    if content == "broken":
        raise UserError(item.path, "is broken", "copy it again")
    record = PairRecord(item.key, "rejected", "is dull", source_hr=str(item.path))
    if content == "dull":
        return record
    paths = [f"{side}/{item.key}.png" for side in ("LR", "HR")]
    for path in paths:
        (out / path).parent.mkdir(exist_ok=True)
        (out / path).write_text(f"{path[:2]} {content}{tag}")
    return with_files(
        out, PairRecord(item.key, "ok", lr=paths[0], hr=paths[1], scale=2, source_hr=str(item.path))
    )


class Model:
    """What each key's pair may hold: one content, none, or one of several after a kill; and its split."""

    def __init__(self):
        self.inputs, self.made, self.splits, self.tag = {}, {}, {}, ""

    def run(self, limit, overwrite, tag):
        if tag != self.tag and overwrite:
            self.made, self.tag = {}, tag
        for key in sorted(self.inputs)[:limit]:
            self.made[key] = {self.inputs[key] if self.inputs[key] in GOOD else None}

    def killed(self, limit):
        for key in sorted(self.inputs)[:limit]:
            good = {self.inputs[key]} & GOOD
            self.made[key] = {None} | good | self.made.get(key, set())

    def split(self, rows):
        self.splits = {row.key: row.split for row in rows if row.split}


class Killed(BaseException):
    """`kill -9`, as far as one process can play it: nothing is said, nothing more is done."""


class Life:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp())
        self.photos, self.out = self.folder / "photos", self.folder / "out"
        self.photos.mkdir()
        self.model, self.count = Model(), 0

    def end(self):
        shutil.rmtree(self.folder)

    def path(self, key):
        return self.photos / f"{key}.txt"

    def put(self, key, content, date):
        """Add or replace; every date is one that some other content may have had, but for a nanosecond."""
        self.count += 1
        self.path(key).write_text(content)
        os.utime(self.path(key), ns=(0, int(date * 1e9) + self.count))
        self.model.inputs[key] = content

    def remove(self, key):
        self.path(key).unlink(missing_ok=True)
        self.model.inputs.pop(key, None)

    def swap_or_rename(self, a, b):
        inputs = self.model.inputs
        if a in inputs and a != b:
            hidden = self.photos / ".hidden"
            self.path(a).rename(hidden)
            if b in inputs:
                self.path(b).rename(self.path(a))
            hidden.rename(self.path(b))
            both = inputs.pop(a), inputs.pop(b, None)
            inputs |= {b: both[0]} | ({a: both[1]} if both[1] else {})

    def job(self, running, tag):
        items = [Photo(path.stem, path) for path in sorted(self.photos.glob("*.txt"))]
        return run_job(
            partial(work, out=self.out, tag=tag), items, self.out, settings={"tag": tag}, running=running
        )

    def run(self, limit, overwrite, tag):
        if not overwrite and tag != self.model.tag and (self.out / MANIFEST).exists():
            before = self.tree()
            with pytest.raises(UserError, match="made with other settings"):
                self.job(Running(limit), tag)
            assert self.tree() == before
            return
        if not (self.out / MANIFEST).exists():
            if (self.out / "ledger.jsonl").exists():
                tag = self.model.tag  # a killed first run has said what it does
            self.model.tag = tag
        self.job(Running(limit, overwrite=overwrite), tag)
        self.model.run(limit, overwrite, tag)
        self.check_whole()

    def killed(self, limit, overwrite, at):
        """The process ends at some write: of a file of the pair, the journal or a table."""
        left = [at]
        replace, write = os.replace, Path.write_text

        def step(action, *args, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return action(*args, **more)

        def dying(item, out, tag):
            Path.write_text = lambda *args, **more: step(write, *args, **more)
            try:
                return work(item, out, tag)
            finally:
                Path.write_text = write

        items = [Photo(path.stem, path) for path in sorted(self.photos.glob("*.txt"))]
        atomic.os.replace = partial(step, replace)
        try:
            run_job(
                partial(dying, out=self.out, tag=self.model.tag), items, self.out,
                settings={"tag": self.model.tag}, running=Running(limit, overwrite=overwrite),
            )  # fmt: skip
        except Killed:
            self.model.killed(limit)
        else:
            self.model.run(limit, overwrite, self.model.tag)
        finally:
            atomic.os.replace = replace

    def split(self, test, seed):
        if sum(row.ok for row in self.rows()) > test:
            split_dataset(self.out, SplitSettings(test=test, seed=seed))
            self.model.split(self.rows())

    def rows(self):
        return read_manifest(self.out) if (self.out / MANIFEST).exists() else []

    def tree(self):
        return {
            path: path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and "lock" not in path.name
        }

    def nothing_is_vouched_for_that_is_not_so(self):
        for row in self.rows():
            if row.ok:
                assert (self.out / row.lr).read_text() in {
                    f"LR {content}{self.model.tag}" for content in self.model.made[row.key] - {None}
                }
                assert all(file_hash(self.out / path) == state.sha256 for path, state in row.files.items())
        splits = {row.key: row.split for row in self.rows() if row.split}
        assert splits == {key: split for key, split in self.model.splits.items() if key in splits}
        if (self.out / MANIFEST).exists():
            assert splits.keys() == self.model.splits.keys()

    def check_whole(self):
        """After a run that went to its end."""
        ok = {row.key: row for row in self.rows() if row.ok}
        sure = {key: next(iter(held)) for key, held in self.model.made.items() if len(held) == 1}
        assert {key for key, content in sure.items() if content} <= ok.keys()
        assert not {key for key, content in sure.items() if not content} & ok.keys()
        assert {
            key for key, row in ok.items() if row.detail.get("absent")
        } == ok.keys() - self.model.inputs.keys()
        journal = read_journal(self.out).records
        assert all(journal[key].files.keys() == row.files.keys() for key, row in ok.items())
        files = {
            path.relative_to(self.out).as_posix()
            for side in ("LR", "HR")
            for path in (self.out / side).rglob("*.png")
        }
        assert files == {path for row in ok.values() for path in row.files}


PUT = st.tuples(st.just("put"), KEYS, CONTENTS, DATES)
LIMIT = st.sampled_from([None, None, 1, 3])
OVERWRITE = st.sampled_from([False, False, True])
RUN = st.tuples(st.just("run"), LIMIT, OVERWRITE, st.sampled_from(["", "", "!"]))
KILLED = st.tuples(st.just("killed"), st.sampled_from([None, 2]), OVERWRITE, st.integers(0, 12))
STEPS = st.one_of(
    PUT,
    PUT,
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("swap_or_rename"), KEYS, KEYS),
    RUN,
    RUN,
    KILLED,
    st.tuples(st.just("split"), st.integers(1, 2), st.integers(0, 3)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=12, max_size=30))
def test_a_dataset_is_what_its_table_says_whatever_happens(steps):
    """Truth: the model above."""
    life = Life()
    try:
        for name, *values in [("put", "a", "red", 1e9), ("put", "b", "tan", 1e9), *steps]:
            getattr(life, name)(*values)
            life.nothing_is_vouched_for_that_is_not_so()
    finally:
        life.end()
