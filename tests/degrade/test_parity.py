"""Truth: outputs of BasicSR, KAIR, Real-ESRGAN, KernelGAN, Real-SR, PyTorch, OpenCV, kornia (tests/golden/README.md).

Plans are written by hand with the numbers that those programs were given. Tolerances are in grey levels of 255:
2e-3 for float images, which is float32 and what two builds of OpenCV differ by; none for JPEG but a rounding of
libjpeg-turbo's builds.
"""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from realdeg.degrade.apply.image import apply
from realdeg.degrade.ops.noise import _covariance
from realdeg.degrade.ops.registry import read_step
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.recipe import read_recipe
from realdeg.imaging import noise
from realdeg.imaging.blur import AlignedKernel, align_kernel, blur
from realdeg.imaging.kernels import centre_of_mass
from realdeg.imaging.resample import resize as matlab_resize
from realdeg.pools.kernel_pool import KernelPool, kernelgans

FLOAT = 2e-3
CLIP = {"op": "clip"}
USM = {"op": "sharpen", "weight": 0.5, "radius": 51, "threshold": 10, "border": "reflect"}


@pytest.fixture(scope="module")
def z(golden):
    return dict(np.load(golden / "degradations.npz"))


@pytest.fixture(scope="module")
def stored(golden):
    return dict(np.load(golden / "kernels.npz"))


@pytest.fixture(scope="module")
def hr(z):
    return (z["hr"] / 255).astype(np.float32)


@pytest.fixture
def away(z):
    """Largest difference from a stored image, grey levels; of large images two corners are stored."""

    def of(ours, name):
        stored, ours = z[name], ours / 255 if ours.dtype == np.uint8 else ours.astype(np.float64)
        if stored.ndim == 4:
            assert list(ours.shape) == json.loads(str(z["sizes"]))[name]
            height, width = stored.shape[1:3]
            ours = np.stack([ours[:height, :width], ours[-height:, -width:]])
        assert ours.shape == stored.shape
        return np.abs(ours - stored).max() * 255

    return of


def pool_of(kernels):
    return KernelPool(tuple(kernels), tuple(np.asarray(kernel, np.float64) for kernel in kernels.values()))


def step_of(raw):
    """A step as the manifest writes it; where a kernel lies is the pool's affair."""
    return read_step({"kernel_moved": [0, 0], **raw} if "kernel" in raw else raw)


def plan_of(steps):
    """A plan of hand-written steps, which does not say for which image."""
    return Plan(tuple(map(step_of, steps)), None, 1)


def done(image, steps, kernels=None):
    """Steps applied one after the other, without the rounding that `apply` ends with."""
    pool = pool_of(kernels or {})
    for step in steps:
        if step.get("kind") == "pool":
            step = {**step, "kernel_sha": pool.hash_of(pool.names.index(step["kernel"]))}
        image = step_of(step).apply(image, Pools(pool))
    return image


def blurred(kernel, border="reflect"):
    return {"op": "blur", "kind": "pool", "kernel": kernel, "border": border}


def resized(method, *size):
    return {"op": "resize", "method": method, "size": list(size), "antialias": False, "border": "replicate"}


def jpeg(quality):
    return {"op": "codec", "format": "jpeg", "quality": quality, "subsampling": "420"}


def plain(kind, size, sigma, **more):
    return {"op": "blur", "kind": kind, "size": size, "sigma": sigma, "border": "reflect", **more}


# Kernels.


def made(kind, size, **numbers):
    return read_step({"op": "blur", "kind": kind, "size": size, **numbers}).kernel.aligned(Pools(), 1).kernel


@pytest.mark.parametrize("size", [7, 13, 21])
@pytest.mark.parametrize(("sigma", "sigma_y", "turn"), [(1.2, 1.2, 0.0), (2.5, 0.7, 0.6), (0.2, 0.2, 0.0)])
def test_kernels_are_basicsrs(stored, size, sigma, sigma_y, turn):
    axes = {"sigma": sigma, "sigma_y": sigma_y, "angle": np.rad2deg(turn)}
    name = f"k{size}_sx{sigma}_sy{sigma_y}_th{turn}"
    for kind, its, beta in (
        ("anisotropic", "gauss", {}),
        ("generalised_anisotropic", "ggauss_b0.7", {"beta": 0.7}),
        ("plateau_anisotropic", "plateau_b1.5", {"beta": 1.5}),
    ):
        assert_allclose(made(kind, size, **axes, **beta), stored[f"basicsr_{its}_{name}"], atol=1e-12)


