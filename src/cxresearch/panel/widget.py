"""The panel in JupyterLab: what was asked comes from the browser, answers go there; nothing else is loaded."""

from __future__ import annotations

import threading
from dataclasses import replace
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from cxresearch.errors import CxResearchError
from cxresearch.panel.answers import Answers, to_plain
from cxresearch.panel.choices import Choice
from cxresearch.utils.result import plain

_FOLDER = files("cxresearch.panel")


class WhatIf(anywidget.AnyWidget):  # type: ignore[misc]  # the extra may not be installed
    """A claim under definitions that are moved.

    When the panel appears, the numbers under the study's own definitions and under every *bad* of the slider are there,
    so that a move of it costs nothing. Two threads compute the rest, so that
    a kernel stays free. One answers what was asked last; while nothing new is asked, it fills the table and then makes
    ready what a single move leads to. The other tries rival explanations, once the table has its numbers.

    Args:
        answers: of the claim.

    Attributes:
        about: the claim, its number and its region, in words and edges.
        choices: what can be chosen of each definition, and the study's own definition.
        asked: the definitions that were chosen last.
        answer: the number and the verdict under them, and the definitions that they belong to; empty while there are
            none.
        rows: the same for each choice that differs from the study's own in one definition.
        is_complete: whether every row has its number.
        message: what is wrong with what was asked; empty if nothing is.
    """

    _esm = _FOLDER.joinpath("panel.js").read_text(encoding="utf-8")
    _css = _FOLDER.joinpath("panel.css").read_text(encoding="utf-8")
    about = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    is_complete = traitlets.Bool(default_value=False).tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)

    def __init__(self, answers: Answers) -> None:
        claim, own = answers.claim, answers.choices.own
        first = [answers.get(replace(own, bad=bad)) for bad in (own.bad, *answers.choices.bad)]
        region = claim.primary.claimed_region
        super().__init__(
            about={
                "claim": claim.id,
                "statement": claim.statement,
                "label": claim.primary.label,
                "is_ratio": claim.primary.unit.is_ratio,
                "null": claim.primary.unit.null_value,
                "low": plain(region.low),
                "high": plain(region.high),
            },
            choices=plain(answers.choices),
            asked=plain(own),
            answer=to_plain(first[0]),
            rows=[to_plain(answer) for answer in dict.fromkeys(first)],
        )
        self._answers = answers
        self._table = answers.choices.one_at_a_time()
        self._wanted: Choice = answers.choices.own
        self._changed = threading.Condition()
        self._showing = threading.Lock()
        self._is_open = True
        self.observe(self._on_asked, names="asked")
        self._threads = [
            threading.Thread(target=work, name=f"what-if {work.__name__}", daemon=True)
            for work in (self._count, self._try_rivals)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the panel and what is still to be computed for it."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        super().close()

    def _on_asked(self, change: Any) -> None:
        try:
            choice = self._answers.choices.read(change["new"])
        except CxResearchError as e:
            self.message = str(e)
            return
        self.message = ""
        with self._changed:
            self._wanted = choice
            self._changed.notify_all()
        self._show()

    def _show(self) -> None:
        """Show the best answer that there is to what is wanted."""
        with self._showing:
            known = self._answers.known(self._wanted)
            self.answer = to_plain(known) if known else {}

    def _count(self) -> None:
        """Numbers, as long as the panel is open: of what is asked, of the table, of what may be asked next."""
        while True:
            with self._changed:
                choice = self._next_number()
                while self._is_open and choice is None:
                    self._changed.wait()
                    choice = self._next_number()
                if choice is None or not self._is_open:
                    return
            self._answers.get(choice)
            if choice == self._wanted:
                self._show()
            if choice in self._table:
                self._send_rows()
            with self._changed:
                self._changed.notify_all()

    def _next_number(self) -> Choice | None:
        """What has no number yet: a move that was made comes before all moves that may be made."""
        choices = self._answers.choices
        waiting = (self._wanted, *self._table, *choices.near(self._wanted))
        return next((c for c in waiting if self._answers.known(c) is None), None)

    def _has_numbers(self) -> bool:
        return all(self._answers.known(c) for c in (self._wanted, *self._table))

    def _try_rivals(self) -> None:
        """Verdicts of the whole rule, of what is asked first; numbers come before them."""
        ruled: set[Choice] = set()
        while True:
            with self._changed:
                while self._is_open and not (
                    self._has_numbers()
                    and (waiting := [c for c in (self._wanted, *self._table) if c not in ruled])
                ):
                    self._changed.wait()
                if not self._is_open:
                    return
            choice = waiting[0]
            ruled.add(choice)
            self._answers.get(choice, whole_rule=True)
            if choice == self._wanted:
                self._show()
            self._send_rows()

    def _send_rows(self) -> None:
        with self._showing:
            known = [self._answers.known(choice) for choice in self._table]
            self.rows = [to_plain(answer) for answer in known if answer]
            self.is_complete = all(known)
