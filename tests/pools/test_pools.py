"""Truth: arrays that the tests write in each format that people have."""

import pickle

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from realdeg.errors import UserError
from realdeg.imaging.kernels import gaussian
from realdeg.io.save import write_image
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.pools.on_disk import PoolFile

K = gaussian(9, 1.2)


def test_reads_every_format(tmp_path):
    savemat(tmp_path / "plain.mat", {"k": K})
    cells = np.empty((1, 2), object)
    cells[0] = [K, gaussian(7, 2.0)]
    savemat(tmp_path / "cells.mat", {"kernels": cells})
    np.save(tmp_path / "one.npy", K)
    np.savez(tmp_path / "stack.npz", np.stack([K, K.T, K]))
    pool = KernelPool.read(tmp_path, 2)
    assert pool.names == ("cells/0", "cells/1", "one", "plain", "stack/0", "stack/1", "stack/2")
    assert all(kernel.sum() == pytest.approx(1) for kernel in pool.kernels)
    np.testing.assert_allclose(pool.kernels[2], K)
    assert KernelPool.read(tmp_path / "one.npy", 2).names == ("one",)


def test_kernelgans_folder_is_read_for_the_scale(tmp_path):
    for scale in (2, 4):
        folder = tmp_path / "img_1"
        folder.mkdir(exist_ok=True)
        savemat(folder / f"img_1_kernel_x{scale}.mat", {"Kernel": gaussian(scale * 8 + 1, scale)})
    assert KernelPool.read(tmp_path, 4).kernels[0].shape == (33, 33)
    assert KernelPool.read(tmp_path, 2).names == ("img_1/img_1_kernel_x2",)
    with pytest.raises(UserError, match="holds no kernel for x3, only for x2, x4"):
        KernelPool.read(tmp_path, 3)


def test_the_bundled_pools(sample):
    assert len(KernelPool.read(sample / "kernels" / "kernels_12.mat", 2).names) == 12
    assert len(KernelPool.read(sample / "kernels" / "gaussians_x2.npz", 2).names) == 8


def test_real_pools(shared_data):
    pool = KernelPool.read(shared_data("kernels") / "kair" / "kernels_12.npz", 2)
    assert len(pool.names) == 12


