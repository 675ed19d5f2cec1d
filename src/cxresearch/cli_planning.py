"""The commands that look beyond one verdict: other definitions, and how much data would decide."""

from __future__ import annotations

from pathlib import Path

import click

from cxresearch import cli_options as options
from cxresearch.cli_streams import escape_json, say, step_line, write
from cxresearch.utils.outputs import check_writable, write_output

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
@options.output_file("--chart", "Draw the curve, as SVG.")
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

    is_piped = json_file is not None and str(json_file) == "-"
    for file in (None if is_piped else json_file, chart_file):
        if file is not None:
            check_writable(file)
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
    if is_piped:
        write(escape_json(result.to_json()))
    else:
        say(str(result))
        if json_file is not None:
            write_output(json_file, result.to_json())
    if chart_file is not None:
        from cxresearch.charts import renderer
        from cxresearch.charts.specification_curve import specification_curve as drawn

        write_output(chart_file, renderer.still(drawn(result).to_dict(), renderer.WIDE))
