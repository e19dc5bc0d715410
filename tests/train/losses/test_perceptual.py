"""Trunks written out layer by layer, LPIPS of lpips and torchmetrics, on equal seeded weights."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from realdeg.errors import UserError
from train.losses.perceptual import LPIPS, VGGDistance
from train.nets.trunks import alexnet, seeded, vgg19
from train.restore.pretrained import PUBLISHED, at_hand, weights

CHANNELS = (64, 192, 384, 256, 256)


@pytest.fixture
def files(tmp_path):
    """AlexNet, VGG-19 and LPIPS' heads with seeded weights, as their publishers name them."""
    generator = torch.Generator().manual_seed(2)
    classifier = {"classifier.6.bias": torch.zeros(3)}
    torch.save({**seeded(alexnet(), 0), **classifier}, tmp_path / "alex.pth")
    torch.save({**seeded(vgg19([36 - 1]), 1), **classifier}, tmp_path / "vgg.pth")
    heads = {
        f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1, generator=generator) for i, n in enumerate(CHANNELS)
    }
    torch.save(heads, tmp_path / "heads.pth")
    return tmp_path


def images(*size):
    generator = torch.Generator().manual_seed(7)
    return torch.rand(2, 3, *size, generator=generator), torch.rand(2, 3, *size, generator=generator)


def test_lpips_is_that_of_torchmetrics(files, monkeypatch):
    theirs = pytest.importorskip("torchmetrics.functional.image.lpips")
    trunk = torch.load(files / "alex.pth", weights_only=True)

    def features(net, pretrained):
        layers = alexnet().features
        layers.load_state_dict(
            {name[9:]: tensor for name, tensor in trunk.items() if name.startswith("features.")}
        )
        return nn.Sequential(*layers, nn.MaxPool2d(3, 2))

    monkeypatch.setattr(theirs, "_get_tv_model_features", features)
    net = theirs._LPIPS(pretrained=False, net="alex", use_dropout=True, eval_mode=True)
    for i, head in enumerate(torch.load(files / "heads.pth", weights_only=True).values()):
        getattr(net, f"lin{i}").model[1].weight.data = head
    ours = LPIPS(files / "alex.pth", files / "heads.pth", trust=True)
    for size in ((64, 64), (37, 90)):
        one, other = images(*size)
        with torch.no_grad():
            expected = net(2 * one - 1, 2 * other - 1).flatten()
            # theirs averages each layer's map; ours, as the challenge's toolkit, the enlarged ones
            maps = [
                (F.conv2d((a - b).square(), head)).mean((1, 2, 3))
                for a, b, head in zip(ours.features(one), ours.features(other), ours.heads, strict=True)
            ]
        torch.testing.assert_close(torch.stack(maps).sum(0), expected, rtol=1e-5, atol=1e-5)


def test_the_map_is_zero_between_equal_images_and_symmetric(files):
    net = LPIPS(files / "alex.pth", files / "heads.pth", trust=True)
    one, other = images(48, 40)
    assert net(one, one).abs().max() == 0
    torch.testing.assert_close(net(one, other), net(other, one))
    assert net(one, other).shape == (2, 1, 48, 40)
    assert net(one, other).min() >= 0


