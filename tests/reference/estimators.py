"""Estimators over a cell for every customer and day: sums over risk sets, written out.

Shares no code with the package. `mask` says which customer-days are looked at; a departure counts where its day is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import optimize

from tests.reference.grids import DEFECTION, OTHER, UNKNOWN, Contact, Grid, Life

Terms = dict[str, Grid]
MIN_CELL = 10
LAST_STEP = 1e-5  # of Newton's method; its square is left
FAR = 12.0  # a coefficient beyond runs off
ALIKE = 1e-9  # of a column's spread: what is left of it where others say the same


def left(life: Life, cause: int) -> Grid:
    """Whether a customer leaves on that day for that cause."""
    return (np.arange(life.size[1]) == life.exit[:, None]) & (life.event == cause)[:, None]


def at_exit(life: Life, grid: Grid) -> np.ndarray:
    """Return the last state of everybody."""
    return grid[np.arange(len(life.exit)), life.exit]


def at_last(life: Life, terms: Terms) -> Terms:
    """Take everybody's last state for all of the follow-up, as naive analyses do."""
    return {
        name: np.broadcast_to(at_exit(life, grid)[:, None], life.size)
        for name, grid in terms.items()
    }


def on_clock(life: Life, origin: dict[int, int], terms: Terms) -> tuple[Life, Terms]:
    """Count days from an origin instead of the start; customers without one are never at risk."""
    shift = np.array([origin.get(i, -1) for i in range(len(life.name))])
    days = np.arange(life.size[1]) + np.maximum(shift, 0)[:, None]
    rows = np.arange(len(life.name))[:, None]
    there = np.where(shift >= 0, np.maximum(life.exit - shift, 0), 0)
    moved = {name: grid[rows, np.minimum(days, life.size[1] - 1)] for name, grid in terms.items()}
    size = int(there.max()) + 2
    return replace(life, entry=np.zeros_like(shift), exit=there), {
        name: g[:, :size] for name, g in moved.items()
    }


def looked_at(life: Life, mask: Grid | None) -> Grid:
    """Say which customer-days a number is about: customers seen from their start, at risk, and in the mask.

    The design asks for the start of numbers about counts and first moments, and leaves it open for windows and ages.
    """
    seen = life.at_risk & ~life.left_truncated[:, None]
    return seen if mask is None else seen & mask


# Cox models


@dataclass
class Fit:
    """A model: coefficients by name (``bad=1``, ``sour``), and what it was fitted to.

    `sets` are the risk sets that say something of the coefficients, after as many limits as `limits` says; `free` has a
    row for each direction in which the coefficients can be moved without any of these becoming more or less likely.
    """

    coef: dict[str, float]
    loglik: float
    customers: int
    events: int
    sets: "Sets"
    free: np.ndarray
    limits: int

    def ratio(self, weights: dict[str, float]) -> float:
        """Return exp of a weighted sum of coefficients, which the data must determine."""
        w = np.array([weights.get(name, 0.0) for name in self.sets.names])
        if len(self.free) and np.abs(self.free @ w).max() > 1e-6:
            message = f"the data do not determine {weights}"
            raise ArithmeticError(message)
        return float(np.exp(sum(w * self[name] for name, w in weights.items())))

    def __getitem__(self, name: str) -> float:
        return self.coef.get(name, 0.0)  # of a reference level: zero


@dataclass
class Sets:
    """The risk sets of a model: rows of equal customers at a time of departures in a stratum.

    `time` numbers the risk sets; `there` and `gone` say how many of a row are at risk and leave; `x` is the design.
    `row_of` and `who` say which row every customer of every risk set is in, and `who_left` likewise.
    """

    names: list[str]
    x: np.ndarray
    time: np.ndarray
    row_of: np.ndarray
    who: np.ndarray
    gone_row: np.ndarray
    who_left: np.ndarray
    customers: int

    def by_time(self) -> list[np.ndarray]:
        """The rows of each risk set."""
        return np.split(np.arange(len(self.time)), np.flatnonzero(np.diff(self.time)) + 1)


