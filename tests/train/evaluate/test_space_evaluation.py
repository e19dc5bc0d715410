"""Samples of a made-up model, judged. Truth: formulas over whole stacks, scikit-image's PSNR and SSIM."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import weakref
from dataclasses import dataclass

import cv2
import numpy as np
import programs
import pytest
import torch
from click.testing import CliRunner

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.resample import resize
from realdeg.metrics.blockiness import blockiness
from train.evaluate.command import evaluate, main
from train.evaluate.published_space import published
from train.evaluate.score_table import SPACE_COLUMNS
from train.evaluate.space_evaluation import Sampling, measure
from train.losses.perceptual import LPIPS
from train.machine import Machine, choose
from train.nets.trunks import alexnet, seeded
from train.restore import models
from train.restore.space import Space, noise


@dataclass
class Fog:
    """Bicubic with noise of some levels: a model of the SR space as bad as they come."""

    scale: int = 4
    levels: float = 6.0
    machine: Machine = dataclasses.field(default_factory=lambda: choose("cpu", "fp32"))
    most_alive: int = 0
    guides: list = dataclasses.field(default_factory=list)

    def sampler(self, lr, guide=None):
        if guide == "self":
            raise UserError("--reference", "Fog cannot be guided", "leave it out", exit_code=EXIT_USAGE)
        self.guides.append(guide)
        return FogSampler(self, torch.tensor(resize(lr / np.float32(255), self.scale)).permute(2, 0, 1))

    def predict(self, lr):
        return self.sampler(lr).mode()[None]

    def __call__(self, lr):
        raise AssertionError("samples are drawn by seeds")


class FogSampler:
    def __init__(self, model, base):
        self.model, self.base, self.drawn = model, base.float(), weakref.WeakSet()

    def mode(self):
        return self.base.clone()

    def draw(self, seed):
        image = self.base + self.model.levels / 255 * noise(self.base.shape, seed)
        self.drawn.add(image)
        self.model.most_alive = max(self.model.most_alive, len(self.drawn))
        return image

    def between(self, first, last, t):
        raise AssertionError("nobody goes anywhere")


@pytest.fixture
def lpips(tmp_path):
    torch.save(seeded(alexnet(), 0), tmp_path / "alex.pth")
    sizes = enumerate((64, 192, 384, 256, 256))
    heads = {f"lin{i}.model.1.weight": torch.full((1, n, 1, 1), 0.1) for i, n in sizes}
    torch.save(heads, tmp_path / "heads.pth")
    return LPIPS(tmp_path / "alex.pth", tmp_path / "heads.pth", trust=True)


def pair(scale=4, lr_hw=(21, 26), seed=0):
    """LR and HR whose sides are no multiples of 8."""
    rng = np.random.default_rng(seed)
    h, w = (scale * n for n in lr_hw)
    hr = cv2.resize(rng.uniform(40, 210, (9, 9, 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    cv2.circle(hr, (w // 2, h // 2), h // 4, [60, 120, 180], -1)
    hr = np.clip(hr + rng.normal(0, 3, hr.shape), 5, 250).astype(np.uint8)
    return np.asarray(resize(hr, 1 / scale), np.uint8), hr


def drawn(lr, scale, levels, seeds):
    """What Fog draws, as 8-bit images."""
    base = torch.tensor(resize(lr / np.float32(255), scale)).permute(2, 0, 1).float()
    images = [(base + levels / 255 * noise(base.shape, seed)).clamp(0, 1) for seed in seeds]
    return np.stack([np.rint(255 * image.permute(1, 2, 0).numpy()).astype(np.uint8) for image in images])


def luma_scores(sr, hr, shave):
    color, metrics = pytest.importorskip("skimage.color"), pytest.importorskip("skimage.metrics")
    a, b = (color.rgb2ycbcr(x)[shave:-shave, shave:-shave, 0] for x in (sr, hr))
    similar = metrics.structural_similarity(
        a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]
    return metrics.peak_signal_noise_ratio(a, b, data_range=255), similar[5:-5, 5:-5].mean()


def test_figures_are_their_formulas_over_all_samples_at_once(lpips):
    lr, hr = pair()
    found = measure(Fog(), lr, hr, Sampling(5, 7), lpips=lpips)
    samples = drawn(lr, 4, 6.0, range(7, 12))
    crop = np.s_[:80, :104]
    with torch.no_grad():
        truth, stack = (torch.tensor(x[..., *crop, :]).permute(0, 3, 1, 2) / 255 for x in (hr[None], samples))
        maps = lpips(stack, truth.expand_as(stack))[:, 0].double().numpy()
    squares = np.square((samples[:, *crop].astype(float) - hr[crop]) / 255).mean(3)
    for name, one in (("diversity", maps), ("diversity_mse", squares)):
        best = one.mean((1, 2)).min()
        assert found.row[name] == pytest.approx(100 * (best - one.min(0).mean()) / best, rel=1e-4)
        assert found.row[name] > 1
    assert found.row["lpips_sample"] == pytest.approx(maps.mean(), rel=1e-4)
    psnr, ssim = np.transpose([luma_scores(sr, hr, 4) for sr in samples])
    best = psnr.argmax()
    assert found.row["psnr_y_sample"] == pytest.approx(psnr.mean(), abs=1e-3)
    assert found.row["ssim_y_sample"] == pytest.approx(ssim.mean(), abs=1e-5)
    assert found.row["psnr_y_best"] == pytest.approx(psnr[best], abs=1e-3)
    assert found.row["ssim_y_best"] == pytest.approx(ssim[best], abs=1e-5)
    metrics = pytest.importorskip("skimage.metrics")
    small = [resize(np.ascontiguousarray(x[crop]), 1 / 4) for x in (*samples, hr)]
    consistent = [metrics.peak_signal_noise_ratio(small[-1], one, data_range=255) for one in small[:-1]]
    assert found.row["lr_psnr_sample"] == pytest.approx(np.mean(consistent), abs=1e-3)
    assert found.row["lr_psnr_worst"] == pytest.approx(min(consistent), abs=1e-3)
    # The mean of rounded samples is within half a level of the mean that was rounded.
    psnr_mean, ssim_mean = luma_scores(np.rint(samples.mean(0)).astype(np.uint8), hr, 4)
    assert found.row["psnr_y_mean"] == pytest.approx(psnr_mean, abs=0.02)
    assert found.row["ssim_y_mean"] == pytest.approx(ssim_mean, abs=2e-3)
    assert found.row["psnr_y_mean"] > found.row["psnr_y_best"] > found.row["psnr_y_sample"]
    deviation = np.sqrt(samples.astype(float).var(0, ddof=1).mean(2)).mean()
    assert found.row["std_8bit"] == pytest.approx(deviation, rel=0.01)
    assert found.row["seams"] == pytest.approx(np.mean([blockiness(sr, 4) for sr in samples]), rel=1e-6)
    assert found.row["clipped_percent"] == 0
    assert set(found.row) == set(SPACE_COLUMNS) - {"key"}


def test_the_mode_is_the_model_without_noise():
    lr, hr = pair()
    found = measure(Fog(), lr, hr, Sampling(2))
    np.testing.assert_array_equal(found.image, drawn(lr, 4, 0.0, [0])[0])
    assert found.row["psnr_y"] == pytest.approx(luma_scores(found.image, hr, 4)[0], abs=1e-3)
    assert "lpips" not in found.row


def test_samples_are_forgotten_once_they_are_measured():
    model = Fog()
    lr, hr = pair()
    measure(model, lr, hr, Sampling(12))
    assert model.most_alive <= 2, "the next one is drawn while the last has a name yet"


def test_one_image_has_no_diversity():
    lr, hr = pair()
    for model, count in ((Fog(), 1), (Fog(levels=0), 4)):
        row = measure(model, lr, hr, Sampling(count)).row
        assert row["diversity_mse"] == row["std_8bit"] == 0
        assert row["psnr_y_best"] == pytest.approx(row["psnr_y_sample"])


def test_seeds_say_what_is_drawn():
    lr, hr = pair()
    rows = [measure(Fog(), lr, hr, Sampling(3, seed)).row for seed in (0, 0, 3)]
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


@pytest.mark.parametrize(("scale", "promised"), [(4, 50), (8, 45)])
def test_projected_samples_are_true_to_lr(scale, promised):
    lr, hr = pair(scale, (20, 22))
    rows = {how: measure(Fog(scale), lr, hr, Sampling(3, how=how)).row for how in ("none", "cem", "project")}
    assert rows["project"]["clipped_percent"] == 0
    assert rows["none"]["lr_psnr_worst"] < 45
    assert rows["project"]["lr_psnr_worst"] >= promised
    assert rows["project"]["lr_psnr"] >= promised
    assert rows["none"]["lr_psnr_sample"] < rows["cem"]["lr_psnr_sample"] < rows["project"]["lr_psnr_sample"]


def test_samples_of_set5_are_true_to_lr(shared_data):
    """Promised on images that are not saturated: 50 dB at x4, 45 dB at x8; published for VSpSR: 47.2, 46.8."""
    for scale, promised in ((4, 50), (8, 46.8)):
        table = evaluate(
            None,
            hr=shared_data("Set5") / "HR",
            model=Fog(scale),
            sampling=Sampling(2, how="project"),
            page=False,
        )
        assert len(table.rows) == 5
        for row in table.rows:
            assert row["lr_psnr_worst"] >= promised or row["clipped_percent"] > 0.5, row["key"]
        assert sum(row["clipped_percent"] <= 0.5 for row in table.rows) == 3


def test_what_is_saturated_is_counted():
    lr, hr = pair()
    hr[:21] = 255
    assert measure(Fog(), lr, hr, Sampling(1)).row["clipped_percent"] == pytest.approx(25)


@pytest.fixture
def pairs(tmp_path):
    for i in range(2):
        (tmp_path / "HR").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"HR/p{i}.png"), pair(seed=i)[1][..., ::-1])
    return tmp_path / "HR"


def run(monkeypatch, model, *words):
    """The program with a model that is no file."""
    asked = []
    monkeypatch.setattr(models, "opened", lambda *args: None)
    monkeypatch.setattr(models, "restored", lambda found, use: asked.append(vars(use)) or model)
    result = CliRunner().invoke(
        main, ["--checkpoint", "x", "--lpips", "off", *map(str, words)], standalone_mode=False
    )
    return result, asked


def test_the_program_writes_tables_page_and_published_rows(monkeypatch, pairs, tmp_path):
    out = tmp_path / "out"
    words = ["--space", "--samples", 6, "--sample-seed", 2, "--project", "--hr", pairs, "-o", out]
    result, asked = run(monkeypatch, Fog(), *words)
    assert result.exception is None, result.output
    assert asked[0]["project"] is False, "what is drawn is projected once, here"
    assert re.search(r"^diversity_mse +\d+\.\d\d$", result.output, re.MULTILINE)
    with (out / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [name for name in SPACE_COLUMNS if "lpips" not in name and name != "diversity"]
    lr, hr = (np.ascontiguousarray(x) for x in pair(seed=1))
    expected = measure(Fog(), lr, hr, Sampling(6, 2, how="project")).row
    for name, value in expected.items():
        assert float(rows[1][name]) == pytest.approx(value, abs=1e-5)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["samples"], summary["sample_seed"], summary["consistency"]) == (6, 2, "project")
    assert cv2.imread(str(out / "SR/p1.png")).shape == hr.shape
    text = (out / "table.md").read_text()
    for row in published(4):
        assert f"| {row.name} |" in text
    assert "| **this model** | - |" in text
    assert "6 samples of each of 2 pairs from HR" in text
    assert "cannot be compared" in text
    page = (out / "index.html").read_text()
    for name in ("LR", "bicubic", "mode", "mean", "sample 1", "sample 4", "HR"):
        assert page.count(f'alt="{name}"') == 2, name
    assert 'alt="sample 5"' not in page
    assert page.count('alt="deviation, red ') == 2
    assert page.count('<circle class="dot s0"') == len(published(4))
    assert page.count('<circle class="dot s1"') == 1
    assert "cannot be compared" in page


def test_with_lpips_the_figures_are_the_challenges(monkeypatch, pairs, tmp_path, lpips):
    table = evaluate(None, hr=pairs, model=Fog(), sampling=Sampling(3), out=tmp_path / "out", lpips=lpips)
    text = (tmp_path / "out/table.md").read_text()
    assert f"| **this model** | {table.means['lpips_sample']:.4f} |" in text
    assert "cannot be compared" not in text
    assert "squared errors)" not in text
    assert "DIV2K's 100 validation images" in text
    assert "LPIPS 0." in (tmp_path / "out/index.html").read_text()


def test_nobody_has_published_x2(monkeypatch, tmp_path):
    (tmp_path / "HR").mkdir()
    cv2.imwrite(str(tmp_path / "HR/p.png"), pair(2)[1])
    table = evaluate(None, hr=tmp_path / "HR", model=Fog(2), sampling=Sampling(2), out=tmp_path / "out")
    assert len(table.rows) == 1
    assert "published" not in (tmp_path / "out/table.md").read_text()
    assert "published" not in (tmp_path / "out/index.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reference", "self"], "Fog cannot be guided"),
        (["--project", "--cem"], "two ways to one end"),
        (["--reference", "nowhere.png"], "does not exist"),
    ],
)
def test_wishes_that_cannot_be_met_are_one_line(monkeypatch, pairs, words, said):
    result, _ = run(monkeypatch, Fog(), "--space", "--hr", pairs, *words)
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert result.exception.exit_code == EXIT_USAGE


def test_references_reach_the_model(monkeypatch, pairs):
    model = Fog()
    run(monkeypatch, model, "--space", "--samples", 1, "--hr", pairs, "--reference", "noise")
    assert model.guides == ["noise"] * 2
    run(monkeypatch, model, "--space", "--samples", 1, "--hr", pairs, "--reference", pairs)
    assert len(model.guides[-1]) == 2
    assert model.guides[-1][0].shape == (84, 104, 3)
    run(monkeypatch, model, "--space", "--samples", 1, "--hr", pairs, "--reference", "hr")
    for i, (own,) in enumerate(model.guides[-2:]):
        np.testing.assert_array_equal(own, pair(seed=i)[1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "--shipped"], "D2CSR gives one image"),
        (["--space", "--scale", "4"], "--space: needs a model"),
        (["--cem", "--scale", "4"], "--cem: belongs to samples"),
        (["--reference", "self", "--scale", "4"], "--reference: belongs to samples"),
    ],
)
def test_what_has_no_space_is_one_line(pairs, words, said):
    result = programs.run("train.evaluate", "--hr", pairs, *words)
    assert result.returncode == EXIT_USAGE
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_pair_too_small_for_lpips_fails_alone(tmp_path, pairs, lpips):
    cv2.imwrite(str(pairs / "q.png"), pair(4, (7, 9))[1])
    table = evaluate(None, hr=pairs, model=Fog(), sampling=Sampling(1), lpips=lpips)
    assert len(table.rows) == 2
    assert table.failed[0].startswith("q: its HR is 32x24, LPIPS needs 31 px a side")


def test_fog_is_a_space():
    assert isinstance(Fog(), Space)
