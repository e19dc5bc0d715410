"""A checkpoint is whole or it is not used."""

from __future__ import annotations

import json
import os
import resource

import pytest
import torch
from torch import nn

from realdeg.atomic import TEMPORARY
from realdeg.errors import UserError
from realdeg.identity import file_hash
from train.restore.checkpoint import FOLDER, export_weights, latest, open_file, open_run, resume_point, save

ABOUT = {"kind": "toy", "scale": 2, "settings": {"width": 3}}


def parts(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)).to(memory_format=torch.channels_last)
    opt = torch.optim.Adam(net.parameters(), lr=0.1)
    net(torch.rand(1, 3, 9, 9)).sum().backward()
    opt.step()
    return {"net": net, "opt": opt}


def flat(state):
    return torch.cat([value.flatten().double() for value in state.values()])


def test_everything_comes_back(tmp_path):
    mine, other = parts(1), parts(2)
    save(tmp_path, 5, mine, ABOUT)
    expected = torch.rand(3)
    found = open_run(tmp_path)
    found.restore(other)
    assert (found.step, found.about) == (5, ABOUT)
    assert torch.equal(flat(mine["net"].state_dict()), flat(other["net"].state_dict()))
    for p, q in zip(mine["net"].parameters(), other["net"].parameters(), strict=True):
        assert torch.equal(mine["opt"].state[p]["exp_avg_sq"], other["opt"].state[q]["exp_avg_sq"])
    assert torch.equal(torch.rand(3), expected)


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 3, 4):
        save(tmp_path, step, parts(), ABOUT)
    names = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert [name.split(".")[0] for name in names] == ["00000003"] * 3 + ["00000004"] * 3


