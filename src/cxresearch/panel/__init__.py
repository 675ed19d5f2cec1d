"""What becomes of a claim when its definitions are moved: a panel for JupyterLab, which needs no network.

::

    choices  the definitions that can be moved, and which combination is asked for
    answers  the number and the verdict of a combination; each is computed once
    widget   the panel itself, of anywidget; its script and style lie next to it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.evaluate import choose
from cxresearch.engines import Engine
from cxresearch.errors import ReportError
from cxresearch.panel.answers import Answers, other_definitions
from cxresearch.panel.choices import Choice as Choice
from cxresearch.panel.choices import Choices as Choices
from cxresearch.records.records import Records, study_of
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, text

if TYPE_CHECKING:
    from cxresearch.panel.widget import WhatIf

__all__ = ["Answers", "Choice", "Choices", "other_definitions", "what_if"]


def what_if(study: Study | Records, claim: str, *, engine: Engine | str = "polars") -> WhatIf:
    """A panel on which the definitions behind a claim are moved: what is bad, blackout, horizon and segment.

    The numbers of the slider of bad are counted before the panel appears. Number, interval and the verdict by the
    interval alone follow a move at once, the verdict of the whole rule a little later. Below stands how the verdict
    turns when one definition at a time is moved. Show it as the last line of a cell in JupyterLab.

    Args:
        study: a study, or its records if they are read already.
        claim: id of a claim of the catalogue or of the study.
        engine: where the tables are read; ignored for records.

    Returns:
        A widget. What it shows is in its traits `answer` and `rows`.

    Raises:
        ReportError: the extra ``lab`` is not installed.
        ClaimError: an unknown id.
        SourceError, DataError: as `cxresearch.read_records`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 500, seed=1).study()
        >>> answers = cx.panel.Answers(study, "bad-moments-drive-away")
        >>> answers.choices.bad
        ('stars <= 1', 'as the study grades', 'stars <= 3')
    """
    text("claim", claim)
    arguments(engine=engine)
    choose(claims_of(study_of(study).claims), [claim])
    return widget_of(Answers(study, claim, engine=engine))


def widget_of(answers: Answers) -> WhatIf:
    """The panel of answers that may have been asked for already.

    Args:
        answers: of a claim.

    Raises:
        ReportError: the extra ``lab`` is not installed.
    """
    try:
        from cxresearch.panel.widget import WhatIf
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in {"anywidget", "ipywidgets", "traitlets"}:
            raise
        raise ReportError(
            "the panel needs anywidget, which is not installed: pip install 'cxresearch[lab]'"
        ) from None
    return WhatIf(answers)
