"""Runs notebooks and publishes their pages. A page is the last good one or the new one, never half of one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxresearch.errors import CxResearchError, ReportError, StudyError
from cxresearch.report.pages.stale import kind_of, plainly
from cxresearch.report.runs import manifest as manifests
from cxresearch.report.runs.build import INDEX, BuildResult, Run, Say, lasting, make, publish_result
from cxresearch.report.runs.commit_files import mark_of, tidy, unfinished
from cxresearch.report.runs.jobs import PageJob, page_jobs
from cxresearch.report.runs.ledger import RunRecord, identity, next_run, read_history
from cxresearch.report.runs.lock import WAIT, Stopped, Stops, locked, stoppable
from cxresearch.report.runs.manifest import Manifest, inputs, key, log_time
from cxresearch.study import Study, check_names, default_state, read_study
from cxresearch.utils.limits import NO_LIMITS, Limits
from cxresearch.utils.trust import check_state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What was asked for.

    Attributes:
        file: the study file.
        jobs: the pages.
        claims: ids, to be known.
        variables: values for ``${NAME}``.
        force: make pages for which nothing has changed, too.
        wait: minutes.
    """

    file: Path
    jobs: tuple[PageJob, ...]
    claims: tuple[str, ...]
    variables: Mapping[str, str]
    force: bool
    wait: float


def report(
    study: str | Path,
    out: str | Path,
    *,
    notebooks: Sequence[str] = ("verdicts",),
    claims: Sequence[str] | None = None,
    engine: str = "polars",
    variables: Mapping[str, str] | None = None,
    state: str | Path | None = None,
    title: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    wait: float = WAIT,
    progress: Say | None = None,
    tell: Say | None = None,
    limits: Limits | None = None,
) -> tuple[Path, ...]:
    """Run notebooks on a study and publish a page for each, and an index.

    A notebook that is about one claim makes a page for each claim asked for, such as ``claim-three-strikes.html``;
    without any, one about the claim it names itself. A page for which nothing has changed stays. Of several pages
    those that can be made are published, and the others marked as not up to date. Every verdict that is published
    is recorded in the study's ledger.

    Args:
        study: the study file.
        out: folder for the pages; made if need be.
        notebooks: their names.
        claims: ids of claims; all if not given, or that of the notebook where it is about one.
        engine: where tables are read.
        variables: values for ``${NAME}`` in the study file; the kernel gets them in its environment only.
        state: folder for what is kept between runs; ``.cxresearch`` next to the study if not given.
        title: the question at the top of the page.
        parameters: further parameters of the notebooks, by name; see `cxresearch.report.runs.jobs`.
        force: run notebooks for which nothing has changed, too.
        wait: for how many minutes to wait for another run of this study; 0 not at all.
        progress: called with a line before each step.
        tell: called with a line for what is to be read after the run.
        limits: of each notebook; none if not given.

    Returns:
        The files that are up to date now: the pages, in the order of the notebooks and claims, then the index.

    Raises:
        ParameterError: no such notebook, or a wrong parameter; no page is touched.
        ReportError: another run takes too long, the run was stopped, a notebook failed (it is
            kept under the state folder), or the pages cannot be written. No page is half of one then, and those
            that should have been remade say that they are not up to date.
        ClaimError: no such claim.
        StudyError: the study file cannot be read.
        StateError: the state folder is not trusted.
        KeyboardInterrupt: it was stopped by a key press.
    """
    file = _file_of(study)
    place = state_of(study, state)
    check_names((file, place, Path(out)))
    given = {
        "study": file.name,
        "claims": list(claims) if claims else None,
        "engine": engine,
        "title": title,
    }
    jobs = page_jobs(notebooks, given, parameters)
    asked = [
        *(claims or ()),
        *(c for p in jobs for c in (*p.values.get("claims", ()), p.values.get("claim")) if c),
    ]
    order = _Order(
        file=file,
        jobs=jobs,
        claims=tuple(dict.fromkeys(asked)),
        variables=dict(variables or {}),
        force=force,
        wait=wait,
    )
    check_state(place)
    run = _run(place, Path(out), progress or _quiet, tell or _quiet, limits or NO_LIMITS)
    order = replace(order, jobs=_apart(run, jobs))
    with stoppable() as stops:
        try:
            return _report(run, order, stops)
        except Stopped as e:
            if e.signal == signal.SIGINT:
                raise
            raise ReportError(str(e)) from None


