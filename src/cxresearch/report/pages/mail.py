"""The summary as a mail: HTML with inline styles and no script, which mail programs show; and as text."""

from __future__ import annotations

from base64 import b64encode
from textwrap import fill

from cxresearch.report.pages.changes import short_changes
from cxresearch.report.pages.summary_page import (
    GOES_WITH,
    Summary,
    answer,
    asked,
    cost_lines,
    doubt,
    next_lines,
    open_lead,
    trimmed,
)
from cxresearch.report.pages.summary_picture import WIDTH, in_words, summary_picture
from cxresearch.report.pages.text import text

_INK, _QUIET, _LINE = "#16191d", "#565d66", "#d9dde2"
_FONT = "font-family:Arial,Helvetica,sans-serif"
_COLOURS = {"supported": "#00694d", "contradicted": "#a63a00", "undecided": "#6b5200"}
_SIGNS = {"supported": "✔", "contradicted": "✘", "undecided": "?"}
_SCALE = 2  # pixels of the picture per point


def mail_html(summary: Summary) -> str:
    """The summary as the body of a mail.

    The picture is a PNG in the mail itself. Programs that show none show its words; every number is in the text.

    Args:
        summary: what is summarised.

    Returns:
        HTML in one piece; all text in it is escaped.
    """
    summary, doubtful = trimmed(summary), _doubt(summary)
    rows = [
        _row(f'<p style="margin:0;color:{_QUIET};font-size:14px">{text(summary.study)}</p>'),
        _row(f'<h1 style="margin:0;font-size:24px;line-height:1.25">{text(answer(summary))}</h1>'),
        _row(f'<p style="margin:0;color:{_QUIET};font-size:15px">{text(asked(summary))}</p>'),
        _row(f'<p style="margin:0;font-size:15px">{text(doubtful)}</p>') if doubtful else "",
        _picture(summary),
        _costs(summary),
        _part("What stands", [_finding(f) for f in summary.facts["findings"]]),
        _part(
            open_lead(summary),
            [f"{text(o['statement'])} ({text(o['settle'])})" for o in summary.facts["open"]],
        ),
        _part(
            "Since the last run",
            [text(x) for x in short_changes(summary.since, summary.statements, summary.min_cell)],
        ),
        _part("What to look at next", [text(x) for x in next_lines(summary)]),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{text(summary.study)}: {text(answer(summary))}</title></head>"
        f'<body style="margin:0;padding:16px;background:#ffffff;color:{_INK};{_FONT}">'
        f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
        f'style="max-width:640px;{_FONT};color:{_INK}">{"".join(rows)}</table></body></html>\n'
    )


def mail_text(summary: Summary) -> str:
    """The summary as plain text, in lines of at most 78 letters."""
    summary = trimmed(summary)
    costs = [f"{number}: {said}." for number, said in cost_lines(summary)]
    findings = [
        f"[{f['verdict']}] {f['statement']} {f['number']}"
        + (f" (claim: {f['claimed']})" if f["claimed"] else "")
        for f in summary.facts["findings"]
    ]
    still = [f"{o['statement']} ({o['settle']})" for o in summary.facts["open"]]
    parts = (
        ("What a bad moment costs", [*costs, GOES_WITH] if costs else []),
        ("What stands", findings),
        (open_lead(summary), still),
        (
            "Since the last run",
            short_changes(summary.since, summary.statements, summary.min_cell),
        ),
        ("What to look at next", list(next_lines(summary))),
    )
    heads = (answer(summary), asked(summary), _doubt(summary))
    blocks = [summary.study, *(_wrapped(line) for line in heads if line)]
    for title, lines in parts:
        if lines:
            listed = "\n".join(_wrapped(line, "- ") for line in lines)
            blocks.append(f"{title}\n{listed}")
    return "\n\n".join(blocks).replace("\u2212", "-") + "\n"


def _doubt(summary: Summary) -> str:
    said, _ = doubt(summary)
    others = len(summary.facts.get("doubts", ())) - 1
    return f"{said} The page has {others} more." if others > 0 else said


def _wrapped(line: str, mark: str = "") -> str:
    plain = " ".join(line.split())
    return fill(plain, 78, initial_indent=mark, subsequent_indent=" " * len(mark))


def _row(content: str) -> str:
    return f'<tr><td style="padding:0 0 12px">{content}</td></tr>' if content else ""


def _picture(summary: Summary) -> str:
    drawn = summary_picture(summary.facts, ink=_INK)
    if not drawn:
        return ""
    import vl_convert as vlc  # slow to import

    png = b64encode(
        vlc.svg_to_png(
            drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1), scale=_SCALE
        )
    )
    return _row(
        f'<img src="data:image/png;base64,{png.decode()}" width="{WIDTH}" alt="{text(in_words(summary.facts))}" '
        'style="display:block;max-width:100%;height:auto;border:0">'
    )


def _costs(summary: Summary) -> str:
    lines = [
        f"<strong>{text(number)}</strong> {text(said)}" for number, said in cost_lines(summary)
    ]
    note = [f'<span style="color:{_QUIET}">{GOES_WITH}</span>'] if lines else []
    return _part("What a bad moment costs", [*lines, *note])


def _finding(f: dict[str, str]) -> str:
    colour = _COLOURS.get(f["verdict"], _QUIET)
    claimed = (
        f' <span style="color:{_QUIET}">claim: {text(f["claimed"])}</span>' if f["claimed"] else ""
    )
    return (
        f'<strong style="color:{colour}">{_SIGNS.get(f["verdict"], "–")} {text(f["verdict"].capitalize())}</strong> '
        f"{text(f['statement'])} <strong>{text(f['number'])}</strong>{claimed}"
    )


def _part(title: str, lines: list[str]) -> str:
    if not lines:
        return ""
    items = "".join(
        f'<p style="margin:0 0 6px;font-size:15px;line-height:1.4">{line}</p>' for line in lines
    )
    head = f'<h2 style="margin:0 0 6px;font-size:14px;color:{_QUIET}">{text(title)}</h2>'
    return _row(f'<div style="border-top:1px solid {_LINE};padding-top:10px">{head}{items}</div>')
