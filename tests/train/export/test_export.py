"""ONNX files are run by onnxruntime and held against the network."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from train.d2c.build import build
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.engine.run_settings import portable
from train.export.command import export_onnx
from train.machine import choose
from train.nets.bicubic import BicubicBase, BicubicConvolution
from train.restore import models
from train.restore.checkpoint import open_file, save
from train.restore.model import D2CSR, Bicubic
from train.restore.models import SHIPPED, load

LONE = {"host": "vdsr", "depth": 0, "width": 8, "blocks": 1}  # the quickest to export


def untrained(**words):
    settings = D2CSettings(**{"width": 8, "groups": 1, "blocks": 1, "fusion_width": 8, **words})
    tree, fusion = build(settings)
    return D2CSR(tree, fusion, settings.scale, choose("cpu", "fp32"))


def test_a_trained_run_becomes_one_file_of_any_size_of_image(make_dataset, tiny, tmp_path):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    data = make_dataset()
    settings = D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run", "base": "bicubic"})
    model = load(train_d2c(settings, quiet=True, say=lambda text: None))
    assert export_onnx(model, tmp_path / "m.onnx") < 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    lr = np.random.default_rng(1).integers(0, 256, (13, 29, 3), np.uint8)
    (sr,) = session.run(None, {"lr": (lr.transpose(2, 0, 1)[None] / 255).astype(np.float32)})
    assert np.abs(np.rint(255 * sr[0].transpose(1, 2, 0)) - model(lr)).max() <= 1
    (about,) = onnx.load(str(tmp_path / "m.onnx")).metadata_props
    assert json.loads(about.value)["scale"] == 2
    assert [path.name for path in tmp_path.glob("m.onnx*")] == ["m.onnx"], "weights are in the file"


@pytest.mark.parametrize(
    "words", [{"host": "vdsr", "scale": 3, "depth": 0}, {"host": "imdn", "width": 16, "scale": 4, "depth": 1}]
)
def test_other_hosts(tmp_path, words):
    pytest.importorskip("onnxruntime")
    assert export_onnx(untrained(**words), tmp_path / "m.onnx") < 1e-4


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (16, 11)])
def test_the_bicubic_that_is_exported_is_the_one_that_was_trained_on(scale, size):
    lr = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(scale))
    torch.testing.assert_close(BicubicConvolution(scale)(lr), BicubicBase(scale)(lr), rtol=0, atol=5e-6)


def test_a_missing_package_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'realdeg\[onnx\]'"):
        export_onnx(untrained(scale=2, **LONE), tmp_path / "m.onnx")


def lr_image():
    return np.random.default_rng(2).integers(0, 256, (9, 12, 3), np.uint8)


@pytest.fixture
def run(make_dataset, tiny, tmp_path):
    """A short training with averaged weights."""
    settings = D2CSettings(**{**tiny, "data": make_dataset(), "out": tmp_path / "run", "ema": 0.5})
    return train_d2c(settings, quiet=True, say=lambda text: None)


def test_the_program_hands_on_weights_that_upscale_takes(run, program, tmp_path):
    out = tmp_path / "deep/m.safetensors"
    ended = program("export", "--run", run, "-o", out)
    assert (ended.code, ended.err) == (EXIT_OK, "")
    assert ended.out == f"{out}: {out.stat().st_size / 1e6:.2f} MB\n"
    assert out.stat().st_size < (run / "checkpoints/00000006.safetensors").stat().st_size
    assert open_file(out).step == 6
    expected = load(run, device="cpu")
    np.testing.assert_array_equal(load(checkpoint=out, device="cpu")(lr_image()), expected(lr_image()))


def test_the_program_writes_onnx_and_says_how_close_it_is(program, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    settings = D2CSettings(scale=3, **LONE)
    about = {"kind": "d2c", "scale": 3, "settings": portable(settings)}
    weights = save(tmp_path / "run", 1, {"tree": build(settings)[0]}, about)
    out = tmp_path / "m.onnx"
    ended = program("export", "--checkpoint", weights, "-o", out)
    assert ended.code == EXIT_OK
    before, _, difference = ended.out.strip().partition("; onnxruntime differs by ")
    assert before == f"{out}: x3, {out.stat().st_size / 1e6:.1f} MB"
    assert float(difference.removesuffix(" of [0, 1]")) < 1e-5
    session = onnxruntime.InferenceSession(str(out))
    (sr,) = session.run(None, {"lr": (lr_image().transpose(2, 0, 1)[None] / 255).astype(np.float32)})
    expected = load(checkpoint=weights, device="cpu")(lr_image())
    assert np.abs(np.rint(255 * sr[0].transpose(1, 2, 0)) - expected).max() <= 1


def test_the_program_takes_the_shipped_model_if_none_is_named(program, tmp_path):
    assert program("export", "-o", tmp_path / "m.safetensors").code == EXIT_OK
    made = load(checkpoint=tmp_path / "m.safetensors", device="cpu")
    np.testing.assert_array_equal(made(lr_image()), load(device="cpu")(lr_image()))


def test_a_model_without_networks_has_no_onnx_form(program, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(models, "restored", lambda found, use: Bicubic(2))
    ended = program("export", "-o", tmp_path / "m.onnx")
    assert ended.code == EXIT_USAGE
    assert "is a Bicubic, which " in ended.line
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_an_unknown_kind_is_not_exported(program, tmp_path):
    weights = save(
        tmp_path / "run", 1, {"net": nn.Linear(1, 1)}, {"kind": "later", "scale": 2, "settings": {}}
    )
    ended = program("export", "--checkpoint", weights, "-o", tmp_path / "m.onnx")
    assert ended.code == EXIT_SOME_FAILED
    assert ended.line == f"error: {weights}: is of unknown kind 'later'; update realdeg"
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["-o", "m.pth"],
            EXIT_USAGE,
            "m.pth: is neither .onnx nor .safetensors but .pth; choose one of them",
        ),
        (["-o", "m"], EXIT_USAGE, "m: is neither .onnx nor .safetensors but without ending"),
        (["--run", "nowhere", "-o", "m.onnx"], EXIT_MISSING_RESOURCE, "nowhere: there is no such run"),
        (["--checkpoint", "no.safetensors", "-o", "m.onnx"], EXIT_MISSING_RESOURCE, "no such checkpoint"),
        (
            ["--run", "a", "--checkpoint", str(SHIPPED), "-o", "m.safetensors"],
            EXIT_USAGE,
            "is a second model",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_line(program, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    ended = program("export", *words)
    assert ended.code == code
    assert said in ended.line
    assert not list(tmp_path.iterdir())


def test_an_onnx_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.setattr("train.export.command._difference", lambda whole, path: 0.01)
    with pytest.raises(UserError, match=r"m\.onnx: onnxruntime's image is off by 0\.01 of the range"):
        export_onnx(untrained(scale=2, **LONE), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