def risk_sets(
    life: Life, terms: Terms, linear: Terms, strata: np.ndarray | None, mask: Grid | None
) -> Sets:
    """Collect everybody at risk on every day somebody leaves, in the same stratum, where all terms are known."""
    seen = looked_at(life, mask)
    for grid in (*terms.values(), *linear.values()):
        seen = seen & (grid >= 0)
    lost = seen & left(life, DEFECTION)
    strata = np.zeros(len(life.name)) if strata is None else strata
    who, row_days, stratum_of, gone = [], [], [], []
    sets = 0
    for s in np.unique(strata):
        own = strata == s
        for u in np.flatnonzero((lost & own[:, None]).any(axis=0)):
            there = np.flatnonzero(own & seen[:, u])
            who.append(there)
            row_days.append(np.full(len(there), u))
            stratum_of.append(np.full(len(there), sets))
            gone.append(lost[there, u])
            sets += 1
    people, days, time, leaves = map(np.concatenate, (who, row_days, stratum_of, gone))
    raw = [grid[people, days] for grid in (*terms.values(), *linear.values())]
    key = time.astype(np.int64)
    for values in raw:
        key = key * (int(values.max()) + 1) + values  # equal customers have equal keys
    _, first, row_of = np.unique(key, return_index=True, return_inverse=True)
    cases = np.column_stack([time[first], *(values[first] for values in raw)])
    names: list[str] = []
    columns: list[np.ndarray] = []
    for k, (name, grid) in enumerate(terms.items()):
        present = np.unique(grid[seen])
        for level in present[1:]:
            names.append(f"{name}={level}")
            columns.append(cases[:, 1 + k] == level)
    for k, name in enumerate(linear):
        names.append(name)
        columns.append(cases[:, 1 + len(terms) + k])
    x = np.column_stack(columns).astype(float) if columns else np.zeros((len(cases), 0))
    customers = int(seen.any(axis=1).sum())
    return Sets(names, x, cases[:, 0], row_of, people, row_of[leaves], people[leaves], customers)


def fit(sets: Sets) -> Fit:
    """Maximise Efron's partial likelihood, in the limit where coefficients run off.

    Where the likelihood rises without end in some direction, whoever has less of it than those who leave has no weight
    in the limit. The rest of the risk sets then says what the other coefficients are.
    """
    limits = 0
    while True:
        beta, loglik, information = climb(sets)
        if beta is not None:
            break
        direction = recession(sets)
        if direction is None:
            message = "no maximum was found, and no direction in which there is none"
            raise ArithmeticError(message)
        sets, limits = in_the_limit(sets, direction), limits + 1
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    free = (vectors[:, values < ALIKE] / scale[:, None]).T
    free /= np.maximum(np.linalg.norm(free, axis=1, keepdims=True), 1e-300)
    result = dict(zip(sets.names, map(float, beta), strict=True))
    return Fit(result, loglik, sets.customers, len(sets.gone_row), sets, free, limits)


