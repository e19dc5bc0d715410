"""What may change between the halves of a run, what may not, and that it is written down."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from pathlib import Path

import cv2
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import UserError
from realdeg.records import fingerprint
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.engine.average import Average
from train.engine.history import FILE
from train.progress import ProgressBar
from train.restore.checkpoint import open_run, save
from train.restore.models import restored


def train(tiny, data, out, say=lambda text: None, **more):
    return train_d2c(D2CSettings(**{**tiny, "data": data, "out": out, **more}), quiet=True, say=say)


def weights(run):
    return load_file(open_run(run).weights)


def history(run):
    return [json.loads(line) for line in (run / FILE).read_text().splitlines()]


def as_older(run, data):
    """The newest checkpoint as a version wrote it that knew pairs by their keys alone."""
    for voucher in sorted((run / "checkpoints").glob("*.json")):
        about = json.loads(voucher.read_text())
        for name in ("pairs", "stages"):
            about.pop(name)
        voucher.write_text(json.dumps({**about, "data": data}))


def test_rate_batch_and_bounds_may_change_and_are_written_down(make_dataset, tiny, tmp_path):
    data, said = make_dataset(), []
    run = train(tiny, data, tmp_path / "run")
    assert not (run / FILE).exists()
    more = {
        "learning_rate": 1e-4,
        "batch": 1,
        "accumulate": 1,
        "clip": 0.5,
        "warmup": 2,
        "check_every": 4,
        "steps": 8,
    }
    train(tiny, data, run, said.append, **more)
    assert open_run(run).step == 8
    (entry,) = history(run)
    assert entry["step"] == 6
    assert entry["date"].startswith("20")
    assert entry["changed"] == {
        "batch": [2, 1], "steps": [6, 8], "learning_rate": [0.001, 0.0001], "warmup": [0, 2], "clip": [0.0, 0.5],
        "check_every": [3, 4],
    }  # fmt: skip
    assert any(line.startswith("changed at step 6: batch 2 -> 1") for line in said)
    with pytest.raises(UserError, match=r"patch was 12, is 10"):
        train(tiny, data, run, patch=10)
    train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": run}), overwrite=True, quiet=True, say=lambda text: None
    )
    assert not (run / FILE).exists()


def test_a_run_whose_files_hold_earlier_names_goes_on(make_dataset, tiny, tmp_path):
    """A version before said lr and track, in run.yaml and with the weights."""
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run")
    file = run / "run.yaml"
    text = file.read_text()
    assert "learning_rate: " in text
    file.write_text(text.replace("learning_rate: ", "lr: ").replace("tensorboard: ", "track: "))
    for voucher in (run / "checkpoints").glob("*.json"):
        about = json.loads(voucher.read_text())
        settings = about["settings"]
        settings["lr"], settings["track"] = settings.pop("learning_rate"), settings.pop("tensorboard")
        voucher.write_text(json.dumps(about))
    train(tiny, data, run, steps=8, learning_rate=5e-4)
    assert open_run(run).step == 8
    assert history(run)[0]["changed"] == {"steps": [6, 8], "learning_rate": [0.001, 0.0005]}
    assert restored(open_run(run)).scale == 2


def test_the_advice_after_nan_works(make_dataset, tiny, tmp_path, monkeypatch):
    from train.d2c import learning as d2c_learning

    data, real = make_dataset(), d2c_learning.Learning.convergence

    def broken(self, pred, target, rate):
        told = real(self, pred, target, rate)
        return {**told, "L2_C": math.nan} if rate > 5e-4 and len(steps) > 3 else told

    steps = []
    monkeypatch.setattr(
        d2c_learning.Learning, "convergence", lambda *words: steps.append(1) or broken(*words)
    )
    with pytest.raises(UserError, match=r"became NaN.*lower `learning_rate`.*run again to go on from it"):
        train(tiny, data, tmp_path / "run")
    assert open_run(tmp_path / "run").step == 3
    train(tiny, data, tmp_path / "run", learning_rate=1e-4)
    assert open_run(tmp_path / "run").step == 6
    assert history(tmp_path / "run")[0]["changed"] == {"learning_rate": [0.001, 0.0001]}


def test_a_run_is_not_gone_on_with_over_other_pixels(make_dataset, tiny, tmp_path):
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run")
    for side in ("LR", "HR"):
        cv2.imwrite(str(data / side / "p1.png"), 255 - cv2.imread(str(data / side / "p1.png")))
    with pytest.raises(UserError, match="was trained on other images under the same keys"):
        train(tiny, data, run, steps=8)
    assert open_run(run).step == 6


def test_a_copy_of_the_dataset_is_the_same(make_dataset, tiny, tmp_path):
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run")
    data.rename(tmp_path / "moved")
    for path in (tmp_path / "moved").rglob("*.png"):
        os.utime(path, (1, 1))
    train(tiny, tmp_path / "moved", run, steps=8)
    assert open_run(run).step == 8


def test_a_run_of_an_older_version_goes_on_by_the_keys(make_dataset, tiny, tmp_path):
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run")
    as_older(run, "otherpairs")
    with pytest.raises(UserError, match="was trained on other pairs"):
        train(tiny, data, run, steps=7)
    as_older_again = fingerprint(("p0", "p1", "p2"))
    for voucher in sorted((run / "checkpoints").glob("*.json")):
        voucher.write_text(json.dumps({**json.loads(voucher.read_text()), "data": as_older_again}))
    train(tiny, data, run, steps=7)
    about = open_run(run).about
    assert about["data"] == as_older_again
    assert "pairs" in about


def test_a_run_of_an_older_version_that_learned_from_test_pairs_says_so(make_dataset, tiny, tmp_path):
    """Of p2 (test) a copy is in the second set; older versions held out p1 (val) alone."""
    import shutil
    from dataclasses import replace

    from realdeg.records import read_manifest, write_manifest

    data = make_dataset(splits="tvet", lr_hw=(24, 26))
    shutil.copytree(data, tmp_path / "extra")
    write_manifest(
        tmp_path / "extra", [replace(row, split="") for row in read_manifest(tmp_path / "extra") if row.ok]
    )
    more = {"extra": tmp_path / "extra"}
    run = train(tiny, data, tmp_path / "run", **more)
    as_older(run, fingerprint(("p0", "p3", "extra/p0", "extra/p2", "extra/p3")))
    said = []
    train(tiny, data, run, said.append, steps=7, **more)
    assert "an earlier version also learned from 1 pairs that are held out now" in said
    assert [entry.get("note") for entry in history(run)][-1] == said[said.index(
        "an earlier version also learned from 1 pairs that are held out now"
    )]  # fmt: skip
    from train.evaluate.command import evaluate

    assert evaluate(run, data, out=tmp_path / "scores").seen == ("p2",)


@pytest.mark.parametrize("steps", [2, 4, 9])
def test_a_stage_that_is_over_is_not_made_longer(make_dataset, tiny, tmp_path, steps):
    data = make_dataset()
    tiny |= {"schedule": "paper", "steps": 3, "fusion_steps": 3}
    run = train(tiny, data, tmp_path / "run")
    before = open_run(run).weights.read_bytes()
    with pytest.raises(
        UserError,
        match=f"ended stage 1 of 2 after 3 steps, which cannot become {steps}; use --steps 3 and more",
    ):
        train(tiny, data, run, steps=steps)
    assert open_run(run).weights.read_bytes() == before
    train(tiny, data, run, fusion_steps=5)
    whole = train(tiny, data, tmp_path / "whole", fusion_steps=5)
    assert open_run(run).step == 8
    mine, theirs = weights(run), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    as_older(run, open_run(run).about["data"])
    with pytest.raises(UserError, match="ended stage 1 of 2 after 3 steps"):
        train(tiny, data, run, steps=steps)


def test_the_first_stage_is_made_longer_before_the_second_begins(make_dataset, tiny, tmp_path, monkeypatch):
    from realdeg.errors import Interrupted
    from train.engine import session

    data = make_dataset()
    tiny |= {"schedule": "paper", "steps": 3, "fusion_steps": 3}
    real, calls = session.fit, []

    def stopping(*words, **more):
        calls.append(more["what"])
        if more["what"] == "convergence":
            raise Interrupted
        return real(*words, **more)

    monkeypatch.setattr(session, "fit", stopping)
    with pytest.raises(Interrupted):
        train(tiny, data, tmp_path / "run")
    monkeypatch.undo()
    assert open_run(tmp_path / "run").step == 3
    train(tiny, data, tmp_path / "run", steps=5)
    whole = train(tiny, data, tmp_path / "whole", steps=5)
    mine, theirs = weights(tmp_path / "run"), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_an_average_counts_its_own_steps():
    """Weights that stay at 1 from a start at 0: by the count of the run the average would be 0.001 of it."""
    nets = {name: torch.nn.Linear(1, 1, bias=False) for name in ("tree", "fusion")}
    for net in nets.values():
        torch.nn.init.zeros_(net.weight)
    average = Average(nets, 0.999)
    for _ in range(1000):
        average.update(nets, {"fusion"})
    torch.nn.init.ones_(nets["fusion"].weight)
    for _ in range(20):
        average.update(nets)
    expected = 0.0
    for i in range(20):
        decay = (1 + i) / (10 + i)
        expected = decay * expected + (1 - decay)
    assert float(average.nets["fusion"].weight) == pytest.approx(expected, abs=1e-6)
    assert expected > 0.999
    again = Average(nets, 0.999)
    again.load_state_dict(average.state_dict())
    assert again.steps == {"tree": 1020, "fusion": 20}


def test_averages_of_two_stages_go_on_as_if_undisturbed(make_dataset, tiny, tmp_path):
    data = make_dataset()
    tiny |= {"schedule": "paper", "steps": 3, "fusion_steps": 4, "ema": 0.9, "save_every": 1}
    whole = train(tiny, data, tmp_path / "whole")
    train(tiny, data, tmp_path / "parts", fusion_steps=2)
    train(tiny, data, tmp_path / "parts")
    mine, theirs = weights(tmp_path / "parts"), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    first = load_file(tmp_path / "parts/checkpoints/00000006.safetensors")
    assert first.keys() == theirs.keys()


def test_averages_of_an_older_version_go_on_by_its_count(tmp_path):
    from train.restore.checkpoint import latest

    net = torch.nn.Linear(1, 1)
    save(tmp_path, 7, {"net": net}, {"kind": "d2c", "scale": 2, "settings": {}})
    average = Average({"net": net}, 0.9)
    latest(tmp_path).restore({"net": net, "average": average})
    assert average.steps == {"net": 7}


@pytest.mark.parametrize("what", ["dumb", "closed", "none", "full"])
def test_progress_that_nobody_can_see_stops_nothing(monkeypatch, what):
    class Terminal(io.StringIO):
        def isatty(self):
            super().isatty()
            return True

    stream = Terminal()
    monkeypatch.setenv("TERM", "dumb" if what == "dumb" else "xterm")
    if what == "closed":
        stream.close()
    if what == "full":
        stream = Path("/dev/full").open("w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", None if what == "none" else stream)
    with ProgressBar("training", 3, 0) as show:
        assert show.bar is None
        for done in (1, 2, 3):
            show.step(done, {"loss": 0.5})
        show.line("a line")
    monkeypatch.undo()
    if what == "dumb":
        assert "training 3/3" in stream.getvalue()
        assert "\x1b" not in stream.getvalue()
