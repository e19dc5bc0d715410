"""What a training reads back: headers, vouchers, caches and lists of another type, of other shapes, or absurd."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.errors import UserError
from realdeg.identity import file_hash
from train.data.alike import hashes, load, packed
from train.data.cache import INDEX, _map, _read_index
from train.data.learned import FILE, read_learned, read_marks
from train.data.reference_list import _read
from train.restore.checkpoint import latest, open_file, save
from train.upscale.enlarged import JOURNAL, Enlarged

ABOUT = {"kind": "d2c", "scale": 2, "settings": {"width": 8, "ema": 0.0}}


@pytest.fixture
def run(tmp_path):
    """A run folder with one checkpoint of a small network."""
    save(tmp_path, 7, {"net": nn.Linear(3, 2)}, ABOUT)
    return tmp_path


def alone(run, change):
    """The checkpoint's weights without what stands beside them, and another header."""
    data = (run / "checkpoints" / "00000007.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    path = run / "alone.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return path


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ("[]", "should be an object"),
        ("[" * 10**5, "recursion limit"),
        (json.dumps(ABOUT), "at step: is required"),
        (json.dumps({**ABOUT, "step": "7"}), "at step: should be a valid integer"),
        (json.dumps({**ABOUT, "step": 7, "kind": None}), "at kind: should be a valid string"),
        (json.dumps({**ABOUT, "step": 7, "scale": 2.5}), "at scale: should be a valid integer"),
        (json.dumps({**ABOUT, "step": 7, "settings": [1]}), "at settings: should be an object"),
        (json.dumps({**ABOUT, "step": 7, "stages": [1, "x"]}), "at stages.1: should be a valid integer"),
    ],
)
def test_headers_of_checkpoints_are_typed(run, about, line):
    path = alone(run, lambda header: header["__metadata__"].update(realdeg=about))
    with pytest.raises(UserError, match=rf"alone\.safetensors: its header is damaged \({line}") as caught:
        open_file(path)
    assert "\n" not in str(caught.value)


def test_headers_keep_what_programs_add(run):
    more = json.dumps({**ABOUT, "step": 7, "own": {"a": [1]}})
    found = open_file(alone(run, lambda header: header["__metadata__"].update(realdeg=more)))
    assert (found.step, found.about) == (7, {**ABOUT, "own": {"a": [1]}})


def test_bytes_that_are_read_as_another_type_are_no_weights(run):
    """Torch would put whole numbers into a network of floats without a word."""
    path = alone(run, lambda header: header["net.weight"].update(dtype="I32"))
    with pytest.raises(
        UserError, match=r"does not fit the network 'net' \(weight is int32, float32 is meant\)"
    ):
        open_file(path).load_weights({"net": nn.Linear(3, 2)})
    path = alone(run, lambda header: header["net.weight"].update(shape=[3, 2]))
    with pytest.raises(UserError, match=r"does not fit the network 'net' \(size mismatch for weight"):
        open_file(path).load_weights({"net": nn.Linear(3, 2)})
    path = alone(run, lambda header: None)
    data = bytearray(path.read_bytes())
    data[-4:] = struct.pack("<f", float("nan"))
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"holds other than finite numbers"):
        open_file(path).load_weights({"net": nn.Linear(3, 2)})


@pytest.mark.parametrize("text", ["[]", "", "{}", "[" * 10**5, "null", '{"step": 7}'])
def test_a_damaged_voucher_is_passed_over_with_a_line(run, text):
    voucher = run / "checkpoints" / "00000007.json"
    voucher.write_text(text)
    said: list[str] = []
    assert latest(run, said.append) is None
    assert said == [f"{voucher} is damaged; trying the one before"]


