"""Settings of pairing; importing them costs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.rule import NAMINGS, Rule
from realdeg.settings import setting

PairBy = Literal["stem", "rule", "time", "csv", "content"]
PAIR_BY: tuple[PairBy, ...] = ("stem", "rule", "time", "csv", "content")


@dataclass(frozen=True)
class PairingSettings:
    """How photos are paired."""

    # None: "csv" where `pairs` is given, "rule" where a rule or naming is, else "stem".
    pair_by: PairBy | None = setting(
        None,
        "How photos find their partner: equal stem (default), a naming rule, capture time, a table, "
        "or content (every LR photo is compared with every HR photo).",
    )
    lr_suffix: str = setting("", "Text at the end of LR stems that is no part of the name, e.g. _LR4.")
    hr_suffix: str = setting("", "Likewise for HR, e.g. H for 001H.png.")
    # `realdeg.io.rule.Rule`
    lr_rule: str | None = setting(
        None,
        "Naming rule of LR, e.g. '{stem}_LR{scale}'; {any} is text that does not matter. A rule "
        "with {scale} makes a dataset for each scale.",
    )
    hr_rule: str | None = setting(None, "Likewise for HR, e.g. '{stem}_HR'.")
    # A key of `NAMINGS`; `lr_rule` and `hr_rule` win over it.
    naming: str | None = setting(None, "Naming rules of a published set.", choices=tuple(NAMINGS))
    max_seconds: float = setting(5.0, "Pairing by time: longest time between the two captures.", low=0)
    # `realdeg.io.pairlist`
    pairs: Path | None = setting(
        None, "Table of pairs: CSV with the columns lr, hr and perhaps key, scale, scene."
    )

    @property
    def way(self) -> PairBy:
        """The way of pairing in force.

        Raises:
            UserError: options of two ways are mixed, or the table is missing.
        """
        by_rule = self.lr_rule or self.hr_rule or self.naming
        way = self.pair_by or ("csv" if self.pairs else "rule" if by_rule else "stem")
        for given, owner, names in (
            (self.lr_suffix or self.hr_suffix, "stem", "`lr_suffix` and `hr_suffix`"),
            (by_rule, "rule", "`lr_rule`, `hr_rule` and `naming`"),
            (self.pairs, "csv", "`pairs`"),
        ):
            if given and way != owner:
                raise UserError(
                    "`pair_by`", f"{way} does not go with {names}", "drop one", exit_code=EXIT_USAGE
                )
        if way == "csv" and not self.pairs:
            raise UserError("`pair_by`", "csv needs a table", "name it with `pairs`", exit_code=EXIT_USAGE)
        if way == "rule" and not by_rule:
            remedy = "give `lr_rule` and `hr_rule`, or `naming`"
            raise UserError("`pair_by`", "rule needs a rule", remedy, exit_code=EXIT_USAGE)
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
