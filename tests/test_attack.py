"""The campaign of attacks itself: that it runs, that it sees what does not hold, and that it blames nobody wrongly.

Oracle: files and tables made by hand, and commands run as processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
HEAD = (
    "key,status,reason,lr,hr,scale,scene,split,how,source_lr,source_hr,lr_sha256,hr_sha256,source_hr_sha256"
)


@pytest.fixture(name="claims")
def _claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import claims

    return claims


def _dataset(folder: Path, claims: ModuleType) -> None:
    for side in ("LR", "HR"):
        (folder / side).mkdir(parents=True)
        (folder / side / "a.png").write_bytes(side.encode())
    lr, hr = (claims.digest(folder / side / "a.png") for side in ("LR", "HR"))
    row = f"a,ok,,LR/a.png,HR/a.png,2,a,test,degradation,,in/a.png,{lr},{hr},{'5' * 64}"
    (folder / "manifest.csv").write_text(f"{HEAD}\n{row}\n")
    files = {"LR/a.png": [lr, 2, 0], "HR/a.png": [hr, 2, 0]}
    record = {
        "key": "a",
        "status": "ok",
        "detail": {},
        "files": files,
        "sources": {"in/a.png": ["5" * 64, 1, 0]},
    }
    (folder / "ledger.jsonl").write_text('{"settings": {}}\n' + json.dumps(record) + "\n")


def test_claims_that_hold_are_not_blamed(tmp_path: Path, claims: ModuleType) -> None:
    _dataset(tmp_path, claims)
    made = {("", "a", ("5" * 64,)): claims.of_row(claims.rows(tmp_path)[0]).files}
    assert claims.untrue(tmp_path, made) == []
    assert claims.splits(tmp_path) == {"a": "test"}
    assert claims.unnamed(tmp_path) == []
    assert claims.differences(tmp_path, tmp_path) == []


def test_claims_that_do_not_hold_are_found(tmp_path: Path, claims: ModuleType) -> None:
    _dataset(tmp_path, claims)
    right = dict(claims.of_row(claims.rows(tmp_path)[0]).files)
    of_others = {("", "a", ("5" * 64,)): {**right, "LR/a.png": "0" * 64}}
    assert claims.untrue(tmp_path, of_others) == [
        "table: a is not what its sources give",
        "journal: a is not what its sources give",
    ]
    assert claims.untrue(tmp_path, {}) == [
        "table: a names sources that no photo has",
        "journal: a names sources that no photo has",
    ]
    made = {("", "a", ("5" * 64,)): right}
    (tmp_path / "LR" / "a.png").write_bytes(b"other")
    assert claims.untrue(tmp_path, made) == [
        "table: a vouches for LR/a.png, which holds something else",
        "journal: a vouches for LR/a.png, which holds something else",
    ]
    (tmp_path / "LR" / "a.png").unlink()
    assert claims.untrue(tmp_path, made)[0] == "table: a vouches for LR/a.png, which is missing"
    (tmp_path / "HR" / "stray.png").write_bytes(b"")
    assert claims.unnamed(tmp_path) == ["HR/stray.png"]


def test_a_small_campaign_holds(tmp_path: Path) -> None:
    """Three kills of `realdeg adopt` over changing photos: as `attack.py` does it in earnest."""
    told = tmp_path / "told.json"
    asked = [
        "--kind",
        "kills",
        "--command",
        "adopt",
        "--rounds",
        "3",
        "--json",
        told,
        "--folder",
        tmp_path / "work",
    ]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "attack.py", *asked],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    trials = {one["what"]: one for one in json.loads(told.read_text())["trials"]}
    kills = sum(one["tried"] for what, one in trials.items() if what.startswith("kill -9"))
    assert kills == 3
    assert trials["bytes of a calm run of the right inputs after the storm"]["tried"] == 1
    assert not any(one["failed"] for one in trials.values())
