"""The program train.refvae: it learns, uses its references, goes on after a stop, and draws samples."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_USAGE, UserError
from realdeg.imaging.resample import resize
from realdeg.options import resolve
from train.data.references import IMAGE, PRIOR, SELF
from train.losses.style import STYLE, statistics, style_distance
from train.machine import choose
from train.nets import patchgan
from train.nets.trunks import RELU, seeded, vgg19
from train.refvae.build import build, seen_through
from train.refvae.command import learning_rate, train_refvae
from train.refvae.learning import Learning
from train.refvae.settings import PRESETS, RefVAESettings
from train.restore.checkpoint import open_run
from train.restore.model import tensor
from train.restore.models import load
from train.restore.refvae import PosteriorSampler, RefVAE
from train.restore.space import Space

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "width": 16, "latent": 8, "code_grid": 2, "norm": "group", "trunk": "random", "side": 32, "start": "bicubic",
    "gan": 0.0, "matching": 0.0, "lpips": 0.0, "kl": 1e-5, "patch": 8, "batch": 2, "steps": 4, "learning_rate": 1e-3,
    "check_every": 4, "save_every": 2, "log_every": 2, "device": "cpu", "precision": "fp32", "tensorboard": "off",
}  # fmt: skip


def settings(**more):
    return RefVAESettings(**{**SMALL, **more})


def train(**more):
    return train_refvae(settings(**more), quiet=True, say=lambda text: None)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def picture(seed, size_hw, level=0.5):
    image = resize(level * np.random.default_rng(seed).random((6, 6, 3)), 9)
    return np.clip(255 * image[: size_hw[0], : size_hw[1]], 0, 255).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, level in enumerate((0.2, 1.0)):
        cv2.imwrite(str(folder / f"r{i}.png"), picture(i, (40, 52), level))
    return folder


def drawing(guide, seed=0):
    """Of an untrained model whose codes matter."""
    s = settings(scale=2, start="random", seed=seed)
    model = RefVAE(build(s)[0].eval(), seen_through(s, ("4_1",), None), 2, choose("cpu", "fp32"), side=32)
    return model.sampler(picture(9, (18, 21)), guide)


def test_a_run_leaves_tables_and_a_model_that_draws(make_dataset, pictures, tmp_path):
    run = train(data=make_dataset(), out=tmp_path / "run", references=pictures, ema=0.9, itself=0, prior=0)
    told = rows(run / "metrics.csv")
    assert [row["step"] for row in told] == ["2", "4"]
    named = {"pixel", "reduced", "content", "style", "tv", "kl", "style_own", "style_other"}
    assert named <= told[0].keys()
    assert float(rows(run / "validation.csv")[0]["psnr_y"]) > 10
    model = load(run)
    assert isinstance(model, Space)
    lr = picture(9, (18, 21))
    assert model(lr).shape == (36, 42, 3)
    assert not any(name.startswith(("features", "trunk")) for name in load_file(open_run(run).weights))


def test_a_resumed_run_ends_with_the_same_bytes(make_dataset, pictures, tmp_path):
    data = make_dataset(lr_hw=(33, 36))
    words = {"references": pictures, "ema": 0.9, "gan": 0.01, "patch": 32, "batch": 1}
    whole = train(data=data, out=tmp_path / "whole", **words)
    train(data=data, out=tmp_path / "half", **words, steps=2)
    half = train(data=data, out=tmp_path / "half", **words)
    mine, theirs = (load_file(open_run(run).weights) for run in (whole, half))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_references_that_come_and_go_do_not_strand_a_run(make_dataset, pictures, tmp_path):
    """Crops of pictures that are there are the same; those of one that is gone take the next one."""
    data = make_dataset()
    words = {"data": data, "out": tmp_path / "run", "references": pictures, "itself": 0, "prior": 0}
    train(**words, steps=2)
    said = []
    cv2.imwrite(str(pictures / "a.png"), picture(5, (40, 52)))
    (pictures / "r0.png").rename(pictures / "z.png")  # the same picture under another name
    train_refvae(settings(**words, steps=4), quiet=True, say=said.append)
    assert [line for line in said if "references were added" in line] == [
        "1 references were added since the run began (a.png); not used"
    ]
    (pictures / "z.png").unlink()
    said.clear()
    train_refvae(settings(**words, steps=6), quiet=True, say=said.append)
    assert "1 of 2 references are gone (r0.png); crops take others" in said
    notes = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [(one["step"], one["note"][:20]) for one in notes if "note" in one] == [
        (2, "1 references were ad"), (4, "1 of 2 references ar"), (4, "1 references were ad"),
    ]  # fmt: skip
    assert open_run(tmp_path / "run").step == 6
    (pictures / "r1.png").unlink()
    with pytest.raises(UserError, match="holds none of the 2 references that the run began with"):
        train(**words, steps=8)


def test_the_list_of_references_keeps_its_numbers(pictures, tmp_path):
    from train.data.reference_list import settled
    from train.restore.guides import Pictures

    names = ["r0.png", "r1.png", "r2.png", "r3.png"]
    for i in (2, 3):
        cv2.imwrite(str(pictures / f"r{i}.png"), picture(i, (40, 52)))
    tmp_path.joinpath("run").mkdir()
    paths = tuple(pictures / name for name in names)
    assert settled(Pictures(paths), tmp_path / "run", print)[0].paths == paths
    there, _ = settled(Pictures(paths[::-1]), tmp_path / "run", print)
    assert there.paths == paths
    there, notes = settled(Pictures((paths[0], paths[2])), tmp_path / "run", print)
    assert [path.name for path in there.paths] == ["r0.png", "r2.png", "r2.png", "r0.png"]
    assert notes == ["2 of 4 references are gone (r1.png, r3.png); crops take others"]


def test_the_reference_is_really_used():
    """From a few steps on two crops: each image is nearer to its own reference's style than to the other's."""
    s = settings(
        scale=2, pixel=0.0, reduced=0.0, content=0.0, tv=0.0, style=1.0, clip=1.0, learning_rate=2e-3
    )
    learning = Learning(s, choose("cpu", "fp32"))
    lr = torch.stack([tensor(picture(7, (8, 8)))[0]] * 2)
    hr = torch.stack([tensor(picture(7, (16, 16)))[0]] * 2)
    references = torch.cat([tensor(picture(i, (32, 32), level)) for i, level in enumerate((0.2, 1.0))])
    kinds = torch.tensor([IMAGE, IMAGE])
    told = [learning.step(lr, hr, references, kinds, i, 2e-3) for i in range(120)]
    own, other = (sum(float(one[name]) for one in told[-10:]) for name in ("style_own", "style_other"))
    assert own < 0.75 * other  # 0.32 to 0.63 for other seeds and numbers of threads
    net, features = learning.pair.net.eval(), learning.features
    model = RefVAE(net, features, 2, learning.machine, side=32)
    given = [picture(i, (32, 32), level) for i, level in enumerate((0.2, 1.0))]
    sampler = model.sampler(picture(7, (8, 8)), given)
    dark, bright = sampler.draw(0), sampler.draw(1)
    assert float(bright.mean() - dark.mean()) > 0.05


def test_gradients_reach_the_encoder_of_references():
    learning = Learning(settings(scale=2, start="random"), choose("cpu", "fp32"))
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)
    references = torch.rand(2, 3, 32, 32)
    for kinds, reached in (([IMAGE, SELF], True), ([PRIOR, PRIOR], False)):
        learning.pair.net.zero_grad(set_to_none=True)
        _, terms, _ = learning._terms(lr, hr, references, torch.tensor(kinds))
        terms["style"].backward()
        gradient = learning.pair.net.encode[0].weight.grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) == reached
    assert all(p.grad is None for p in learning.features.parameters())


def test_a_crop_without_reference_has_a_normal_code():
    learning = Learning(settings(scale=2), choose("cpu", "fp32"))
    lr, references = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 32, 32)
    mean, log_variance, _ = learning.codes(lr, references, torch.tensor([IMAGE, SELF, PRIOR]))
    assert mean[2].abs().max() == log_variance[2].abs().max() == 0
    assert mean[:2].abs().min() > 0
    again, _, _ = learning.codes(lr, torch.rand(3, 3, 32, 32), torch.tensor([IMAGE, SELF, PRIOR]))
    assert torch.equal(again[1], mean[1])  # its reference is LR, not the picture
    assert not torch.equal(again[0], mean[0])


def test_the_use_of_references_is_told_of_images_also_with_a_discriminator(monkeypatch):
    """Styles are those of what images are seen through; the discriminator's features have no part in them."""
    monkeypatch.setattr(patchgan, "LEVELS", 2)  # for the time it takes
    torch.manual_seed(0)
    lr, hr, references = torch.rand(3, 3, 16, 16), torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32)
    told = []
    for weight in (0.0, 0.01):
        words = {"scale": 2, "patch": 32, "gan": weight, "matching": weight}
        learning = Learning(settings(**words), choose("cpu", "fp32"))
        told.append(learning.step(lr, hr, references, torch.tensor([IMAGE, IMAGE, SELF]), 0, 1e-3))
    alone, judged = told
    assert {"gan", "matching", "D"} <= judged.keys()
    for name in ("style_own", "style_other"):
        assert float(judged[name]) == pytest.approx(float(alone[name]), rel=1e-5)


