"""The program train.vspsr: it learns, goes on after a stop, holds what it is built on, and draws samples."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.resample import resize
from realdeg.options import resolve
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.machine import choose
from train.nets.trunks import seeded, vgg19
from train.restore.checkpoint import export_weights, open_run
from train.restore.models import load, opened
from train.restore.space import Space
from train.restore.vspsr import PosteriorSampler, VSpSR
from train.vspsr.build import build
from train.vspsr.command import learning_rate, train_vspsr
from train.vspsr.learning import Learning
from train.vspsr.settings import PRESETS, VSpSRSettings

SMALL = {
    "basis": 8, "patch": 16, "batch": 2, "steps": 6, "learning_rate": 1e-3, "vgg": 0.0, "gan": 0.01, "kl": 0.01,
    "check_every": 3, "save_every": 3, "log_every": 2, "device": "cpu", "precision": "fp32", "tensorboard": "off",
    "interpolation": "bicubic", "base": "bicubic",
}  # fmt: skip


def settings(**more):
    return VSpSRSettings(**{**SMALL, **more})


def train(**more):
    return train_vspsr(settings(**more), quiet=True, say=lambda text: None)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def photo(size_hw=(18, 20)):
    return np.asarray(
        resize(np.random.default_rng(0).random((6, 7, 3)), 4)[: size_hw[0], : size_hw[1]] * 255, np.uint8
    )


def weights(run):
    return load_file(open_run(run).weights)


def test_a_run_leaves_tables_and_a_model_that_draws(make_dataset, tmp_path):
    run = train(data=make_dataset(), out=tmp_path / "run", ema=0.9)
    told = rows(run / "metrics.csv")
    assert [row["step"] for row in told] == ["2", "4", "6"]
    assert {"MSE", "KL", "G", "D"} <= told[0].keys()
    assert [row["step"] for row in rows(run / "validation.csv")] == ["3", "6"]
    model = load(run)
    assert isinstance(model, Space)
    lr = photo()
    sampler = model.sampler(lr)
    one, same, other = (sampler.draw(seed) for seed in (5, 5, 6))
    assert one.shape == (3, 36, 40)
    assert torch.equal(one, same)
    assert torch.equal(one, model.sampler(lr).draw(5))
    assert not torch.equal(one, other)
    assert torch.equal(sampler.mode()[None], model.predict(lr))
    assert torch.equal(sampler.between(5, 6, 0.0), one)
    assert torch.equal(sampler.between(5, 6, 1.0), other)
    assert not torch.equal(sampler.between(5, 6, 0.5), one)
    assert model(lr).dtype == np.uint8


def test_it_learns(make_dataset, tmp_path):
    run = train(data=make_dataset(), out=tmp_path / "run", steps=80, log_every=10, gan=0.0, check_every=80)
    told = rows(run / "metrics.csv")
    assert float(told[-1]["MSE"]) < 0.8 * float(told[0]["MSE"])
    assert float(told[-1]["KL"]) < float(told[0]["KL"])


def test_a_resumed_run_ends_with_the_same_bytes(make_dataset, tmp_path):
    data = make_dataset()
    whole = train(data=data, out=tmp_path / "whole", ema=0.9, accumulate=2)
    train(data=data, out=tmp_path / "half", ema=0.9, accumulate=2, steps=3)
    half = train(data=data, out=tmp_path / "half", ema=0.9, accumulate=2)
    mine, theirs = weights(whole), weights(half)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_trained_model_as_deterministic_part(make_dataset, tiny, tmp_path):
    """It is held by the checkpoint, does not learn, and is not needed any more afterwards."""
    data = make_dataset()
    d2c = train_d2c(D2CSettings(**{**tiny, "data": data, "out": tmp_path / "d2c", "ema": 0.9}), quiet=True)
    expected = load(d2c).predict(photo())[0]
    before = weights(d2c)
    run = train(data=data, out=tmp_path / "run", mu=d2c, ema=0.9)
    held = {name: t for name, t in weights(run).items() if name.startswith("mu.")}
    assert held
    for name, tensor in held.items():
        _, net, rest = name.split(".", 2)
        assert torch.equal(tensor, before[f"{net}_average.{rest}"])
    d2c.rename(tmp_path / "gone")
    model = load(run)
    sampler = model.sampler(photo())
    explorable = sampler.mode() - expected
    assert float(explorable.abs().max()) < 1
    alone = tmp_path / "alone.safetensors"
    export_weights(opened(run, None), alone, "_average")
    assert torch.equal(load(checkpoint=alone).predict(photo()), model.predict(photo()))
    assert not any(name.startswith("critic") for name in load_file(alone))


def test_a_base_of_another_scale_is_refused(make_dataset, tiny, tmp_path):
    wrong = train_d2c(
        D2CSettings(**{**tiny, "data": make_dataset("x3", scale=3), "out": tmp_path / "d2c"}), quiet=True
    )
    with pytest.raises(UserError, match="enlarges x3, the pairs are x2") as caught:
        train(data=make_dataset(), out=tmp_path / "run", mu=wrong)
    assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(UserError, match="is of kind 'd2c'"):
        train(data=make_dataset(), out=tmp_path / "other", init=wrong)


def test_fine_tuning_begins_with_the_trained_weights(make_dataset, tmp_path):
    data = make_dataset()
    first = train(data=data, out=tmp_path / "first", gan=0.0)
    tuned = train(data=data, out=tmp_path / "tuned", init=first, learning_rate=1e-9, steps=1, gan=0.0)
    mine, theirs = weights(first), weights(tuned)
    assert max(float((mine[name] - theirs[name]).abs().max()) for name in mine) < 1e-7
    with pytest.raises(UserError, match="does not fit"):
        train(data=data, out=tmp_path / "wrong", init=first, basis=12)


def test_the_critic_and_vgg_are_learned_from_and_left_alone(tmp_path):
    """After 100 steps of both optimisers VGG-19 is what it was: its weights are in neither."""
    stored = seeded(vgg19([35]), 0)
    torch.save(stored, tmp_path / "vgg.pth")
    learning = Learning(
        settings(scale=2, vgg=0.01, vgg_weights=tmp_path / "vgg.pth", trust_weights=True),
        choose("cpu", "fp32"),
    )
    vgg = learning.perceptual.trunk
    before = {name: tensor.clone() for name, tensor in vgg.state_dict().items()}
    held = {id(p) for o in learning.pair.optimisers.values() for g in o.param_groups for p in g["params"]}
    assert held == {id(p) for net in learning.pair.nets.values() for p in net.parameters()}
    assert not held & {id(p) for p in vgg.parameters()}
    critic = [p.clone() for p in learning.pair.critic.parameters()]
    torch.manual_seed(0)
    lr, hr = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 32, 32)
    for i in range(100):
        told = learning.step(lr, hr, i, 1e-3)
    assert {"MSE", "KL", "G", "VGG", "D"} == told.keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in vgg.state_dict().items())
    assert any(not torch.equal(a, b) for a, b in zip(critic, learning.pair.critic.parameters(), strict=True))


def test_the_deterministic_part_has_no_noise(make_dataset, tmp_path):
    run = train(data=make_dataset(), out=tmp_path / "run", stochastic_coefficients=False, gan=0.0)
    sampler = load(run).sampler(photo())
    assert torch.equal(sampler.draw(0), sampler.draw(1))
    assert "KL" not in rows(run / "metrics.csv")[0]


@pytest.mark.parametrize(
    "more",
    [{}, {"stochastic_basis": True}, {"patches": "overlap"}, {"correlation": 1.0}, {"interpolation": "none"}],
)
def test_tiles_equal_the_whole(make_dataset, tmp_path, more):
    run = train(data=make_dataset(), out=tmp_path / "run", steps=1, **more)
    lr = photo()
    one, other = (load(run, tile=tile).sampler(lr).draw(3) for tile in (14, 1000))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_the_factored_draw_has_the_law_of_the_plain_one():
    """Many draws of both: the same mean and covariance of the values of a patch."""
    torch.manual_seed(0)
    net, _ = build(settings(scale=2, basis=16, gan=0.0))
    for part in (net.basis.decode[-1], net.coefficients.layers[-1]):
        torch.nn.init.normal_(part.bias, 0, 0.5)
    drawing = PosteriorSampler(VSpSR(net.eval(), None, choose("cpu", "fp32")), torch.rand(1, 3, 16, 16))
    assert drawing.factor is not None
    z = (drawing.basis.mean * net.window).flatten(2)[0]
    sigma = torch.exp(drawing.coefficients.log_variance[0, :, 4, 5])
    expected = z.T @ torch.diag(sigma) @ z
    found = drawing.factor[0, 4, 5] @ drawing.factor[0, 4, 5].T
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    noises = torch.stack([drawing._noises(seed)[1][0, 4, 5] for seed in range(4000)])
    drawn = noises @ drawing.factor[0, 4, 5].T
    torch.testing.assert_close(
        torch.cov(drawn.T), expected, rtol=0.3, atol=0.1 * float(expected.diagonal().mean())
    )


def test_a_small_photo_is_one_line(make_dataset, tmp_path):
    model = load(train(data=make_dataset(), out=tmp_path / "run", steps=1))
    with pytest.raises(UserError, match="20x12 px; VSpSR pools"):
        model.predict(photo((12, 20)))
    with pytest.raises(UserError, match="--reference: is nothing to a VSpSR"):
        model.sampler(photo(), "self")


def test_nan_names_its_files_and_keeps_the_run(make_dataset, tmp_path, monkeypatch):
    from train.vspsr import learning as vspsr_learning

    data = make_dataset()
    run = train(data=data, out=tmp_path / "run", steps=3)
    monkeypatch.setattr(
        vspsr_learning, "sparse_divergence", lambda variable, alpha, beta: variable.mean.mean() * float("nan")
    )
    with pytest.raises(UserError, match=r"KL.* became NaN or infinite at step 4, whose crops are from p\d"):
        train(data=data, out=run)
    assert open_run(run).step == 3


def test_crops_have_room_for_the_poolings():
    with pytest.raises(UserError, match="`patch`: 12 is too small; at least 16"):
        settings(patch=12)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds(preset):
    chosen = resolve(VSpSRSettings, PRESETS, preset=preset, flags={"scale": 8 if "x8" in preset else 4})
    net, critic = build(chosen)
    assert sum(p.numel() for p in net.parameters()) > 250_000
    assert (critic is None) == (preset == "tiny")


def test_the_paper_presets_are_the_papers():
    s = VSpSRSettings()
    assert (s.basis, s.alpha, s.beta, s.kl, s.gan, s.vgg) == (256, 3, 0.5, 0.1, 0.01, 0.01)
    assert (s.patch, s.batch, s.epochs, s.learning_rate, s.clip, s.weight_decay) == (
        48,
        4,
        300,
        1e-4,
        0.1,
        1e-4,
    )
    tuned = resolve(VSpSRSettings, PRESETS, preset="paper-7")
    assert (tuned.epochs, tuned.learning_rate, tuned.gan, tuned.beta) == (100, 1e-5, 0.01, 0.1)


def test_rates():
    s = VSpSRSettings()
    assert learning_rate(s, 99, 10**6, per_epoch=1) == 1e-4
    assert learning_rate(s, 100, 10**6, per_epoch=1) == pytest.approx(1e-5)
    tiny = resolve(VSpSRSettings, PRESETS, preset="tiny")
    assert learning_rate(tiny, 0, 1500, per_epoch=1) == pytest.approx(tiny.learning_rate / 50)
    assert learning_rate(tiny, 1500, 1500, per_epoch=1) == 0
