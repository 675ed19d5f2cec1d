"""How the number of a reading is computed within each customer, where retention is derived from contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxresearch.claims.adjusted_model import counted_contacts
from cxresearch.claims.context import EvaluationContext, RawEstimate
from cxresearch.claims.kinds import AnyReading, HazardContrastReading
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import gaps_spec
from cxresearch.claims.validation import features
from cxresearch.errors import NotTestable
from cxresearch.estimators.own_gaps import own_gaps
from cxresearch.histories.counts import wanted_values
from cxresearch.records.contact_attributes import CONTACT_ATTRIBUTES


def gap_marks(claim: Claim, reading: AnyReading) -> dict[str, dict[str, int]]:
    """What marks a gap, by history: the contacts that each history of a model counts.

    Empty where a history that the reading asks about does not count contacts of one kind, so that no single contact is
    such a moment.
    """
    if not isinstance(reading, HazardContrastReading):
        return {}
    asked = set(reading.subjects())
    result: dict[str, dict[str, int]] = {}
    for term in reading.model.terms:
        for name in features(term):
            kind = counted_contacts(claim.histories.get(name, {}))
            if kind is None and name in asked:
                return {}
            if kind is not None:
                result[name] = wanted_values(kind)
    return result


def gap_caps(
    reading: HazardContrastReading, marks: Mapping[str, Any], claim: Claim
) -> dict[str, int]:
    """How many of each mark are distinguished: as many as a linear term does, else whether there was one."""
    linear = {n for t in reading.model.terms if t.startswith("linear(") for n in features(t)}
    # levels are 0, the counts, and unknown
    return {name: len(claim.history(name).levels) - 2 if name in linear else 1 for name in marks}


def gap_weights(reading: HazardContrastReading) -> dict[str, float]:
    """The weight of each history of a contrast, whatever its levels."""
    weights: dict[str, float] = {}
    for term, weight in reading.contrast.items():
        for name in features(term):
            weights[name] = weights.get(name, 0.0) + weight
    return {name: w for name, w in weights.items() if w}


def compute_own_gaps(
    context: EvaluationContext, claim: Claim, reading: AnyReading, *, earlier: bool
) -> RawEstimate:
    """How much later customers come back once they have had such moments than they themselves did before.

    Args:
        context: the study and its tables.
        claim: of the reading.
        reading: a contrast of moments.
        earlier: count moments up to the contact before.

    Raises:
        NotTestable: no single contact is such a moment, or too few customers have contacts that differ.
        EstimationError: the model has no maximum.
    """
    marks = gap_marks(claim, reading)
    if not marks or not isinstance(reading, HazardContrastReading):
        raise NotTestable(
            "other_kind", "a moment that a single contact is, to compare a customer's own gaps by"
        )
    read = {
        column for wanted in marks.values() for column in wanted if column in CONTACT_ATTRIBUTES
    }
    for column in sorted(read - context.store.available):
        raise NotTestable("missing_column", f"{column}: the log has no such column")
    result = own_gaps(
        context.store.gaps(gaps_spec(marks)),
        gap_weights(reading),
        gap_caps(reading, marks, claim),
        earlier=earlier,
        level=1 - 2 * (1 - context.study.decision.level),  # it can support only: one limit counts
    )
    return RawEstimate(estimate=result.slowness, customers=result.customers, events=result.ended)
