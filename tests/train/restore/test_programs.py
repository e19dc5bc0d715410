"""What stops a program is one line, with the exit code of its kind: nothing else, and nothing lost."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE
from train.d2c.learning import Learning
from train.data.batches import Crops
from train.restore.checkpoint import FOLDER, open_run
from train.restore.models import SHIPPED, load

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")


def flags(settings):
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]


def weights(run):
    return load_file(open_run(run).weights)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (11, 14, 3), np.uint8))
    return path


def test_a_loss_that_explodes_names_its_files(program, make_dataset, tiny, tmp_path):
    tiny |= {"learning_rate": 1e30, "batch": 3}
    ended = program("d2c", "--data", make_dataset(), "-o", tmp_path / "run", "-q", *flags(tiny))
    assert ended.code == EXIT_SOME_FAILED
    assert "became NaN or infinite at step 2, whose crops are from p0, p1, p2; look at" in ended.line
    assert "lower --learning-rate" in ended.line
    assert str(tmp_path / "run") in ended.line


def test_a_loss_that_is_nan_loses_nothing_that_was_saved(program, make_dataset, tiny, tmp_path, monkeypatch):
    data, keys = make_dataset(count=9), {}
    words = ["--data", data, "-q", *flags(tiny)]
    learn, crops = Learning.convergence, Crops.__call__

    def broken(self, pred, hr, rate):
        told = learn(self, pred, hr, rate)
        steps.append(told)
        return told if len(steps) < 5 else {"L2_C": torch.tensor(torch.nan)}

    def noted(self, step):
        batch = crops(self, step)
        keys[step] = batch.keys
        return batch

    steps = []
    with monkeypatch.context() as patch:
        patch.setattr(Learning, "convergence", broken)
        patch.setattr(Crops, "__call__", noted)
        ended = program("d2c", "-o", tmp_path / "run", *words)
    assert ended.code == EXIT_SOME_FAILED
    named = ", ".join(sorted(set(keys[4])))
    assert f"L2_C became NaN or infinite at step 5, whose crops are from {named};" in ended.line
    assert open_run(tmp_path / "run").step == 3
    for run in ("run", "whole"):
        assert program("d2c", "-o", tmp_path / run, *words).code == EXIT_OK
    mine, theirs = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_one_line(program, photo, tmp_path, share):
    torn, data = tmp_path / "torn.safetensors", SHIPPED.read_bytes()
    torn.write_bytes(data[: int(share * len(data))])
    ended = program("upscale", photo, "--checkpoint", torn, "-o", tmp_path / "up")
    assert ended.code == EXIT_SOME_FAILED
    assert ended.line.startswith(f"error: {torn}: is not a checkpoint of ours; give ")
    assert not (tmp_path / "up").exists()


def test_a_truncated_checkpoint_of_a_run_says_to_take_another(program, make_dataset, tiny, photo, tmp_path):
    run = tmp_path / "run"
    assert program("d2c", "--data", make_dataset(), "-o", run, "-q", *flags(tiny)).code == EXIT_OK
    torn = run / FOLDER / "00000006.safetensors"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    ended = program("upscale", photo, "--checkpoint", torn, "-o", tmp_path / "up")
    assert ended.code == EXIT_SOME_FAILED
    assert "00000006.safetensors: is damaged" in ended.line
    assert "use another checkpoint" in ended.line
    ended = program("upscale", photo, "--run", run, "-o", tmp_path / "up")
    assert ended.code == EXIT_OK
    assert "going on from the checkpoint of step 3" in ended.out
    assert (tmp_path / "up/photo.png").is_file()


def test_a_run_of_damaged_checkpoints_is_begun_anew_only_if_asked(program, make_dataset, tiny, tmp_path):
    run, words = tmp_path / "run", ["--data", make_dataset(), "-q", *flags(tiny)]
    assert program("d2c", "-o", run, *words).code == EXIT_OK
    expected = weights(run)
    for state in (run / FOLDER).glob("*.state.pt"):
        state.write_bytes(b"torn")
    ended = program("d2c", "-o", run, *words)
    assert ended.code == EXIT_SOME_FAILED
    assert "none of them whole (2 damaged)" in ended.line
    assert "start anew with --overwrite" in ended.line
    assert program("d2c", "-o", run, *words, "--overwrite").code == EXIT_OK
    assert all(torch.equal(mine, expected[name]) for name, mine in weights(run).items())


@without_cuda
@pytest.mark.parametrize("name", ["upscale", "d2c"])
def test_a_gpu_that_is_not_here_is_one_line(program, make_dataset, tiny, photo, tmp_path, name):
    training = ["--data", make_dataset(), *flags({**tiny, "device": "cuda"})]
    words = training if name == "d2c" else [photo, "--device", "cuda"]
    ended = program(name, *words, "-o", tmp_path / "out")
    assert ended.code == EXIT_MISSING_RESOURCE
    assert ended.line.startswith("error: --device cuda: is not available here; use --device auto")
    assert not list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("victim", ["LR/p1.png", "HR/p0.png", "HR/p3.png"])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_truncated_image_of_a_dataset_is_one_line(program, make_dataset, tiny, tmp_path, victim, share):
    """p3 is of the test pairs, on which the training is checked."""
    data = make_dataset()
    torn = data / victim
    torn.write_bytes(torn.read_bytes()[: int(share * torn.stat().st_size)])
    ended = program("d2c", "--data", data, "-o", tmp_path / "run", "-q", *flags(tiny))
    assert ended.code == EXIT_SOME_FAILED
    assert ended.line.startswith(f"error: {torn}: ")
    assert not (tmp_path / "run" / FOLDER).exists()
    assert not list((data / "cache").glob(".*")), "nothing half written is left"


@pytest.mark.parametrize("tile", ["0", "-3", "1.5"])
def test_tiles_without_a_pixel_are_wrong_usage(program, photo, tmp_path, tile):
    ended = program("upscale", photo, "--tile", tile, "-o", tmp_path / "up")
    assert ended.code == EXIT_USAGE
    assert ended.err.startswith("Usage: python -m train.upscale")
    assert "Invalid value for '--tile'" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "up").exists()


def test_tiles_of_one_pixel_are_the_same_image(program, photo, tmp_path):
    lr = cv2.imread(str(photo))[..., ::-1]
    whole, tiles = (load(device="cpu", tile=tile) for tile in (512, 1))
    assert program("upscale", photo, "-o", tmp_path / "up", "--tile", "1").code == EXIT_OK
    made = cv2.imread(str(tmp_path / "up/photo.png"))[..., ::-1]
    assert np.abs(made.astype(int) - whole(lr)).max() <= 1
    long = np.ascontiguousarray(lr.reshape(-1, 3)[:57].reshape(3, 19, 3))  # longer than a halo each way
    torch.testing.assert_close(tiles.predict(long), whole.predict(long), rtol=0, atol=1e-4)
