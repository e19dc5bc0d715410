"""The loop's promises, with a network of four numbers."""

from __future__ import annotations

import csv
import errno
import math
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.errors import Interrupted, UserError
from train.engine.loop import fit
from train.restore.checkpoint import FOLDER, latest, open_run


@dataclass(frozen=True)
class Numbers:
    keys: tuple[str, ...]
    x: torch.Tensor


def batches(i):
    return Numbers((f"image{i}",), torch.full((1, 3), float(i)).sin())


class Toy:
    """A linear network whose step also draws from torch's generator."""

    def __init__(self):
        torch.manual_seed(0)
        self.net = nn.Linear(3, 1)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.1)
        self.at = []

    def step(self, i, batch):
        self.at.append(i)
        loss = (self.net(batch.x) - torch.rand(1)).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return {"loss": loss.detach(), "odd" if i % 2 else "even": 1.0}

    def fit(self, out, steps, **more):
        torch.manual_seed(1)  # a resumed run must not see this, but the state it was saved with
        words = {
            "about": {"kind": "toy", "scale": 2, "settings": {}},
            "save_every": 3,
            "log_every": 2,
            "track": "off",
            "quiet": True,
            **more,
        }
        return fit(self.step, batches, {"net": self.net, "opt": self.opt}, out, steps, **words)

    @property
    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_stopping_and_going_on_changes_nothing(tmp_path):
    whole, first, second = Toy(), Toy(), Toy()
    whole.fit(tmp_path / "whole", 10)
    first.fit(tmp_path / "parts", 4)
    assert second.fit(tmp_path / "parts", 10) == 4
    assert second.at == [4, 5, 6, 7, 8, 9]
    assert torch.equal(whole.weights, second.weights)
    assert rows(tmp_path / "whole/metrics.csv") == rows(tmp_path / "parts/metrics.csv")


def test_rows_behind_the_checkpoint_are_not_doubled(tmp_path):
    """Dies at step 5 with a checkpoint of step 3: row 4 was written already, and is written again."""
    whole, broken, again = Toy(), Toy(), Toy()
    whole.fit(tmp_path / "whole", 8)
    learn = broken.step
    broken.step = lambda i, batch: learn(i, batch) if i < 5 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        broken.fit(tmp_path / "run", 8)
    assert [row["step"] for row in rows(tmp_path / "run/metrics.csv")] == ["2", "4"]
    again.fit(tmp_path / "run", 8)
    assert torch.equal(whole.weights, again.weights)
    assert rows(tmp_path / "whole/metrics.csv") == rows(tmp_path / "run/metrics.csv")


def test_a_row_is_the_mean_since_the_row_before(tmp_path):
    toy = Toy()
    toy.step = lambda i, batch: {"value": float(i)}
    toy.fit(tmp_path, 5)
    assert [(r["step"], r["value"]) for r in rows(tmp_path / "metrics.csv")] == [
        ("2", "0.5"),
        ("4", "2.5"),
        ("5", "4"),
    ]


def test_a_finished_run_is_left_alone(tmp_path):
    Toy().fit(tmp_path, 4)
    toy = Toy()
    assert toy.fit(tmp_path, 4) == 4
    assert toy.at == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_names_the_files_and_keeps_the_last_good_checkpoint(tmp_path, value):
    toy = Toy()
    learn = toy.step
    toy.step = lambda i, batch: learn(i, batch) if i < 4 else {"loss": value}
    with pytest.raises(UserError, match=r"loss became NaN or infinite at step 5.*image4"):
        toy.fit(tmp_path, 9)
    assert open_run(tmp_path).step == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_saves(tmp_path, number):
    toy, whole, again = Toy(), Toy(), Toy()
    learn = toy.step

    def step(i, batch):
        if i == 4:
            os.kill(os.getpid(), number)
        return learn(i, batch)

    toy.step = step
    with pytest.raises(Interrupted):
        toy.fit(tmp_path / "run", 9)
    assert open_run(tmp_path / "run").step == 5
    again.fit(tmp_path / "run", 9)
    whole.fit(tmp_path / "whole", 9)
    assert torch.equal(whole.weights, again.weights)
    assert rows(tmp_path / "whole/metrics.csv") == rows(tmp_path / "run/metrics.csv")


class Judge:
    def __call__(self, done):
        return {"psnr_y": done / 2}

    def picture(self):
        return np.full((6, 8, 3), 200, np.uint8)


def test_validation_keeps_its_cadence_and_ends_the_run(tmp_path):
    Toy().fit(tmp_path, 7, check=Judge(), check_every=3)
    assert [(r["step"], r["psnr_y"]) for r in rows(tmp_path / "validation.csv")] == [
        ("3", "1.5"),
        ("6", "3"),
        ("7", "3.5"),
    ]


