"""Second opinions: other libraries on the same inputs, where golden files are not enough."""

import imageio.v3 as iio
import numpy as np
import pandas
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.imaging.blur import align_kernel, blur_subsample_reference
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.metrics.psnr import psnr_rgb
from realdeg.metrics.ssim import ssim_rgb
from realdeg.records import PairRecord, write_manifest


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (60, 72, 3)).astype(np.uint8)
    return hr, np.clip(hr + rng.normal(0, 9, hr.shape), 0, 255).astype(np.uint8)


def planes(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double()


def test_kornia_filters_alike(images):
    import kornia

    kernel = gaussian(11, 1.7, 0.8, 0.5)
    image = images[0] / 255
    whole = kornia.filters.filter2d(planes(image), torch.from_numpy(kernel)[None], border_type="reflect")
    ours = blur_subsample_reference(
        image, align_kernel(kernel, 3), 3
    )  # scale 3 keeps an odd kernel where it is
    assert_allclose(ours[2:-2, 2:-2], whole[0, :, 1::3, 1::3].permute(1, 2, 0)[2:-2, 2:-2], atol=1e-9)


def test_kornia_linearises_alike():
    import kornia

    ramp = torch.linspace(0, 1, 300).reshape(1, 3, 10, 10)
    assert_allclose(srgb_to_linear(ramp.numpy()), kornia.color.rgb_to_linear_rgb(ramp), atol=2e-6)
    assert_allclose(linear_to_srgb(ramp.numpy()), kornia.color.linear_rgb_to_rgb(ramp), atol=2e-6)


def test_torchmetrics_scores_alike(images):
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    hr, sr = images
    assert psnr_rgb(sr, hr, shave=0) == pytest.approx(
        float(peak_signal_noise_ratio(planes(sr), planes(hr), data_range=255.0)), abs=1e-4
    )
    theirs = structural_similarity_index_measure(
        planes(sr), planes(hr), data_range=255.0, sigma=1.5, kernel_size=11
    )
    assert ssim_rgb(sr, hr, shave=0) == pytest.approx(float(theirs), abs=2e-3)  # another border


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_imageio_reads_what_we_write(images, tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write_image(path, images[0])
    assert_array_equal(iio.imread(path), images[0])
    iio.imwrite(path, images[1])
    assert_array_equal(read(path).pixels, images[1])


def test_pandas_reads_the_manifest(tmp_path):
    rows = [
        PairRecord("a, b", "ok", "", "LR/a.png", "HR/a.png", 2, detail={"error_lr_px": 0.125}),
        PairRecord("c", "failed", 'no "c"'),
    ]
    table = pandas.read_csv(write_manifest(tmp_path, rows))
    assert table["key"].tolist() == ["a, b", "c"]
    assert table["error_lr_px"][0] == 0.125
    assert table["reason"][1] == 'no "c"'