def test_hashes_follow_content_not_names(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / f"{name}.npy", K)
    a, b = (KernelPool.read(tmp_path / name, 2) for name in ("a", "b"))
    assert a.digest == b.digest
    np.save(tmp_path / "b" / "b.npy", gaussian(9, 1.21))
    assert KernelPool.read(tmp_path / "b", 2).digest != a.digest


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((5, 5), np.nan), "not finite"),
        (np.ones((5, 5)), "sum is 25, not 1"),
        (K + 5000 * (np.eye(1, 81) - np.eye(1, 81, 80)).reshape(9, 9), "lies outside of it"),  # sum 1
        (np.ones(5) / 5, "no kernel but an array of shape"),
        (np.full((2, 3, 5, 5), 1 / 25), "no kernel but an array of shape"),
    ],
)
def test_what_is_no_kernel_is_refused(tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(UserError, match=message) as error:
        KernelPool.read(tmp_path, 2)
    assert "bad.npy" in str(error.value)


def test_broken_and_missing_pools(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        KernelPool.read(tmp_path / "none", 2)
    with pytest.raises(UserError, match="holds no kernel;"):
        KernelPool.read(tmp_path, 2)
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(UserError, match=r"x\.mat: cannot be read as a pool"):
        KernelPool.read(tmp_path, 2)
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"x\.npy: cannot be read as a pool"):
        KernelPool.read(tmp_path / "x.npy", 2)  # objects in a file are never unpickled


def test_stacks_of_any_layout(tmp_path):
    """NumPy's (n, h, w) and MATLAB's (h, w, n), also where the shape alone does not tell which."""
    square = np.stack([gaussian(9, 0.5 + 0.2 * i) for i in range(9)])
    oblong = np.stack([k[2:7] / k[2:7].sum() for k in square[:4]])
    for name, stack in (("square", square), ("oblong", oblong)):
        np.save(tmp_path / "numpy.npy", stack)
        savemat(tmp_path / "matlab.mat", {"k": np.moveaxis(stack, 0, -1)})
        for file in ("numpy.npy", "matlab.mat"):
            np.testing.assert_allclose(KernelPool.read(tmp_path / file, 2).kernels, stack, err_msg=name)


def test_matlab_7_3_is_named_with_its_remedy(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header + bytes(400))
    with pytest.raises(UserError, match=r"new\.mat: is a MATLAB 7\.3 file; save it with -v7, or as \.npz"):
        KernelPool.read(tmp_path, 2)


def test_two_files_of_one_name_are_not_merged(tmp_path):
    np.save(tmp_path / "a.npy", K)
    savemat(tmp_path / "a.mat", {"Kernel": gaussian(9, 2.0)})
    with pytest.raises(UserError, match=r"a\.npy: is the second to hold 'a'; rename"):
        KernelPool.read(tmp_path, 2)
    for suffix in ("png", "bmp"):
        (tmp_path / "noise").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "noise" / f"b.{suffix}"), np.full((8, 8, 3), 7, np.uint8))
    with pytest.raises(UserError, match="is the second to hold 'b'"):
        NoisePool.read(tmp_path / "noise")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((8, 8), np.uint8), "no noise patches but"),
        (np.zeros((1, 3, 8, 8), np.uint8), "no noise patches but"),
        (np.zeros((1, 0, 8, 3), np.uint8), "no noise patch but"),
        (np.full((1, 8, 8, 3), 5.0), "floats beyond 1"),
        (np.full((1, 8, 8, 3), np.nan), "not finite"),
    ],
)
def test_what_is_no_noise_is_refused(tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(UserError, match=message) as error:
        NoisePool.read(tmp_path)
    assert "bad.npy" in str(error.value)


def test_a_pool_goes_to_workers_by_its_place(tmp_path):
    """What is sent with each image stays small; a pool that changed meanwhile is not used."""
    np.save(tmp_path / "n.npy", np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), np.uint8))
    file, pool = PoolFile.read(NoisePool, tmp_path / "n.npy")
    assert file.pool() is pool
    assert len(pickle.dumps(file)) < 1000
    again, _ = PoolFile.read(NoisePool, tmp_path / "n.npy")
    assert again == file
    np.save(tmp_path / "n.npy", np.zeros((20, 64, 64, 3), np.uint8))
    PoolFile.read(KernelPool, _one_kernel(tmp_path), 2)  # another kind does not push the pool out
    assert file.pool() is again.pool()
    PoolFile.read(NoisePool, tmp_path / "n.npy")
    with pytest.raises(UserError, match="was changed while the job was running"):
        file.pool()


def test_noise_has_mean_zero(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(128, 6, (3, 32, 40, 3)).clip(0, 255)
    for i, patch in enumerate(noise):
        write_image(tmp_path / f"img_{i:03d}.png", patch.round().astype(np.uint8))
    np.savez(tmp_path / "more.npz", ((noise - 128) / 255).astype(np.float32))
    pool = NoisePool.read(tmp_path)
    assert len(pool.names) == 6
    for index in range(6):
        assert np.abs(pool.residual(index).mean((0, 1))).max() < 1e-6
    np.testing.assert_allclose(pool.residual(0), pool.residual(3), atol=0.6 / 255)
    with pytest.raises(UserError, match="holds no noise patch"):
        NoisePool.read(_empty(tmp_path))


def _empty(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def _one_kernel(tmp_path):
    (tmp_path / "k").mkdir()
    np.save(tmp_path / "k" / "k.npy", K)
    return tmp_path / "k"