@pytest.mark.parametrize("suffix", [".safetensors", ".state.pt", ".json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.99])
def test_one_flipped_byte_is_found_and_the_one_before_used(tmp_path, suffix, place):
    save(tmp_path, 1, parts(), ABOUT)
    save(tmp_path, 2, parts(), ABOUT)
    victim = tmp_path / FOLDER / f"00000002{suffix}"
    data = bytearray(victim.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x80
    victim.write_bytes(data)
    said = []
    found = latest(tmp_path, said.append)
    assert found is not None
    assert found.step == 1
    assert "00000002" in said[0]
    assert "step 1" in said[1]


@pytest.fixture
def little_room():
    """No file may grow beyond so many bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "room", [100, 2000]
)  # the first is less than the weights take, the second than the rest
def test_a_checkpoint_that_finds_no_room_is_one_line_and_the_one_before_stays(tmp_path, room, little_room):
    weights = save(tmp_path, 1, parts(), ABOUT)
    state = weights.with_suffix(".state.pt")
    assert 100 < weights.stat().st_size < 2000 < state.stat().st_size
    little_room(room)
    with pytest.raises(UserError, match="cannot be written"):
        save(tmp_path, 2, parts(), ABOUT)
    little_room(100)
    found = open_run(tmp_path)
    with pytest.raises(UserError, match=r"alone\.safetensors: cannot be written"):
        export_weights(found, tmp_path / "alone.safetensors")
    assert open_run(tmp_path).step == 1
    assert not list(tmp_path.rglob(f"*{TEMPORARY}"))
    assert not (tmp_path / "alone.safetensors").exists()


def test_no_whole_checkpoint_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no whole checkpoint"):
        open_run(tmp_path)
    with pytest.raises(UserError, match="no such run"):
        open_run(tmp_path / "nowhere")


def test_where_a_run_left_off(tmp_path):
    assert resume_point(tmp_path / "nowhere") is None
    (tmp_path / FOLDER).mkdir()
    assert resume_point(tmp_path) is None
    for step in (1, 2):
        save(tmp_path, step, parts(), ABOUT)
    assert resume_point(tmp_path).step == 2
    (tmp_path / FOLDER / "00000002.state.pt").unlink()
    assert resume_point(tmp_path).step == 1
    (tmp_path / FOLDER / "00000001.json").write_text("{")
    with pytest.raises(UserError) as caught:
        resume_point(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: has checkpoints, none of them whole (2 damaged); "
        "bring back a copy of one, or start anew with --overwrite"
    )


def test_the_weights_file_alone_can_be_handed_on(tmp_path):
    weights = save(tmp_path / "run", 7, parts(), ABOUT)
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(weights.read_bytes())
    found = open_file(alone)
    other = parts(3)
    found.load_weights({"net": other["net"]})
    assert (found.step, found.about) == (7, ABOUT)
    assert torch.equal(flat(other["net"].state_dict()), flat(parts()["net"].state_dict()))
    with pytest.raises(UserError, match="weights only"):
        found.restore(other)


def test_a_pickle_is_not_a_checkpoint(tmp_path):
    bomb = tmp_path / "bomb.safetensors"
    torch.save({"a": 1}, bomb)
    with pytest.raises(UserError, match="not a checkpoint of ours"):
        open_file(bomb)


def test_another_network_is_refused(tmp_path):
    found = open_file(save(tmp_path, 1, parts(), ABOUT))
    with pytest.raises(UserError, match="does not fit"):
        found.load_weights({"net": nn.Conv2d(3, 4, 3)})


class Malicious:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def test_a_pickle_that_would_run_something_is_refused_and_not_run(tmp_path):
    """Whoever hands on a whole run can vouch for its files too."""
    net = nn.Linear(2, 1)
    save(tmp_path, 1, {"net": net, "opt": torch.optim.Adam(net.parameters())}, ABOUT)
    state, voucher = (next((tmp_path / FOLDER).glob(f"*{end}")) for end in (".state.pt", ".json"))
    torch.save({"parts": {"opt": Malicious(tmp_path / "ran")}, "rng": torch.get_rng_state()}, state)
    told = json.loads(voucher.read_text())
    voucher.write_text(json.dumps({**told, "state_sha256": file_hash(state)}))
    found = latest(tmp_path)
    with pytest.raises(UserError, match="was not run; do not trust its origin"):
        found.restore({"net": net, "opt": torch.optim.Adam(net.parameters())})
    assert not (tmp_path / "ran").exists()


def test_a_model_inside_a_model_comes_back(tmp_path):
    """A model that was built on another holds it: the one file is enough."""
    inner = parts(4)["net"]
    told = {**ABOUT, "mu": {"kind": "toy", "scale": 2, "settings": {"width": 4}}}
    found = open_file(save(tmp_path, 1, {**parts(1), "mu.net": inner}, told)).inner("mu")
    other = parts(5)["net"]
    found.load_weights({"net": other})
    assert found.about == told["mu"]
    assert torch.equal(flat(other.state_dict()), flat(inner.state_dict()))
    with pytest.raises(UserError, match="holds no model 'base'"):
        open_run(tmp_path).inner("base")


def test_what_is_handed_on_makes_images_and_nothing_else(tmp_path):
    """Averages stand in for their networks, with the model that they are built on; a critic is left out."""
    own = {name: parts(i)["net"] for i, name in enumerate(("net", "net_average", "critic", "mu.net"))}
    told = {**ABOUT, "settings": {"ema": 0.9}, "mu": {"kind": "toy", "scale": 2, "settings": {}}}
    alone = tmp_path / "alone.safetensors"
    export_weights(open_file(save(tmp_path, 1, own, told)), alone, "_average")
    found = open_file(alone)
    nets = {name: parts(9)["net"] for name in ("net", "net_average", "critic")}
    found.load_weights({"net": nets["net"]})
    found.inner("mu").load_weights({"net": nets["critic"]})
    assert found.about["settings"]["ema"] == 0
    assert torch.equal(flat(nets["net"].state_dict()), flat(own["net_average"].state_dict()))
    assert torch.equal(flat(nets["critic"].state_dict()), flat(own["mu.net"].state_dict()))
    for left_out in ("net_average", "critic"):
        with pytest.raises(UserError, match="does not fit"):
            found.load_weights({left_out: nets["net"]})
