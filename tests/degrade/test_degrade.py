"""Truth: MATLAB's bicubic by independent code, the draws written out, the same bytes whatever the order."""

import hashlib
import shutil

import cv2
import numpy as np
import pytest

from realdeg.degrade.apply.image import apply
from realdeg.degrade.apply.prepare import mod_crop
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.ops.registry import read_step
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.recipe import read_recipe
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.imaging.blur import align_kernel, blur_subsample_reference
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import read_manifest

KERNELS = KernelPool(("a", "b", "c"), tuple(gaussian(6 * s + 3, s) for s in (1, 2, 3)))
NOISES = NoisePool(
    ("n", "m"),
    tuple(np.random.default_rng(i).normal(0, 0.02, (40, 50, 3)).astype(np.float32) for i in range(2)),
)


def photo(seed, height=64, width=72, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, 3)).astype(dtype)


@pytest.fixture
def clean(tmp_path):
    for i in range(5):
        write_image(tmp_path / "clean" / f"{i}.png", photo(i))
    return tmp_path / "clean"


@pytest.fixture
def pools(tmp_path):
    np.savez(tmp_path / "kernels.npz", **dict(zip(KERNELS.names, KERNELS.kernels, strict=True)))
    np.savez(tmp_path / "noise.npz", **dict(zip(NOISES.names, NOISES.patches, strict=True)))
    return tmp_path / "kernels.npz", tmp_path / "noise.npz"


def pool_step(name, factor=2):
    kernel = KERNELS.names.index(name)
    return {
        "op": "reduce",
        "factor": factor,
        "kind": "pool",
        "kernel": name,
        "kernel_sha": KERNELS.hash_of(kernel),
        "kernel_moved": [0, 0],
    }


def plan_of(*steps):
    """A plan of hand-written steps, which does not say for which image."""
    return Plan(tuple(map(read_step, steps)), None, 2)


def draw(key, seed, size, kernels=KERNELS, noises=NOISES):
    """RealSR's plan of an image at x2, as far as there are pools."""
    recipe = read_recipe("realsr" if kernels else "bicubic_noise")
    recipe = recipe if noises else recipe.without("inject")
    return recipe.draw(seed, key, size, 2, kernels=kernels, noises=noises)


def bytes_of(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*.png"))
    }


def test_without_pools_it_is_matlabs_bicubic(golden):
    z = np.load(golden / "imresize.npz")
    plan = read_recipe("bicubic").draw(0, "x", (96, 120), 4)
    np.testing.assert_array_equal(apply(plan, z["hr_96x120"]), z["fatheral_uint8_x4_96x120"])


def test_the_plan_is_what_is_done():
    """The definition in float64, from the plan's numbers, agrees within half a level and rounding."""
    hr = photo(0)
    plan = draw("x", 7, (64, 72))
    lr = apply(plan, hr, kernels=KERNELS, noises=NOISES)
    reduce, inject = (step.to_json() for step in plan.steps)
    kernel = KERNELS.kernels[KERNELS.names.index(reduce["kernel"])]
    patch = NOISES.patches[NOISES.names.index(inject["noise"])].astype(np.float64)
    patch -= patch.mean((0, 1))
    window = patch[inject["noise_y"] : inject["noise_y"] + 32, inject["noise_x"] : inject["noise_x"] + 36]
    exact = blur_subsample_reference(hr / 255, align_kernel(kernel, 2), 2) + window
    assert np.abs(np.clip(exact, 0, 1) * 255 - lr).max() <= 0.5 + 0.1  # kernels in steps of 2^-16: 0.1 level


def test_a_draw_depends_on_seed_and_key_alone():
    plans = {key: draw(key, 1, (64, 72)) for key in ("a", "b", "deep/a")}
    assert plans["a"] == draw("a", 1, (64, 72))
    assert draw("a", 2, (64, 72)) != plans["a"]
    kernels = [draw(str(i), 1, (64, 72), KERNELS, None).steps[0].kernel.kernel for i in range(300)]
    counts = [kernels.count(name) for name in KERNELS.names]
    assert min(counts) > 70  # uniform: 100 each, standard deviation 8