def test_frozen_vgg_stays_what_it_was(monkeypatch):
    """Steps of both optimisers: its weights are in neither. Two of three scales, for the time it takes."""
    monkeypatch.setattr(patchgan, "LEVELS", 2)
    learning = Learning(settings(scale=2, gan=0.01, patch=32, width=8), choose("cpu", "fp32"))
    before = {name: tensor.clone() for name, tensor in learning.features.state_dict().items()}
    held = {id(p) for o in learning.pair.optimisers.values() for g in o.param_groups for p in g["params"]}
    assert held == {id(p) for net in learning.pair.nets.values() for p in net.parameters()}
    torch.manual_seed(0)
    lr, hr, references = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    for i in range(20):
        told = learning.step(lr, hr, references, torch.tensor([IMAGE]), i, 1e-3)
    assert {"gan", "matching", "D"} <= told.keys()
    assert all(torch.equal(before[name], t) for name, t in learning.features.state_dict().items())


@pytest.mark.parametrize("guide", [None, "self", "noise", "prior"])
def test_ways_to_lean(guide):
    sampler = drawing(guide)
    one, same, other = (sampler.draw(seed) for seed in (1, 1, 2))
    assert one.shape == (3, 36, 42)
    assert torch.equal(one, same)
    assert torch.equal(one, drawing(guide).draw(1))
    assert not torch.equal(one, other)
    assert torch.equal(sampler.between(1, 2, 0.0), one)
    assert torch.equal(sampler.between(1, 2, 1.0), other)
    middle = sampler.between(1, 2, 0.5)
    assert not torch.equal(middle, one)
    assert not torch.equal(middle, other)


