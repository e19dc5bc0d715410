"""Inputs that a folder holds and that are not taken: how they are counted, and the line that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

OUTSIDE = "link outside"
DANGLING = "dangling link"
BACK = "link back"
PIPE = "FIFO"
SOCKET = "socket"
DEVICE = "device"
OTHER_KIND = "twin of another kind"
UNNAMED = "photo that no rule or suffix means"
LR = "LR image of a dataset"
"""Why files are left out; files of a format that is not read count under their suffix, e.g. ".gif"."""

_IN_WORDS = {
    OUTSIDE: ("link that leads outside (`follow_links`)", "links that lead outside (`follow_links`)"),
    DANGLING: ("link to nothing", "links to nothing"),
    BACK: ("link that leads back", "links that lead back"),
    OTHER_KIND: ("twin that `prefer` leaves out", "twins that `prefer` leaves out"),
    LR: ("LR image of a dataset, of which HR is taken", "LR images of a dataset, of which HR is taken"),
    UNNAMED: ("photo that no rule or suffix means", "photos that no rule or suffix means"),
}


def together(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sums of several counts by why."""
    summed: Counter[str] = Counter()
    for one in counts:
        summed.update(one)
    return dict(summed)


def in_words(counts: Mapping[str, int]) -> str:
    """`left out: 3 links that lead outside (`follow_links`), 2 .gif, 1 FIFO`; "" where nothing is."""
    told = []
    for why, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        one, many = _IN_WORDS.get(why, (why, why if why.startswith(".") else f"{why}s"))
        told.append(f"{count} {one if count == 1 else many}")
    return f"left out: {', '.join(told)}" if told else ""
