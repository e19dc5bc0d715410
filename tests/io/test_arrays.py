"""Truth: what NumPy writes and reads. Then headers and archives that lie, within bytes and memory."""

from __future__ import annotations

import io
import pickle
import resource
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from realdeg.io.arrays import Npz, Unreadable, map_npy, read_npy

TYPES = ("<f8", ">f4", "<f2", "u1", "<u2", ">i4", "<i8", "?", "<c8", "<U5", "S7")


def npz(**members: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return whole.getvalue()


def npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=True)
    return data.getvalue()


def header(shape: str, kind: str = "'<f8'", order: str = "False") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@given(
    arrays_of.arrays(st.sampled_from(TYPES), arrays_of.array_shapes(min_dims=0, min_side=0, max_dims=4)),
    st.booleans(),
)
def test_arrays_are_those_of_numpy(tmp_path_factory, array, by_columns):
    array = np.asfortranarray(array) if by_columns else array
    path = tmp_path_factory.mktemp("a") / "a.npy"
    np.save(path, array)
    theirs = np.load(path)
    for ours in (read_npy(path), Npz(npz(a=path.read_bytes()))["a"]):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()
    if array.size:
        assert map_npy(path).tobytes() == theirs.tobytes()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_are_those_of_numpy(tmp_path, save):
    save(tmp_path / "a.npz", one=np.arange(6.0).reshape(2, 3), text=np.array("{}"), none=np.zeros((0, 3)))
    with Npz(tmp_path / "a.npz") as ours, np.load(tmp_path / "a.npz") as theirs:
        assert list(ours) == theirs.files
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
        assert ours.text("text") == "{}"
        with pytest.raises(Unreadable, match="array 'one' is no text"):
            ours.text("one")
        with pytest.raises(Unreadable, match="holds no array 'two'"):
            ours["two"]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (npy(np.array([[1], "x"], object)), "no array of numbers"),
        (npy(np.zeros(2, [("a", "f4"), ("b", "O")])), "no array of numbers"),
        (npy(np.zeros(2, "M8[s]")), "no array of numbers"),
        (pickle.dumps([1]), "is no array"),
        (b"", "is no array"),
        (header("(3,)") + bytes(16), "its header tells of 24 bytes, there are 16"),
        (header("(3,)") + bytes(32), "its header tells of 24 bytes, there are 32"),
        (header("(1000000, 1000000)") + bytes(8), "its header tells of 8,000,000,000,000 bytes, there are 8"),
        (header("(9223372036854775808,)"), "has the shape"),
        (header("(-1,)"), "has the shape"),
        (header(f"({'9' * 400},)"), "is no array|has the shape"),
        (header("(2, 1.5)"), "is no array"),
        (header("(" + "1, " * 20 + ")") + bytes(8), "has the shape"),
        (header("(1,)", "__import__('os')"), "is no array"),
        (header("(1,)", "'<U99999999'") + bytes(8), "its header tells of"),
        (header("(1,)", order="None") + bytes(8), "is no array"),
    ],
)
def test_what_is_no_array_is_said(tmp_path, data, line):
    (tmp_path / "a.npy").write_bytes(data)
    for read in (read_npy, map_npy):
        with pytest.raises(Unreadable, match=line):
            read(tmp_path / "a.npy")
    with pytest.raises(Unreadable, match=f"array 'a': ({line})"):
        Npz(npz(a=data))["a"]


def test_a_pickle_is_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    data = npy(np.array([Evil()], object))
    with pytest.raises(Unreadable):
        Npz(npz(a=data))["a"]
    assert not (tmp_path / "ran").exists()


def test_archives_of_other_things_are_said():
    good = npy(np.ones(3))
    whole = npz(a=good)
    flipped = bytearray(npz(a=npy(np.arange(2000) % 251)))
    flipped[200] ^= 255
    with_text, twice, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(with_text, "w") as archive:
        archive.writestr("read me.txt", "x")
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a.npy", good)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", good)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.npy", good)
    for data, line in (
        (whole[:-30], "not a zip file"),
        (b"no zip", "not a zip file"),
        (with_text.getvalue(), "holds 'read me.txt', which is no array"),
        (twice.getvalue(), "holds two arrays of one name"),
        (packed.getvalue(), "array 'a' is compressed in a way that NumPy does not write"),
        (bytes(flipped), "array 'a': "),
    ):
        with pytest.raises(Unreadable, match=line):
            Npz(data)["a"]


def test_zeros_for_gigabytes_are_refused_by_the_directory_before_they_inflate(tmp_path):
    """3 MB of zip may stand for 3 GB; here 140 kB for 140 MB."""
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        file.write(header("(140, 1000000)", "'|u1'"))
        for _ in range(140):
            file.write(bytes(1_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable, match=r"its 1\d\d kB would take more than 128 MB"):
        Npz(tmp_path / "bomb.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_a_directory_that_lies_is_found_out(tmp_path):
    """It tells of 80 bytes, and there is a megabyte: no more is inflated than it tells of."""
    data = bytearray(npz(a=header("(1000000,)", "'|u1'") + bytes(1_000_000)))
    told = struct.pack("<I", 1_000_128)
    assert data.count(told) == 2
    lying = bytes(data).replace(told, struct.pack("<I", 128 + 80))
    with pytest.raises(Unreadable, match=r"array 'a': .*(there are 80|Bad CRC)"):
        Npz(lying)["a"]
    honest_header = bytearray(npz(a=header("(80,)", "'|u1'") + bytes(1_000_000)))
    lying = bytes(honest_header).replace(told, struct.pack("<I", 128 + 80))
    with pytest.raises(Unreadable, match=r"array 'a': .*Bad CRC"):  # the checksum is the whole's
        Npz(lying)["a"]
