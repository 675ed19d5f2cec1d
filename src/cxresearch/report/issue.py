"""What a run leaves for its readers: new pages, marks on those that could not be remade, the index and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from cxresearch.report import ledger
from cxresearch.report import shelf as shelves
from cxresearch.report.ledger import Look
from cxresearch.report.making import Edition, Made, Run, entries
from cxresearch.report.plan import Plan
from cxresearch.report.publish import Move, discard, mark_of, publish
from cxresearch.report.shelf import Shelf, Shelved
from cxresearch.report.stale import marked
from cxresearch.report.stopping import Stops
from cxresearch.report.whole import stage
from cxresearch.trust import make_private

INDEX = "index.html"


def issue(
    run: Run,
    stops: Stops,
    edition: Edition,
    *,
    stale: Mapping[str, str],
    key: Callable[[Plan, Iterable[str]], str] | None = None,
    study: str = "",
) -> None:
    """Publish what a run has to say.

    Args:
        run: the run, the lock of its state held.
        stops: holds signals back while files are renamed.
        edition: the new pages.
        stale: why a page could not be remade, by file name; those that are not there are passed over.
        key: of a plan and the pages in the folder, what the page was made from; none if that is not known.
        study: its id in the ledger; empty for what is known.

    Raises:
        OSError: something cannot be written. Nothing is published then, or the next run finishes it.
    """
    shelf = shelves.read(run.state, run.out)
    shelf = msgspec.structs.replace(shelf, study=study or shelf.study)
    texts = {m.plan.file: m.text for m in edition.made}
    pages = [_shelved(run, m) for m in edition.made]
    for file, reason in stale.items():
        old = shelf.get(file)
        text = _marked(run, file, old, reason)
        if text is not None:
            texts[file] = text
            pages += [_again(old, text, reason)] if old else []
    shelf = shelf.with_pages(pages)
    if key is not None:
        keys = {m.plan.file: key(m.plan, [p.file for p in shelf.pages]) for m in edition.made}
        shelf = shelf.with_pages([msgspec.structs.replace(p, key=keys.get(p.file, p.key)) for p in shelf.pages])
    if not texts and not shelf.pages:
        return
    texts[INDEX] = _index(run, shelf, edition.looks)
    shelf = msgspec.structs.replace(shelf, index=_digest(texts[INDEX]))
    run.say("writing the pages")
    moves: list[Move] = []
    try:
        kept = shelves.place(run.state, run.out)
        make_private(kept.parent)
        for file, text in texts.items():
            target = run.out / file
            moves.append((stage(target, partial(_write, text=text), mark=mark_of(run.state)), target))
        moves.append((stage(kept, partial(_write, text=shelves.text(shelf)), mode=0o600), kept))
        if edition.looks:
            run.say("writing the ledger")
            moves.insert(0, ledger.prepared(run.state, edition.looks))
    except BaseException:
        discard(moves)
        raise
    with stops.held():
        publish(run.state, moves, run.say)


def _index(run: Run, shelf: Shelf, looks: Sequence[Look]) -> str:
    from cxresearch.report.site import index

    run.say("making the index")
    return index(entries(shelf.pages), (*ledger.looks(run.state, shelf.study, run.tell), *looks))


def _shelved(run: Run, made: Made) -> Shelved:
    return Shelved(
        file=made.plan.file,
        title=made.title,
        made=run.at,
        run=run.id,
        key="",
        sha256=_digest(made.text),
        summary=made.summary,
    )


def _marked(run: Run, file: str, old: Shelved | None, reason: str) -> str | None:
    """The last good page with a mark; None if there is none."""
    from cxresearch.report.words import moment  # slow to import, and needed only here

    place = run.out / file
    try:
        text = place.read_text(encoding="utf-8")
        made = old.made if old else datetime.fromtimestamp(place.stat().st_mtime, UTC).isoformat()
    except (OSError, UnicodeDecodeError):
        return None
    new = marked(text, made=moment(made), tried=moment(run.at), reason=reason)
    return new if new != text else None


def _again(old: Shelved, text: str, reason: str) -> Shelved:
    return msgspec.structs.replace(old, sha256=_digest(text), stale=reason)


def _digest(text: str) -> str:
    return shelves.digest(text.encode("utf-8"))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
