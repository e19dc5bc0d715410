"""The training program, from a manifest to a model that is better than before."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time

import programs
import pytest
import torch
from safetensors.torch import load_file

from realdeg.errors import UserError
from train.d2c.build import build
from train.d2c.command import alpha_at, learning_rate, train_d2c
from train.d2c.settings import PRESETS, D2CSettings
from train.engine.descent import descend, gradient_ratio
from train.engine.surroundings import git_state
from train.evaluate.command import evaluate
from train.restore.checkpoint import open_run
from train.restore.models import load


def settings(tiny, data, out, **more):
    return D2CSettings(**{**tiny, "data": data, "out": out, **more})


def train(tiny, data, out, **more):
    return train_d2c(settings(tiny, data, out, **more), quiet=True, say=lambda text: None)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def weights(run):
    return load_file(open_run(run).weights)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_leaves_tables_settings_and_a_model(make_dataset, tiny, tmp_path):
    run = train(tiny, make_dataset(), tmp_path / "run")
    metrics, validation = rows(run / "metrics.csv"), rows(run / "validation.csv")
    assert [row["step"] for row in metrics] == ["2", "4", "6"]
    told = {"L2_D", "T_D", "L2_C", "gradient_ratio", "branch_rms_8bit", "active_triplets", "psnr_ideal"}
    assert told <= metrics[0].keys()
    assert 0 <= float(metrics[0]["active_triplets"]) <= 12
    assert [row["step"] for row in validation] == ["3", "6"]
    assert list(validation[0]) == ["step", "psnr_y", "ssim_y", "psnr_y_bicubic", "ssim_y_bicubic"]
    assert (run / "run.yaml").is_file()
    about = open_run(run).about
    assert (about["kind"], about["scale"]) == ("d2c", 2)


def test_it_learns(make_dataset, tiny, tmp_path):
    run = train(
        tiny,
        make_dataset(),
        tmp_path / "run",
        steps=60,
        batch=4,
        log_every=10,
        learning_rate=4e-3,
        check_every=60,
    )
    told = rows(run / "metrics.csv")
    for name in ("L2_D", "L2_C"):
        assert float(told[-1][name]) < 0.5 * float(told[0][name])


def command(tiny, data, out):
    flags = [word for name, value in tiny.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return ["train.d2c", "--data", data, "-o", out, *flags]


def start(tiny, data, out):
    return programs.start(*command(tiny, data, out), together=True)


def test_killed_and_resumed_is_bit_for_bit_the_undisturbed_run(make_dataset, tiny, tmp_path):
    """Truth: the run that nobody disturbed. The other dies by SIGKILL after its checkpoint of step 3."""
    data = make_dataset()
    tiny |= {"batch": 4, "steps": 40}
    process = start(tiny, data, tmp_path / "killed")
    vouched = tmp_path / "killed/checkpoints/00000003.json"
    while not vouched.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    process.kill()
    process.wait()
    reached = open_run(tmp_path / "killed").step
    assert 3 <= reached < 40
    train(tiny, data, tmp_path / "killed")
    train(tiny, data, tmp_path / "whole")
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))
    for name in ("metrics.csv", "validation.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_ctrl_c_ends_with_130_and_a_checkpoint(make_dataset, tiny, tmp_path):
    tiny |= {"steps": 5000, "check_every": 5000, "save_every": 3}
    process = start(tiny, make_dataset(), tmp_path / "run")
    vouched = tmp_path / "run/checkpoints/00000003.json"
    while not vouched.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert open_run(tmp_path / "run").step >= 3


def test_a_batch_in_parts_is_the_same_step(make_dataset, tiny, tmp_path):
    """To rounding: sums are taken in another order."""
    data = make_dataset()
    tiny |= {"batch": 6, "steps": 4, "alpha": 0.1, "alpha_schedule": "constant", "log_every": 1}
    runs = [train(tiny, data, tmp_path / f"{k}", accumulate=k) for k in (1, 2, 4)]
    told = [rows(run / "metrics.csv") for run in runs]
    for one, two, three in zip(*told, strict=True):
        for name in ("L2_D", "T_D", "L2_C"):
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3)
            assert float(three[name]) == pytest.approx(float(one[name]), rel=1e-3)


def test_gradients_are_clipped_to_a_norm():
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimiser = torch.optim.SGD([weight], lr=1)
    descend(optimiser, [weight.sum() * 6, weight.sum() * 8], 1.0, clip=0.5)
    assert torch.allclose(weight.detach(), torch.tensor([3.0, 4.0]) - 0.5 / 2**0.5)
    descend(optimiser, [weight.sum() * 2], 0.1)
    assert torch.allclose(weight.grad, torch.tensor([2.0, 2.0]))


def test_averaged_weights_are_the_recursion_and_what_is_used(make_dataset, tiny, tmp_path):
    data = make_dataset()
    tiny |= {"ema": 0.5, "save_every": 1, "steps": 2, "check_every": 1}
    run = train(tiny, data, tmp_path / "run")
    first, second = (load_file(run / f"checkpoints/0000000{step}.safetensors") for step in (1, 2))
    names = [name for name in second if name.split(".")[0] in ("tree", "fusion")]
    assert names
    for name in names:
        part, _, rest = name.partition(".")
        mine = f"{part}_average.{rest}"
        decay = 2 / 11  # of step 1, (1 + i) / (10 + i), less than 0.5
        expected = decay * first[mine] + (1 - decay) * second[name]
        torch.testing.assert_close(second[mine], expected, atol=1e-6, rtol=1e-5)
    model = load(run, say=lambda text: None)
    averaged = second["tree_average.stem.conv.weight"]
    assert torch.equal(model.tree.stem.conv.weight.detach(), averaged)
    assert not torch.equal(averaged, second["tree.stem.conv.weight"])
    judged = float(rows(run / "validation.csv")[-1]["psnr_y"])
    assert evaluate(run, data).means["psnr_y"] == pytest.approx(judged, abs=1e-4)
    whole = train({**tiny, "steps": 4}, data, tmp_path / "whole")
    train({**tiny, "steps": 4}, data, run)
    assert same(weights(run), weights(whole))
    with pytest.raises(UserError, match="1 is too large"):
        settings(tiny, data, run, ema=1.0)


def test_absolute_error_for_the_branches(make_dataset, tiny, tmp_path):
    """Of an untrained network: the absolute error of what it predicts, measured from outside."""
    data = make_dataset()
    tiny |= {"steps": 1, "log_every": 1, "save_every": 1}
    told = rows(train(tiny, data, tmp_path / "l1", branch_loss="l1") / "metrics.csv")[0]
    square = rows(train(tiny, data, tmp_path / "l2") / "metrics.csv")[0]
    assert "L2_D" not in told
    assert 0 < float(told["L1_D"]) ** 2 / 4 < float(square["L2_D"])  # mean |e| < root mean e^2, four branches


def test_a_run_of_an_older_version_goes_on(make_dataset, tiny, tmp_path):
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run")
    text = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text("".join(line for line in text.splitlines(True) if "ema" not in line))
    train(tiny, data, run, steps=8)
    (run / "run.yaml").write_text("".join(line for line in text.splitlines(True) if "ema" not in line))
    with pytest.raises(UserError, match=r"ema was 0.0, is 0.9"):
        train(tiny, data, run, steps=9, ema=0.9)


def test_the_papers_two_stages_freeze_the_tree_in_the_second(make_dataset, tiny, tmp_path):
    tiny |= {"schedule": "paper", "steps": 3, "fusion_steps": 3}
    run = train(tiny, make_dataset(), tmp_path / "run")
    stages = [load_file(run / f"checkpoints/0000000{step}.safetensors") for step in (3, 6)]
    moved = {name.split(".")[0] for name in stages[0] if not torch.equal(stages[0][name], stages[1][name])}
    assert moved == {"fusion"}
    told = {row["step"]: (bool(row["L2_D"]), bool(row["L2_C"])) for row in rows(run / "metrics.csv")}
    assert told == {"2": (True, False), "3": (True, False), "4": (False, True), "6": (False, True)}


def test_stage_two_is_resumed_in_stage_two(make_dataset, tiny, tmp_path):
    data = make_dataset()
    tiny |= {"schedule": "paper", "steps": 3, "save_every": 1}
    train(tiny, data, tmp_path / "parts", fusion_steps=1)
    train(tiny, data, tmp_path / "parts", fusion_steps=1)
    train(tiny, data, tmp_path / "whole", fusion_steps=1)
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_the_divergence_loss_reaches_the_weights(make_dataset, tiny, tmp_path):
    """In the released code it is a constant: without a gradient these two runs would be equal."""
    data = make_dataset()
    without = train(tiny, data, tmp_path / "without", alpha=0.0)
    with_it = train(tiny, data, tmp_path / "with", alpha=0.5, alpha_schedule="constant")
    assert not same(weights(without), weights(with_it))


def test_no_gradient_of_the_fusion_reaches_the_tree(make_dataset, tiny, tmp_path):
    data = make_dataset()
    one = weights(train(tiny, data, tmp_path / "one", fusion_width=8))
    other = weights(train(tiny, data, tmp_path / "other", fusion_width=16))
    for name in one:
        if name.startswith("tree."):
            assert torch.equal(one[name], other[name]), name


def test_a_run_of_other_settings_is_not_gone_on_with(make_dataset, tiny, tmp_path):
    data = make_dataset()
    train(tiny, data, tmp_path / "run")
    with pytest.raises(UserError, match="width was 8, is 16"):
        train(tiny, data, tmp_path / "run", width=16)
    train(tiny, data, tmp_path / "run", steps=8, check_every=4)
    assert open_run(tmp_path / "run").step == 8


def test_a_run_is_not_gone_on_with_on_other_pairs(make_dataset, tiny, tmp_path):
    train(tiny, make_dataset(), tmp_path / "run")
    with pytest.raises(UserError, match="trained on other pairs"):
        train(tiny, make_dataset("more", count=6), tmp_path / "run", steps=8)


def test_overwrite_starts_anew(make_dataset, tiny, tmp_path):
    data = make_dataset()
    train(tiny, data, tmp_path / "run")
    words = settings(tiny, data, tmp_path / "run", width=16, steps=3)
    train_d2c(words, overwrite=True, quiet=True, say=lambda text: None)
    assert open_run(tmp_path / "run").step == 3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"patch": 21}, "smaller than the patch of 21; use --patch 20"),
        ({"scale": 3}, "holds x2 pairs, not x3"),
    ],
)
def test_data_that_does_not_fit_is_one_line(make_dataset, tiny, tmp_path, more, words):
    with pytest.raises(UserError, match=words):
        train(tiny, make_dataset(), tmp_path / "run", **more)


def test_a_validation_image_too_small_to_measure_is_one_line(make_dataset, tiny, tmp_path):
    with pytest.raises(UserError, match="p3: its HR is 18x14, too small to measure"):
        train(tiny, make_dataset(lr_hw=(7, 9)), tmp_path / "run", patch=7)


def test_the_program_prints_one_line_for_a_folder_without_manifest(tiny, tmp_path):
    result = programs.run(*command(tiny, tmp_path, tmp_path / "run"))
    assert result.returncode != 0
    assert result.stderr.startswith("error: ")
    assert "manifest.csv" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid(preset):
    assert D2CSettings(**PRESETS[preset])


def test_the_papers_schedules():
    """The release: halved every 2,000 epochs; divergence first in epoch 1000, for 200 epochs of 1000."""
    s = D2CSettings()
    rates = [learning_rate(s, epoch * 7, 140_000, per_epoch=7) for epoch in (0, 1999, 2000, 4000)]
    assert rates == [1e-4, 1e-4, 5e-5, 2.5e-5]
    on = [epoch for epoch in range(20_000) if alpha_at(s, epoch * 7, per_epoch=7)]
    assert (len(on), on[0], on[200]) == (3800, 1000, 2000)
    assert alpha_at(s, 2100 * 7, per_epoch=7) == pytest.approx(1e-5)


def test_cosine_ends_near_zero():
    s = D2CSettings(lr_schedule="cosine", warmup=10, learning_rate=1e-3)
    rates = [learning_rate(s, i, 100, per_epoch=1) for i in range(100)]
    assert rates[0] < 2e-4
    assert max(rates) == pytest.approx(1e-3, rel=0.05)
    assert rates[-1] < 1e-6


def test_the_bicubic_base_starts_at_bicubic():
    """Untrained, it is bicubic enlargement; truth: torch's antialiased bicubic (a = -0.5)."""
    tree, _ = build(D2CSettings(scale=3, width=8, groups=1, blocks=1, base="bicubic"))
    lr = torch.rand(1, 3, 9, 11)
    bicubic = torch.nn.functional.interpolate(lr, scale_factor=3, mode="bicubic", antialias=True)
    with torch.no_grad():
        pred = tree(lr)
    assert (pred - bicubic[:, None]).square().mean().sqrt() < 0.1
    assert pred.std(1).mean() > 0  # but its leaves differ, or they could never part


