"""Modules for training loops. Truth: `realdeg degrade`'s own code for images, kornia's flips, crops cut by hand."""

from __future__ import annotations

import copy
import pickle

import kornia
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader

import realdeg
import realdeg.torch
from realdeg.degrade.apply.image import apply
from realdeg.errors import UserError
from realdeg.torch.augment import oriented

pytestmark = pytest.mark.usefixtures("one_thread")


def batch(photos, size=64) -> torch.Tensor:
    """(B, 3, H, W) float, the levels of the photos."""
    return (
        torch.stack([torch.from_numpy(p[:size, :size].copy()).permute(2, 0, 1) for p in photos]).float() / 255
    )


# Degrade


@pytest.fixture
def soft(tmp_path):
    """A recipe that gradients pass through, and that sees more than 8 bits."""
    path = tmp_path / "soft.toml"
    path.write_text('name = "soft"\n[[steps]]\nop = "resize"\nmethod = "area"\n')
    return path


def test_a_step_is_what_the_recipe_draws_and_applies(photos):
    degrade = realdeg.torch.Degrade("realesrgan", scale=4, seed=3, grouped=False)
    lr = degrade(batch(photos))
    recipe = realdeg.Recipe.load("realesrgan")
    for place, photo in enumerate(photos):
        plan = recipe.draw(3, f"0/{place}", (64, 64), 4)
        assert_array_equal((lr[place] * 255).round().byte().permute(1, 2, 0), apply(plan, photo[:64, :64]))
    assert int(degrade.step) == 1


def test_equal_steps_draw_alike_and_others_do_not(photos):
    hr = batch(photos)
    one, other = (realdeg.torch.Degrade("bsrgan", seed=1) for _ in range(2))
    first, second = one(hr), one(hr)
    assert not torch.equal(first, second)
    assert torch.equal(other(hr), first)
    resumed = realdeg.torch.Degrade("bsrgan", seed=1)
    resumed.load_state_dict(other.state_dict())
    assert torch.equal(resumed(hr), second)
    assert not torch.equal(realdeg.torch.Degrade("bsrgan", seed=2)(hr), first)
    # The place in the batch counts, not how many there are.
    assert torch.equal(realdeg.torch.Degrade("bsrgan", seed=1)(hr[:1])[0], first[0])


@pytest.mark.parametrize("name", ["realesrgan", "bsrgan", "bicubic"])
def test_tensors_and_images_agree_within_a_level(photos, name):
    hr = batch(photos)
    exact = realdeg.torch.Degrade(name, seed=5, codec_gradient="none")(hr)
    wanted = realdeg.torch.Degrade(name, seed=5, codec_gradient="none")(hr.clone().requires_grad_())
    # A level before a real codec may become some levels after it.
    assert (exact - wanted.detach()).abs().median() * 255 < 1


def test_bytes_are_levels(photos):
    hr = batch(photos)
    a, b = (realdeg.torch.Degrade("realesrgan", seed=2)(x) for x in (hr, (hr * 255).round().byte()))
    assert torch.equal(a, b)
    assert a.dtype == torch.float32
    assert torch.equal((a * 255).round() / 255, a)


def test_levels_between_those_of_files_are_not_rounded(photos, soft):
    hr = batch(photos)
    between = (hr + 0.4 / 255).clamp(0, 1)
    a, b = (realdeg.torch.Degrade(soft, seed=2)(x) for x in (hr, between))
    assert 0.3 < (b - a).mean() * 255 < 0.5
    assert torch.allclose(b, torch.nn.functional.avg_pool2d(between, 4), atol=0.51 / 255)


def test_autocast_does_not_change_images(photos, soft):
    hr = batch(photos) * 0.999
    plain = realdeg.torch.Degrade(soft, seed=2)(hr)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(realdeg.torch.Degrade(soft, seed=2)(hr), plain)


def test_gradients_pass_where_they_can_and_are_refused_where_not(photos, soft):
    hr = batch(photos).requires_grad_()
    realdeg.torch.Degrade(soft, scale=2)(hr).sum().backward()
    assert torch.allclose(hr.grad, torch.full_like(hr, 0.25))
    with pytest.raises(UserError, match="HR needs a gradient"):
        realdeg.torch.Degrade("realesrgan", seed=0)(hr)


