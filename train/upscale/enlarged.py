"""Which files of a folder `train.upscale` has made, from what and with what: the journal beside them.

A file is done where the journal says that it came from this very photo by this very model, and it still
holds what was written. A file that the journal doesn't know is somebody's, and is left alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Required, TypedDict

from realdeg.atomic import writing
from realdeg.errors import UserError
from realdeg.identity import FileState, Reading, is_same, place, state_of
from realdeg.typed import Mistyped, parsed

JOURNAL = ".realdeg-upscale.jsonl"


class _Entry(TypedDict, total=False):
    """A line of the journal: `output` alone where it was begun."""

    output: Required[str]
    made_with: str
    source: str
    read: tuple[str, int, int]
    file: tuple[str, int, int]


@dataclass
class Enlarged:
    """The journal of an output folder: lines that are only added to, so that a kill costs the last at most.

    Attributes:
        out: folder.
        made_with: of the model and its options.
        known: what was written down of each output, by its path relative to the folder.
        there: how many outputs were found done.
    """

    out: Path
    made_with: str
    known: dict[str, _Entry] = field(default_factory=dict)
    there: int = 0
    _torn: bool = False

    @classmethod
    def of(cls, out: Path, made_with: str) -> Enlarged:
        """The journal of `out`, empty where there is none; torn lines are passed over."""
        journal = cls(out, made_with)
        try:
            text = (out / JOURNAL).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return journal
        journal._torn = bool(text) and not text.endswith("\n")
        for line in text.split("\n"):
            try:
                entry = parsed(line, _Entry)
            except Mistyped:
                continue
            journal.known[entry["output"]] = entry
        return journal

    def has(self, source: Path, target: Path) -> bool:
        """Whether `target` is what this model makes of `source`."""
        entry = self.known.get(self._name(target))
        if entry is None or not {"source", "read", "file"} <= set(entry):  # it was begun, or is damaged
            return False
        where, of_source, of_file = entry["source"], FileState(*entry["read"]), FileState(*entry["file"])
        if entry.get("made_with") != self.made_with:
            return False
        if where != place(source):
            of_source = FileState(of_source.sha256)  # another file is known by its bytes alone
        same = is_same(source, of_source) and is_same(target, of_file)
        self.there += same
        return same

    def begin(self, target: Path) -> None:
        """Say that `target` is about to be written, so that it's known for ours even after a kill.

        Raises:
            UserError: a file of that name is there, and the journal doesn't know it.
        """
        name = self._name(target)
        if name in self.known:
            return
        if target.exists() or target.is_symlink():
            problem = "is there already, and no run of train.upscale has written it"
            raise UserError(target, problem, "move it away, or choose another -o")
        self._add({"output": name})

    def end(self, target: Path, source: Path, reading: Reading) -> None:
        """Write down what was made.

        Raises:
            UserError: the photo was replaced while it was enlarged, or the disk is full.
        """
        where = place(source)
        states = reading.states()
        read, made = states[where], state_of(target)
        self._add(
            {
                "output": self._name(target), "made_with": self.made_with, "source": where,
                "read": (read.sha256, read.size, read.mtime_ns),
                "file": (made.sha256, made.size, made.mtime_ns),
            }
        )  # fmt: skip

    def _name(self, target: Path) -> str:
        return target.relative_to(self.out).as_posix()

    def _add(self, entry: _Entry) -> None:
        path = self.out / JOURNAL
        with writing(path):
            self.out.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(("\n" if self._torn else "") + json.dumps(entry, ensure_ascii=False) + "\n")
        self._torn = False
        self.known[entry["output"]] = entry
