"""Small matched tables: of chance, and of a company whose truth is known."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cxresearch.risk.matched import MatchedTable

CAUSES = ("censored", "defection", "other")
_EXPOSED = ("group", "stratum", "pattern", "day", "time", "event", "customers")
_SPANS = ("group", "stratum", "pattern", "first", "last", "end", "event", "customers")


def table_of(exposed, spans, groups, **names) -> MatchedTable:
    """A table of rows, in the order of its columns."""
    names = {"covariates": (), "strata": ((),)} | names
    return MatchedTable(
        exposed=pl.DataFrame(exposed, list(_EXPOSED), orient="row"),
        spans=pl.DataFrame(spans, list(_SPANS), orient="row"),
        causes=CAUSES,
        population=pl.DataFrame({"group": range(groups)}).with_columns(
            customers=pl.lit(2), clusters=pl.lit(1)
        ),
        **names,
    )


def chance(seed: int = 3) -> MatchedTable:
    """Exposed customers and spans of comparators of 50 clusters in two strata; a few days have no comparator."""
    rng = np.random.default_rng(seed)
    exposed, spans = [], []
    for group in range(50):
        for _ in range(int(rng.integers(1, 4))):
            day, time = int(rng.integers(0, 12)), 1 + int(rng.exponential(40))
            event = int(rng.choice([1, 1, 2])) if time < 60 else 0
            pattern = int(rng.choice(6, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1]))
            exposed.append((group, int(rng.integers(0, 2)), pattern, day, min(time, 60), event, 1))
        for _ in range(int(rng.integers(1, 4))):
            first, last = sorted(rng.choice(np.arange(1, 14), 2, replace=False).tolist())
            pattern = int(rng.integers(0, 6))
            end = last + int(rng.exponential(60 + 10 * pattern))
            event = int(rng.choice([1, 1, 2])) if end - last < 60 else 0
            stratum, end = int(rng.integers(0, 2)), min(end, last + 60)
            spans.append((group, stratum, pattern, first, last, end, event, 1))
    return table_of(
        exposed,
        spans,
        50,
        covariates=("segment",),
        strata=(("a",), ("b",)),
        terms=("lately", "so_far"),
        patterns=tuple((a, b) for a in ("0", "1+") for b in ("1", "2", "3+")),
    )


@dataclass(frozen=True)
class Company:
    """Two customers to a household, in touch equally often; who is has more moments, and leaves more often or less.

    Attributes:
        effect: hazard ratio from the moment on.
        busy: log hazard ratio of leaving per step of contacts.
        moments: log hazard ratio of a moment per step of contacts.
        horizon: days.
    """

    effect: float = 1.0
    busy: float = 0.7
    moments: float = 0.6
    horizon: int = 60
    _moment, _leaving, _other = 0.01, 0.004, 0.001

    def leaving(self, step, *, after: bool):
        """Hazard of leaving per day."""
        return self._leaving * np.exp(self.busy * step) * (self.effect if after else 1.0)

    def moment(self, step):
        """Hazard of a moment per day."""
        return self._moment * np.exp(self.moments * step)

    def table(self, seed: int, households: int = 300, steps: int = 3) -> MatchedTable:
        """What is seen of it in 60 to 200 days."""
        rng = np.random.default_rng(seed)
        exposed, spans = [], []
        for group, step in enumerate(rng.integers(0, steps, households).tolist()):
            for _ in range(2):
                moment = int(rng.geometric(self.moment(step)))
                before = int(rng.geometric(self.leaving(step, after=False)))
                gone = (
                    before
                    if before <= moment
                    else moment + int(rng.geometric(self.leaving(step, after=True)))
                )
                times = (int(rng.integers(60, 200)), gone, int(rng.geometric(self._other)))
                end, event = min((t, i) for i, t in enumerate(times))
                first = min(moment, end)
                spans.append((group, 0, step, 0, first, end, event, 1))
                if moment < end:
                    exposed.append((group, 0, step, moment, end - moment, event, 1))
        names = tuple((str(s),) for s in range(steps))
        return table_of(exposed, spans, households, terms=("contacts",), patterns=names)

    def truth(self, table: MatchedTable, lead: int = 0) -> float:
        """The excess of the exposed of a table: what they do less what they would do without the moment then."""
        rows = table.exposed.filter(pl.col("time") > lead)
        by_step = [self._incidences(s, lead) for s in range(len(table.patterns))]
        difference = np.array([a - b for a, b in by_step])
        return float(np.mean(difference[rows["pattern"].to_numpy()]))

    def _incidences(self, step: int, lead: int) -> tuple[float, float]:
        """Of leaving after the lead and by the horizon, with the moment and without it, or with a later one."""
        result = []
        for start in ([0.0, 1.0], [1.0, 0.0]):
            there, left = np.array(start), 0.0
            hazards = np.array([self.leaving(step, after=a) for a in (False, True)])
            for day in range(1, self.horizon + 1):
                if day == lead + 1:
                    there /= there.sum()
                if day > lead:
                    left += float(there @ hazards)
                there *= (1 - hazards) * (1 - self._other)
                moved = there[0] * self.moment(step)
                there += [-moved, moved]
            result.append(left)
        return result[0], result[1]
