"""What the four sentences of a claim, and its caution, may name in braces."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter

from cxresearch.claims.grammar import Text
from cxresearch.errors import ClaimError, nearest

ALWAYS = ("lacks", "reason", "base")
NUMBERS = ("estimate", "low", "high", "horizon", "customers", "events")  # of a primary reading that could be computed
LIMITS = ("", "low", "high")  # of a reading, after a colon


def check_sentences(where: str, text: Text, readings: Sequence[str], lacking: Sequence[str] = ()) -> None:
    """Refuse sentences that could not be filled in.

    Args:
        where: path of the claim, for messages.
        text: the sentences.
        readings: ids.
        lacking: names that the claim has nothing for.

    Raises:
        ClaimError: a brace that stands alone, an unknown name, or a format that is not understood.
    """
    for name in text.__struct_fields__:
        own = ALWAYS if name == "not_testable" else (*ALWAYS, *NUMBERS)
        _check(f"{where}.text.{name}", getattr(text, name), tuple(w for w in own if w not in lacking), tuple(readings))


def _check(where: str, sentence: str, words: tuple[str, ...], readings: tuple[str, ...]) -> None:
    numbers = ", ".join(f"{{{r}}}" for r in readings)
    may = (
        f"in braces may stand {', '.join(words)}, or the number of a reading: {numbers}, or its limits, "
        f"as {{{readings[0]}:low}} and {{{readings[0]}:high}}; braces themselves are written {{{{ and }}}}"
    )
    try:
        parts = list(Formatter().parse(sentence))
    except ValueError:
        raise ClaimError(f"{where}: a brace stands alone in {sentence!r}; {may}") from None
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        said = f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
        known = name in readings or name in words
        if not known:
            raise ClaimError(f"{where}: {said} is unknown here{nearest(name, (*words, *readings))}; {may}")
        if conversion or (spec or "") not in (LIMITS if name in readings else ("",)):
            raise ClaimError(f"{where}: {said} is no form of {name}; {may}")