def test_vgg_is_its_layers_written_out(files):
    stored = torch.load(files / "vgg.pth", weights_only=True)
    x, _ = images(40, 48)
    pooled_before = (5, 10, 19, 28)
    found = vgg19([2, 20, 34])
    found.take(stored)
    expected = {}
    y = x
    for index in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34):
        if index in pooled_before:
            y = F.max_pool2d(y, 2)
        y = F.conv2d(y, stored[f"features.{index}.weight"], stored[f"features.{index}.bias"], padding=1)
        expected[index] = y
        y = y.relu()
    for mine, theirs in zip(found(x), (expected[2], expected[19].relu(), expected[34]), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_parameters_are_those_of_the_classifiers():
    """Counts of torchvision's vgg19.features and alexnet.features."""
    assert sum(t.numel() for t in vgg19([35]).parameters()) == 20_024_384
    assert sum(t.numel() for t in alexnet().parameters()) == 2_469_696


def test_the_vgg_distance_moves_the_image_and_not_the_network(files):
    net = VGGDistance(files / "vgg.pth", trust=True)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    image, wanted = images(32, 32)
    image.requires_grad_(True)
    assert float(net(wanted, wanted)) == 0
    net(image, wanted).backward()
    assert image.grad.abs().sum() > 0
    assert all(not parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_what_is_not_to_be_had_is_one_line(files, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def offline(*args, **words):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    assert not at_hand("vgg19")
    with pytest.raises(UserError) as error:
        weights("vgg19")
    for part in ("vgg19-dcbb9e9d.pth", "https://download.pytorch.org/", "sha256 dcbb9e9d", "hub/checkpoints"):
        assert part in str(error.value)
    assert error.value.exit_code == 3
    (files / "junk.pth").write_bytes(b"not weights")
    with pytest.raises(UserError, match="does not hold"):
        weights("vgg19", files / "junk.pth", trust=True)
    with pytest.raises(UserError, match="does not hold alexnet's weights"):
        LPIPS(files / "vgg.pth", files / "heads.pth", trust=True)
    with pytest.raises(UserError, match="linear layers"):
        LPIPS(files / "alex.pth", files / "vgg.pth", trust=True)


def test_what_was_fetched_is_kept_and_a_wrong_hash_is_not(tmp_path, monkeypatch):
    """download_url_to_file is torch's own; a file:// address stands for the network."""
    import dataclasses
    import hashlib

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    torch.save({"lin0": torch.ones(2)}, tmp_path / "there.pth")
    digest = hashlib.sha256((tmp_path / "there.pth").read_bytes()).hexdigest()
    address = (tmp_path / "there.pth").as_uri()
    good = dataclasses.replace(PUBLISHED["lpips_alex"], address=address, sha256=digest)
    monkeypatch.setitem(PUBLISHED, "lpips_alex", dataclasses.replace(good, sha256="0" * 64))
    with pytest.raises(UserError, match="cannot be fetched"):
        weights("lpips_alex")
    assert not at_hand("lpips_alex")
    monkeypatch.setitem(PUBLISHED, "lpips_alex", good)
    assert torch.equal(weights("lpips_alex")["lin0"], torch.ones(2))
    assert at_hand("lpips_alex")


def test_published_weights_are_known_by_their_whole_hash(tmp_path, monkeypatch):
    """Also out of torch's cache; any others only where the user says so, and then their hash has been told."""
    import hashlib

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for known in PUBLISHED.values():
        assert re.fullmatch("[0-9a-f]{64}", known.sha256)
    for name in ("vgg19", "alexnet"):  # torchvision publishes eight digits, in the name
        assert PUBLISHED[name].file.removesuffix(".pth").split("-")[-1] == PUBLISHED[name].sha256[:8]
    given, cached = tmp_path / "vgg.pth", PUBLISHED["vgg19"].cached
    cached.parent.mkdir(parents=True)
    for path, words in ((given, {"path": given}), (cached, {})):
        torch.save({"w": torch.ones(2)}, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with pytest.raises(UserError) as caught:
            weights("vgg19", **words)
        line = str(caught.value)
        assert line.startswith(
            f"{path}: is not the published file of VGG-19's ImageNet weights: its SHA-256 is "
        )
        assert digest in line
        assert line.endswith("or use it all the same with --trust-weights")
        assert torch.equal(weights("vgg19", trust=True, **words)["w"], torch.ones(2))


@pytest.mark.parametrize(
    "odd",
    [
        [1],
        {1: torch.ones(1)},
        {"w": 1},
        {"w": torch.ones(1, dtype=torch.int64)},
        {"w": torch.tensor([math.nan])},
    ],
)
def test_trusted_weights_are_finite_numbers_by_name(tmp_path, odd):
    torch.save(odd, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"odd\.pth: does not hold VGG-19's ImageNet weights"):
        weights("vgg19", tmp_path / "odd.pth", trust=True)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    import os
    import pickle

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save({"w": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(UserError, match="does not hold"):
            weights("vgg19", tmp_path / name, trust=True)
    assert not (tmp_path / "ran").exists()


def test_alexnet_is_its_layers_written_out(files):
    """Krizhevsky (2014) as torchvision numbers it: five convolutions, pooled after the first two."""
    stored = torch.load(files / "alex.pth", weights_only=True)
    x, _ = images(70, 59)
    net = alexnet()
    net.take(stored)
    expected, y = [], x
    for index, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        if index in (3, 6):
            y = F.max_pool2d(y, 3, 2)
        weight, bias = stored[f"features.{index}.weight"], stored[f"features.{index}.bias"]
        y = F.conv2d(y, weight, bias, stride=stride, padding=padding).relu()
        expected.append(y)
    for mine, theirs in zip(net(x), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_maps_are_those_of_lpips_itself(golden, tmp_path):
    """lpips 0.1.4, spatial, its own heads (torchmetrics brings them), over a seeded trunk: tests/golden."""
    package = pytest.importorskip("torchmetrics.functional.image.lpips")
    heads = Path(package.__file__).parent / "lpips_models" / "alex.pth"
    if not heads.is_file():
        pytest.skip("this torchmetrics brings no heads of LPIPS")
    random, drawn = np.random.RandomState(7), alexnet().state_dict()
    for name in [name for name in drawn if name.endswith("weight")]:
        shape = tuple(drawn[name].shape)
        values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        drawn[name] = torch.tensor(values.astype(np.float32))
        drawn[name.replace("weight", "bias")] = torch.zeros(shape[0])
    torch.save(drawn, tmp_path / "alex.pth")
    net = LPIPS(tmp_path / "alex.pth", heads, trust=True)
    stored = np.load(golden / "images.npz")
    hr, *srs = (
        torch.tensor(stored[name]).permute(2, 0, 1)[None] / 255
        for name in ("gt_astro", *(f"sr_astro_{how}" for how in ("noise5", "blur", "jpeg30", "bicx4")))
    )
    expected = np.load(golden / "diversity_maps.npz")["lpips_seeded_alex_astro"]
    with torch.no_grad():
        for sr, theirs in zip(srs, expected, strict=True):
            np.testing.assert_allclose(net(sr, hr)[0, 0], theirs, rtol=0, atol=1e-5 * theirs.max())