def test_gradient_ratio_of_a_scaled_loss_is_the_scale():
    weight = torch.rand(5, requires_grad=True)
    assert gradient_ratio(weight.square().sum(), 0.25 * weight.square().sum(), [weight]) == pytest.approx(
        0.25
    )


def test_grouped_leaves_learn_the_same(make_dataset, tiny, tmp_path):
    data = make_dataset()
    runs = [train(tiny, data, tmp_path / name, leaves=name) for name in ("separate", "grouped")]
    one, other = (weights(run) for run in runs)
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-3, atol=1e-5)


def test_the_released_forms_are_settings_of_a_run(make_dataset, tiny, tmp_path):
    data = make_dataset()
    ours = train(tiny, data, tmp_path / "ours", alpha=0.1, alpha_schedule="constant")
    words = {"luma": "mean", "normalise": "batch", "fusion_relu": True}
    released = train(tiny, data, tmp_path / "released", alpha=0.1, alpha_schedule="constant", **words)
    assert not same(weights(ours), weights(released))
    assert load(released).fusion.output_relu
    with pytest.raises(UserError, match="luma was mean"):
        train(tiny, data, tmp_path / "released", steps=9)


def test_the_vgg_term_moves_the_fusion_alone(make_dataset, tiny, tmp_path):
    from train.nets.trunks import seeded, vgg19

    data = make_dataset()
    torch.save(seeded(vgg19([34]), 0), tmp_path / "vgg.pth")
    plain = train(tiny, data, tmp_path / "plain")
    run = train(tiny, data, tmp_path / "run", vgg=0.1, vgg_weights=tmp_path / "vgg.pth", trust_weights=True)
    assert float(rows(run / "metrics.csv")[0]["VGG_C"]) > 0
    one, other = weights(plain), weights(run)
    moved = {name.split(".")[0] for name in one if not torch.equal(one[name], other[name])}
    assert moved == {"fusion"}