def climb(sets: Sets) -> tuple[np.ndarray | None, float, np.ndarray]:
    """Newton's method, with the shortest of the steps that are equally good where columns say the same.

    Returns:
        The coefficients, None where one runs off; the log likelihood and the information.
    """
    rows = len(sets.x)
    there = np.bincount(sets.row_of, minlength=rows).astype(float)
    gone = np.bincount(sets.gone_row, minlength=rows).astype(float)
    first = np.flatnonzero(np.r_[True, np.diff(sets.time) > 0])
    d = np.add.reduceat(gone, first).astype(int)
    # one line for each departure: its risk set, and how much of the departures with it is already gone
    of = np.repeat(np.arange(len(d)), d)
    part = np.concatenate([np.arange(k) / k for k in d if k > 0])
    beta = np.zeros(sets.x.shape[1])
    set_of_row = np.repeat(np.arange(len(first)), np.diff(np.r_[first, rows]))
    for _ in range(60):
        eta = sets.x @ beta
        w = np.exp(eta)
        s0, q0 = np.add.reduceat(there * w, first), np.add.reduceat(gone * w, first)
        u = s0[of] - part * q0[of]
        loglik = gone @ eta - np.log(u).sum()
        s1 = np.add.reduceat((there * w)[:, None] * sets.x, first, axis=0)
        q1 = np.add.reduceat((gone * w)[:, None] * sets.x, first, axis=0)
        v = (s1[of] - part[:, None] * q1[of]) / u[:, None]
        a = np.bincount(of, 1 / u, minlength=len(first))
        b = np.bincount(of, part / u, minlength=len(first))
        weight = w * (there * a[set_of_row] - gone * b[set_of_row])
        information = sets.x.T @ (weight[:, None] * sets.x) - v.T @ v
        score = gone @ sets.x - v.sum(axis=0)
        scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
        step = np.linalg.lstsq(information / np.outer(scale, scale), score / scale, rcond=ALIKE)[0]
        step /= scale
        step *= min(1.0, 2.0 / np.abs(step).max(initial=1e-9))
        beta = beta + step
        if not np.abs(beta).max(initial=0) < FAR:
            return None, float(loglik), information
        if np.abs(step).max(initial=0) < LAST_STEP:
            # what the last step adds, but for its third power
            return beta, float(loglik + 0.5 * score @ step), information
    return None, float(loglik), information


def recession(sets: Sets) -> np.ndarray | None:
    """A direction in which the likelihood never falls and somewhere rises, shape (p,); None where there is none.

    Along it no one at risk with a leaver has more than the leaver, and somebody has less.
    """
    more = np.unique(np.concatenate(list(leads(sets))), axis=0)
    more = more[np.abs(more).sum(axis=1) > 0]
    found = optimize.linprog(
        -more.sum(axis=0), A_ub=-more, b_ub=np.zeros(len(more)), bounds=(-1, 1), method="highs"
    )
    return found.x if -found.fun > 1e-6 else None


def leads(sets: Sets) -> Iterator[np.ndarray]:
    """How much more of everything each leaver has than those at risk at the same time."""
    for rows in sets.by_time():
        for leaver in np.intersect1d(rows, sets.gone_row):
            yield sets.x[leaver] - sets.x[rows]


def in_the_limit(sets: Sets, direction: np.ndarray) -> Sets:
    """The risk sets without those who have less of a direction than the leavers."""
    along = sets.x @ direction
    keep = np.zeros(len(along), dtype=bool)
    for rows in sets.by_time():
        keep[rows] = along[rows] > along[rows].max() - 1e-6
    assert keep[sets.gone_row].all()
    number = np.cumsum(keep) - 1
    there = keep[sets.row_of]
    return replace(
        sets,
        x=sets.x[keep],
        time=sets.time[keep],
        row_of=number[sets.row_of[there]],
        who=sets.who[there],
        gone_row=number[sets.gone_row],
    )


def cox(
    life: Life,
    terms: Terms,
    linear: Terms | None = None,
    strata: np.ndarray | None = None,
    mask: Grid | None = None,
    *,
    final: bool = False,
) -> Fit:
    """Fit a Cox model on tenure.

    Args:
        life: the customers.
        terms: histories with a coefficient for each level but the lowest one met.
        linear: histories as numbers.
        strata: shape (N,).
        mask: which customer-days are looked at.
        final: take everybody's last state for all of the follow-up, as naive analyses do.
    """
    linear = linear or {}
    if final:
        terms, linear = at_last(life, terms), at_last(life, linear)
        mask = None if mask is None else at_last(life, {"": mask})[""]
    return fit(risk_sets(life, terms, linear, strata, mask))


# Contests


@dataclass
class Contest:
    """The difference of two log likelihoods per departure, before and after the correction for parameters."""

    plain: float
    corrected: float
    customers: int
    events: int