def test_pools_are_taken_as_arrays_and_as_files(photos, tmp_path):
    rng = np.random.default_rng(0)
    kernels = realdeg.KernelPool.from_arrays([np.full((4, 4), 1 / 16)])
    noises = realdeg.NoisePool.from_arrays(0.02 * rng.standard_normal((2, 32, 32, 3)))
    kernels.save(tmp_path / "kernels.npz")
    noises.save(tmp_path / "noise.npz")
    hr = batch(photos)
    recipe = realdeg.Recipe.load("realsr").cleaned_up(1)
    one = realdeg.torch.Degrade(recipe, scale=2, kernels=kernels, noises=noises)(hr)
    files = {"kernels": str(tmp_path / "kernels.npz"), "noises": tmp_path / "noise.npz"}
    assert torch.equal(realdeg.torch.Degrade(recipe, scale=2, **files)(hr), one)
    means = torch.nn.functional.avg_pool2d(hr, 2)  # 4 x 4 means of 2 x 2 means blur a little more
    assert 0.005 < (one - means).std() < 0.1


def test_a_cameras_folder_is_a_recipe_with_its_pools(photos, tmp_path):
    hr = np.concatenate([np.concatenate(photos, 1)] * 3)
    lr = realdeg.Recipe.load("bicubic")(hr, seed=0, scale=2).lr
    camera = realdeg.calibrate([(lr, hr)], name="made", size=12)
    camera.save(str(tmp_path / "made"))
    again = realdeg.Camera.load(tmp_path / "made", 2)
    assert again.figures == camera.figures
    assert_array_equal(again.kernels.kernels[0], camera.kernels.kernels[0])
    tensor = batch(photos)
    of_folder = realdeg.torch.Degrade(tmp_path / "made", scale=2, seed=4)(tensor)
    of_camera = realdeg.torch.Degrade(
        camera.recipe, scale=2, seed=4, kernels=camera.kernels, noises=camera.noise
    )
    assert torch.equal(of_camera(tensor), of_folder)