def test_pictures_take_turns_and_matter():
    given = [picture(0, (40, 52), 0.2), picture(1, (33, 20), 1.0)]
    sampler = drawing(given)
    means = [sampler._code(seed)[0] for seed in range(3)]
    assert torch.equal(means[0], means[2])
    assert not torch.equal(means[0], means[1])
    assert torch.equal(drawing(given[:1]).mode(), sampler.mode())


def test_lr_itself_is_the_default():
    assert torch.equal(drawing(None).draw(3), drawing("self").draw(3))
    assert torch.equal(drawing("self").draw(3), drawing([picture(9, (18, 21))]).draw(3))


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 9), (17, 30)])
def test_sizes_that_are_no_multiples_of_8(size_hw):
    s = settings(scale=2)
    model = RefVAE(build(s)[0].eval(), seen_through(s, ("4_1",), None), 2, choose("cpu", "fp32"), side=32)
    image = model.sampler(picture(9, size_hw), "prior").draw(0)
    assert image.shape == (3, 2 * size_hw[0], 2 * size_hw[1])


def test_tiles_equal_the_whole():
    s = settings(scale=4, start="random")
    net, features = build(s)[0].eval(), seen_through(s, ("4_1",), None)
    lr = picture(9, (40, 31))
    made = [
        RefVAE(net, features, 4, choose("cpu", "fp32"), side=32, tile=tile).sampler(lr, "prior").draw(0)
        for tile in (48, 10_000)
    ]
    torch.testing.assert_close(*made, atol=1e-5, rtol=1e-5)


def test_of_the_reference_only_the_code_is_computed_for_a_further_sample():
    """VGG-19 sees LR once, and each picture once."""
    s = settings(scale=2)
    features = seen_through(s, ("4_1",), None)
    seen = []
    features.register_forward_hook(lambda module, given, out: seen.append(given[0].shape[-2:]))
    model = RefVAE(build(s)[0].eval(), features, 2, choose("cpu", "fp32"), side=32)
    sampler = PosteriorSampler(model, tensor(picture(9, (18, 21))), [picture(i, (40, 40)) for i in range(2)])
    for seed in range(10):
        sampler.draw(seed)
    assert len(seen) == 3


