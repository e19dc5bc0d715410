"""The model that comes with realdeg: docs/model_card.md."""

from pathlib import Path

import cv2
import numpy as np
import programs
import pytest
from safetensors import safe_open

from realdeg.errors import UserError
from train.evaluate.command import evaluate
from train.restore.models import SHIPPED, load, opened

ROOT = Path(__file__).resolve().parents[3]
UNSEEN = ROOT / "data/sample/clean/chelsea.png"


@pytest.fixture
def unseen(tmp_path):
    folder = tmp_path / "hr"
    folder.mkdir()
    (folder / UNSEEN.name).write_bytes(UNSEEN.read_bytes())
    return folder


def test_it_is_what_the_card_says():
    assert SHIPPED.stat().st_size <= 3_000_000
    with safe_open(SHIPPED, "pt") as file:
        assert sum(file.get_tensor(key).numel() for key in file.keys()) == 722_980  # noqa: SIM118
        assert "/" not in file.metadata()["realdeg"]  # no path of the machine that trained it
    assert "722,980" in (ROOT / "docs/model_card.md").read_text()
    found = opened(None, None, print)
    assert (found.about["kind"], found.about["scale"], found.step) == ("d2c", 4, 10_000)


def test_it_beats_bicubic_on_a_picture_it_has_not_seen(unseen):
    table = evaluate(None, hr=unseen, model=load(device="cpu"))
    assert table.means["psnr_y_bicubic"] == pytest.approx(31.47, abs=0.01)
    assert table.means["psnr_y"] == pytest.approx(31.65, abs=0.02)
    assert table.means["ssim_y"] > table.means["ssim_y_bicubic"] + 0.01


def test_upscale_needs_no_training(tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (20, 28, 3), np.uint8))
    result = programs.run("train.upscale", photo, "-o", tmp_path / "up")
    assert result.returncode == 0, result.stderr
    assert cv2.imread(str(tmp_path / "up/photo.png")).shape == (80, 112, 3)


def test_another_scale_is_refused_in_one_line(tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.zeros((16, 16, 3), np.uint8))
    result = programs.run("train.upscale", photo, "-o", tmp_path / "up", "--scale", 2)
    assert result.returncode == 2
    assert result.stderr.strip() == (
        "error: --scale 2: is not the model's, which enlarges x4; leave it out, or give a model of that scale"
    )


def test_the_cards_figure_on_set5(shared_data):
    table = evaluate(None, hr=shared_data("Set5") / "HR", model=load(device="cpu"))
    assert table.means["psnr_y"] == pytest.approx(30.08, abs=0.02)


def test_two_models_are_refused(tmp_path):
    with pytest.raises(UserError, match="is a second model"):
        load(tmp_path, checkpoint=SHIPPED)