@pytest.mark.parametrize("change", [{"kind": 1}, {"scale": "2"}, {"settings": []}, {"stages": 5}])
def test_a_voucher_of_other_types_is_damaged(run, change):
    voucher = run / "checkpoints" / "00000007.json"
    told = json.loads(voucher.read_text())
    voucher.write_text(json.dumps({**told, **change}))
    assert latest(run, lambda text: None) is None
    voucher.write_text(json.dumps(told))
    found = latest(run)
    assert found is not None
    assert found.about == ABOUT


def test_what_was_learned_from_is_read_only_where_it_is_hashes(tmp_path):
    sha, small = "a" * 64, np.zeros((1, 3, 16, 16), np.uint8)
    (tmp_path / FILE).write_bytes(packed({sha: small[0]}, ["b" * 64]))
    found = read_learned(tmp_path)
    assert found is not None
    assert found.marks == {"b" * 64}
    for names, pictures, marks in (
        (np.array(["x"], "S64"), small, np.array(["b" * 64], "S64")),
        (np.array([sha]), small, np.array(["b" * 64], "S64")),
        (np.array([sha], "S64"), small.astype(float), np.array(["b" * 64], "S64")),
        (np.array([sha], "S64"), small[:, :2], np.array(["b" * 64], "S64")),
        (np.array([sha], "S64"), small, np.array([1.5])),
        (np.array([[sha]], "S64"), small, np.array(["b" * 64], "S64")),
    ):
        np.savez(tmp_path / FILE, sha256=names, thumbnails=pictures, marks=marks)
        assert read_learned(tmp_path) is None
    (tmp_path / FILE).write_bytes(b"PK no zip")
    assert (load(tmp_path / FILE), read_marks(tmp_path / FILE)) == ({}, frozenset())
    assert hashes(np.array([sha], "S64")) == [sha]


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"a": {"sha": "x"}}', "[" * 10**5, ""])
def test_an_index_of_another_type_is_none(tmp_path, text):
    (tmp_path / INDEX).write_text(text)
    assert _read_index(tmp_path) == {}
    (tmp_path / INDEX).write_text('{"a": "x", "b": {"sha256": "y", "size": 1}}')
    assert _read_index(tmp_path) == {"a": "x", "b": "y"}


def test_arrays_of_the_cache_are_pictures(tmp_path):
    path = tmp_path / "a.npy"
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    np.save(path, picture)
    found = _map(path)
    assert found is not None
    assert np.array_equal(found, picture)
    for other in (picture.astype(float), picture[..., :2], picture[0], np.zeros((0, 4, 3), np.uint8)):
        np.save(path, other)
        assert _map(path) is None
    text = (
        "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808, 4, 3), }".ljust(117) + "\n"
    )
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
    assert _map(path) is None


def test_journals_and_lists_of_other_types_are_passed_over(tmp_path):
    made = tmp_path / "p.png"
    made.write_bytes(b"x")
    state = [file_hash(made), 1, made.stat().st_mtime_ns]
    good = {"output": "p.png", "made_with": "m", "source": str(made), "read": state, "file": state}
    for entry, there in (
        (good, True),
        ({**good, "read": [1, 2, 3]}, False),
        ({**good, "file": state[:2]}, False),
        ({**good, "source": None}, False),
        ({"output": "p.png"}, False),
        ([good], False),
    ):
        (tmp_path / JOURNAL).write_text(json.dumps(entry) + "\n" + "[" * 10**5 + "\n")
        assert Enlarged.of(tmp_path, "m").has(made, made) is there
    for text in ("[]", '{"pictures": [["a", "b", 1]]}', '{"pictures": [["a", "b", 1, "2"]]}', "[" * 10**5):
        (tmp_path / "references.json").write_text(text)
        assert _read(tmp_path / "references.json") is None


def test_weights_of_a_network_are_restored(run):
    net = nn.Linear(3, 2)
    open_file(alone(run, lambda header: None)).load_weights({"net": net})
    found = latest(run)
    assert found is not None
    other = nn.Linear(3, 2)
    found.load_weights({"net": other})
    assert torch.equal(net.weight, other.weight)
