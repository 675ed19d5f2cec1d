"""The commands that look beyond one verdict: other definitions, and how much data would decide."""

from __future__ import annotations

from pathlib import Path

import click

from cxresearch import cli_options as options
from cxresearch.cli_streams import check_files, step_line, write_chart, write_result

_one_claim = click.option("--claim", required=True, metavar="ID", help="Which claim.")


@click.command()
@options.study
@_one_claim
@click.option(
    "--bad",
    multiple=True,
    metavar="CONDITION",
    help="Another definition of a bad contact, in SQL; may be repeated.  [default: a step narrower, a step wider]",
)
@click.option(
    "--blackout",
    "blackout_days",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Another blackout; may be repeated.  [default: none, half and twice as many]",
)
@click.option(
    "--window",
    "window_days",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="How far histories go back, 0 for as far as is known; may be repeated.",
)
@click.option(
    "--horizon",
    "horizon_days",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Another horizon; may be repeated.",
)
@click.option("--one-at-a-time", is_flag=True, help="Change one definition at a time.")
@click.option("--rivals", is_flag=True, help="Decide by the whole rule; takes ten times as long.")
@options.output_file(
    "--json", "Write the numbers as JSON; - for standard output.", may_be_piped=True
)
@options.chart_file("the curve")
@options.define
@options.engine
@options.state
@options.limited
def specifications(
    study: Path,
    claim: str,
    bad: tuple[str, ...],
    blackout_days: tuple[int, ...],
    window_days: tuple[int, ...],
    horizon_days: tuple[int, ...],
    json_file: Path | None,
    chart_file: Path | None,
    variables: dict[str, str],
    engine: str,
    state: Path | None,
    *,
    one_at_a_time: bool,
    rivals: bool,
) -> None:
    """The number of a claim under other definitions, and which of them turn its verdict."""
    from cxresearch.claims.specification_curve import specification_curve
    from cxresearch.study import read_study

    check_files(json_file, chart_file)
    result = specification_curve(
        read_study(study, variables, state=state),
        claim,
        bad=bad or None,
        blackout_days=blackout_days or None,
        window_days=window_days or None,
        horizon_days=horizon_days or None,
        one_at_a_time=one_at_a_time,
        rivals=rivals,
        engine=engine,
        progress=step_line(),
    )
    write_result(result, json_file)
    if chart_file is not None:
        from cxresearch.charts.specification_curve import specification_curve as drawn

        write_chart(chart_file, drawn(result))


@click.command()
@options.study
@_one_claim
@click.option(
    "--truth",
    "truths",
    multiple=True,
    type=float,
    metavar="NUMBER",
    help="A number that may be true, such as a hazard ratio of 1.3; may be repeated.  "
    "[default: the smallest effect that matters, and the study's own number]",
)
@click.option(
    "--customers",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="A size to look at; may be repeated.",
)
@click.option(
    "--months",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="A length of the log; may be repeated.  [default: that of the study]",
)
@click.option(
    "--probability",
    "wanted",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="Of the right verdict, that is wanted.",
)
@click.option(
    "--companies",
    type=click.IntRange(min=3),
    default=16,
    show_default=True,
    help="How many are simulated for each truth and length.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@options.output_file("--json", "Write the curve as JSON; - for standard output.", may_be_piped=True)
@options.chart_file("the curve")
@options.define
@options.engine
@options.state
@options.limited
def power(
    study: Path,
    claim: str,
    truths: tuple[float, ...],
    customers: tuple[int, ...],
    months: tuple[int, ...],
    wanted: float,
    companies: int,
    seed: int,
    json_file: Path | None,
    chart_file: Path | None,
    variables: dict[str, str],
    engine: str,
    state: Path | None,
) -> None:
    """How many customers, for how long, would decide a claim, with all rival explanations that it must survive.

    Companies are simulated by the study's own rates, with an effect planted in them; evaluate quotes what this gives.
    """
    from cxresearch.planning import power as planned
    from cxresearch.study import read_study

    check_files(json_file, chart_file)
    result = planned(
        read_study(study, variables, state=state),
        claim,
        truths=truths or None,
        customers=customers or None,
        days=[round(30.44 * n) for n in months] or None,
        wanted=wanted,
        companies=companies,
        seed=seed,
        engine=engine,
        progress=step_line(),
    )
    write_result(result, json_file)
    if chart_file is not None:
        from cxresearch.charts.planning import power as drawn

        write_chart(chart_file, drawn(result))
