"""From jobs to pages: each notebook runs separately; one that fails does not stop the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cxresearch.claims.look_state import LookState, merge_states
from cxresearch.errors import ReportError
from cxresearch.report.pages.stale import marked
from cxresearch.report.runs import ledger
from cxresearch.report.runs import manifest as manifests
from cxresearch.report.runs.commit_files import Move, clear, discard, mark_of, publish, workplace
from cxresearch.report.runs.jobs import PageJob
from cxresearch.report.runs.kernel import FAILED, KernelSettings, NotebookError, execute, redactor
from cxresearch.report.runs.ledger import RunRecord, identity
from cxresearch.report.runs.lock import Stops
from cxresearch.report.runs.manifest import Manifest, PublishedPage
from cxresearch.study import Study, folder_of
from cxresearch.utils.atomic import atomic_write, stage
from cxresearch.utils.limits import NO_LIMITS, Limits
from cxresearch.utils.trust import make_private

if TYPE_CHECKING:
    from cxresearch.report.pages.site import Entry

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `cxresearch report`.

    Attributes:
        id: sorts in the order of runs.
        at: when it began, UTC, ISO 8601 to the second.
        state: the study's state folder.
        out: folder for the pages.
        say: called with a line for each step.
        tell: called with a line for what is to be read afterwards.
        limits: of each notebook.
    """

    id: str
    at: str
    state: Path
    out: Path
    say: Say
    tell: Say
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Made:
    """A page, ready.

    Attributes:
        job: what it was made by.
        title: for the index.
        text: HTML.
        summary: the verdicts it shows; None if it shows none.
    """

    job: PageJob
    title: str
    text: str
    summary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What came of a run's jobs.

    Attributes:
        made: the pages.
        failed: what went wrong with the others.
        records: the readings that the notebooks showed, each once.
        looks: what the next look at growing data will find; None where looks are not counted.
    """

    made: tuple[Made, ...] = ()
    failed: tuple[tuple[PageJob, NotebookError], ...] = ()
    records: tuple[RunRecord, ...] = ()
    looks: LookState | None = None


def make(
    run: Run, file: Path, study: Study, variables: Mapping[str, str], jobs: Sequence[PageJob]
) -> BuildResult:
    """Run notebooks and make their pages.

    Args:
        run: the run, the lock of its state held.
        file: the study file.
        study: the study.
        variables: values for ``${NAME}`` that were given; the kernels get them in their environment only.
        jobs: the pages to make.

    Returns:
        The pages made, and what went wrong with the others.

    Raises:
        ReportError: the state folder cannot be written.
    """
    try:
        work, sockets = workplace(run.state, run.id, run.out)
    except OSError as e:
        raise ReportError(
            f"cannot write to the state folder {run.state}: {e.strerror or e}"
        ) from None
    place = KernelSettings(
        folder=study.folder,
        state=run.state,
        failed=folder_of(file, run.state, FAILED),
        work=work,
        sockets=sockets,
        variables=variables,
        redact=redactor(file, study, variables),
        server=study.asks_server,
        limits=run.limits,
    )
    failed: list[tuple[PageJob, NotebookError]] = []
    done: list[tuple[PageJob, Any]] = []
    try:
        for number, job in enumerate(jobs, 1):
            begun, of = time.monotonic(), f"{job.page} (notebook {number} of {len(jobs)}): "
            try:
                done.append((job, execute(job, place, partial(_prefixed, run.say, of))))
                run.say(f"{of}done in {lasting(time.monotonic() - begun)}")
            except NotebookError as e:
                failed.append((job, e))
                run.say(f"{of}failed after {lasting(time.monotonic() - begun)}")
    finally:
        clear(work)
    return _pages(run, study, done, failed)


def _pages(
    run: Run,
    study: Study,
    done: Sequence[tuple[PageJob, Any]],
    failed: list[tuple[PageJob, NotebookError]],
) -> BuildResult:
    from cxresearch.report.pages.html import page, summary, title_of
    from cxresearch.report.pages.site import Entry

    new = [Entry(job.file, title_of(nb, job.page), summary(nb), run.at) for job, nb in done]
    records = _records(run, identity(study), [e.summary for e in new if e.summary])
    history = (*ledger.read_history(run.state, identity(study), run.tell), *records)
    by_file = {e.file: e for e in (*entries(manifests.read(run.state, run.out).here()), *new)}
    made = []
    for (job, notebook), entry in zip(done, new, strict=True):
        run.say(f"making the page {job.file}")
        try:
            text = page(notebook, name=job.page, entries=tuple(by_file.values()), history=history)
            made.append(Made(job, entry.title, text, entry.summary))
        except ReportError as e:
            failed.append((job, NotebookError(f"{job.file}: {e}")))
    return BuildResult(
        tuple(made), tuple(failed), records, _looks([e.summary for e in new if e.summary])
    )


def entries(pages: Sequence[PublishedPage]) -> tuple[Entry, ...]:
    """Pages that were published, as the index and the other pages take them."""
    from cxresearch.report.pages.site import Entry

    return tuple(Entry(p.file, p.title, p.summary, p.made, p.stale) for p in pages)


def _records(run: Run, study: str, summaries: Sequence[Mapping[str, Any]]) -> tuple[RunRecord, ...]:
    """Each reading once: the first page that shows it counts."""
    result: dict[tuple[str, str, int], RunRecord] = {}
    for summary in summaries:
        docket = summary["docket"]
        of_run: dict[str, Any] = {"run": run.id, "at": run.at, "study": study}
        of_run |= {k: docket[k] for k in ("fingerprint", "counted", "version")} | {
            k: summary[k] for k in ("data_from", "data_until", "rows_kept", "customers_kept")
        }
        of_run["family"] = ",".join(docket["family"]["claims"])
        again: Counter[tuple[str, str]] = (
            Counter()
        )  # several parameters of one reading are several rows of it
        for v in docket["verdicts"]:
            reading = (v["claim"], v["reading"])
            again[reading] += 1
            fields = {k: v[k] for k in ledger.SCHEMA.names() if k not in of_run}
            result.setdefault((*reading, again[reading]), RunRecord(**of_run, **fields))
    return tuple(result.values())


def _looks(summaries: Sequence[Mapping[str, Any]]) -> LookState | None:
    """What the pages of a run leave for the next look: they look at the same data, and each at some numbers."""
    states = [msgspec.convert(s["look"], LookState) for s in summaries if s.get("look")]
    return reduce(merge_states, states) if states else None


def _prefixed(say: Say, prefix: str, line: str) -> None:
    say(prefix + line)


def lasting(seconds: float) -> str:
    """A duration as people read it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


