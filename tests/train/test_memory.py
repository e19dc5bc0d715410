"""A photo too large for the memory is named with what to lower, and costs the others nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_SOME_FAILED, Unfit, UserError
from train.machine import choose
from train.memory import enough_memory
from train.restore import models
from train.restore.model import D2CSR, Bicubic
from train.restore.models import SHIPPED
from train.sample.sampling import SampleRequest, sample_photo
from train.upscale.command import upscale_files

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
]
WIDE = 23  # px: photos of this width are too much


@pytest.fixture
def photos(tmp_path):
    """Three, of which the second is too wide."""
    (tmp_path / "in").mkdir()
    for name, width in (("a", 16), ("b", WIDE), ("c", 17)):
        pixels = np.random.default_rng(width).integers(0, 256, (12, width, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"in/{name}.png"), pixels)
    return tmp_path / "in"


class Hungry:
    """Bicubic, for small photos."""

    scale, machine = 2, choose("cpu", "fp32")

    def __init__(self, error):
        self.error = error

    def __call__(self, lr):
        if lr.shape[1] == WIDE:
            raise self.error
        return Bicubic(2)(lr)

    def predict(self, lr):
        return Bicubic(2).predict(lr)

    def sampler(self, lr, guide=None):
        return Sampler(self, lr)


class Sampler:
    """Has room for its first sample."""

    def __init__(self, model, lr):
        self.model, self.lr = model, lr

    def draw(self, seed):
        if seed:
            self.model(self.lr)
        return Bicubic(2).predict(self.lr)[0]

    def mode(self):
        return self.draw(0)

    def between(self, first, last, t):
        return self.draw(0)


def made(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


@pytest.mark.parametrize("error", ERRORS)
def test_upscale_goes_on_with_the_other_photos(photos, tmp_path, error):
    pairs = [(photos / f"{name}.png", tmp_path / f"up/{name}.png") for name in "abc"]
    written, (failed,) = upscale_files(Hungry(error), pairs)
    assert [path.name for path in written] == made(tmp_path / "up") == ["a.png", "c.png"]
    assert str(failed) == (
        f"{photos / 'b.png'}: ran out of memory; lower `tile`, or cut the photo into parts"
    )
    assert failed.exit_code == EXIT_MISSING_RESOURCE


@pytest.mark.parametrize("error", ERRORS)
def test_a_photo_that_is_too_large_to_sample_is_named(photos, tmp_path, error):
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"b\.png: ran out of memory; cut the photo into parts") as caught:
        sample_photo(Hungry(error), photos / "b.png", out, SampleRequest((0, 1)))
    assert caught.value.exit_code == EXIT_MISSING_RESOURCE
    assert made(out) == ["seed_0.png"], "of the first sample; without a record it is drawn again"
    assert sample_photo(Hungry(error), photos / "a.png", out, SampleRequest((0, 1)))


def test_the_program_upscale_says_which_photo_and_what_to_lower(photos, tmp_path, program, monkeypatch):
    whole = D2CSR.__call__
    error = ERRORS[0]

    def hungry(self, lr):
        return Hungry(error)(lr) if lr.shape[1] == WIDE else whole(self, lr)

    monkeypatch.setattr(D2CSR, "__call__", hungry)
    ended = program("upscale", photos, "-o", tmp_path / "up")
    assert ended.code == EXIT_SOME_FAILED
    (line,) = [line for line in ended.err.splitlines() if "memory" in line]
    assert line.startswith(f"failed: {photos / 'b.png'}: ran out of memory; lower --tile")
    assert "Traceback" not in ended.err
    assert "2 photos enlarged x4, 1 failed" in ended.out
    assert made(tmp_path / "up") == ["a.png", "c.png"]


def test_the_program_sample_goes_on_with_the_other_photos(photos, tmp_path, program, monkeypatch):
    monkeypatch.setattr(models, "restored", lambda found, use: Hungry(ERRORS[0]))
    ended = program("sample", photos, "--checkpoint", SHIPPED, "--n", 2, "-o", tmp_path / "out")
    assert ended.code == EXIT_SOME_FAILED
    (line,) = [line for line in ended.err.splitlines() if "memory" in line]
    assert line == f"failed: {photos / 'b.png'}: ran out of memory; cut the photo into parts"
    assert "of each of 2 photos, 1 failed" in ended.out
    whole = {path.parent.name for path in (tmp_path / "out").glob("*/samples.json")}
    assert whole == {"a", "c"}


def test_what_a_model_cannot_use_is_said_of_the_photo():
    words = r"^x\.png: is too small; take another$"
    with pytest.raises(UserError, match=words) as caught, enough_memory("x.png", "lower --tile"):
        raise Unfit("the photo", "is too small", "take another", exit_code=5)
    assert caught.value.exit_code == 5


def test_errors_of_other_kinds_stay_what_they_are():
    for error in (RuntimeError("sizes differ"), ValueError("x"), UserError("a", "b")):
        with pytest.raises(type(error)) as caught, enough_memory("x.png", "lower --tile"):
            raise error
        assert caught.value is error
