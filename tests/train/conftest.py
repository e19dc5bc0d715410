"""A tiny dataset with a manifest, made of shapes and noise."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg.cli.main import run
from realdeg.records import PairRecord, write_manifest

TINY = {
    "width": 8, "groups": 1, "blocks": 1, "fusion_width": 8, "patch": 12, "batch": 2, "steps": 6,
    "learning_rate": 1e-3, "check_every": 3, "save_every": 3, "log_every": 2, "diagnose_every": 2,
    "device": "cpu", "precision": "fp32", "tensorboard": "off",
}  # fmt: skip


def picture(seed: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Smooth shapes with edges, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    h, w = size_hw
    image = cv2.resize(rng.random((6, 6, 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        cv2.circle(image, (x, y), int(rng.integers(3, 14)), [float(c) for c in rng.random(3)], -1)
    return np.clip(255 * image, 0, 255).astype(np.uint8)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Maker of datasets; LR is the HR averaged over squares."""

    def make(
        name: str = "data",
        *,
        count: int = 4,
        scale: int = 2,
        lr_hw: tuple[int, int] = (20, 24),
        splits: str = "ttte",
    ) -> Path:
        folder = tmp_path / name
        words = {"t": "train", "e": "test", "v": "val", "-": ""}
        records = []
        for i in range(count):
            hr = picture(i, (lr_hw[0] * scale, lr_hw[1] * scale))
            lr = cv2.resize(hr, (lr_hw[1], lr_hw[0]), interpolation=cv2.INTER_AREA)
            for side, image in (("LR", lr), ("HR", hr)):
                (folder / side).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / side / f"p{i}.png"), image[..., ::-1])
            split = words[splits[i % len(splits)]]
            records.append(
                PairRecord(
                    f"p{i}", "ok", "", f"LR/p{i}.png", f"HR/p{i}.png", scale, scene=f"s{i}", split=split
                )
            )
        records.append(PairRecord("bad", "rejected", "too flat"))
        write_manifest(folder, records)
        return folder

    return make


@pytest.fixture
def tiny() -> dict[str, object]:
    """Settings of a training of six steps."""
    return dict(TINY)


@dataclass(frozen=True)
class Ended:
    """What a program left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that it said of an error."""
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.rstrip()


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runner of `python -m train.NAME WORDS`, in this process: a test can put in what goes wrong."""

    def go(name: str, *words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(importlib.import_module(f"train.{name}.command").main, f"python -m train.{name}")
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capsys.readouterr())

    return go