INDEX = "index.html"
_READABLE = 0o644  # a mail is for others, as the pages are


def publish_result(
    run: Run,
    stops: Stops,
    result: BuildResult,
    *,
    stale: Mapping[str, str],
    key: Callable[[PageJob], str] | None = None,
    study: str = "",
) -> None:
    """Publish what a run has to say.

    Args:
        run: the run, the lock of its state held.
        stops: holds signals back while files are renamed.
        result: the new pages.
        stale: why a page could not be remade, by file name; those that are not there are passed over.
        key: of a job, what its page was made from; none if that is not known.
        study: its id in the ledger; empty for what is known.

    Raises:
        OSError: something cannot be written. Nothing is published then, or the next run finishes it.
    """
    manifest = manifests.read(run.state, run.out)
    manifest = msgspec.structs.replace(manifest, study=study or manifest.study)
    texts = {m.job.file: m.text for m in result.made}
    pages = [_published_page(run, m) for m in result.made]
    for file, reason in stale.items():
        old = manifest.get(file)
        text = _marked(run, file, old, reason)
        if text is not None:
            texts[file] = text
            pages += [_again(old, text, reason)] if old else []
    manifest = manifest.with_pages(pages)
    if key is not None:
        page_keys = {m.job.file: key(m.job) for m in result.made}
        manifest = manifest.with_pages(
            [msgspec.structs.replace(p, key=page_keys.get(p.file, p.key)) for p in manifest.pages]
        )
    if not texts and not manifest.pages:
        return
    manifest, again = _relinked(run, manifest, texts)
    texts |= again
    texts[INDEX] = _index(run, manifest, result.records)
    manifest = msgspec.structs.replace(manifest, index=_digest(texts[INDEX]))
    run.say("writing the pages")
    moves: list[Move] = []
    try:
        kept = manifests.place(run.state, run.out)
        make_private(kept.parent)
        for file, text in texts.items():
            target = run.out / file
            moves.append(
                (stage(target, partial(_write, text=text), mark=mark_of(run.state)), target)
            )
        moves.append(
            (stage(kept, partial(_write, text=manifests.text(manifest)), mode=0o600), kept)
        )
        if result.records:
            run.say("writing the ledger")
            moves.insert(0, ledger.prepared(run.state, result.records))
        if result.looks is not None:
            moves.insert(0, ledger.prepared_looks(run.state, manifest.study, result.looks))
    except BaseException:
        discard(moves)
        raise
    with stops.held():
        publish(run.state, moves, run.say)
        with suppress(OSError):  # the runs are on record, in whatever number of files
            ledger.put_together(run.state)


