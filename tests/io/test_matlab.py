"""Truth: what SciPy writes and reads."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from scipy.io import loadmat, savemat

from realdeg.io.arrays import Unreadable
from realdeg.io.header import Unsupported
from realdeg.io.matlab import read_mat

TYPES = ("<f8", "<f4", "u1", "i1", "<u2", "<i2", "<i4", "<u4", "<i8", "<u8")
CLASS_OF_CELLS = 1


def same(ours, theirs) -> bool:
    if theirs.dtype == object:
        pairs = zip(ours.ravel(), theirs.ravel(), strict=True)
        return ours.dtype == object and ours.shape == theirs.shape and all(same(a, b) for a, b in pairs)
    return ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()


@given(
    arrays_of.arrays(st.sampled_from(TYPES), arrays_of.array_shapes(min_dims=2, max_dims=4, max_side=5)),
    st.booleans(),
    st.sampled_from(["a", "Kernel", "a_longer_name_of_it"]),
)
def test_matrices_are_those_of_scipy(tmp_path_factory, array, deflated, name):
    path = tmp_path_factory.mktemp("m") / "a.mat"
    savemat(path, {name: array}, do_compression=deflated)
    found = read_mat(path)
    assert list(found) == [name]
    assert same(found[name], loadmat(path)[name])


@pytest.mark.parametrize("deflated", [False, True])
def test_cells_are_those_of_scipy(tmp_path, deflated):
    inner = np.empty((1, 2), object)
    inner[0, :] = [np.ones((2, 2)), np.zeros((0, 0))]
    cells = np.empty((2, 2), object)
    cells[0, :] = [np.arange(24.0).reshape(2, 3, 4), np.uint8([[1, 2]])]
    cells[1, :] = [inner, np.float32([[0.5]])]
    content = {"cells": cells, "kernel": np.eye(3), "about": "text", "more": {"a": 1}}
    savemat(tmp_path / "a.mat", content, do_compression=deflated)
    found, theirs = read_mat(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    assert set(found) == {"cells", "kernel"}
    assert all(same(found[name], theirs[name]) for name in found)


def test_kernels_of_others_are_read(sample):
    theirs = loadmat(sample / "kernels" / "kernels_12.mat")["kernels"]
    assert same(read_mat(sample / "kernels" / "kernels_12.mat")["kernels"], theirs)


def saved(tmp_path, content, **words):
    path = tmp_path / "a.mat"
    savemat(path, content, **words)
    return path


def test_what_is_no_matrix_is_said(tmp_path):
    from scipy.sparse import eye

    cells = np.empty((1, 2), object)
    cells[0, :] = [np.ones((2, 2)), "text"]
    for value, line in (
        ("text", "'a' is text, no matrix"),
        ({"b": 1}, "'a' is a struct, no matrix"),
        (eye(3).tocsc(), "'a' is a sparse matrix, no matrix"),
        (np.ones((2, 2), complex), "'a' is complex, no matrix"),
        (cells, "a cell is text, no matrix"),
    ):
        with pytest.raises(Unreadable, match=line):
            read_mat(saved(tmp_path, {"a": value}))


def test_other_versions_are_named(tmp_path):
    path = saved(tmp_path, {"a": np.ones((2, 2))}, format="4")
    with pytest.raises(Unsupported, match="is no MATLAB file of version 5 to 7"):
        read_mat(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(Unsupported, match=r"is a MATLAB 7\.3 file"):
        read_mat(path)


@given(st.data())
def test_damage_is_one_error(tmp_path_factory, data):
    cells = np.empty((1, 3), object)
    cells[0, :] = [np.ones((3, 3)) / 9, np.ones((5, 5)), np.empty((0, 0))]
    whole = io.BytesIO()
    savemat(whole, {"kernels": cells, "one": np.eye(4)}, do_compression=data.draw(st.booleans()))
    content = bytearray(whole.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(128, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("d") / "a.mat"
    path.write_bytes(content[: data.draw(st.integers(120, len(content)))])
    found = {}
    with contextlib.suppress(Unreadable, Unsupported):  # and nothing else
        found = read_mat(path)
    assert all(isinstance(value, np.ndarray) for value in found.values())


def deflated(element: bytes) -> bytes:
    packed = zlib.compress(element, 1)
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed


def matrix(kind: int, shape: tuple[int, ...], rest: bytes) -> bytes:
    sides = struct.pack(f"<{len(shape)}i", *shape).ljust(-(-len(shape) // 2) * 8, b"\0")
    inside = struct.pack("<IIII", 6, 8, kind, 0) + struct.pack("<II", 5, 4 * len(shape)) + sides
    inside += struct.pack("<II", 1, 1) + b"a".ljust(8, b"\0") + rest
    return struct.pack("<II", 14, len(inside)) + inside


def test_what_inflates_to_gigabytes_is_refused(tmp_path):
    """Zeros; cells by the million, each an object; and bytes that stand for numbers of eight bytes each."""
    path = tmp_path / "bomb.mat"
    zeros = struct.pack("<II", 2, 130 << 20) + bytes(130 << 20)
    path.write_bytes(deflated(matrix(9, (130 << 20, 1), zeros)))
    with pytest.raises(Unreadable, match="would take more than 128 MB"):
        read_mat(path)
    path.write_bytes(deflated(matrix(CLASS_OF_CELLS, (1, 1_000_000), struct.pack("<II", 14, 0) * 1_000_000)))
    with pytest.raises(Unreadable, match="holds more than 100,000 cells"):
        read_mat(path)
    small = struct.pack("<II", 2, 20 << 20) + bytes(20 << 20)
    path.write_bytes(deflated(matrix(6, (20 << 20, 1), small)))
    with pytest.raises(Unreadable, match="would take more than 128 MB"):
        read_mat(path)
