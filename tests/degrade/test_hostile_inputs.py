"""Pools, weights, recipes and plans that are damaged or made to harm: each is one line, soon, in little memory."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from realdeg.degrade.recipe.recipe import from_text
from realdeg.degrade.replay import plan_of
from realdeg.errors import UserError
from realdeg.kernels import estimator
from realdeg.kernels import statistics as blur_statistics
from realdeg.kernels.estimator import Estimator
from realdeg.pools.files import HEADER, write_pool
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import PairRecord

KERNEL = np.full((5, 5), 0.04)


# Pools


def kernel_pool(path: Path, kernels, header=None) -> Path:
    write_pool(path, "kernel", [f"k{i}" for i in range(len(kernels))], kernels, {})
    if header is not None:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        text = io.BytesIO()
        np.save(text, np.array(header))
        members[f"{HEADER}.npy"] = text.getvalue()
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("[]", r"its header is damaged: should be an object"),
        ("", r"its header is damaged: EOF"),
        ("[" * 10**5, r"its header is damaged: recursion limit"),
        ('{"kind": "kernel"}', r"its header is damaged: at names: is required"),
        ('{"kind": 1, "names": ["a"]}', r"its header is damaged: at kind: should be a valid string"),
        ('{"kind": "kernel", "names": [1]}', r"its header is damaged: at names.0: should be a valid string"),
        (
            '{"kind": "kernel", "names": ["a"], "about": []}',
            r"its header is damaged: at about: should be an object",
        ),
        (
            '{"kind": "kernel", "names": ["a"], "about": {"x": NaN}}',
            r"its header is damaged: at about.x: should be",
        ),
        ('{"kind": "kernel", "names": ["a", "b"]}', r"its header lists other arrays than it holds"),
        ('{"kind": "kernel", "names": ["../a"]}', r"its header holds names that lead out of it"),
    ],
)
def test_headers_of_pools_are_typed(tmp_path, header, line):
    path = kernel_pool(tmp_path / "k.npz", [KERNEL], header)
    with pytest.raises(UserError, match=rf"k\.npz: cannot be read as a pool \({line}") as caught:
        KernelPool.read(path, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.array("x"), r"holds no kernel but \(\) <U1"),
        (np.ones((5, 5), complex), r"holds no kernel but \(5, 5\) complex128"),
        (np.ones(5), r"holds no kernel but \(5,\) float64"),
        (np.zeros((0, 3)), r"holds no kernel but \(0, 3\)"),
        (np.full((5, 5), np.nan), r"holds a kernel that is not finite"),
        (np.full((5, 5), -1e308), r"holds a kernel that is not finite|whose sum is"),
        (np.zeros((3000, 2), np.uint8), r"holds a kernel of 2x3000 px; kernels have at most 1024 px a side"),
        (np.array([None], object), r"cannot be read as a pool"),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arrays_that_are_no_kernels(tmp_path, array, line, kind):
    path = tmp_path / f"k.{kind}"
    if kind == "npz":
        kernel_pool(path, [KERNEL, KERNEL])
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        other = io.BytesIO()
        np.save(other, array)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**members, "a000001.npy": other.getvalue()}.items():
                archive.writestr(name, data)
    else:
        np.save(path, array)
        line = (
            line.split(" float64")[0]
            .split(" <U1")[0]
            .replace("no kernel but", "no kernel but( an array of shape)?")
        )
    with pytest.raises(UserError, match=line):
        KernelPool.read(path, 2)


def test_pools_of_millions_are_refused_before_each_gets_a_name(tmp_path):
    for shape in ((200_000, 1, 1), (1, 1, 200_000)):
        np.save(tmp_path / "k.npy", np.ones(shape, np.uint8))
        with pytest.raises(UserError, match=r"k\.npy: holds 200,000 kernels; give at most 100,000"):
            KernelPool.read(tmp_path / "k.npy", 2)
    np.save(tmp_path / "n.npy", np.ones((200_000, 1, 1, 3), np.uint8))
    with pytest.raises(UserError, match=r"n\.npy: holds 200,000 patches; give at most 100,000"):
        NoisePool.read(tmp_path / "n.npy")


def test_a_pool_of_zeros_for_gigabytes_is_one_line(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "n.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("n.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (140, 1000, 1000, 1)}
        )
        for _ in range(140):
            file.write(bytes(10**6))
    started = time.monotonic()
    for read in (NoisePool.read, lambda path: KernelPool.read(path, 2)):
        with pytest.raises(
            UserError, match=r"n\.npz: cannot be read as a pool \(its 1\d\d kB would take more than 128 MB"
        ):
            read(tmp_path / "n.npz")
    assert time.monotonic() - started < 5


# Weights


def test_there_are_as_many_statistics_as_weights_are_made_for():
    grey = np.random.default_rng(0).uniform(0, 255, (80, 96)).astype(np.float32)
    assert len(blur_statistics.statistics(grey)) == blur_statistics.COUNT


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("mean", lambda a: a[:10], r"its array 'mean' is \(10,\), which does not fit the others"),
        ("basis", lambda a: a[:, :3], r"its array 'basis' is \(64, 3, 16\), which does not fit"),
        ("axes", lambda a: a.T, r"its array 'axes' is \(192, 616\), which does not fit"),
        ("last_bias", lambda a: a[None], r"its array 'last_bias' is \(1, 64\), which does not fit"),
        (
            "first_weight",
            lambda a: a.astype(int),
            r"its array 'first_weight' holds other than finite numbers",
        ),
        ("middle", lambda a: a * np.nan, r"its array 'middle' holds other than finite numbers"),
        ("spread", lambda a: a * 0, r"its arrays do not belong to each other"),
        ("doubt_bias", None, r"holds no array 'doubt_bias'"),
        ("head", lambda a: np.array("[]"), r"should be an object"),
        (
            "head",
            lambda a: np.array(str(a).replace('"scale": 2', '"scale": "2"')),
            r"at scale: should be a valid int",
        ),
        (
            "head",
            lambda a: np.array(str(a).replace('"scale": 2', '"scale": 99')),
            r"is for the scale 99, not 2 to 16",
        ),
        (
            "head",
            lambda a: np.array(str(a).replace('"version": 1', '"version": 2')),
            r"at version: should be 1",
        ),
        ("head", lambda a: np.float64(1), r"array 'head' is no text"),
    ],
)
def test_weights_are_known_by_types_and_shapes(tmp_path, name, change, line):
    with np.load(Path(estimator.__file__).parent / "weights" / "kernels_x2.npz") as shipped:
        arrays = {one: shipped[one] for one in shipped.files}
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(UserError, match=rf"w\.npz: cannot be read as weights \({line}") as caught:
        Estimator.read(tmp_path / "w.npz")
    assert "\n" not in str(caught.value)


# Recipes


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 20_000,
        ".".join("a" * 50_000) + " = 1",
        "\n" * 200_000,
        "a = " + "9" * 1900,
        "[[steps]]\nop = 'noise'\nsigma = " + "9" * 400,
        "[[steps]]\nop = 'noise'\nsigma = '" + "1+" * 500 + "1'",
        "[[steps]]\nop = 'noise'\nsigma = { log10 = [300, 400] }",
    ],
)
def test_recipes_made_to_harm_are_one_line_at_once(text):
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        from_text(text, "r.toml").check(4)
    assert time.monotonic() - started < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# Plans


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ([], "no list of steps"),
        ({"op": "melt"}, "unknown operation 'melt'"),
        ({"op": ["blur"]}, "unknown operation"),
        ({"op": "resize", "method": 1, "size": [4, 4]}, "resize: "),
        ({"op": "resize", "method": "area"}, "resize: lacks 'size'"),
        ({"op": "codec", "format": "jpeg", "quality": "x"}, "codec: quality 'x' is no number"),
        (
            {"op": "blur", "kind": "isotropic", "size": 100_001, "sigma": 1},
            "size 100001, but .*at most 1000 is meant",
        ),
        (
            {"op": "noise", "law": "gaussian", "channels": "grey", "sigma_8bit": None},
            "noise: sigma_8bit None is no number",
        ),
    ],
)
def test_plans_are_typed(step, line):
    record = PairRecord("a", "ok", scale=2, detail={"plan": json.dumps([step])})
    with pytest.raises(UserError, match=rf"a: its plan in the manifest is damaged \(.*{line}") as caught:
        plan_of(record)
    assert "Error" not in str(caught.value)
