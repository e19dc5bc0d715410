"""What a codec's own header says of a picture, whichever codec it is."""

from __future__ import annotations

from dataclasses import dataclass

NOT_STATED = 2
"""Code point of ITU-T H.273 for colours that are not stated."""


@dataclass(frozen=True)
class Coded:
    """One picture as it is coded.

    Attributes:
        height, width: px, what the decoder gives out.
        depth: bits per sample.
        grey: there are no colours.
        primaries, transfer: code points of ITU-T H.273; 2 = not stated.
        narrow: black and white are 16 and 235 (times 2 for each bit above 8); known of AV1's grey only.
    """

    height: int
    width: int
    depth: int
    grey: bool
    primaries: int = NOT_STATED
    transfer: int = NOT_STATED
    narrow: bool = False
