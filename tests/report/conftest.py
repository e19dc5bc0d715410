"""A small dataset with known numbers, and a run on it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realdeg.io.save import write_image
from realdeg.layout import pair_paths
from realdeg.records import PairRecord, write_manifest

ERRORS = [0.05, 0.11, 0.12, 0.31]
STRANGE = 'b <script>alert("x")</script> & ü'


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "my pairs"
    rng = np.random.default_rng(0)
    records = []
    for key, error in zip(["a", STRANGE.replace("/", ""), "c", "deep/d"], ERRORS, strict=True):
        key = key.replace("/script", "script")
        hr = cv2.GaussianBlur(rng.integers(0, 256, (120, 160, 3)).astype(np.uint8), (0, 0), 2)
        lr = cv2.resize(hr, (80, 60), interpolation=cv2.INTER_AREA)
        to_lr, to_hr = pair_paths(key)
        write_image(out / to_hr, hr)
        write_image(out / to_lr, lr)
        detail = {"error_lr_px": error, "zoom": 1.98, "brightness_rms_8bit": 2.5}
        records.append(PairRecord(key, "ok", "", to_lr, to_hr, 2, key, "test", "registration", detail=detail))
    source = out / "source.png"
    write_image(source, np.full((300, 400, 3), 128, np.uint8))
    records.append(
        PairRecord(
            "wall",
            "rejected",
            "no common scene found; use <texture>",
            source_lr=str(source),
            source_hr="/gone.png",
        )
    )
    records.append(PairRecord("broken", "failed", "broken.jpg: ends after 3 kB"))
    write_manifest(out, records)
    return out


@pytest.fixture(scope="session")
def run(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    (out / "metrics.csv").write_text("step,L2_D,T_D,L2_C\n10,0.01,1e-4,0.004\n20,0.005,8e-5,0.002\n")
    (out / "validation.csv").write_text("step,psnr_y,psnr_y_bicubic\n10,29.0,28.0\n20,29.5,28.0\n")
    (out / "run.yaml").write_text("width: 16\n")
    (out / "evaluation" / "SR").mkdir(parents=True)
    rows = ["key,psnr_y_bicubic,psnr_y,ssim_y_bicubic,ssim_y"]
    for key, model in (("a", 30.0), ("c", 27.0)):
        rows.append(f"{key},28.0,{model},0.8,0.85")
        write_image(
            out / "evaluation" / "SR" / f"{key}.png",
            cv2.imread(str(dataset / "HR" / f"{key}.png"))[..., ::-1].copy(),
        )
    (out / "evaluation" / "table.csv").write_text("\n".join(rows) + "\n")
    (out / "evaluation" / "summary.json").write_text('{"split": "test"}')
    return out