def by_cluster(fitted: Fit, cluster: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What every cluster adds to the score, by the derivative in its case weight, and the information.

    All who leave at once weigh as the mean of them. Customer by customer and risk set by risk set.

    Args:
        fitted: a model.
        cluster: the cluster of every customer.

    Returns:
        Shapes (C, p) and (p, p).
    """
    _, member = np.unique(np.array(cluster), return_inverse=True)
    sets = fitted.sets
    beta = np.array([fitted[name] for name in sets.names])
    risk = np.exp(sets.x @ beta)
    at = sets.time.astype(int)
    score = np.zeros((len(member), len(beta)))  # by customer, who is once in a risk set
    information = np.zeros((len(beta), len(beta)))
    departures = defaultdict(list)
    for row, who in zip(sets.gone_row, sets.who_left, strict=True):
        departures[at[row]].append((row, who))
    order = np.argsort(at[sets.row_of], kind="stable")
    edges = np.searchsorted(at[sets.row_of][order], np.arange(at.max() + 2))
    leaves = np.zeros(len(member), dtype=bool)
    for time, leaving in departures.items():
        here = order[edges[time] : edges[time + 1]]
        rows, people = sets.row_of[here], sets.who[here]
        x, r = sets.x[rows], risk[rows]
        leaves[[who for _, who in leaving]] = True
        gone = leaves[people]
        leaves[:] = False
        d = len(leaving)
        for k in range(d):
            weight = r * (1 - k / d * gone)
            mean = weight @ x / weight.sum()
            away = x - mean
            information += (weight[:, None] * away).T @ away / weight.sum()
            score[people] -= (weight / weight.sum())[:, None] * away
            score[people[gone]] += away[gone] / d
    together = np.zeros((member.max() + 1, len(beta)))
    np.add.at(together, member, score)
    return together, information


def robust_error(fitted: Fit, cluster: Sequence[str]) -> dict[str, float]:
    """The root of the sum of squares of what clusters move, by coefficient (Lin and Wei)."""
    score, information = by_cluster(fitted, cluster)
    moves = score @ np.linalg.inv(information)
    return dict(zip(fitted.sets.names, np.sqrt((moves**2).sum(axis=0)).tolist(), strict=True))


def contest(
    life: Life,
    first: tuple[Terms, Terms],
    second: tuple[Terms, Terms],
    equal: Terms,
    strata: np.ndarray | None,
    mask: Grid | None = None,
    *,
    final: bool = False,
) -> Contest:
    """Compare two descriptions, each (terms, linear), on the customer-days where all of both are known.

    A fit is better than the true coefficients by tr(J⁻¹V) / 2, by chance: J is the information, V the sum of squares
    of what clusters add to the score.
    """
    if final:
        first, second = (
            (at_last(life, one), at_last(life, other)) for one, other in (first, second)
        )
        equal, mask = at_last(life, equal), None if mask is None else at_last(life, {"": mask})[""]
    seen = np.ones(life.size, dtype=bool) if mask is None else mask
    for grid in (g for side in (first, second) for part in side for g in part.values()):
        seen = seen & (grid >= 0)
    fits = [
        fit(risk_sets(life, {**equal, **side[0]}, side[1], strata, seen))
        for side in (first, second)
    ]
    events = fits[0].events
    by_chance = []
    for fitted in fits:
        score, information = by_cluster(fitted, life.cluster)
        moves = np.linalg.lstsq(information, score.T @ score, rcond=ALIKE)[0]
        by_chance.append(np.trace(moves) / 2)
    plain = fits[0].loglik - fits[1].loglik
    corrected = plain - (by_chance[0] - by_chance[1])
    return Contest(plain / events, float(corrected) / events, fits[0].customers, events)


# Incidences


@dataclass
class Incidence:
    """An incidence, who was followed, and how many left by that cause by then."""

    value: float
    customers: int
    events: int


def aalen_johansen(risk: np.ndarray, cause: np.ndarray, others: np.ndarray, horizon: int) -> float:
    """Return the incidence of a cause by the horizon from numbers per day (index 0 is day 0)."""
    there, result = 1.0, 0.0
    for day in range(1, min(horizon + 1, len(risk))):
        if risk[day] > 0:
            result += there * cause[day] / risk[day]
            there *= 1 - (cause[day] + others[day]) / risk[day]
    return result


def supported(risk: np.ndarray, gone: np.ndarray, horizon: int) -> bool:
    """Whether the data are worth enough customers up to the horizon: those at risk by the share still there."""
    there = 1.0
    for day in range(int(np.argmax(risk > 0)), horizon + 1):
        if there > 0 and risk[day] / there < MIN_CELL:
            return False
        there *= 1 - gone[day] / risk[day] if risk[day] else 1.0
    return True


def on_tenure(life: Life, mask: Grid, horizon: int) -> Incidence | None:
    """Incidence of leaving on the clock of tenure, counted while in the mask; None beyond the support."""
    seen = looked_at(life, mask)
    lost, other = seen & left(life, DEFECTION), seen & left(life, OTHER)
    risk = seen.sum(axis=0)
    risk[: int(np.argmax(risk >= MIN_CELL))] = 0  # it starts where enough are at risk
    if not supported(risk, lost.sum(axis=0) + other.sum(axis=0), horizon):
        return None
    value = aalen_johansen(risk, lost.sum(axis=0), other.sum(axis=0), horizon)
    return Incidence(value, int(seen.any(axis=1).sum()), int(lost[:, : horizon + 1].sum()))


def since(
    life: Life,
    origin: dict[int, int],
    ends: dict[int, int],
    horizon: int,
    *,
    of_ends: bool = False,
    whole: bool = False,
) -> tuple[Incidence, Incidence]:
    """Incidences of leaving and of a competing transition since an origin.

    Args:
        life: the customers.
        origin: customer to the day the clock starts.
        ends: customer to the day of the transition, where there is one.
        horizon: the last day that counts.
        of_ends: return the transition's first.
        whole: count events however late.
    """
    size = life.size[1]
    risk, lost, ended, other = (np.zeros(size + 1) for _ in range(4))
    followed = 0
    for i, o in origin.items():
        stop = int(life.exit[i])
        if o >= stop:
            continue
        followed += 1
        turn = ends.get(i, 10**9)
        last = min(stop, turn)
        risk[1 : last - o + 1] += 1
        if turn < stop:
            ended[last - o] += 1
        elif life.event[i] == DEFECTION:
            lost[last - o] += 1
        elif life.event[i] == OTHER:
            other[last - o] += 1
    upto = size if whole else horizon
    a = Incidence(
        aalen_johansen(risk, lost, ended + other, upto), followed, int(lost[: upto + 1].sum())
    )
    b = Incidence(
        aalen_johansen(risk, ended, lost + other, upto), followed, int(ended[: upto + 1].sum())
    )
    return (b, a) if of_ends else (a, b)


@dataclass
class Excess:
    """What is left after matching: incidences of leaving among the exposed and their comparators."""

    exposed: float
    comparators: float
    customers: int
    events: int

    @property
    def value(self) -> float:
        """The difference."""
        return self.exposed - self.comparators


@dataclass
class Compared:
    """Whom the exposed are compared with.

    Each cell is a day, those who are exposed on it, and those who are comparable; these are weighted to have as much of
    `terms`. `alone` counts the exposed without anybody to be compared with.
    """

    cells: list[tuple[int, list[int], np.ndarray]]
    terms: Sequence[Grid]
    alone: int

    @cached_property
    def weights(self) -> list[np.ndarray]:
        """Those of the comparators, by cell."""
        return balanced(self.cells, self.terms)

    @property
    def customers(self) -> int:
        """The exposed who are compared."""
        return sum(len(own) for _, own, _ in self.cells)

    def excess(self, life: Life, horizon: int) -> Excess:
        """Follow both groups, whatever happens to them."""
        tables = [np.zeros((3, life.size[1] + 1)) for _ in range(2)]
        lost = 0
        for (day, own, others), weights in zip(self.cells, self.weights, strict=True):
            for table, who, each in (
                (tables[0], own, np.ones(len(own))),
                (tables[1], others, weights),
            ):
                for i, weight in zip(who, each, strict=True):
                    stop = int(life.exit[i]) - (day - 1)
                    table[0, 1 : stop + 1] += weight
                    if life.event[i] == DEFECTION:
                        table[1, stop] += weight
                        lost += table is tables[0] and stop <= horizon
                    elif life.event[i] == OTHER:
                        table[2, stop] += weight
        a, b = (aalen_johansen(*table, horizon) for table in tables)
        return Excess(a, b, self.customers, lost)


def excess(
    life: Life,
    state: Grid,
    level: int,
    below: int | None,
    horizon: int,
    so_far: Grid,
    *,
    equal: Sequence[Grid] = (),
    terms: Sequence[Grid] = (),
    lead: int = 0,
) -> Excess:
    """Compare as `comparable` says, with customers who had as many contacts so far, one of them on that day."""
    same = (so_far, *equal)
    return comparable(life, state, level, below, 1, equal=same, terms=terms, lead=lead).excess(
        life, horizon
    )


def in_touch(life: Life, days: int) -> Grid:
    """Whether a customer had a contact on the days u - days .. u - 1."""
    met = np.zeros(life.size, dtype=bool)
    for c in life.contacts:
        met[c.who, c.day + 1 : c.day + 1 + days] = True
    return met


def comparable(
    life: Life,
    state: Grid,
    level: int,
    below: int | None,
    days: int,
    *,
    equal: Sequence[Grid] = (),
    terms: Sequence[Grid] = (),
    lead: int = 0,
) -> Compared:
    """Find customers who reach a level, and others in touch in the days before who have not.

    Comparators are seen from their start, below the level, of the same segment, and still there after that day.
    They weigh together as much as the exposed.

    Args:
        life: the customers.
        state: a count.
        level: reaching it is the exposure.
        below: the exposed who are at this level or above at once are left out.
        days: comparators had a contact in so many days, the day itself one of them.
        equal: histories in which comparators are at the same level.
        terms: histories of whose levels comparators have as much as the exposed, once they are weighted.
        lead: who ends within so many days is left out.
    """
    met = in_touch(life, days)
    u = np.arange(life.size[1])
    there = (u + lead <= life.exit[:, None]) & ~life.left_truncated[:, None]
    exposed = defaultdict(list)
    for i in np.flatnonzero(~life.left_truncated):
        reached = np.flatnonzero(state[i] >= level)
        if not len(reached) or reached[0] + lead > life.exit[i] or reached[0] == 0:
            continue
        day = int(reached[0])
        if below is None or state[i, day] < below:
            levels = tuple(int(grid[i, day]) for grid in equal)
            exposed[day, life.segment[i], levels].append(i)
    everybody = sum(len(own) for own in exposed.values())
    cells = []
    for (day, segment, levels), own in exposed.items():
        others = there[:, day] & met[:, day] & (state[:, day] < level) & (life.segment == segment)
        for grid, at in zip(equal, levels, strict=True):
            others &= grid[:, day] == at
        if others.any():
            cells.append((day, own, np.flatnonzero(others)))
    while True:  # who has a level that no comparator has is alone, and so may be others when such a cell is gone
        known = [{int(g) for day, _, others in cells for g in grid[others, day]} for grid in terms]
        fewer = [
            (
                day,
                [i for i in own if all(g[i, day] in k for g, k in zip(terms, known, strict=True))],
                o,
            )
            for day, own, o in cells
        ]
        fewer = [(day, own, others) for day, own, others in fewer if own]
        if sum(len(own) for _, own, _ in fewer) == sum(len(own) for _, own, _ in cells):
            break
        cells = fewer
    return Compared(cells, terms, everybody - sum(len(own) for _, own, _ in cells))


Cells = Sequence[tuple[int, Sequence[int], np.ndarray]]


def balanced(cells: Cells, terms: Sequence[Grid], penalty: float = 1e-3) -> list[np.ndarray]:
    """Weigh the comparators of each cell: exp(c·x), with one c such that all have as much of each level as the exposed.

    Args:
        cells: day, exposed, comparators.
        terms: histories.
        penalty: times the exposed times c² / 2.
    """
    levels = [
        (grid, level)
        for grid in terms
        for level in sorted({int(g) for day, a, b in cells for g in grid[[*a, *b], day]})
    ]
    n = sum(len(own) for _, own, _ in cells)

    def x(day: int, who: Sequence[int] | np.ndarray) -> np.ndarray:
        columns = [grid[list(who), day] == level for grid, level in levels]
        return np.array(columns, dtype=float).T.reshape(len(who), len(levels))

    sides = [(x(day, own), x(day, others)) for day, own, others in cells]

    def weights(c: np.ndarray) -> list[np.ndarray]:
        odds = [np.exp(theirs @ c) for _, theirs in sides]
        return [len(a) * o / o.sum() for (a, _), o in zip(sides, odds, strict=True)]

    def unlike(c: np.ndarray) -> np.ndarray:
        more = sum(a.sum(axis=0) - w @ b for (a, b), w in zip(sides, weights(c), strict=True))
        return more / n - penalty * c

    c = np.zeros(len(levels))
    if levels:
        c = optimize.root(unlike, c, tol=1e-13).x
        assert np.abs(unlike(c)).max() < 1e-10
    return weights(c)


# Shares


@dataclass
class Share:
    """A part of a whole."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The proportion."""
        return self.part / self.whole


def share(life: Life, whole: np.ndarray, part: np.ndarray, cause: int | None = None) -> Share:
    """Count customers, or those who left for a cause."""
    whole = whole if cause is None else whole & (life.event == cause)
    return Share(int((whole & part).sum()), int(whole.sum()))


def at_risk_share(life: Life, among: Grid, counts: Grid, alike: Grid) -> tuple[float, float]:
    """Return the mean share that counts among those at risk with each leaver, and the leavers' own share less it.

    At risk with him are all on the same day of tenure, himself too, at the same level of `alike`.
    """
    seen = looked_at(life, among)
    own, theirs = [], []
    for i in np.flatnonzero(life.event == DEFECTION):
        u = life.exit[i]
        if seen[i, u]:
            with_him = seen[:, u] & (alike[:, u] == alike[i, u])
            own.append(counts[i, u])
            theirs.append(counts[with_him, u].mean())
    return float(np.mean(theirs)), float(np.mean(own) - np.mean(theirs))


# Agents


def worst_part(life: Life, part: float, within_of: Sequence[str]) -> float:
    """Return the share of bad moments at the worst agents, ranked on one half of the customers, measured on the other.

    Ranked by bad moments less those expected for their cells, per contact; the worst have `part` of all contacts.
    """
    graded = [c for c in life.contacts if c.grade != UNKNOWN and c.row["agent"] is not None]
    half = {c: g % 2 for c, g in zip(life.cluster, life.group, strict=True)}
    side = [half[life.cluster[c.who]] for c in graded]

    def cell(c: Contact) -> tuple[object, ...]:
        return tuple((c.at.year, c.at.month) if w == "month" else c.row[w] for w in within_of)

    shares = []
    for ranked in (0, 1):
        rate: dict[tuple[object, ...], list[float]] = defaultdict(list)
        for c, s in zip(graded, side, strict=True):
            if s == ranked:
                rate[cell(c)].append(c.grade == 0)
        usual = {key: float(np.mean(bad)) for key, bad in rate.items()}
        excess_of: dict[str, list[float]] = defaultdict(list)
        volume, bad = defaultdict(float), defaultdict(float)
        for c, s in zip(graded, side, strict=True):
            if s == ranked:
                excess_of[c.row["agent"]].append((c.grade == 0) - usual[cell(c)])
            else:
                volume[c.row["agent"]] += 1
                bad[c.row["agent"]] += c.grade == 0
        order = sorted(excess_of, key=lambda a: -np.mean(excess_of[a]))
        left_over, at_worst = part * sum(volume.values()), 0.0
        for agent in order:
            taken = min(1.0, left_over / volume[agent]) if volume[agent] else 0.0
            at_worst += taken * bad[agent]
            left_over -= taken * volume[agent]
        shares.append(at_worst / sum(bad.values()))
    return float(np.mean(shares))
