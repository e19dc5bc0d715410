"""A dataset of two small pairs, for tests and for the examples in docstrings and in docs/library.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realdeg.imaging.resample import resize
from realdeg.io.save import write_image
from realdeg.records import PairRecord, write_manifest


def make_dataset(folder: Path, photos) -> Path:
    """Two pairs of x2, one of each split."""
    rows = []
    for key, split, photo in zip(("cat", "cup"), ("train", "test"), photos, strict=False):
        hr = np.ascontiguousarray(photo[:60, :80])
        write_image(folder / "HR" / f"{key}.png", hr)
        write_image(folder / "LR" / f"{key}.png", resize(hr, 0.5))
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        detail = {"error_lr_px": 0.0125, "sift_inliers": 812, "lr_crop": [4, 4, 40, 30]}
        rows.append(
            PairRecord(key, "ok", scale=2, scene=key, split=split, how="adopted", detail=detail, **paths)
        )
    rows.append(PairRecord("dog", "rejected", "too dark; use a tripod", how="registration"))
    write_manifest(folder, rows)
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, photos) -> Path:
    """Folder of `make_dataset`."""
    return make_dataset(tmp_path_factory.mktemp("data") / "set", photos)
