"""What was left out of folders of photos, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping

from realdeg.io.left_out import in_words
from realdeg.options import in_flags


def left_out_lines(left_out: Mapping[str, int]) -> list[str]:
    """What was left out of a plan, as a line, where anything was."""
    return [f"  {in_flags(in_words(left_out))}"] if left_out else []