def test_a_small_patch_is_mirrored_and_a_large_one_cut():
    flat = np.full((200, 240, 3), 128, np.uint8)
    plan = draw("k", 0, (200, 240), None)
    inject = plan.steps[-1]
    assert (inject.noise_y, inject.noise_x, inject.noise_mirrored) == (0, 0, True)
    lr = apply(plan, flat, noises=NOISES).astype(int)
    np.testing.assert_array_equal(lr[:40, :50], lr[79:39:-1, :50])  # 40 rows, then the same in a mirror
    small = draw("k", 0, (16, 18), None).steps[-1]
    assert not small.noise_mirrored
    assert small.noise_y <= 32
    assert small.noise_x <= 41


def test_rounding_has_no_bias_and_clips_once():
    flat = np.full((64, 64, 3), 100, np.uint8)
    assert (apply(plan_of(pool_step("a")), flat, kernels=KERNELS) == 100).all()
    noisy = [apply(draw("k", s, (64, 64), None), flat, noises=NOISES) for s in range(20)]
    assert abs(np.mean(noisy) - 100) < 0.15
    inject = {"op": "inject", "noise": "n", "noise_sha": NOISES.hash_of(0), "noise_y": 0, "noise_x": 0}
    inject["noise_mirrored"] = False
    white = apply(plan_of(pool_step("a"), inject), np.full_like(flat, 255), kernels=KERNELS, noises=NOISES)
    assert white.min() > 200  # nothing wraps


def test_negative_lobes_do_not_wrap():
    """A sharpening kernel at an edge leaves [0, 1] on both sides; RealSR's uint8 call wraps there."""
    edge = np.zeros((32, 32, 3), np.uint8)
    edge[:, 16:] = 255
    kernel = np.array([[0, -0.25, 0], [-0.25, 2, -0.25], [0, -0.25, 0]])
    pool = KernelPool(("sharp",), (kernel,))
    step = {"op": "reduce", "factor": 2, "kind": "pool", "kernel": "sharp", "kernel_sha": pool.hash_of(0)}
    lr = apply(plan_of({**step, "kernel_moved": [0, 0]}), edge, kernels=pool)
    assert set(np.unique(lr[:, [0, 1, 2, -3, -2, -1]])) == {0, 255}
    assert (np.diff(lr[8, :, 0].astype(int)) >= -60).all()


def test_sixteen_bit_stays_sixteen_bit():
    hr = photo(3, dtype=np.uint16)
    bicubic = read_recipe("bicubic").draw(0, "x", (64, 72), 2)
    assert apply(bicubic, hr).dtype == np.uint16
    lr = apply(plan_of(pool_step("b")), hr, kernels=KERNELS)
    exact = blur_subsample_reference(hr / 65535, align_kernel(KERNELS.kernels[1], 2), 2) * 65535
    assert lr.dtype == np.uint16
    assert np.abs(lr - exact).max() < 1.0


def test_mod_crop_cuts_right_and_bottom():
    hr = photo(0, 65, 74)
    np.testing.assert_array_equal(mod_crop(hr, 4), hr[:64, :72])


def test_same_bytes_for_workers_order_and_other_files(clean, pools, tmp_path):
    settings = DegradeSettings(2, *pools, seed=3)
    one = degrade_folder(clean, tmp_path / "one", settings)
    two = degrade_folder(clean, tmp_path / "two", settings, running=Running(workers=2))
    assert one.count("ok") == two.count("ok") == 5
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    manifests = [(tmp_path / n / "manifest.csv").read_bytes() for n in ("one", "two")]
    assert manifests[0] == manifests[1]
    (clean / "0.png").unlink()
    write_image(clean / "new.png", photo(99))
    degrade_folder(clean, tmp_path / "three", settings)
    three = bytes_of(tmp_path / "three")
    assert {k: v for k, v in three.items() if "new" not in k} == {
        k: v for k, v in bytes_of(tmp_path / "one").items() if "/0.png" not in k
    }


