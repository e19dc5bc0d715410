"""What a training says while it runs. Truth: a clock that is wound by hand."""

from __future__ import annotations

import io
import sys

import click
import pytest
import torch

from realdeg.cli.main import run as run_command
from realdeg.errors import Interrupted
from train.engine.headline import Headline, in_words
from train.progress import SURE, WARM, ProgressBar


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def run(steps: int, each: float, *, resumed: int = 0, first: float = 0.0, count: int = SURE) -> list[str]:
    """What `schedule` says after each of `count` steps, the first of which takes `first` longer."""
    clock = Clock()
    show = ProgressBar("training", steps, resumed, quiet=True, now=clock)
    said = []
    for done in range(resumed + 1, resumed + count + 1):
        clock.time += each + (first if done == resumed + 1 else 0.0)
        show.step(done, {})
        said.append(show.schedule(done))
    return [line for line in said if line]


def test_a_schedule_of_days_is_said_once_with_what_helps():
    (line,) = run(1_200_000, 2.0, count=100)
    assert line == (
        "training: 1,199,980 steps at 2 s each take 28 days on this machine; "
        "--preset tiny is for trying out, and --steps 10020 ends in 6 hours"
    )


@pytest.mark.parametrize(("steps", "each"), [(1000, 0.1), (21_000, 2.0), (SURE, 1e6)])
def test_a_schedule_that_ends_within_half_a_day_needs_no_word(steps, each):
    assert run(steps, each) == []


def test_the_first_step_says_nothing_of_the_speed():
    """It builds, compiles and fills caches: a minute of it must not make days of an hour."""
    assert run(40_000, 0.5, first=600.0) == []


def test_a_resumed_run_counts_what_is_left():
    assert run(100_000, 2.0, resumed=90_000) == []
    assert "9,980 steps at 5 s each take 14 hours" in run(100_000, 5.0, resumed=90_000)[0]


def test_a_line_shows_loss_psnr_speed_and_time(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    clock = Clock()
    with ProgressBar("training", 1_200_000, 0, now=clock) as show:
        for done in range(1, WARM + 2):
            clock.time += 2.0
            show.step(done, {"loss": "0.0123", "PSNR": "30.12 dB"})
    assert out.getvalue() == "training 3/1200000  2 s each  ETA 27 d 18 h  loss 0.0123  PSNR 30.12 dB\n"


def test_the_loss_is_the_first_figure_in_the_mean_and_psnr_the_last_that_was_measured():
    seen = Headline()
    assert seen.told() == {}
    for value in (1.0, 2.0, 3.0):
        seen.add({"L2_D": torch.tensor(value).item(), "T_D": 1e9, "gradient_ratio": 7.0})
    assert seen.told() == {"loss": "2"}
    seen.judged({"psnr_y": 30.123, "ssim_y": 0.8, "psnr_y_bicubic": 28.0, "ssim_y_bicubic": 0.7})
    assert seen.told() == {"loss": "2", "PSNR": "30.12 dB"}


def test_a_check_is_said_beside_bicubic():
    found = {"psnr_y": 30.123, "ssim_y": 0.81234, "psnr_y_bicubic": 28.0, "ssim_y_bicubic": 0.7}
    assert in_words(found) == "PSNR 30.12 dB (bicubic 28.00 dB), SSIM 0.8123 (bicubic 0.7000)"
    assert in_words({"psnr_y": 30.0, "lpips": 0.1234567}) == "PSNR 30.00 dB, lpips 0.1235"


def test_a_training_that_is_stopped_says_so_once(monkeypatch, capsys):
    def command() -> None:
        raise Interrupted("after step 7 in run")

    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as ended:
        run_command(click.command()(command), "realdeg")
    assert ended.value.code == 130
    assert capsys.readouterr().err == (
        "stopped after step 7 in run; what was finished is saved, run the same command again to go on\n"
    )
