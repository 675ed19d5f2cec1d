"""Which keys a reading has that say how its number is computed: each kind of reading reads its own."""

from __future__ import annotations

from msgspec import NODEFAULT
from msgspec.structs import fields

from cxresearch.claims.entry import Reading
from cxresearch.errors import ClaimError

ANY = (
    "id", "label", "shape", "primary", "describes", "region", "smallest_effect", "alternative", "not_contradicted",
    "requires", "ladder",
)  # fmt: skip
_MODELLED = ("event", "clock", "model", "final", "after_days", "among")
KEYS: dict[str, tuple[str, ...]] = {
    "incidence": ("event", "clock", "until", "horizon_days", "ratio_to", "among"),
    "excess": ("event", "horizon_days", "compare", "part"),
    "hazard contrast": (*_MODELLED, "contrast", "frailty"),
    "hazard contrast with frailty": ("event", "model", "final", "among", "frailty"),
    "attributable share": (*_MODELLED, "combine", "against"),
    "contest": (*_MODELLED, "contest"),
    "share": ("count", "ends", "among", "at_risk", "worst"),
    "share of moments": ("worst",),
}


def kind_of(reading: Reading) -> str:
    """What a reading is, as one says; a key of `KEYS`."""
    if reading.shape == "hazard_contrast":
        return "hazard contrast with frailty" if reading.frailty is not None else "hazard contrast"
    if reading.shape == "attributable":
        return "attributable share"
    return "share of moments" if reading.shape == "share" and reading.worst else reading.shape


def check_keys(where: str, reading: Reading) -> None:
    """Refuse keys that do nothing for a reading of its kind.

    Raises:
        ClaimError: such a key is set; those that the kind takes are named.
    """
    kind = kind_of(reading)
    for field in fields(Reading):
        if field.name in (*ANY, *KEYS[kind]):
            continue
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if getattr(reading, field.name) != default:
            article = "an" if kind[0] in "aeiou" else "a"
            takes = ", ".join(KEYS[kind])
            raise ClaimError(f"{where}.{field.name}: {article} {kind} has no {field.name}; it takes: {takes}")
