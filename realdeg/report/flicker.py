"""Animations: pictures of one place that take turns, for slides, mails and chats, where no page can go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from realdeg.arraytypes import Image
from realdeg.atomic import whole_file
from realdeg.errors import EXIT_USAGE, UserError

TURN_MS = 600
KINDS: dict[str, dict[str, Any]] = {  # by suffix, what Pillow's writers are told
    ".png": {},  # APNG: without loss, in every browser
    ".webp": {"lossless": True},  # without loss, a third smaller
    ".gif": {"optimize": False},  # 256 colours, for programs that know nothing else
}


def write_animation(path: Path, frames: Sequence[Image], *, frame_ms: int = TURN_MS) -> None:
    """Write an animation that runs for ever; the same frames give the same bytes.

    Args:
        path: ends in a key of `KINDS`, which says the format.
        frames: (H, W, 3) uint8 RGB each, two or more of one size.
        frame_ms: time of each, milliseconds.

    Raises:
        UserError: another suffix, or the file cannot be written.
        ValueError: fewer than two frames, or of several sizes.
    """
    if path.suffix not in KINDS:
        problem = f"is no kind of animation: {path.suffix!r}"
        raise UserError(path, problem, f"one of {', '.join(KINDS)}", exit_code=EXIT_USAGE)
    if len(frames) < 2 or len({frame.shape for frame in frames}) > 1:
        raise ValueError("an animation has two frames or more, of one size")
    from imageio.v3 import imwrite

    with whole_file(path) as temporary:
        words = {"duration": frame_ms, "loop": 0, **KINDS[path.suffix]}
        imwrite(temporary, list(frames), plugin="pillow", extension=path.suffix, **words)