def _file_of(study: str | Path) -> Path:
    try:
        file = Path(study).resolve()
        return file / "study.toml" if file.is_dir() else file
    except OSError as e:
        raise StudyError(f"cannot find the folder of {study}: {e.strerror or e}") from None


def state_of(study: str | Path, state: str | Path | None = None) -> Path:
    """The state folder of a study: the one given, that of the environment, or the one next to the study file.

    Raises:
        StudyError: a folder cannot be found.
    """
    given = state or os.environ.get("CXRESEARCH_STATE")
    try:
        return Path(given).resolve() if given else default_state(_file_of(study))
    except OSError as e:
        raise StudyError(f"cannot find the folder of {study}: {e.strerror or e}") from None


def _run(state: Path, out: Path, say: Say, tell: Say, limits: Limits) -> Run:
    """A run that begins now."""
    now = datetime.now(UTC)
    run = next_run(state, now)
    at = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return Run(id=run, at=at, state=state, out=out, say=say, tell=tell, limits=limits)


def _quiet(_line: str) -> None:
    pass


def _report(run: Run, order: _Order, stops: Stops) -> tuple[Path, ...]:
    try:
        study = read_study(order.file, order.variables, state=run.state)
    except CxResearchError as e:
        if _published(run):
            with suppress(OSError, ReportError), locked(run.state, wait=0):
                _not_remade(run, stops, order, e)
        raise
    _known(run, order, study)  # a wrong claim id is an error before any page is marked as stale
    with locked(run.state, wait=order.wait, tell=run.tell):
        run = _run(
            run.state, run.out, run.say, run.tell, run.limits
        )  # ids sort in the order in which locks are held
        _ready(run)
        try:
            study = read_study(
                order.file, order.variables, state=run.state
            )  # perhaps changed while waiting
            _known(run, order, study)
            result = _made(run, order, study, stops)
        except BaseException as e:
            with stops.held(), suppress(Exception):  # the first error is the one to be raised
                _not_remade(run, stops, order, e)
            raise
    if result.failed:
        raise ReportError("; and ".join(str(e) for _, e in result.failed))
    return tuple(run.out / file for file in (*(p.file for p in order.jobs), INDEX))


def _known(run: Run, order: _Order, study: Study) -> None:
    """Whether the claims are known, if a page has to be made."""
    if order.claims and (order.force or _changed(run, order, inputs(order.file, study))):
        from cxresearch.claims.catalogue_loader import claims_of
        from cxresearch.claims.evaluate import choose

        choose(claims_of(study.claims), order.claims)


def _changed(run: Run, order: _Order, read: str) -> tuple[PageJob, ...]:
    """The pages that do not stand as they are."""
    manifest = manifests.read(run.state, run.out)

    def stands(job: PageJob) -> bool:
        old = manifest.get(job.file)
        if old is None or old.stale or not old.key or old.key != key(job, read):
            return False
        return manifest.holds(old.file, old.sha256)

    return tuple(p for p in order.jobs if not stands(p))


def _ready(run: Run) -> None:
    """Finish or clear what a killed run has left, and see that pages can be written before the long work."""
    try:
        finished = tidy(run.state, run.out)
    except OSError as e:
        raise ReportError(
            f"cannot finish an earlier run that was killed: {e.strerror or e}: {e.filename}"
        ) from None
    if finished:
        run.tell("an earlier run was killed while it published; its pages are in their places now")
    try:
        run.out.mkdir(parents=True, exist_ok=True)
        probe = run.out / f".probe.{mark_of(run.state)}.part"
        probe.touch()
        probe.unlink()
    except OSError as e:
        raise ReportError(f"cannot write the pages to {run.out}: {e.strerror or e}") from None


