"""What a run writes down: tables of numbers by step, TensorBoard events."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from realdeg.atomic import write_text, writing
from realdeg.errors import EXIT_MISSING_RESOURCE, UserError


class StepTable:
    """A CSV file with one row a step: column "step", then every name that was ever written.

    Args:
        path: rows of an earlier run up to `resumed` steps are kept, later and torn ones dropped.
    """

    def __init__(self, path: Path, resumed: int) -> None:
        self.path = path
        self.columns: list[str] = ["step"]
        rows: list[dict[str, str]] = []
        if path.is_file() and resumed:
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self.columns = list(reader.fieldnames or self.columns)
                rows = [row for row in reader if _at_most(row, resumed, self.columns)]
        self._rewrite(rows)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row; a new name becomes a new column."""
        new = [name for name in values if name not in self.columns]
        if new:
            with self.path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self.columns += new
            self._rewrite(rows)
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        with writing(self.path), self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(_line([row.get(name, "") for name in self.columns]))

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        lines = [_line([row.get(name) or "" for name in self.columns]) for row in rows]
        write_text(self.path, _line(self.columns) + "".join(lines))


def _at_most(row: dict[str, str], step: int, columns: list[str]) -> bool:
    whole = None not in row and all(row.get(name) is not None for name in columns)
    return whole and row["step"].isdigit() and int(row["step"]) <= step


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


class RunningMean:
    """Mean of each number since the last look; part of a checkpoint: a resumed log goes on exactly."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Take in the numbers of one step."""
        for name, value in values.items():
            total = self.sums.setdefault(name, [0.0, 0.0])
            total[0] += value
            total[1] += 1

    def take(self) -> dict[str, float]:
        """The means, and start anew."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        return means

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"sums": {name: list(pair) for name, pair in self.sums.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.sums = {name: list(pair) for name, pair in state["sums"].items()}


class RunLogger:
    """The tables of a run, and the same numbers as TensorBoard events.

    Args:
        out: run folder; `metrics.csv`, `validation.csv` and `tensorboard` in it.
        track: TensorBoard "auto", "on" or "off".
        resumed: steps that an earlier call has done.

    Raises:
        UserError: here and on every note: it cannot be written, or the disk is full.
    """

    GROUPS: ClassVar = {"metrics": "train", "validation": "validation"}

    def __init__(self, out: Path, track: str, resumed: int) -> None:
        self.tables = {name: StepTable(out / f"{name}.csv", resumed) for name in self.GROUPS}
        self.events = out / "tensorboard"
        with writing(self.events):
            self.board = tensorboard(self.events, track, resumed)

    def __enter__(self) -> RunLogger:
        # TensorBoard writes from a thread, keeps what went wrong there, and raises it at the next event.
        self._hook = threading.excepthook
        threading.excepthook = self._heard
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self.board:
                with (
                    contextlib.suppress(UserError) if kind else contextlib.nullcontext(),
                    writing(self.events),
                ):
                    self.board.close()
        finally:
            threading.excepthook = self._hook

    def _heard(self, fault: threading.ExceptHookArgs) -> None:
        if not issubclass(fault.exc_type, OSError):
            self._hook(fault)

    def add(self, table: str, step: int, values: Mapping[str, float]) -> None:
        """One row of a table."""
        self.tables[table].add(step, values)
        with writing(self.events):
            for name, value in values.items() if self.board else ():
                self.board.add_scalar(f"{self.GROUPS[table]}/{name}", value, step)

    def show(self, step: int, picture: Callable[[], np.ndarray]) -> None:
        """A picture, (H, W, 3) uint8, for TensorBoard; not made without it."""
        if self.board:
            made = picture()
            with writing(self.events):
                self.board.add_image("validation/pair", made, step, dataformats="HWC")


def tensorboard(folder: Path, wish: str, resumed: int) -> Any:
    """TensorBoard writer for `folder`, or None.

    Args:
        wish: "on"; "off"; "auto" = where TensorBoard is installed.

    Raises:
        UserError: asked for and not installed.
    """
    installed = importlib.util.find_spec("tensorboard") is not None
    if wish == "off" or (wish == "auto" and not installed):
        return None
    if not installed:
        remedy = "run `pip install tensorboard`, or leave it to metrics.csv with `tensorboard=off`"
        problem = "TensorBoard is not installed"
        raise UserError("`tensorboard=on`", problem, remedy, exit_code=EXIT_MISSING_RESOURCE)
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=resumed or None)