class Clean(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.full((3, 16, 16), 0.5)


class Collate:
    """Degrades in the worker."""

    def __init__(self):
        self.degrade = realdeg.torch.Degrade("bicubic_noise", scale=2, noises=noise_pool(), seed=0)

    def __call__(self, images):
        torch.set_num_threads(1)
        return self.degrade(torch.stack(images))


def noise_pool():
    return realdeg.NoisePool.from_arrays(0.05 * np.random.default_rng(1).standard_normal((4, 16, 16, 3)))


def test_workers_and_epochs_draw_differently_and_again_alike():
    def two_epochs():
        torch.manual_seed(7)
        loader = DataLoader(Clean(), batch_size=1, num_workers=2, collate_fn=Collate())
        return [batch for _ in range(2) for batch in loader]

    one = two_epochs()
    assert len({lr.numpy().tobytes() for lr in one}) == len(one) == 8
    assert all(torch.equal(a, b) for a, b in zip(one, two_epochs(), strict=True))


def test_modules_are_copied_pickled_and_printed():
    degrade = realdeg.torch.Degrade("bsrgan", scale=4, seed=9)
    hr = torch.rand(1, 3, 32, 32)
    lr = degrade(hr)
    again = copy.deepcopy(realdeg.torch.Degrade("bsrgan", scale=4, seed=9))
    assert torch.equal(pickle.loads(pickle.dumps(again))(hr), lr)
    assert repr(degrade) == "Degrade(bsrgan, scale=4, seed=9)"
    assert list(degrade.state_dict()) == ["step"]
    assert not list(degrade.parameters())


@pytest.mark.parametrize(
    ("hr", "said"),
    [
        (torch.zeros(3, 8, 8), "give a batch of one: x[None]"),
        (torch.zeros(1, 8, 8, 3), "channels come before height"),
        (torch.zeros(1, 1, 8, 8), "repeat the grey channel"),
        (torch.zeros(1, 4, 8, 8), "leave alpha out"),
        (torch.zeros(1, 3, 9, 8), "is 8x9 px, no multiple of the scale 4; cut it to 8x8 px"),
        (torch.zeros(0, 3, 8, 8), "is empty"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "is a tensor of torch.int64"),
        (torch.full((1, 3, 8, 8), 200.0), "is float from 200 to 200, and [0, 1] is meant"),
        (torch.full((1, 3, 8, 8), float("nan")), "holds NaN"),
        (np.zeros((1, 3, 8, 8)), "is of type ndarray, not a tensor"),
    ],
)
def test_what_is_no_batch_is_refused_and_counts_no_step(hr, said):
    degrade = realdeg.torch.Degrade("bicubic", scale=4)
    with pytest.raises(realdeg.BadInput) as caught:
        degrade(hr)
    assert said in str(caught.value)
    assert int(degrade.step) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"recipe": 3}, "give a realdeg.Recipe"),
        ({"recipe": "realesgran"}, "did you mean"),
        ({"recipe": "realsr", "scale": 2}, "draws from a kernel pool"),
        (
            {"recipe": "bicubic", "kernels": realdeg.KernelPool.from_arrays([np.ones((1, 1))])},
            "draws from no kernel",
        ),
        ({"recipe": "bicubic", "kernels": np.ones((1, 1))}, "give a realdeg.KernelPool"),
        ({"recipe": "bicubic", "scale": 4.0}, "is no whole number"),
        ({"recipe": "bicubic", "seed": "x"}, "is no whole number"),
        ({"recipe": "bicubic", "codec_gradient": "yes"}, "one of refuse, straight-through, none"),
        ({"recipe": realdeg.Recipe.load("bicubic").cleaned_up(2)}, "reduces HR by 2 first"),
    ],
)
def test_what_cannot_be_degraded_with_is_said_at_once(arguments, said):
    with pytest.raises(UserError) as caught:
        realdeg.torch.Degrade(**arguments)
    assert said in str(caught.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_alike(photos):
    hr = batch(photos)
    here, there = (realdeg.torch.Degrade("realesrgan", seed=5).to(d)(hr.to(d)) for d in ("cpu", "cuda"))
    assert there.device.type == "cuda"
    assert (here - there.cpu()).abs().median() * 255 < 1


# Augment


def test_orientations_are_kornias_and_numpys():
    images = torch.arange(8 * 3 * 5 * 5, dtype=torch.float32).reshape(8, 3, 5, 5)
    turns = np.array([[i & 1, i & 2, i & 4] for i in range(8)]).astype(bool)
    found = oriented(images, turns)
    assert torch.equal(found[1], kornia.geometry.transform.hflip(images[1]))
    assert torch.equal(found[2], kornia.geometry.transform.vflip(images[2]))
    assert torch.equal(found[3], kornia.geometry.transform.rot180(images[3]))
    assert torch.equal(found[6], torch.rot90(images[6], -1, (-2, -1)))
    assert len({tuple(one.flatten().tolist()) for one in found - found.amin((1, 2, 3), keepdim=True)}) == 8


def test_lr_and_hr_are_turned_alike_and_all_ways_come():
    augment = realdeg.torch.Augment(seed=1)
    lr = torch.rand(64, 3, 6, 6)
    hr = lr.repeat_interleave(2, -1).repeat_interleave(2, -2)
    small, large = augment(lr, hr)
    assert torch.equal(large[..., ::2, ::2], small)
    ways = [
        next(i for i in range(8) if torch.equal(oriented(lr[k : k + 1], WAYS[i])[0], small[k]))
        for k in range(64)
    ]
    assert set(ways) == set(range(8))
    again = realdeg.torch.Augment(seed=1)(lr)
    assert torch.equal(again, small)
    assert not torch.equal(augment(lr), small)


WAYS = [np.array([[i & 1, i & 2, i & 4]]).astype(bool) for i in range(8)]


def test_images_that_are_not_square_are_not_transposed():
    images = torch.rand(32, 3, 4, 6)
    assert realdeg.torch.Augment()(images).shape == images.shape
    with pytest.raises(realdeg.BadInput, match="has 1 images, not 2"):
        realdeg.torch.Augment()(images[:2], images[:1])


def test_gradients_pass_through_flips():
    images = torch.rand(4, 3, 4, 4, requires_grad=True)
    weights = torch.rand(4, 3, 4, 4)
    (realdeg.torch.Augment(seed=3)(images) * weights).sum().backward()
    assert torch.allclose(images.grad.sum((1, 2, 3)), weights.sum((1, 2, 3)))


# PairDataset


def test_whole_pairs_are_as_the_files_hold_them(dataset):
    pairs = realdeg.torch.PairDataset(dataset)
    read = realdeg.open_dataset(dataset)
    assert len(pairs) == 2
    for sample, pair in zip(pairs, read, strict=True):
        assert sample["key"] == pair.key
        assert_array_equal((sample["lr"] * 255).round().byte().permute(1, 2, 0), pair.lr)
        assert_array_equal((sample["hr"] * 255).round().byte().permute(1, 2, 0), pair.hr)
    assert realdeg.torch.PairDataset(dataset, split="test")[0]["key"] == "cup"


def test_a_crop_shows_one_place_and_depends_on_seed_epoch_and_key_alone(dataset):
    pairs = realdeg.torch.PairDataset(dataset, patch=12, seed=4)
    whole = realdeg.torch.PairDataset(dataset)[1]
    sample = pairs[1]
    assert sample["lr"].shape == (3, 12, 12)
    assert sample["hr"].shape == (3, 24, 24)
    places = [
        (y, x)
        for y in range(30 - 11)
        for x in range(40 - 11)
        if torch.equal(whole["lr"][:, y : y + 12, x : x + 12], sample["lr"])
    ]
    assert len(places) == 1
    y, x = places[0]
    assert torch.equal(whole["hr"][:, 2 * y : 2 * y + 24, 2 * x : 2 * x + 24], sample["hr"])
    assert torch.equal(
        realdeg.torch.PairDataset(dataset, split="test", patch=12, seed=4)[0]["lr"], sample["lr"]
    )
    pairs.set_epoch(1)
    assert not torch.equal(pairs[1]["lr"], sample["lr"])
    pairs.set_epoch(0)
    assert torch.equal(pairs[1]["lr"], sample["lr"])


def test_turned_crops_stay_pairs(dataset):
    from realdeg.imaging.resample import resize

    pairs = realdeg.torch.PairDataset(dataset, patch=16, augment=True, seed=0)
    seen = set()
    for epoch in range(12):
        pairs.set_epoch(epoch)
        sample = pairs[0]
        hr = sample["hr"].permute(1, 2, 0).numpy()
        away = np.abs(resize(np.ascontiguousarray(hr), 0.5) - sample["lr"].permute(1, 2, 0).numpy())[
            3:-3, 3:-3
        ]
        assert away.max() < 2.5 / 255  # LR was rounded
        seen.add(sample["lr"].numpy().tobytes())
    assert len(seen) == 12


def test_workers_give_the_same_crops_and_see_the_epoch(dataset):
    pairs = realdeg.torch.PairDataset(dataset, patch=12, augment=True, seed=4)
    loader = DataLoader(pairs, num_workers=2, persistent_workers=True)
    for epoch in (0, 3):
        pairs.set_epoch(epoch)
        for index, sample in enumerate(loader):
            assert torch.equal(sample["lr"][0], pairs[index]["lr"])


def test_images_are_read_anew_and_not_kept(dataset, monkeypatch):
    from realdeg.dataset import pairs as module

    pairs, opened, read = realdeg.torch.PairDataset(dataset), [], module.read
    monkeypatch.setattr(module, "read", lambda path: opened.append(path.name) or read(path))
    for _ in range(2):
        _ = pairs[0]
    assert opened == ["cat.png"] * 4  # a dataset of thousands does not stay in memory


def test_what_cannot_be_cut_or_opened_is_said(dataset, tmp_path):
    with pytest.raises(UserError, match="smaller than a patch of 31 px"):
        realdeg.torch.PairDataset(dataset, patch=31)[0]
    with pytest.raises(UserError, match="has no row of split 'val'; it has train, test"):
        realdeg.torch.PairDataset(dataset, split="val")
    with pytest.raises(realdeg.BadInput, match="is no path"):
        realdeg.torch.PairDataset(None)
    with pytest.raises(realdeg.BadInput, match="patch: 0 is too small"):
        realdeg.torch.PairDataset(dataset, patch=0)


def test_pairs_that_are_valid_in_part_are_left_out_or_come_with_masks(photos, tmp_path):
    from realdeg.imaging.resample import resize
    from realdeg.io.save import write_image
    from realdeg.records import PairRecord, write_manifest

    rows = []
    for key, valid in (("a", 1.0), ("b", 0.5)):
        hr = np.ascontiguousarray(photos[0][:40, :40])
        write_image(tmp_path / f"HR/{key}.png", hr)
        write_image(tmp_path / f"LR/{key}.png", resize(hr, 0.5))
        mask = np.zeros((20, 20, 3), np.uint8)
        mask[:, : int(20 * valid)] = 255
        write_image(tmp_path / f"MASK/{key}.png", mask)
        detail = {"mask": f"MASK/{key}.png", "valid": valid}
        rows.append(PairRecord(key, "ok", lr=f"LR/{key}.png", hr=f"HR/{key}.png", scale=2, detail=detail))
    write_manifest(tmp_path, rows)
    assert [sample["key"] for sample in realdeg.torch.PairDataset(tmp_path)] == ["a"]
    partly = realdeg.torch.PairDataset(tmp_path, partly=True)
    assert [float(sample["mask"].mean()) for sample in partly] == [1.0, 0.5]
    write_manifest(tmp_path, rows[1:])
    with pytest.raises(UserError, match="only pairs that are valid in part; cut out"):
        realdeg.torch.PairDataset(tmp_path)
