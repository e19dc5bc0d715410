"""`realdeg check`: pairs of others are looked at before anything is learned from them."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.check.settings import CheckSettings
from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.errors import EXIT_OK
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.words import counted

NOT_ASKED = ("pair_by", "max_seconds", "pairs")
SHOWN = 5  # of the worst pairs


@command(short_help="Look at pairs of others: displaced, off in colour, there twice.")
@click.argument("pairs", type=FOLDER, required=False)
@click.option("--lr", type=FOLDER, default=None, help="LR images, in place of PAIRS.")
@click.option("--hr", type=FOLDER, default=None, help="HR images of the same scenes.")
@click.option(
    "--against",
    type=FOLDER,
    multiple=True,
    metavar="OTHER",
    help="A dataset, or a folder of images, that shares no picture with the pairs: a test set. Repeatable.",
)
@settings_options(PairingSettings, "pairing", leave=NOT_ASKED)
@settings_options(CheckSettings)
@settings_options(Finding, "finding")
@job_options("Folder that receives audit.csv, duplicates.csv, summary.json, report/ and work/.")
def check(
    job: JobOptions,
    output: Output,
    pairs: Path | None,
    lr: Path | None,
    hr: Path | None,
    against: tuple[Path, ...],
    pairing: PairingSettings,
    settings: CheckSettings,
    finding: Finding,
) -> int:
    """Look at the pairs of PAIRS and say of each: keep, mask, re-register or drop, and why.

    PAIRS is a dataset of ours, a folder with LR/ and HR/ (or GT/), or one folder in which names tell LR from
    HR (Canon_001_LR4.png and Canon_001_HR.png). LR and HR may have one size.

    Looked at: where HR lies, by place and as one shift, with the grid that it comes from; colours at equal
    blur; JPEG blocks; pictures that are there twice, whole, cut, mirrored or turned, in the set, across its
    splits, and in every OTHER.

    OUT/audit.csv has a row for each pair, the worst first, OUT/report shows them. OUT/drop.csv, mask.csv and
    re-register.csv are lists for --only and --except of other commands. Verdicts do not change the exit code;
    files that cannot be read do.

    Examples:
      realdeg check RealSR/Train/4 -o audit
      realdeg check --lr X4 --hr HR --lr-suffix x4 --against Set5 --against Urban100 -o audit
      realdeg check pairs --against benchmark -o audit
    """
    from realdeg.check.gather import gather

    gathered = gather(pairs, lr, hr, pairing, finding)
    if output.dry_run:
        chosen = list(gathered.items)[: job.limit]
        told = {"dry_run": True, "out": str(job.out), "pairs": [one.key for one in chosen],
                "without_partner": len(gathered.failed), "how": gathered.how,
                "left_out": dict(gathered.left_out)}  # fmt: skip
        line = f"would look at {counted(len(chosen), 'pairs')} of {in_flags(gathered.how)} into {job.out}"
        lonely = f"  {counted(len(gathered.failed), 'images')} without a partner"
        output.result(told, line, lonely, *left_out_lines(gathered.left_out))
        return EXIT_OK
    from realdeg.check.audit import AUDIT
    from realdeg.check.folder import check as look_at

    given = {"pairs": pairs, "lr": lr, "hr": hr, "against": list(map(str, against)) or None}
    asked = {name: value for name, value in pairing.told().items() if name != "pair_by"}
    with Teller("pairs looked at") as teller:
        done = look_at(
            gathered, job.out, settings, against=against, finding=finding,
            inputs=[one for one in (pairs, lr, hr) if one],
            options={**given, **asked, **finding.told()}, running=job.running(teller),
        )  # fmt: skip
        for report in done.reports[1:]:
            for record in report.records:
                if not record.ok:
                    teller.line(record.reason)
    audit = done.audit
    extra: dict[str, object] = {}
    only_json: dict[str, object] = {}
    if audit:
        from realdeg.report.audit import build_audit_report

        named = pairs or hr
        page = build_audit_report(audit, job.out / "report", source=named.resolve().name if named else "")
        extra = {**{name: count for name, count in audit.counts.items() if count}, "report": str(page)}
        only_json = {"audit": audit.summary()}
    first = done.reports[0]
    lost = any(record.status == "failed" for report in done.reports[1:] for record in report.records)
    code = finish(first, job, output, extra=extra, manifests=job.out / "work" / "pairs" / "manifest.csv",
                  what="pairs looked at", only_json=only_json)  # fmt: skip
    if audit and not output.quiet and not output.as_json:
        for line in audit.lines():
            output.say(f"  {in_flags(line)}")
        worst = [row for row in audit.rows if row.judged.verdict != "keep"]
        for row in worst[:SHOWN]:
            output.say(f"  {row.judged.verdict}: {row.record.key}: {in_flags(row.judged.reason)}")
        if len(worst) > SHOWN:
            output.say(f"  and {len(worst) - SHOWN} more: {job.out / AUDIT}")
    return code or (1 if lost and not job.exit_zero else EXIT_OK)
