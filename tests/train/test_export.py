"""ONNX files are run by onnxruntime and held against the network."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from realdeg.errors import UserError
from train.d2c import train_d2c
from train.d2c_build import build
from train.d2c_settings import D2CSettings
from train.export import export_onnx
from train.machine import choose
from train.models import load
from train.nets.bicubic import BicubicBase, BicubicConvolution
from train.restore.model import Model


def untrained(**words):
    settings = D2CSettings(**{"width": 8, "groups": 1, "blocks": 1, "fusion_width": 8, **words})
    tree, fusion = build(settings)
    return Model(tree, fusion, settings.scale, choose("cpu", "fp32"))


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
    "words", [{"host": "vdsr", "scale": 3, "depth": 0}, {"host": "imdn", "width": 16, "scale": 4}]
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
        export_onnx(untrained(scale=2), tmp_path / "m.onnx")
