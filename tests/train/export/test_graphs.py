"""What is drawn is an input of the exported network; onnxruntime's images are the network's, and the model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from realdeg.errors import UserError
from train.d2c import build as d2c_build
from train.d2c.settings import D2CSettings
from train.export.command import export_onnx
from train.machine import choose
from train.refvae import build as refvae_build
from train.refvae.settings import RefVAESettings
from train.restore.graphs import network
from train.restore.model import D2CSR, Bicubic, tensor
from train.restore.refvae import RefVAE
from train.restore.vspsr import VSpSR
from train.vspsr import build as vspsr_build
from train.vspsr.settings import VSpSRSettings

CPU = choose("cpu", "fp32")


def d2c(scale=2):
    s = D2CSettings(width=8, groups=1, blocks=1, fusion_width=8, depth=1, scale=scale, base="bicubic")
    tree, fusion = d2c_build.build(s)
    return D2CSR(tree.eval(), None if fusion is None else fusion.eval(), scale, CPU)


def vspsr(outer=None, **words):
    s = VSpSRSettings(**{"basis": 8, "gan": 0.0, "scale": 2, **words})
    return VSpSR(vspsr_build.build(s)[0].eval(), outer, CPU)


def refvae(scale=2):
    s = RefVAESettings(
        width=16, latent=8, code_grid=2, norm="group", trunk="random", side=32, gan=0.0, scale=scale
    )
    features = refvae_build.seen_through(s, ("4_1",), None)
    return RefVAE(refvae_build.build(s)[0].eval(), features, scale, CPU, side=32)


MODELS = {
    "vspsr": lambda: vspsr(),
    "vspsr overlapping": lambda: vspsr(scale=4, patches="overlap", base="bicubic"),
    "vspsr drawn basis": lambda: vspsr(scale=3, correlation=1.5, stochastic_basis=True),
    "vspsr of one image": lambda: vspsr(stochastic_coefficients=False),
    "vspsr on a d2c": lambda: vspsr(d2c(), mu=Path("held")),
    "refvae": lambda: refvae(4),
}


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_draws_the_same_samples(name, tmp_path):
    pytest.importorskip("onnxruntime")
    assert export_onnx(MODELS[name](), tmp_path / "m.onnx") < 1e-5


@pytest.mark.parametrize("name", [name for name in MODELS if name != "refvae"])
def test_without_noise_it_is_the_models_mode(name):
    model = MODELS[name]()
    lr = np.random.default_rng(1).integers(60, 200, (17, 22, 3), np.uint8)
    net = network(model)
    with torch.no_grad():
        zeros = {
            i.name: 0 * i.example(torch.Generator(), batch=1, height=17, width=22) for i in net.inputs[1:]
        }
        image = net(tensor(lr), **zeros)
    torch.testing.assert_close(image, model.predict(lr).clamp(0, 1), atol=1e-5, rtol=0)


def test_a_refvae_at_the_code_of_its_reference_is_its_mode():
    model = refvae()
    lr = np.random.default_rng(2).integers(60, 200, (17, 22, 3), np.uint8)
    drawing = model.sampler(lr, [lr])
    with torch.no_grad():
        image = network(model)(tensor(lr), drawing._code(0)[0])
    torch.testing.assert_close(image[0], drawing.mode().clamp(0, 1), atol=1e-5, rtol=0)


def test_noise_moves_the_image_and_the_models_own_networks_stay():
    model = vspsr(base="bicubic")
    before = [p.clone() for p in model.net.parameters()]
    net = network(model)
    lr = torch.rand(2, 3, 16, 18)
    noise = torch.randn(2, 3, 8, 16, 18)
    with torch.no_grad():
        assert float((net(lr, noise) - net(lr)).abs().max()) > 1e-4
        net.net.mix[0].weight.zero_()
    assert all(torch.equal(a, b) for a, b in zip(before, model.net.parameters(), strict=True))


def test_what_has_no_networks_is_one_line():
    with pytest.raises(UserError, match="Bicubic, which has no form as one network"):
        network(Bicubic(2))
