"""From plans to pages: each notebook runs on its own, and one that fails does not hold up the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxresearch.errors import ReportError
from cxresearch.report import ledger
from cxresearch.report import shelf as shelves
from cxresearch.report.kernel import NotebookError, Place, execute
from cxresearch.report.ledger import Look, identity
from cxresearch.report.plan import Plan
from cxresearch.report.publish import clear, workplace
from cxresearch.report.redaction import redactor
from cxresearch.report.shelf import Shelved
from cxresearch.study import Study

if TYPE_CHECKING:
    from cxresearch.report.site import Entry

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of `cxresearch report`.

    Attributes:
        id: sorts by time.
        at: when it began, UTC, ISO 8601 to the second.
        state: the study's state folder.
        out: folder for the pages.
        say: called with a line for each step.
        tell: called with a line for what is to be read afterwards.
    """

    id: str
    at: str
    state: Path
    out: Path
    say: Say
    tell: Say


@dataclass(frozen=True, slots=True)
class Made:
    """A page, ready.

    Attributes:
        plan: what it was made by.
        title: for the index.
        text: HTML.
        summary: the verdicts it shows; None if it shows none.
    """

    plan: Plan
    title: str
    text: str
    summary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Edition:
    """What came of a run's plans.

    Attributes:
        made: the pages.
        failed: what went wrong with the others.
        looks: the readings that the notebooks showed, each once.
    """

    made: tuple[Made, ...] = ()
    failed: tuple[tuple[Plan, NotebookError], ...] = ()
    looks: tuple[Look, ...] = ()


def make(run: Run, file: Path, study: Study, variables: Mapping[str, str], plans: Sequence[Plan]) -> Edition:
    """Run notebooks and make their pages.

    Args:
        run: the run, the lock of its state held.
        file: the study file.
        study: the study.
        variables: values for ``${NAME}`` that were given; the kernels get them in their environment only.
        plans: the pages to make.

    Returns:
        The pages made, and what went wrong with the others.

    Raises:
        ReportError: the state folder cannot be written.
    """
    try:
        work, sockets = workplace(run.state, run.id, run.out)
    except OSError as e:
        raise ReportError(f"cannot write to the state folder {run.state}: {e.strerror or e}") from None
    place = Place(
        study.folder, run.state, work, sockets, variables, redactor(file, study, variables), study.asks_server
    )
    failed: list[tuple[Plan, NotebookError]] = []
    done: list[tuple[Plan, Any]] = []
    try:
        for number, plan in enumerate(plans, 1):
            begun, of = time.monotonic(), f"{plan.page} (notebook {number} of {len(plans)}): "
            try:
                done.append((plan, execute(plan, place, partial(_prefixed, run.say, of))))
                run.say(f"{of}done in {lasting(time.monotonic() - begun)}")
            except NotebookError as e:
                failed.append((plan, e))
                run.say(f"{of}failed after {lasting(time.monotonic() - begun)}")
    finally:
        clear(work)
    return _pages(run, study, done, failed)


def _pages(
    run: Run, study: Study, done: Sequence[tuple[Plan, Any]], failed: list[tuple[Plan, NotebookError]]
) -> Edition:
    from cxresearch.report.page import page, summary, title_of
    from cxresearch.report.site import Entry

    new = [Entry(plan.file, title_of(nb, plan.page), summary(nb), run.at) for plan, nb in done]
    looks = _looks(run, identity(study), [e.summary for e in new if e.summary])
    history = (*ledger.looks(run.state, identity(study), run.tell), *looks)
    beside = {e.file: e for e in (*entries(shelves.read(run.state, run.out).here()), *new)}
    made = []
    for (plan, notebook), entry in zip(done, new, strict=True):
        run.say(f"making the page {plan.file}")
        try:
            text = page(notebook, name=plan.page, entries=tuple(beside.values()), history=history)
            made.append(Made(plan, entry.title, text, entry.summary))
        except ReportError as e:
            failed.append((plan, NotebookError(f"{plan.file}: {e}")))
    return Edition(tuple(made), tuple(failed), looks)


def entries(pages: Sequence[Shelved]) -> tuple[Entry, ...]:
    """Pages that were published, as the index and the other pages take them."""
    from cxresearch.report.site import Entry

    return tuple(Entry(p.file, p.title, p.summary, p.made, p.stale) for p in pages)


def _looks(run: Run, study: str, summaries: Sequence[Mapping[str, Any]]) -> tuple[Look, ...]:
    """Each reading once: the first page that shows it counts."""
    found: dict[tuple[str, str, int], Look] = {}
    for summary in summaries:
        docket = summary["docket"]
        of_run: dict[str, Any] = {"run": run.id, "at": run.at, "study": study}
        of_run |= {k: docket[k] for k in ("fingerprint", "version")} | {
            k: summary[k] for k in ("data_from", "data_until")
        }
        again: Counter[tuple[str, str]] = Counter()  # several parameters of one reading are several rows of it
        for v in docket["verdicts"]:
            reading = (v["claim"], v["reading"])
            again[reading] += 1
            fields = {k: v[k] for k in Look.__dataclass_fields__ if k not in of_run}
            found.setdefault((*reading, again[reading]), Look(**of_run, **fields))
    return tuple(found.values())


def _prefixed(say: Say, prefix: str, line: str) -> None:
    say(prefix + line)


def lasting(seconds: float) -> str:
    """A duration as people read it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
