"""How much data would decide a claim, kept where planning has been run, so that an open verdict can quote it."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from cxresearch.claims.schema import Claim
from cxresearch.claims.units import Unit
from cxresearch.risk.cache import Cache
from cxresearch.study import Study

PLANS = 4  # raise it where the rule by which a verdict is decided changes: a plan simulates it


class KeptPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What planning has given for the first of the truths that were looked at.

    Attributes:
        customers: who give the wanted probability; -1 where even the most that were looked at do not.
        most: the most that were looked at.
        truth: the number that was planned for.
        days: length of the log.
        wanted: the probability that was wanted.
        claims: how many claims the verdict allows for.
    """

    customers: int
    most: int
    truth: float
    days: int
    wanted: float
    claims: int

    def phrase(self, unit: Unit) -> str:
        """The end of a reason."""
        amount = f"more than {self.most:,}" if self.customers < 0 else f"about {self.customers:,}"
        family = f" and {self.claims:,} claims allowed for" if self.claims > 1 else ""
        return (
            f"; by simulation, {amount} customers over {round(self.days / 30.44)} months would decide it with a "
            f"probability of {self.wanted:.0%} if the truth were {unit.text(self.truth)}, all required rivals included"
            f"{family}"
        )


class KeptPlans:
    """The plans of one state of a study's inputs.

    Args:
        cache: where they are kept; None where nothing is.
        study: its section on decisions.
    """

    def __init__(self, cache: Cache | None, study: Study) -> None:
        self._cache, self._study = cache, study

    def find(self, claim: Claim) -> KeptPlan | None:
        """The plan of a claim, if there is one."""
        content = self._cache.read_result(self._name(claim)) if self._cache else None
        if content is None:
            return None
        try:
            return msgspec.msgpack.decode(content, type=KeptPlan)
        except msgspec.MsgspecError:
            return None

    def keep(self, claim: Claim, plan: KeptPlan) -> None:
        """Keep a plan."""
        if self._cache is not None:
            self._cache.keep_result(self._name(claim), msgspec.msgpack.encode(plan))

    def _name(self, claim: Claim) -> str:
        parts = (
            f"plans {PLANS}",
            msgspec.json.encode(claim, order="deterministic").decode(),
            msgspec.json.encode((self._study.info, self._study.decision)).decode(),
        )
        return f"plan-{blake2b(chr(0).join(parts).encode(), digest_size=12).hexdigest()}"
