"""--project, in a model and with none."""

from __future__ import annotations

import numpy as np

from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.metrics.psnr import psnr_y
from realdeg.records import PairRecord, write_manifest
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.evaluate.command import evaluate
from train.evaluate.command import main as evaluate_program
from train.restore.models import load
from train.upscale.command import main as upscale_program


def bicubic_pairs(sample, folder):
    """Crops of the bundled photos with LR by MATLAB's bicubic."""
    records = []
    for number, path in enumerate(sorted((sample / "clean").glob("*.png"))):
        hr = np.ascontiguousarray(read(path).pixels[100:164, 80:160])
        write_image(folder / "HR" / f"{number}.png", hr)
        write_image(folder / "LR" / f"{number}.png", resize(hr, 1 / 2))
        split = "test" if number == 3 else "train"
        paths = (f"LR/{number}.png", f"HR/{number}.png")
        records.append(PairRecord(str(number), "ok", "", *paths, 2, scene=str(number), split=split))
    write_manifest(folder, records)
    return folder


def test_a_trained_model_agrees_with_lr_after_it(sample, tiny, tmp_path):
    data = bicubic_pairs(sample, tmp_path / "data")
    run = train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run"}), quiet=True, say=lambda text: None
    )
    plain, projected = evaluate(run, data), evaluate(run, data, project=True)
    assert projected.means["lr_psnr"] > max(50, plain.means["lr_psnr"] + 5)
    assert projected.means["psnr_y"] > plain.means["psnr_y"]
    lr = read(data / "LR" / "3.png").pixels
    one, two = (load(run, project=flag, say=lambda text: None).predict(lr) for flag in (False, True))
    assert np.array_equal(one[1:], two[1:])  # branches are shown as they are
    away = np.abs(resize(two[0].permute(1, 2, 0).numpy(), 1 / 2) - lr / 255)
    assert np.quantile(away, 0.98) < 1e-3  # a little is left where pixels are clamped


def test_without_a_model_it_is_the_baseline(sample, tmp_path):
    from click.testing import CliRunner

    data = bicubic_pairs(sample, tmp_path / "data")
    table = evaluate(None, data, project=True, out=tmp_path / "table")
    assert table.gain_db > 0.1
    assert (tmp_path / "table" / "SR" / "3.png").is_file()
    done = CliRunner().invoke(evaluate_program, ["--data", str(data), "--project"])
    assert done.exit_code == 0, done.output
    assert "dB above bicubic over 1 pair x2" in done.output
    for flags in ([], ["--project"]):
        out = tmp_path / f"out{len(flags)}"
        command = [str(data / "LR"), "--bicubic", "--scale", "2", "-o", str(out), *flags]
        done = CliRunner().invoke(upscale_program, command)
        assert done.exit_code == 0, done.output
        assert "4 photos enlarged x2" in done.output
    hr, lr = read(data / "HR" / "1.png").pixels, read(data / "LR" / "1.png").pixels
    plain, projected = (read(tmp_path / f"out{n}" / "1.png").pixels for n in (0, 1))
    assert np.abs(plain.astype(int) - resize(lr, 2)).max() <= 1  # rounded once in place of twice
    assert psnr_y(projected, hr, shave=2) > psnr_y(plain, hr, shave=2)


def test_a_scale_that_is_not_the_models_is_refused(sample, tiny, tmp_path):
    from click.testing import CliRunner

    data = bicubic_pairs(sample, tmp_path / "data")
    run = train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run"}), quiet=True, say=lambda text: None
    )
    command = [str(data / "LR"), "--run", str(run), "--scale", "4", "-o", str(tmp_path / "o")]
    done = CliRunner().invoke(upscale_program, command)
    assert done.exit_code != 0
    assert "is not the model's, which enlarges x2" in str(done.exception)


def test_a_self_ensemble_is_the_mean_over_eight_orientations(sample, tiny, tmp_path):
    """Each orientation made by hand through the plain model."""
    data = bicubic_pairs(sample, tmp_path / "data")
    run = train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run"}), quiet=True, say=lambda text: None
    )
    plain, eight = (load(run, ensemble=flag, say=lambda text: None) for flag in (False, True))
    lr = read(data / "LR" / "0.png").pixels
    total = 0.0
    for turns in range(4):
        for mirror in (False, True):
            image = np.rot90(lr[:, ::-1] if mirror else lr, turns)
            made = plain.predict(np.ascontiguousarray(image))[0].permute(1, 2, 0).numpy()
            made = np.rot90(made, -turns)
            total = total + (made[:, ::-1] if mirror else made)
    found = eight.predict(lr)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - total / 8).max() < 1e-5
    assert np.abs(found - plain.predict(lr)[0].permute(1, 2, 0).numpy()).max() > 1e-4


def test_sixteen_bits_stay_sixteen(sample, tiny, tmp_path):
    from click.testing import CliRunner

    data = bicubic_pairs(sample, tmp_path / "data")
    run = train_d2c(
        D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run"}), quiet=True, say=lambda text: None
    )
    eight = read(data / "LR" / "0.png").pixels
    write_image(tmp_path / "deep.png", eight.astype(np.uint16) * 257)
    grey = np.repeat(eight[..., :1], 3, 2)
    write_image(tmp_path / "grey.png", grey)
    words = [str(tmp_path / "deep.png"), str(tmp_path / "grey.png"), "--run", str(run), "--ensemble"]
    done = CliRunner().invoke(upscale_program, [*words, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    made = read(tmp_path / "out" / "deep.png").pixels
    assert made.dtype == np.uint16
    expected = load(run, ensemble=True, say=lambda text: None)(eight)
    assert np.abs(made / 257 - expected).max() <= 0.502
    assert read(tmp_path / "out" / "grey.png").pixels.dtype == np.uint8
