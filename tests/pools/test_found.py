"""Truth: what was written is read again, by the record alone."""

import numpy as np
import pytest

from realdeg import names
from realdeg.pools.found import KERNEL_FILES, PATCH_FILES, arrays_file, with_arrays
from realdeg.records import PairRecord


@pytest.mark.parametrize("windows", [False, True])
def test_arrays_of_an_item_are_found_again_by_its_record(monkeypatch, tmp_path, windows):
    monkeypatch.setattr(names, "WINDOWS", windows)
    rng = np.random.default_rng(0)
    one, many = rng.random((2, 5, 5)), {"y": rng.random(3), "patches": rng.random((3, 4))}
    record = with_arrays(tmp_path, PairRecord("a/12:30", "ok"), KERNEL_FILES, one)
    record = with_arrays(tmp_path, record, PATCH_FILES, many)
    assert ("a/12%3A30" in " ".join(record.files)) == windows
    assert len(record.files) == 2
    assert all(len(state.sha256) == 64 for state in record.files.values())
    np.testing.assert_array_equal(np.load(arrays_file(tmp_path, record, KERNEL_FILES)), one)
    with np.load(arrays_file(tmp_path, record, PATCH_FILES)) as file:
        assert set(file) == set(many)
        np.testing.assert_array_equal(file["patches"], many["patches"])


def test_an_item_that_has_found_nothing_of_a_kind_says_so(tmp_path):
    with pytest.raises(KeyError, match="noise"):
        arrays_file(tmp_path, PairRecord("a", "rejected"), "noise")
