"""Settings of pairing; importing them costs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.rule import NAMINGS, Rule

PairBy = Literal["stem", "rule", "time", "csv", "content"]
PAIR_BY: tuple[PairBy, ...] = ("stem", "rule", "time", "csv", "content")


@dataclass(frozen=True)
class PairingSettings:
    """How photos are paired.

    Attributes:
        pair_by: None: "csv" where `pairs` is given, "rule" where a rule or naming is, else "stem".
        lr_suffix, hr_suffix: text that ends LR (HR) stems and is no part of the name; by stem only.
        lr_rule, hr_rule: naming rules (`realdeg.io.rule.Rule`).
        naming: rules of a published set, a key of `NAMINGS`; `lr_rule` and `hr_rule` win over it.
        max_seconds: longest time between the two captures, s.
        pairs: table of pairs (`realdeg.io.pairlist`).
    """

    pair_by: PairBy | None = None
    lr_suffix: str = ""
    hr_suffix: str = ""
    lr_rule: str | None = None
    hr_rule: str | None = None
    naming: str | None = None
    max_seconds: float = 5.0
    pairs: Path | None = None

    @property
    def way(self) -> PairBy:
        """The way of pairing in force.

        Raises:
            UserError: options of two ways are mixed, or the table is missing.
        """
        by_rule = self.lr_rule or self.hr_rule or self.naming
        way = self.pair_by or ("csv" if self.pairs else "rule" if by_rule else "stem")
        for given, owner, names in (
            (self.lr_suffix or self.hr_suffix, "stem", "--lr-suffix and --hr-suffix"),
            (by_rule, "rule", "--lr-rule, --hr-rule and --naming"),
            (self.pairs, "csv", "--pairs"),
        ):
            if given and way != owner:
                raise UserError(
                    "--pair-by", f"{way} does not go with {names}", "drop one", exit_code=EXIT_USAGE
                )
        if way == "csv" and not self.pairs:
            raise UserError("--pair-by", "csv needs a table", "name it with --pairs", exit_code=EXIT_USAGE)
        if way == "rule" and not by_rule:
            remedy = "give --lr-rule and --hr-rule, or --naming"
            raise UserError("--pair-by", "rule needs a rule", remedy, exit_code=EXIT_USAGE)
        return way

    @property
    def rules(self) -> tuple[Rule, Rule]:
        """Rules for LR and HR in force; a side without one is named by its stem."""
        lr, hr = NAMINGS.get(self.naming or "", ("{stem}", "{stem}"))
        return Rule(self.lr_rule or lr), Rule(self.hr_rule or hr)

    def told(self) -> dict[str, Any]:
        """The options in force by name, without those left at their default."""
        default = PairingSettings()
        values = {name: value for name, value in asdict(self).items() if value != getattr(default, name)}
        return {**values, "pair_by": self.way} if values else {}

    def __str__(self) -> str:
        """How photos are paired, in words."""
        if self.way == "rule":
            lr, hr = self.rules
            return f"by rule: LR {lr.text}, HR {hr.text}"
        if self.way == "stem" and (self.lr_suffix or self.hr_suffix):
            return f"by stem: LR ends with {self.lr_suffix!r}, HR with {self.hr_suffix!r}"
        if self.way == "time":
            return f"by capture time, at most {self.max_seconds:g} s apart"
        return f"by the table {self.pairs}" if self.way == "csv" else f"by {self.way}"
