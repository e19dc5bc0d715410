"""Notes of a run: each a line of JSON, whatever letters file names and settings are made of."""

from __future__ import annotations

import json

from train.engine import history


def test_half_a_letter_in_a_setting_is_noted(tmp_path):
    """As from a file name that is no UTF-8, or an escape in run.yaml."""
    history.note(tmp_path, 7, changed={"clip": ("\ud800", "0.1"), "data": ("f\udcff", "für")})
    history.note(tmp_path, 8, said="weiter")
    first, second = map(json.loads, (tmp_path / history.FILE).read_text(encoding="utf-8").splitlines())
    assert first["changed"] == {"clip": ["\ud800", "0.1"], "data": ["f\udcff", "für"]}
    assert (first["step"], second["note"]) == (7, "weiter")