def test_hr_is_linked_when_whole_and_cut_when_not(clean, tmp_path):
    write_image(clean / "odd.png", photo(9, 65, 73))
    write_image(clean / "photo.jpg", photo(10))
    degrade_folder(clean, tmp_path / "out", DegradeSettings(2))
    assert (tmp_path / "out/HR/0.png").read_bytes() == (clean / "0.png").read_bytes()
    assert read(tmp_path / "out/HR/odd.png").size_hw == (64, 72)
    np.testing.assert_array_equal(
        read(tmp_path / "out/HR/photo.png").pixels, read(clean / "photo.jpg").pixels
    )
    for record in read_manifest(tmp_path / "out"):
        lr, hr = read(tmp_path / "out" / record.lr), read(tmp_path / "out" / record.hr)
        assert hr.size_hw == (2 * lr.size_hw[0], 2 * lr.size_hw[1])


def test_only_plain_rgb_pngs_are_linked(clean, tmp_path):
    """Alpha, grey and a JPEG in disguise decode differently in other readers: these are written anew."""
    image = photo(5)
    opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    cv2.imwrite(str(clean / "alpha.png"), opaque)
    cv2.imwrite(str(clean / "grey.png"), image[..., 0])
    write_image(clean / "jpeg.jpg", image)
    (clean / "jpeg.jpg").rename(clean / "jpeg.png")
    write_image(clean / "deep.png", photo(6, dtype=np.uint16))
    out = tmp_path / "out"
    degrade_folder(clean, out, DegradeSettings(2))
    linked = {p.stem for p in clean.iterdir() if p.samefile(out / "HR" / p.name)}
    assert linked == {"0", "1", "2", "3", "4", "deep"}
    for p in (out / "HR").iterdir():
        made = cv2.imread(str(p), cv2.IMREAD_UNCHANGED)
        assert made.shape == (64, 72, 3)
        np.testing.assert_array_equal(made[..., ::-1], read(clean / p.name).pixels)


def test_bad_images_are_named_and_the_rest_is_done(clean, pools, tmp_path):
    (clean / "text.jpg").write_text("not a picture")
    write_image(clean / "dot.png", photo(0, 1, 1))
    write_image(clean / "tiny.png", photo(0, 8, 8))
    report = degrade_folder(clean, tmp_path / "out", DegradeSettings(2, pools[0]))
    reasons = {r.key: r.reason for r in report.records if not r.ok}
    assert set(reasons) == {"text", "dot", "tiny"}
    assert "too small for x2" in reasons["dot"]
    assert "larger than the image" in reasons["tiny"]
    assert report.count("ok") == 5


def test_another_pool_under_the_same_name_is_noticed(clean, pools, tmp_path):
    settings = DegradeSettings(2, pools[0])
    degrade_folder(clean, tmp_path / "out", settings)
    before = bytes_of(tmp_path / "out")
    np.savez(pools[0], a=gaussian(11, 2.2))
    with pytest.raises(UserError, match=r"was made with other settings .*kernel_pool was"):
        degrade_folder(clean, tmp_path / "out", settings)
    assert bytes_of(tmp_path / "out") == before
    degrade_folder(clean, tmp_path / "out", settings, running=Running(overwrite=True))
    assert bytes_of(tmp_path / "out") != before


def test_a_lost_file_is_made_again(clean, tmp_path):
    degrade_folder(clean, tmp_path / "out", DegradeSettings(2))
    before = bytes_of(tmp_path / "out")
    (tmp_path / "out/LR/1.png").unlink()
    (tmp_path / "out/LR/2.png").write_bytes(b"")
    report = degrade_folder(clean, tmp_path / "out", DegradeSettings(2))
    assert report.resumed == 3
    assert bytes_of(tmp_path / "out") == before
    shutil.rmtree(tmp_path / "out")


def test_a_replaced_photo_is_done_again(clean, tmp_path):
    degrade_folder(clean, tmp_path / "out", DegradeSettings(2))
    write_image(clean / "3.png", photo(77))
    report = degrade_folder(clean, tmp_path / "out", DegradeSettings(2))
    assert report.resumed == 4
    np.testing.assert_array_equal(read(tmp_path / "out/HR/3.png").pixels, photo(77))


def test_a_plan_of_another_pool_is_refused():
    with pytest.raises(UserError, match="is not in the pool"):
        apply(plan_of({**pool_step("a"), "kernel": "zzz"}), photo(0), kernels=KERNELS)
    with pytest.raises(UserError, match="has other content than the one that was drawn"):
        apply(plan_of({**pool_step("a"), "kernel_sha": "0"}), photo(0), kernels=KERNELS)