def test_weights_that_are_not_to_be_had_are_one_line(make_dataset, tiny, tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        train(tiny, make_dataset(), tmp_path / "run", vgg=0.1, vgg_weights=tmp_path / "vgg.pth")


def test_a_run_notes_where_each_of_its_starts_was_made(make_dataset, tiny, tmp_path):
    data = make_dataset()
    run = train(tiny, data, tmp_path / "run", steps=3)
    train(tiny, data, run, steps=5)
    first, second = json.loads((run / "environment.json").read_text())
    assert (first["step"], second["step"]) == (0, 3)
    assert first["packages"]["torch"] == torch.__version__
    assert first["threads"] == torch.get_num_threads()
    assert first["processor"]
    assert first["device"].startswith("cpu")


def test_git_state_is_gits(tmp_path):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    if shutil.which("git") is None:
        pytest.skip("git is not here")
    package = tmp_path / "repo/package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    assert git_state(package) is None  # no repository
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=tmp_path / "repo", check=True)
    found = git_state(package)
    assert len(found["commit"]) == 40
    assert found["changed"] == []
    (package / "__init__.py").write_text("a = 1\n")
    assert git_state(package)["changed"] == ["package/__init__.py"]
    beside = tmp_path / "repo/.venv"
    beside.mkdir()
    (beside / "__init__.py").write_text("")
    assert git_state(beside) is None  # installed there, but not of that repository
