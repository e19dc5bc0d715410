"""Numbers of a few bits from the front of some bytes, as the headers of video codecs hold them."""

from __future__ import annotations

from realdeg.io.header import ENDED, Broken


class Bits:
    """Reads most significant bits first.

    Raises:
        Broken: any method, where the bytes end or a number is absurd.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        end = self.at + count
        if end > 8 * len(self.data):
            raise Broken(ENDED)
        whole = int.from_bytes(self.data[self.at // 8 : -(-end // 8)])
        self.at = end
        return whole >> (-end % 8) & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        return bool(self.number(1))

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number: `ue(v)` of ITU-T H.265, 9.2, and `uvlc()` of AV1, 4.10.3."""
        zeros = 0
        while not self.flag():
            zeros += 1
        if zeros > 32:
            raise Broken(ENDED)
        return (1 << zeros) - 1 + self.number(zeros)

    def skip_golombs(self, count: int) -> None:
        """Pass over `count` such numbers; signed ones (`se(v)`) are as long."""
        for _ in range(count):
            self.golomb()