@pytest.mark.parametrize("size", [7, 13, 21])
@pytest.mark.parametrize("cutoff", [np.pi / 5, np.pi / 3, 2.0, np.pi])
def test_sinc_kernels_are_basicsrs(stored, size, cutoff):
    expected = stored[f"basicsr_sinc_k{size}_omega{cutoff:.6f}"]
    assert_allclose(np.pad(made("sinc", size, cutoff=cutoff), (21 - size) // 2), expected, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0, 1.6, 2.4, 3.0])
def test_samsungs_gaussian_is_matlabs(stored, sigma):
    assert_allclose(
        made("isotropic", 15, sigma=sigma), stored[f"fspecial_gaussian15_sigma{sigma}"], atol=1e-12
    )


@pytest.mark.parametrize(("turn", "l1", "l2"), [(0.3, 4, 1), (1.1, 6, 6), (2.2, 0.5, 7)])
def test_kairs_anisotropic_gaussian_has_variances(stored, turn, l1, l2):
    ours = made("anisotropic", 15, sigma=l1**0.5, sigma_y=l2**0.5, angle=np.rad2deg(turn))
    assert_allclose(ours, stored[f"kair_aniso15_th{turn}_l{l1}_{l2}"], atol=1e-12)


@pytest.mark.parametrize("side", [13, 14, 21])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kernels_that_kernelgan_displaces_are_brought_back(golden, stored, side, scale):
    """What KernelGAN's imresize was measured to displace a picture by is what we move the kernel by, but whole pixels."""
    measured = json.loads((golden / "subpixel_shift.json").read_text())
    shifted = stored[f"kgan_kernel_shift_n{side}_sf{scale}"]
    displaced = measured[f"x{scale}_kernelgan_imresize_k{side}_after_kernel_shift"]
    for part in align_kernel(shifted, scale).moved:
        assert abs((part + displaced + 0.5) % 1 - 0.5) < 1e-3
    raw = stored[f"kgan_kernel_shift_in_n{side}"]
    displaced = measured[f"x{scale}_kernelgan_imresize_k{side}_raw"]
    for part in align_kernel(raw, scale).moved:
        assert abs((part + displaced + 0.5) % 1 - 0.5) < 1e-3


@pytest.mark.parametrize("side", [13, 21])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kernels_are_saved_where_kernelgan_puts_them(stored, side, scale):
    """Its `kernel_shift` of odd kernels, to the spline's 1e-5; its even ones come out half a pixel off."""
    theirs = stored[f"kgan_kernel_shift_n{side}_sf{scale}"]
    ours = kernelgans(stored[f"kgan_kernel_shift_in_n{side}"], scale)
    widest = max(theirs.shape[0], ours.shape[0])
    ours, theirs = (np.pad(one, (widest - one.shape[0]) // 2) for one in (ours, theirs))
    assert np.abs(ours - theirs).max() < 1e-5 * theirs.max()


# Operators, with the border that each program has.


def test_blur_is_basicsrs(z, hr, away):
    assert away(done(hr, [blurred("k")], {"k": z["k_aniso21"]}), "basicsr_filter2d_aniso21") < FLOAT
    given = json.loads(str(z["ops_params"]))["k_aniso21"]
    axes = {"sigma_y": given["sig_y"], "angle": np.rad2deg(given["theta"])}
    step = plain("anisotropic", 21, given["sig_x"], **axes)
    assert away(done(hr, [step]), "basicsr_filter2d_aniso21") < FLOAT
    # A lopsided kernel: BasicSR leaves it where it lies and moves the picture, recipes place it by its centre.
    as_it_lies = blur(hr, AlignedKernel(z["k_raw21"], (10, 10), (0.0, 0.0)), "reflect")
    assert away(as_it_lies, "basicsr_filter2d_raw21") < FLOAT


def test_blur_of_another_crop_is_scipys_and_basicsrs(golden):
    z = dict(np.load(golden / "blur_subsample.npz"))
    image = (z["hr_96x120"] / 255).astype(np.float32)
    for kernel, name in (("g15", "scipy_mirror_g15"), ("k21", "basicsr_filter2D_k21_reflect101")):
        assert_allclose(done(image, [blurred("k")], {"k": z[kernel]}) * 255, in_levels(z[name]), atol=FLOAT)
    assert_allclose(done(image, [USM]) * 255, in_levels(z["basicsr_usm_default"]), atol=FLOAT)
    # KAIR's srmd_degradation: blur (its border wraps around: not in recipes), then MATLAB's bicubic.
    steps = [blurred("k"), {"op": "resize", "method": "matlab_bicubic", "size": [24, 30]}]
    ours = done(image, steps, {"k": z["g15"]}) * 255
    expected = in_levels(z["kair_srmd_x4_g15_wrap_bicubic"])
    assert_allclose(ours[4:-4, 4:-4], expected[4:-4, 4:-4], atol=FLOAT)


def in_levels(stored):
    return stored.astype(np.float64) * (1 if stored.max() > 2 else 255)


@pytest.mark.parametrize("name", ["basicsr_usm", "kair_sharpening"])
def test_sharpening_is_real_esrgans_and_kairs(hr, away, name):
    assert away(done(hr, [USM]), name) < FLOAT


def test_bsrgans_blur(hr, away):
    step = plain("anisotropic", 15, 5.6**0.5, sigma_y=1.3**0.5, angle=np.rad2deg(0.7))
    assert away(done(hr, [step]), "kair_blur_aniso15") < FLOAT
    assert away(done(hr, [plain("isotropic", 11, 1.9)]), "kair_blur_iso11") < FLOAT


@pytest.mark.parametrize("scale", [2, 4])
def test_bsrgans_shifted_kernel_lies_where_ours_does(z, hr, away, scale):
    """KAIR convolves, so its kernel is turned; found where LR pixels sit, it is not moved."""
    turned = z[f"k_kair_iso25_shifted_s{scale}"][::-1, ::-1]
    assert np.abs(align_kernel(turned, scale).moved).max() == 0
    step = {"op": "reduce", "factor": scale, "kind": "pool", "kernel": "k", "border": "reflect"}
    assert away(done(hr, [step], {"k": turned}), f"kair_shift_down{scale}") < FLOAT
    # A known difference: KAIR shifts the sampled Gaussian by linear interpolation, half a pixel each way, which blurs
    # it once more; the recipe samples the Gaussian where it is needed.
    sigma = json.loads(str(z["ops_params"]))[f"kair_shift_down{scale}"]["sigma"]
    whole = np.pad(made("isotropic", 25, sigma=sigma), 1)
    blurred_again = (whole[1:, 1:] + whole[:-1, 1:] + whole[1:, :-1] + whole[:-1, :-1]) / 4
    first = round(12.5 - centre_of_mass(turned)[0])
    inside = slice(4, 21)
    beside = slice(first + 4, first + 21)
    assert_allclose(turned[inside, inside], blurred_again[beside, beside], atol=1e-6)
    step = read_step({"op": "blur", "kind": "isotropic", "size": 25, "sigma": sigma})
    sampled = step.kernel.aligned(Pools(), scale).kernel
    assert sampled.max() > 1.05 * turned.max()


@pytest.mark.parametrize("size", [(63, 84), (24, 32), (125, 167)])
def test_resizing_is_opencvs_and_pytorchs(hr, away, size):
    name = f"{size[0]}x{size[1]}"
    for method, library in (("bilinear", "linear"), ("bicubic", "cubic"), ("area", "area")):
        ours = done(hr, [resized(method, *size)])
        assert away(ours, f"cv2_{library}_{name}") < FLOAT
        if method != "area" or size == (24, 32):
            assert away(ours, f"torch_{method}_{name}") < FLOAT
    # A known difference: PyTorch's "area" takes whole pixels, in equal parts, wherever a pixel is touched.
    if size != (24, 32):
        assert away(done(hr, [resized("area", *size)]), f"torch_area_{name}") > 30


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_reducing_is_opencvs(golden, scale):
    z = dict(np.load(golden / "imresize.npz"))
    image = (z["hr_96x120"] / 255).astype(np.float32)
    for method, name in (("bicubic", "cv2_cubic"), ("area", "cv2_area")):
        ours = done(image, [resized(method, 96 // scale, 120 // scale)]) * 255
        assert_allclose(ours, in_levels(z[f"{name}_x{scale}_96x120"]), atol=FLOAT)
    step = {"op": "resize", "method": "matlab_bicubic", "size": [96 // scale, 120 // scale]}
    expected = in_levels(z[f"basicsr_x{scale}_96x120"])
    assert_allclose(done(image, [step]) * 255, expected, atol=FLOAT)
    whole = {**step, "integers": True}
    np.testing.assert_array_equal(
        apply(plan_of([whole]), z["hr_96x120"]), z[f"fatheral_uint8_x{scale}_96x120"]
    )


def test_nearest_takes_the_left_pixel_of_two(z, hr):
    """OpenCV's INTER_NEAREST_EXACT takes the right one; the plan says which way the picture went."""
    ours = done(hr, [{"op": "resize", "method": "nearest", "size": [24, 32]}])
    np.testing.assert_array_equal(ours, hr[1::4, 1::4])
    assert_allclose(z["cv2_nearest_exact_24x32"], hr[2::4, 2::4], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 4])
def test_reducing_by_a_kernel_is_kernelgans(z, hr, away, scale):
    """From its shifted kernel, and from the one before: both are placed by their centre of mass."""
    step = {"op": "reduce", "factor": scale, "kind": "pool", "kernel": "k"}
    for name in (f"k_raw21_shifted_x{scale}", "k_raw21"):
        assert away(done(hr, [step], {"k": z[name]}), f"kernelgan_float_x{scale}") < FLOAT
        # 8-bit images: weights in steps of 2**-16, see `test_independent.py`
        assert away(done(z["hr"], [step], {"k": z[name]}), f"kernelgan_float_x{scale}") < 0.08


def test_realsrs_files(z):
    """Real-SR's files are cut off to whole levels where ours are rounded, and its HR is cleaned up by bicubic."""
    step = {"op": "reduce", "factor": 4, "kind": "pool", "kernel": "k"}
    for hr, lr in ((z["hr"], "realsr_target_lr_u8"), (z["realsr_source_hr_u8"], "realsr_source_lr_u8")):
        exact = done((hr / 255).astype(np.float32), [step], {"k": z["k_raw21_shifted_x4"]}) * 255
        cut = np.floor(exact.clip(0, 255) + 1e-3)
        assert np.mean(cut != z[lr]) < 1e-2
        assert np.abs(cut - z[lr]).max() <= 1
        rounded = done(hr, [step], {"k": z["k_raw21_shifted_x4"]}) * 255
        assert abs((np.rint(rounded) - z[lr]).mean() - 0.5) < 0.05
    cleaned = matlab_resize((z["hr"] / 255).astype(np.float32), 0.5) * 255
    inside = (cleaned > 0) & (cleaned < 255)  # overshoot wraps around in Real-SR's bytes
    away = np.abs(np.floor(cleaned + 1e-3) - z["realsr_source_hr_u8"])[inside]
    assert away.max() <= 1
    assert np.mean(away > 0) < 1e-2


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_is_opencvs_and_its_model_kornias(z, hr, away, quality):
    assert away(done(z["hr"], [jpeg(quality)]), f"jpeg_cv2_q{quality}") <= 1.001
    model = {"op": "codec", "format": "jpeg_differentiable", "quality": quality}
    assert away(done(hr, [model]), f"jpeg_kornia_q{quality}") < 0.05


# Noise.

LAWS = {
    "kair_poisson100_colour": {"law": "poisson", "photons": 100, "channels": "colour"},
    "kair_poisson1000_colour": {"law": "poisson", "photons": 1000, "channels": "colour"},
    "kair_poisson100_grey": {"law": "poisson", "photons": 100, "channels": "grey"},
    "kair_speckle20_colour": {"law": "speckle", "sigma_8bit": 20, "channels": "colour"},
    "kair_speckle20_grey": {"law": "speckle", "sigma_8bit": 20, "channels": "grey"},
    "basicsr_gauss15_colour": {"law": "gaussian", "sigma_8bit": 15, "channels": "colour"},
    "basicsr_gauss15_grey": {"law": "gaussian", "sigma_8bit": 15, "channels": "grey"},
    "basicsr_pt_gauss15_grey": {"law": "gaussian", "sigma_8bit": 15, "channels": "grey"},
}


@pytest.mark.parametrize("name", LAWS)
def test_noise_has_the_moments_of_kairs_and_basicsrs(z, name):
    """Flat images at five levels, 160,000 samples of ours against 410,000 of theirs: five standard errors, 2.2 %."""
    poisson = LAWS[name]["law"] == "poisson"
    levels = z["noise_kair_poisson_level"] if poisson else json.loads(str(z["noise_params"]))["levels"]
    for i, level in enumerate(levels):
        flat = np.full((400, 400, 3), level, np.float32)
        ours = done(flat, [{"op": "noise", **LAWS[name], "key": f"{i + 1:032x}"}]).astype(np.float64) - flat
        covariance = np.cov(ours.reshape(-1, 3).T)
        expected = z[f"noise_{name}_cov"][i]
        assert_allclose(covariance, expected, atol=0.022 * np.diag(expected).mean())
        assert_allclose(
            ours.mean((0, 1)), z[f"noise_{name}_mean"][i], atol=6 * np.sqrt(expected[0, 0] / 160_000)
        )


class Given:
    """A generator whose uniform numbers are known."""

    def __init__(self, *numbers):
        self.numbers = [float(one) for group in numbers for one in np.ravel(group)]

    def random(self):
        return self.numbers.pop(0)


@pytest.mark.parametrize("i", range(3))
def test_correlated_channels_are_bsrgans(z, i):
    """From the same D and M; NumPy, which KAIR draws with, takes a covariance's absolute spectrum."""
    ours = np.reshape(_covariance(Given(z["corr_D"][i], z["corr_M"][i]), 25), (3, 3)) / 255**2
    assert_allclose(ours, z["corr_cov"][i], atol=2e-4 / 255**2)


@pytest.mark.parametrize("channels", ["colour", "grey"])
@pytest.mark.parametrize("name", ["hr", "hr_div4", "hr_div3", "corner8", "corner12x20"])
def test_photons_by_levels_are_basicsrs(z, name, channels):
    """Counted on the image, or on its grey where the noise is grey; seen in the steps that the noise has."""
    hr = z["hr"]
    image = {
        "hr": hr,
        "hr_div4": hr // 4 * 4,
        "hr_div3": hr // 3 * 3,
        "corner8": hr[:8, :8],
        "corner12x20": hr[:12, :20],
    }[name]
    image = (image / 255).astype(np.float32)
    _, photons = json.loads(str(z["noise_params"]))["poisson_vals"][name][f"numpy_{channels}"]
    step = {"op": "noise", "law": "poisson", "photons": "levels", "channels": channels, "key": "7" * 32}
    noisy = done(image, [step]).astype(np.float64)
    by_number = done(image, [{**step, "photons": photons}])
    assert_allclose(noisy, by_number, atol=1e-6)


def test_distinct_levels_of_a_colour_image(z):
    given = json.loads(str(z["noise_params"]))["poisson_vals"]
    assert (
        noise.distinct_levels((z["hr"][:8, :8] / 255).astype(np.float32))
        == given["corner8"]["torch_colour"][1]
    )


# Chains: KAIR's and Real-ESRGAN's code ran whole, noise was drawn as zero.

CHAINS = {
    "bsrgan": [
        ("a_blur1", [blurred("a_k1")]),
        ("a_blur2", [blurred("a_k2")]),
        ("a_resize2", [resized("bilinear", 56, 75), CLIP]),
        ("a_resize3", [resized("bicubic", 24, 32), CLIP]),
        ("a_jpeg", [jpeg(60)]),
        ("a_final", [jpeg(70)]),
    ],
    "bsrgan_plus": [
        ("b_blur1", [blurred("b_k1")]),
        ("b_resize1", [resized("area", 67, 89), CLIP]),
        ("b_jpeg1", [jpeg(50)]),
        ("b_blur2", [blurred("b_k2")]),
        ("b_resize2", [resized("bicubic", 87, 115), CLIP]),
        ("b_resize3", [resized("bilinear", 24, 32)]),
        ("b_final", [jpeg(65)]),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
def test_kairs_chains(z, hr, away, name):
    """Each step from ours before it, to the end; the kernels are symmetric, so that KAIR's convolution turns nothing."""
    kernels = {key: z[key] for key in ("a_k1", "a_k2", "b_k1", "b_k2")}
    image = hr
    for stored, steps in CHAINS[name]:
        image = done(image, steps, kernels)
        assert away(image, stored) <= (1.001 if steps[-1]["op"] == "codec" else FLOAT), stored


def test_kairs_chains_as_one_plan(z, away):
    """`apply` on 8-bit HR, which ends with a codec and so with no rounding of its own; also with sharpening before."""
    kernels = {key: z[key] for key in ("a_k1", "a_k2", "b_k1", "b_k2")}
    pool = pool_of(kernels)
    hashed = {name: pool.hash_of(i) for i, name in enumerate(pool.names)}
    for chain, before, end in (
        ("bsrgan", [], "a_final"),
        ("bsrgan_plus", [], "b_final"),
        ("bsrgan_plus", [USM], "b_sharp_final"),
    ):
        plan = before + [step for _, steps in CHAINS[chain] for step in steps]
        plan = [{**s, "kernel_sha": hashed[s["kernel"]]} if "kernel" in s else s for s in plan]
        assert away(apply(plan_of(plan), z["hr"], kernels=pool), end) <= 1.001


def test_bsrgans_kernels_from_their_numbers(z, hr, away):
    given = json.loads(str(z["a_params"]))
    first, second = given["blur1"], given["blur2"]
    axes = {"sigma_y": first["l2"] ** 0.5, "angle": np.rad2deg(first["theta"])}
    image = done(hr, [plain("anisotropic", first["ksize"], first["l1"] ** 0.5, **axes)])
    assert away(image, "a_blur1") < FLOAT
    assert away(done(image, [plain("isotropic", second["ksize"], second["sigma"])]), "a_blur2") < FLOAT


def test_real_esrgans_chain(z, hr, away):
    """In the variant with OpenCV's JPEG; with two steps that Real-ESRGAN does otherwise, which are taken as stored."""
    kernels = {key: z[key] for key in ("c_k1", "c_k2", "c_ksinc")}
    image = done(hr, [USM, blurred("c_k1")], kernels)
    assert away(image, "c_blur1") < FLOAT
    # Known difference 1: by scale_factor, PyTorch maps pixels by 1 / 0.6 and not by the sizes 96 and 57, and so
    # moves the picture by up to a pixel. Ours keeps both ends where they are.
    assert away(done(image, [resized("bilinear", 57, 76)]), "c_resize1") > 20
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    tensor = torch.nn.functional.interpolate(tensor, scale_factor=0.6, mode="bilinear")
    image = tensor[0].permute(1, 2, 0).numpy()
    assert away(image, "c_resize1") < FLOAT
    for stored, steps, tolerance in (
        ("c_cv2_jpeg1", [CLIP, jpeg(70)], 1.001),
        ("c_cv2_blur2", [blurred("c_k2")], FLOAT),
        ("c_cv2_resize2", [resized("bicubic", 21, 28)], FLOAT),
    ):
        image = done(image, steps, kernels)
        assert away(image, stored) < tolerance
    # Known difference 2: "area" is OpenCV's here, shares of pixels; PyTorch's averages whole ones.
    assert away(done(image, [CLIP, resized("area", 24, 32)]), "c_cv2_resize3") > 20
    image = done(z["c_cv2_resize3"], [blurred("c_ksinc")], kernels)
    assert away(image, "c_cv2_sinc") < FLOAT
    image = done(image, [CLIP, jpeg(80)], kernels)
    assert away(image, "c_cv2_jpeg2") <= 1.001
    assert away(image, "c_cv2_final") <= 1.001


def test_real_esrgans_kernels_from_their_numbers(z):
    """Kernels that BasicSR made and padded to 21; float32."""
    given = json.loads(str(z["c_params"]))
    for name, kind in (("k1", "anisotropic"), ("k2", "generalised_anisotropic")):
        one = given[name]
        numbers = {"sigma": one["sig_x"], "sigma_y": one["sig_y"], "angle": np.rad2deg(one["theta"])}
        ours = made(kind, one["ksize"], **numbers, **({"beta": one["beta"]} if "beta" in one else {}))
        assert_allclose(np.pad(ours, (21 - one["ksize"]) // 2), z[f"c_{name}"], atol=1e-7)
    one = given["ksinc"]
    ours = made("sinc", one["ksize"], cutoff=one["omega"])
    assert_allclose(np.pad(ours, (21 - one["ksize"]) // 2), z["c_ksinc"], atol=1e-7)


def test_what_follows_noise_is_clipped_as_in_the_programs(z):
    """Real-ESRGAN's last file depends on it: bicubic's overshoot would go on. Seen in the plans of the presets."""
    assert np.abs(z["c_noblur2_final"] - z["c_noblur2_noclip_final"]).max() * 255 > 1.5
    assert z["c_noblur2_resize2"].max() > 1
    for name in ("realesrgan", "bsrgan", "bsrgan_plus"):
        for key in range(20):
            ops = [step.op for step in read_recipe(name).draw(0, str(key), (96, 128), 4).steps]
            assert all(after == "clip" for op, after in pairwise(ops) if op == "noise")
            if name != "realesrgan":
                assert all(after == "clip" for op, after in pairwise(ops) if op == "resize")