def _made(run: Run, order: _Order, study: Study, stops: Stops) -> BuildResult:
    begun, read = time.monotonic(), inputs(order.file, study)
    todo = order.jobs if order.force else _changed(run, order, read)
    manifest = manifests.read(run.state, run.out)
    for job in order.jobs:
        if job not in todo and (old := manifest.get(job.file)):
            made_at = log_time(old.made)
            run.tell(
                f"{job.file}: nothing has changed since {made_at}; the page stays (--force runs it again)"
            )
    if not todo and manifest.holds(INDEX, manifest.index):
        return BuildResult()
    _warned(run, manifest, identity(study), todo)
    result = make(run, order.file, study, order.variables, todo) if todo else BuildResult()
    if (
        inputs(order.file, study) != read
    ):  # they have changed meanwhile, so what the pages were made from is not known
        read = ""

    def from_what(job: PageJob) -> str:
        return key(job, read)

    stale = {p.file: e.public for p, e in result.failed}
    before = read_history(run.state, identity(study))
    try:
        publish_result(run, stops, result, stale=stale, key=from_what, study=identity(study))
    except OSError as e:
        where = f"{run.out} and what is kept to {run.state}"
        raise ReportError(f"cannot write the pages to {where}: {e.strerror or e}") from None
    if result.made:
        names = ", ".join(m.job.file for m in result.made)
        run.tell(
            f"published {names} and {INDEX} in {run.out} after {lasting(time.monotonic() - begun)}"
        )
    _turned(run, before, result)
    for lost, error in result.failed:
        there = (
            "; the last good page is marked as not up to date"
            if (run.out / lost.file).exists()
            else ""
        )
        run.tell(f"not published: {lost.file}: {error}{there}")
    return result


def _turned(run: Run, before: Sequence[RunRecord], result: BuildResult) -> None:
    """Say which verdicts are not what they were."""
    if not result.records:
        return
    from cxresearch.report.pages.changes import (
        changes_since,  # slow to import, and needed only here
    )

    since = changes_since((*before, *result.records), {r.claim for r in result.records})
    for change in since.changed if since else ():
        then, now = change.before.verdict, change.now.verdict
        run.tell(f"{change.now.claim}: was {then}, now {now}")


def _apart(run: Run, jobs: Sequence[PageJob]) -> tuple[PageJob, ...]:
    """Pages about some claims get a name of their own where a page of that name shows others as well."""
    manifest = manifests.read(run.state, run.out)
    result = []
    for job in jobs:
        asked = job.values.get("claims")
        old = next((p for p in manifest.here() if p.file == job.file), None)
        shown = set((old.summary or {}).get("claims", ())) if old else set()
        if asked and shown - set(asked):
            apart = replace(job, page=f"{job.page}-selected")
            run.tell(
                f"{job.file} shows {len(shown)} claims and stays; the {len(asked)} asked for "
                f"{'is' if len(asked) == 1 else 'are'} in {apart.file}"
            )
            result.append(apart)
        else:
            result.append(job)
    return tuple(result)


def _warned(run: Run, manifest: Manifest, study: str, todo: Sequence[PageJob]) -> None:
    """Say so where pages would take the place of another study's."""
    strange = [p.file for p in todo if (run.out / p.file).exists() and manifest.get(p.file) is None]
    if manifest.study not in ("", study):
        whose = f"{run.out} holds pages of the study {manifest.study!r}"
    elif strange:
        whose = f"{run.out} holds pages that no run of this study on record has made ({', '.join(strange)})"
    else:
        return
    run.tell(
        f"{whose}; those of the same name are replaced: give each study a folder of its own (--out)"
    )


def _published(run: Run) -> bool:
    """Whether pages are known that could be marked."""
    return bool(manifests.read(run.state, run.out).pages)


def _not_remade(run: Run, stops: Stops, order: _Order, error: BaseException) -> None:
    """Mark the pages that would have been made."""
    if not _published(run) or unfinished(run.state):
        return
    message = plainly(str(error), (run.state, run.out.resolve(), order.file.parent))
    # of a stop, the message names the signal
    stopped = message if isinstance(error, Stopped) else ""
    reason = stopped or kind_of(error, message, getattr(error, "field", ""))
    publish_result(run, stops, BuildResult(), stale={p.file: reason for p in order.jobs})
