"""The choice of a device is said, and an absent one is one line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.errors import UserError
from train.machine import choose


def test_auto_always_finds_one_and_says_why():
    machine = choose()
    assert machine.device.type in ("cpu", "cuda", "mps")
    assert "(" in machine.why


@pytest.mark.parametrize(
    ("device", "precision", "words"),
    [
        ("gpu9", "auto", "unknown"),
        ("cpu", "fp16", "one of auto, fp32, bf16"),
        ("meta", "auto", "not available"),
    ],
)
def test_what_is_not_here_is_one_line(device, precision, words):
    with pytest.raises(UserError, match=words):
        choose(device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_missing_gpu_is_one_line():
    with pytest.raises(UserError, match="cuda:0: is not available here"):
        choose("cuda:0")


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_convolutions(precision, dtype):
    machine = choose("cpu", precision)
    net = machine.place(nn.Conv2d(3, 8, 3))
    with machine.autocast():
        assert net(machine.bring(torch.rand(1, 3, 8, 8))).dtype == dtype