def test_a_damaged_checkpoint_costs_only_the_steps_since_the_one_before(tmp_path, capsys):
    whole, first, second = Toy(), Toy(), Toy()
    whole.fit(tmp_path / "whole", 9)
    first.fit(tmp_path / "run", 6)
    (tmp_path / "run" / FOLDER / "00000006.state.pt").write_bytes(b"torn")
    assert second.fit(tmp_path / "run", 9) == 3
    assert "00000006.state.pt is damaged" in capsys.readouterr().out
    assert torch.equal(whole.weights, second.weights)


@pytest.mark.parametrize("suffix", [".safetensors", ".state.pt", ".json"])
def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_anew(tmp_path, suffix):
    Toy().fit(tmp_path, 7)
    damaged = sorted((tmp_path / FOLDER).glob(f"*{suffix}"))
    assert len(damaged) == 2
    for path in damaged:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    toy = Toy()
    with pytest.raises(UserError, match=r"none of them whole \(2 damaged\); .*--overwrite") as caught:
        toy.fit(tmp_path, 9)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert toy.at == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins(tmp_path):
    """A kill while the first one was written leaves weights that nothing vouches for."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "00000003.safetensors").write_bytes(b"torn")
    toy = Toy()
    assert toy.fit(tmp_path, 4) == 0
    assert toy.at == [0, 1, 2, 3]
    assert latest(tmp_path).step == 4


def test_tensorboard_events_are_written(tmp_path):
    pytest.importorskip("tensorboard")
    Toy().fit(tmp_path, 4, track="on", check=Judge(), check_every=4)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [2, 4]
    (picture,) = events.Images("validation/pair")
    assert (picture.step, picture.height, picture.width) == (4, 6, 8)


@pytest.mark.parametrize("track", ["on", "off"])
def test_a_full_disk_in_the_middle_of_a_run_is_one_line(tmp_path, monkeypatch, capfd, track):
    """What was begun says what is wrong, also of TensorBoard's own thread; the checkpoint stays."""
    if track == "on":
        writer = pytest.importorskip("tensorboard.summary.writer.record_writer").RecordWriter
        place, name = "write", "tensorboard"
    else:
        writer, place, name = Path, "open", "metrics.csv"
    whole, full = getattr(writer, place), []

    def out_of_room(self, *words, **more):
        if full and (track == "on" or (self.name == name and words == ("a",))):
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, *words, **more)

    class Filling(Toy):
        def step(self, i, batch):
            full[:] = [True] if i > 4 else []
            time.sleep(0.02)  # for TensorBoard's thread
            return super().step(i, batch)

    monkeypatch.setattr(writer, place, out_of_room)
    before = threading.excepthook
    with pytest.raises(UserError, match=rf"{name}: the disk is full; free some space"):
        Filling().fit(tmp_path, 40, track=track, log_every=1)
    assert capfd.readouterr().err == ""
    assert threading.excepthook is before
    assert latest(tmp_path).step >= 3


def test_tensorboard_asked_for_and_missing_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        Toy().fit(tmp_path, 4, track="on")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_out_of_memory_says_what_to_lower_and_keeps_what_there_is(tmp_path, error):
    class Hungry(Toy):
        def step(self, i, batch):
            if i == 5:
                raise error
            return super().step(i, batch)

    with pytest.raises(UserError, match=r"step 6: ran out of memory; lower --batch") as caught:
        Hungry().fit(tmp_path, 9)
    assert caught.value.exit_code == 3
    assert latest(tmp_path).step == 3


def test_an_error_of_another_kind_is_not_called_memory(tmp_path):
    class Broken(Toy):
        def step(self, i, batch):
            raise RuntimeError("sizes differ")

    with pytest.raises(RuntimeError, match="sizes differ"):
        Broken().fit(tmp_path, 9)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """A finite loss had a gradient that was not: its step is the last before they would be saved."""

    class Broken(Toy):
        def step(self, i, batch):
            told = super().step(i, batch)
            if i == 5:
                self.net.weight.data[0, 1] = math.nan
            return told

    with pytest.raises(UserError, match=r"weights of net became NaN or infinite at step 6.*image5"):
        Broken().fit(tmp_path, 9)
    assert open_run(tmp_path).step == 3
    again, whole = Toy(), Toy()
    again.fit(tmp_path, 9)
    whole.fit(tmp_path / "whole", 9)
    assert torch.equal(again.weights, whole.weights)
