"""Two processes learn what one learns with the same batches, and an end of one is not the end of the run."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
import time
from pathlib import Path

import programs
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import UserError
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.data.batches import Crops
from train.engine.ranks import Ranks
from train.restore.checkpoint import latest, open_run

ROOT = Path(__file__).resolve().parents[3]


def command(tiny, data, out):
    flags = [word for name, value in tiny.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return ["train.d2c", "--data", data, "-o", out, *flags]


def start(rank, count, port, words):
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port}
    env = {**{n: str(v) for n, v in names.items()}, "MASTER_ADDR": "127.0.0.1"}
    return programs.start(*words, env=env, together=True)


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


def two(words):
    port = free_port()
    return [start(rank, 2, port, words) for rank in range(2)]


def finish(processes):
    said = [process.communicate(timeout=120)[0] for process in processes]
    return [process.returncode for process in processes], said


def table(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("more", [{}, {"schedule": "paper", "fusion_steps": 4, "ema": 0.9, "clip": 0.5}])
def test_two_processes_learn_what_one_learns(make_dataset, tiny, tmp_path, more):
    data = make_dataset()
    tiny |= {"batch": 4, "diagnose_every": 0, **more}
    alone = train_d2c(D2CSettings(data=data, out=tmp_path / "one", **tiny), quiet=True, say=lambda text: None)
    codes, said = finish(two(command(tiny, data, tmp_path / "two")))
    assert codes == [0, 0], said
    for one, other in zip(table(alone), table(tmp_path / "two"), strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert float(one[name] or 0) == pytest.approx(float(other[name] or 0), rel=1e-4), name
    mine, theirs = (load_file(open_run(run).weights) for run in (alone, tmp_path / "two"))
    for name, weight in mine.items():
        torch.testing.assert_close(theirs[name], weight, rtol=1e-4, atol=1e-6, msg=name)
    assert said[1].strip() == "", "only the first process speaks"


def test_torchrun_starts_them(make_dataset, tiny, tmp_path):
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    process = subprocess.run(
        [sys.executable, *words, *map(str, command(tiny, make_dataset(), tmp_path / "run"))],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert open_run(tmp_path / "run").step == 6


def test_a_killed_process_ends_the_others_and_the_run_goes_on(make_dataset, tiny, tmp_path):
    data, run = make_dataset(), tmp_path / "run"
    tiny |= {"batch": 4, "diagnose_every": 0, "save_every": 1, "check_every": 10_000, "log_every": 1}
    whole = train_d2c(
        D2CSettings(data=data, out=tmp_path / "whole", **{**tiny, "steps": 80}), quiet=True, say=str
    )
    processes = two(command({**tiny, "steps": 80}, data, run))
    until = time.monotonic() + 60
    while latest(run, lambda text: None) is None and time.monotonic() < until:
        time.sleep(0.05)
    processes[1].kill()
    codes, said = finish(processes)
    assert codes[0] == 1, said[0]
    assert "lost another process" in said[0]
    assert "Traceback" not in said[0]
    found = latest(run)
    assert found is not None
    assert 0 < found.step < 80
    codes, said = finish(two(command({**tiny, "steps": 80}, data, run)))
    assert codes == [0, 0], said
    mine, theirs = (load_file(open_run(one).weights) for one in (whole, run))
    for name, weight in mine.items():
        torch.testing.assert_close(theirs[name], weight, rtol=1e-2, atol=1e-3, msg=name)


def test_a_signal_to_one_stops_all_after_the_same_step(make_dataset, tiny, tmp_path):
    tiny |= {"batch": 4, "steps": 100_000, "check_every": 10**6, "save_every": 5, "diagnose_every": 0}
    processes = two(command(tiny, make_dataset(), tmp_path / "run"))
    until = time.monotonic() + 60
    while latest(tmp_path / "run", lambda text: None) is None and time.monotonic() < until:
        time.sleep(0.05)
    processes[1].terminate()
    codes, said = finish(processes)
    assert codes == [130, 130], said
    assert open_run(tmp_path / "run").step > 0


def test_a_batch_that_cannot_be_shared_is_one_line(make_dataset, tiny, tmp_path):
    codes, said = finish(two(command({**tiny, "batch": 3}, make_dataset(), tmp_path / "run")))
    assert codes == [2, 2]
    assert "--batch 3: cannot be shared out among 2 processes; use a multiple of 2" in said[0]
    with pytest.raises(UserError, match="multiple of 4"):
        Ranks(0, 4).share(6)


def test_shares_make_up_the_batch():
    import numpy as np

    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (20, 20, 3), np.uint8) for _ in range(3))
    whole = Crops(("a", "b", "c"), images, images, 1, 8, 6)(5)
    parts = [Crops(("a", "b", "c"), images, images, 1, 8, 6, 0, Ranks(r, 3).share(6))(5) for r in range(3)]
    np.testing.assert_array_equal(whole.lr, np.concatenate([part.lr for part in parts]))
    assert whole.keys == sum((part.keys for part in parts), ())