def test_published_weights_are_asked_for_in_one_line(make_dataset, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def offline(*args, **words):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(UserError, match="VGG-19's ImageNet weights: cannot be fetched") as caught:
        train(data=make_dataset(), out=tmp_path / "run", references=pictures, trunk="vgg19")
    assert caught.value.exit_code == EXIT_MISSING_RESOURCE
    torch.save(seeded(vgg19([RELU["4_1"]]), 5), tmp_path / "vgg.pth")
    words = {"trunk": "vgg19", "vgg_weights": tmp_path / "vgg.pth", "trust_weights": True}
    run = train(data=make_dataset(), out=tmp_path / "run", references=pictures, **words)
    with pytest.raises(UserError, match="cannot be fetched"):
        load(run)
    assert load(run, vgg_weights=tmp_path / "vgg.pth", trust_weights=True).scale == 2


def test_references_are_needed(make_dataset, tmp_path):
    with pytest.raises(UserError, match="give --references") as caught:
        train(data=make_dataset(), out=tmp_path / "run")
    assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(UserError, match="more than all crops"):
        settings(itself=0.7, prior=0.6)
    with pytest.raises(UserError, match=r"--patch 16: makes HR crops of 32 px.*at least 32"):
        build(settings(scale=2, gan=0.1, patch=16))
    with pytest.raises(UserError, match="multiple of 8"):
        build(settings(scale=2, width=12))


def test_a_bad_reference_is_named(make_dataset, pictures, tmp_path):
    cv2.imwrite(str(pictures / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    for name in ("r0.png", "r1.png"):
        (pictures / name).unlink()
    words = {"data": make_dataset(), "out": tmp_path / "run", "references": pictures}
    with pytest.raises(UserError, match=r"dot\.png: is 1x1 px"):
        train(**words, itself=1, prior=0)  # also where no crop would lean on it
    for i in range(6):
        (pictures / f"text{i}.png").write_text("text")
    cv2.imwrite(str(pictures / "good.png"), picture(0, (40, 52)))
    with pytest.raises(
        UserError, match=r"text0\.png.*text3\.png and 2 more: 7 of 8 references cannot be used"
    ):
        train(**words)
    assert not (tmp_path / "run/checkpoints").exists()


def test_nan_names_its_files_and_keeps_the_run(make_dataset, pictures, tmp_path, monkeypatch):
    from train.refvae import learning as refvae_learning

    data = make_dataset()
    run = train(data=data, out=tmp_path / "run", references=pictures, steps=2)
    monkeypatch.setattr(refvae_learning, "normal_divergence", lambda mean, log: mean.sum(1) * float("nan"))
    with pytest.raises(UserError, match=r"kl became NaN or infinite at step 3, whose crops are from p\d"):
        train(data=data, out=run, references=pictures)
    assert open_run(run).step == 2


def test_the_papers_settings():
    s = RefVAESettings()
    assert (s.width, s.latent, s.code_grid, s.norm, s.side) == (512, 256, 16, "batch", 256)
    assert (s.patch, s.batch, s.steps, s.learning_rate, s.weight_decay) == (32, 16, 50_000, 1e-4, 1e-4)
    assert (s.pixel, s.reduced, s.content, s.style, s.lpips, s.tv, s.kl) == (1, 1, 1, 10, 1, 1, 1)
    tiny = resolve(RefVAESettings, PRESETS, preset="tiny")
    assert learning_rate(tiny, tiny.steps, tiny.steps) == 0
    half = settings(lr_schedule="half", learning_rate=1e-4)
    assert learning_rate(half, 5, 10) == pytest.approx(1e-5)
    assert learning_rate(half, 4, 10) == 1e-4


def test_style_falls_for_pictures_of_one_kind():
    """A seeded trunk tells styles apart: two crops of a picture are nearer than two pictures."""
    features = seen_through(settings(), STYLE, None)
    wide = [picture(i, (54, 54), level) for i, level in enumerate((0.3, 1.0))]
    told = [[statistics(features(tensor(w[:, x : x + 32]))) for x in (0, 20)] for w in wide]
    alike = max(float(style_distance(*pair)) for pair in told)
    assert alike < 0.5 * float(style_distance(told[0][0], told[1][0]))
