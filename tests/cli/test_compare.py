"""`realdeg compare` as users call it: the ranking, bad input in one line each, 16 bits and grey."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.layout import pair_paths
from realdeg.records import PairRecord, write_manifest


def image(seed, blur):
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 255, (20, 20, 3)), (110, 100), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(coarse, (0, 0), blur)
    return (blurred + 2 * rng.standard_normal(blurred.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    out = tmp_path_factory.mktemp("sets")
    for name, blur, start in (("real", 1.2, 0), ("near", 1.2, 50), ("far", 2.5, 60)):
        for i in range(6):
            write_image(out / name / f"{i}.png", image(start + i, blur))
    return out


def run(*args):
    result = CliRunner().invoke(cli, ["compare", *(str(arg) for arg in args)])
    if isinstance(result.exception, UserError):
        return result
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_ranks(sets):
    found = run("--real", sets / "real", sets / "far", sets / "near")
    assert found.exit_code == 0
    assert [line.split()[-1] for line in found.stdout.splitlines()[2:4]] == [
        str(sets / "near"),
        str(sets / "far"),
    ]
    (rough,) = found.stdout.splitlines()[4:]
    names = f"6 photos of {sets / 'real'}, 6 images of {sets / 'far'}, 6 images of {sets / 'near'}"
    assert rough == f"  rough distances: {names}; 40 or more of each make them reliable"
    told = json.loads(run("--real", sets / "real", sets / "far", sets / "near", "--json").stdout)
    assert [one["dataset"] for one in told["ranked"]] == [str(sets / "near"), str(sets / "far")]
    assert told["ranked"][0]["distance"] < 1.6 < told["ranked"][1]["distance"]
    assert told["ranked"][0]["images"] == told["ranked"][0]["photos"] == 6
    assert (
        json.loads(run("--real", sets / "real", sets / "near", "--limit", 4, "--json").stdout)["ranked"][0][
            "photos"
        ]
        == 4
    )


def test_a_set_from_itself_is_said_beside_the_number(sets):
    found = run("--real", sets / "real", sets / "real")
    assert found.exit_code == 0
    itself = f"{sets / 'real'}: all images are photos of {sets / 'real'}, so the distance is from itself"
    assert itself in found.stdout.splitlines()[-1]
    told = json.loads(run("--real", sets / "real", sets / "real", "--json").stdout)
    assert any(itself in line for line in told["doubts"])


def test_sixteen_bits_and_grey_are_the_same_as_eight(sets, tmp_path):
    for i in range(6):
        pixels = image(50 + i, 1.2)
        write_image(tmp_path / "deep" / f"{i}.png", pixels.astype(np.uint16) * 257)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        (tmp_path / "grey").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "grey" / f"{i}.png"), grey)
    found = run("--real", sets / "real", sets / "near", tmp_path / "deep", tmp_path / "grey", "--json")
    by_name = {one["dataset"].split("/")[-1]: one["distance"] for one in json.loads(found.stdout)["ranked"]}
    assert by_name["deep"] == by_name["near"]
    assert by_name["grey"] == pytest.approx(by_name["near"], abs=0.2)


def test_bad_sets_cost_one_line_each_and_the_others_go_on(sets, tmp_path):
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "one" / "0.png", image(0, 1))
    for i in range(6):
        write_image(tmp_path / "mixed" / f"{i}.png", image(70 + i, 1.2))
    write_image(tmp_path / "mixed" / "small.png", image(1, 1)[:40])
    (tmp_path / "mixed" / "torn.png").write_bytes((tmp_path / "mixed" / "0.png").read_bytes()[:200])
    found = run(
        "--real", sets / "real", tmp_path / "empty", tmp_path / "one", tmp_path / "mixed", tmp_path / "gone"
    )
    assert found.exit_code == 1
    lines = found.stderr.splitlines()
    assert len(lines) == 5
    for said in (
        "holds no images",
        "one: 1 usable image, 4 are needed",
        "small.png: is 110x40 px, 64 a side are needed",
        "torn.png: ",
        "does not exist",
    ):
        assert sum(said in line for line in lines) == 1, (said, lines)
    assert str(tmp_path / "mixed") in found.stdout


def test_too_few_photos_end_it(sets, tmp_path):
    write_image(tmp_path / "one" / "0.png", image(0, 1))
    found = run("--real", tmp_path / "one", sets / "near")
    assert "1 usable image, 4 are needed; add more" in str(found.exception)


def test_a_datasets_lr_is_compared_and_its_report_says_how_far_it_is(sets, tmp_path):
    records = []
    for i in range(5):
        lr, hr = pair_paths(str(i))
        write_image(tmp_path / "pairs" / lr, image(80 + i, 1.2))
        write_image(tmp_path / "pairs" / hr, np.repeat(np.repeat(image(80 + i, 1.2), 2, 0), 2, 1))
        records.append(PairRecord(str(i), "ok", scale=2, lr=lr, hr=hr, how="adopted"))
    write_manifest(tmp_path / "pairs", [*records, PairRecord("bad", "failed", "torn")])
    told = run("--real", sets / "real", tmp_path / "pairs", "--json")
    distance = json.loads(told.stdout)["ranked"][0]
    assert distance["images"] == 5
    made = CliRunner().invoke(cli, ["report", str(tmp_path / "pairs"), "--real", str(sets / "real")])
    assert made.exit_code == 0, made.output
    html = (tmp_path / "pairs" / "report" / "index.html").read_text(encoding="utf-8")
    assert f"Distance {distance['distance']:.2f} from 6 photos of real." in html
    assert html.count("<svg") >= 2
    plain = CliRunner().invoke(cli, ["report", str(tmp_path / "pairs")])
    assert plain.exit_code == 0
    assert "Domain distance" not in (tmp_path / "pairs" / "report" / "index.html").read_text(encoding="utf-8")