def _relinked(
    run: Run, manifest: Manifest, new: Mapping[str, str]
) -> tuple[Manifest, dict[str, str]]:
    """The pages that are not made anew, with links to all pages; those that somebody has changed stay as they are."""
    from cxresearch.report.pages.site import relinked

    known, texts = entries(manifest.pages), {}
    for page in manifest.pages:
        if page.file in new or not manifest.holds(page.file, page.sha256):
            continue
        with suppress(OSError, UnicodeDecodeError):
            text = (run.out / page.file).read_text(encoding="utf-8")
            again = relinked(text, known, page.file)
            if again != text:
                texts[page.file] = again
    pages = tuple(
        msgspec.structs.replace(p, sha256=_digest(texts[p.file])) if p.file in texts else p
        for p in manifest.pages
    )
    return msgspec.structs.replace(manifest, pages=pages), texts


def mail(state: Path, out: Path, tell: Say) -> tuple[Path, ...]:
    """Write the summary of a folder of pages as a mail: ``summary-mail.html`` and ``summary-mail.txt``.

    Args:
        state: the study's state folder.
        out: the folder of pages.
        tell: called with a line for each file of the ledger that cannot be read.

    Returns:
        The files written; none where no page shows several claims.

    Raises:
        ReportError: the files cannot be written.
    """
    from cxresearch.report.pages.mail import mail_html, mail_text
    from cxresearch.report.pages.site import summary_of

    manifest = manifests.read(state, out)
    history = ledger.read_history(state, manifest.study, tell)
    summary = summary_of(entries(manifest.here()), history)
    if summary is None:
        return ()
    result = []
    for name, text in (
        ("summary-mail.html", mail_html(summary)),
        ("summary-mail.txt", mail_text(summary)),
    ):
        try:
            result.append(atomic_write(out / name, text, mode=_READABLE))
        except OSError as e:
            raise ReportError(f"cannot write {out / name}: {e.strerror or e}") from None
    return tuple(result)


def _index(run: Run, manifest: Manifest, records: Sequence[RunRecord]) -> str:
    from cxresearch.report.pages.site import index

    run.say("making the index")
    return index(
        entries(manifest.pages),
        (*ledger.read_history(run.state, manifest.study, run.tell), *records),
    )


def _published_page(run: Run, made: Made) -> PublishedPage:
    return PublishedPage(
        file=made.job.file,
        title=made.title,
        made=run.at,
        run=run.id,
        key="",
        sha256=_digest(made.text),
        summary=made.summary,
    )


def _marked(run: Run, file: str, old: PublishedPage | None, reason: str) -> str | None:
    """The last good page with a mark; None if there is none."""
    from cxresearch.report.pages.text import time_text  # slow to import, and needed only here

    place = run.out / file
    try:
        text = place.read_text(encoding="utf-8")
        made = old.made if old else datetime.fromtimestamp(place.stat().st_mtime, UTC).isoformat()
    except (OSError, UnicodeDecodeError):
        return None
    new = marked(text, made=time_text(made), tried=time_text(run.at), reason=reason)
    return new if new != text else None


def _again(old: PublishedPage, text: str, reason: str) -> PublishedPage:
    return msgspec.structs.replace(old, sha256=_digest(text), stale=reason)


def _digest(text: str) -> str:
    return manifests.digest(text.encode("utf-8"))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
