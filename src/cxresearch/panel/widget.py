"""The panel in JupyterLab: what was asked comes from the browser, answers go there; nothing else is loaded."""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from cxresearch.errors import CxResearchError
from cxresearch.panel.answers import Answer, Answers, to_plain
from cxresearch.panel.choices import Choice
from cxresearch.utils.result import plain

_FOLDER = files("cxresearch.panel")


class WhatIf(anywidget.AnyWidget):  # type: ignore[misc]  # the extra may not be installed
    """A claim under definitions that are moved.

    Two threads compute, so that a kernel stays free: one the number of what was asked last, the other the verdict of
    the whole rule and the table of definitions. What is in the table is known when it is asked for.

    Args:
        answers: of the claim.

    Attributes:
        about: the claim, its number and its region, in words and edges.
        choices: what can be chosen of each definition, and what the study says.
        asked: the definitions that were chosen last.
        answer: the number and the verdict under them; empty while there is none.
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
        claim = answers.claim
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
            asked=plain(answers.choices.own),
        )
        self._answers = answers
        self._table = answers.choices.one_at_a_time()
        self._wanted: Choice = answers.choices.own
        self._changed = threading.Condition()
        self._is_open = True
        self.observe(self._on_asked, names="asked")
        self._threads = [
            threading.Thread(target=work, name=f"what-if {work.__name__}", daemon=True)
            for work in (self._answer_what_is_asked, self._fill_in_the_rest)
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
        known = self._answers.known(choice)
        self.answer = to_plain(known) if known else {}

    def _show(self, answer: Answer) -> None:
        """Show an answer if it is still what is wanted."""
        if answer.choice == self._wanted and not self.answer.get("is_whole_rule"):
            self.answer = to_plain(answer)

    def _answer_what_is_asked(self) -> None:
        done: Choice | None = None
        while True:
            with self._changed:
                while self._is_open and self._wanted == done:
                    self._changed.wait()
                if not self._is_open:
                    return
                done = self._wanted
            self._show(self._answers.get(done))

    def _fill_in_the_rest(self) -> None:
        """The numbers of the table, then verdicts of the whole rule, of what is asked first."""
        waiting = list(self._table)
        while self._is_open and waiting:
            self._answers.get(waiting.pop(0))
            self._send_rows()
        self.is_complete = True
        ruled: set[Choice] = set()
        while self._is_open:
            pending = [c for c in (self._wanted, *self._table) if c not in ruled]
            with self._changed:
                if not pending:
                    self._changed.wait()
                    continue
            ruled.add(pending[0])
            self._show(self._answers.get(pending[0], whole_rule=True))
            self._send_rows()

    def _send_rows(self) -> None:
        known = [self._answers.known(choice) for choice in self._table]
        self.rows = [to_plain(answer) for answer in known if answer]
