"""What a study lacks for a claim, found before anything is computed."""

from __future__ import annotations

from msgspec import structs

from cxresearch.accounting import Audit
from cxresearch.claims.claim import Claim, Reading, features, subjects
from cxresearch.errors import NotTestable
from cxresearch.moments import GRADES
from cxresearch.study import Study


def lacks(claim: Claim, study: Study) -> str:
    """What a study lacks for a claim, as far as the study file shows; empty if it can be tried."""
    if study.retention.kind not in claim.retention:
        return "an end of the relation: retention is derived from the contacts alone"
    had = {*(("segment",) if study.retention.segment else ()), *study.retention.covariates}
    for name in claim.covariates:
        if name not in had:
            where = "segment" if name == "segment" else "covariates"
            return f"{name}: its column is not named under [retention], {where}"
    return ""


def as_graded(audit: Audit, claim: Claim, reading: Reading) -> Reading:
    """The reading without what would be held equal of grades that nobody has.

    Raises:
        NotTestable: it is about such a grade.
    """
    counts = {f.name: f.value for f in audit.facts}
    nobody = {g for g in GRADES if counts.get(f"{g} moments", "").split(" ")[0] == "0"}

    def of(name: str) -> str:
        says = claim.histories.get(name, {})
        return str(says.get("grade", "bad" if says.get("use") in ("bad_count", "first_bad") else ""))

    for grade in (*map(of, subjects(reading)), reading.against):
        if grade in nobody:
            raise NotTestable(f"{grade} moments: no contact is graded {grade}")
    if reading.model is None:
        return reading
    terms = tuple(t for t in reading.model.terms if not nobody & {*map(of, features(t))})
    return structs.replace(reading, model=structs.replace(reading.model, terms=terms))
