"""Walking along customers' rows, by windows or by a sort and a comparison: what plain loops find, on every engine."""

import itertools

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.engines import engine

ENGINES = ["polars", "polars-lazy", "duckdb"]
KEY = ("customer", "day", "second")
SHIFTS = {"two_back": 2, "back": 1, "ahead": -1, "two_ahead": -2}
CASES = {
    "nulls first, right after another's values": [
        (1, 4, 0, 5),
        (1, 5, 0, 8),
        (2, 0, 0, None),
        (2, 3, 0, 7),
    ],
    "nothing, between two who have something": [
        (1, 4, 0, 5),
        (2, 1, 0, None),
        (2, 2, 0, None),
        (3, 1, 0, -2),
    ],
    "a single row each": [(1, 4, 0, 5), (2, 1, 0, None), (3, 7, 0, 2), (4, 1, 0, -6)],
    "nulls before all else": [
        (1, 1, 0, None),
        (1, 2, 0, None),
        (1, 3, 0, 2),
        (2, 1, 0, None),
        (2, 2, 0, 4),
    ],
    "nulls between": [(1, 1, 0, 3), (1, 2, 0, None), (1, 3, 0, 1), (1, 4, 0, None), (1, 5, 0, 2)],
    "out of order": [
        (2, 7, 3, 1),
        (1, 5, 0, 6),
        (2, 7, 1, None),
        (2, 8, 0, None),
        (2, 6, 9, 2),
        (1, 4, 9, -3),
    ],
    "nobody has anything": [(1, 1, 0, None), (2, 1, 0, None), (2, 2, 0, None)],
    "below nought": [(-2, -5, 0, None), (-2, -4, 0, -1), (-1, -9, 0, None), (0, 0, 0, 3)],
    "too wide to be packed": [
        (2**40, 2**40, 0, 3),
        (0, 0, 0, None),
        (2**40, 0, 0, None),
        (0, 1, 0, 4),
    ],
}
ROWS = st.lists(
    st.tuples(
        st.integers(-2, 3), st.integers(0, 4), st.integers(0, 3), st.none() | st.integers(-9, 9)
    ),
    max_size=25,
    unique_by=lambda row: row[:3],
)


def looped(rows):
    """What a walk finds at every row, by customer, day and second."""
    result = {}
    for _, own in itertools.groupby(sorted(rows, key=lambda row: row[:3]), key=lambda row: row[0]):
        walk = list(own)
        values = [row[3] for row in walk]
        for i, row in enumerate(walk):
            so_far = [v for v in values[: i + 1] if v is not None]
            least = min(so_far, default=None)
            result[row[:3]] = {
                "sum": sum(so_far),
                "last": so_far[-1] if so_far else None,
                "min": None if row[3] is None else least,
                "least": least,
                **{
                    name: values[i - n] if 0 <= i - n < len(walk) else None
                    for name, n in SHIFTS.items()
                },
            }
    return result


def walked(rows, name, kind=pl.Int64):
    """The same by an engine's own walk."""
    at = engine(name)
    along = at.along("day", "second")
    schema = {**dict.fromkeys((*KEY, "value"), pl.Int64), "customer": kind}
    x = along.prepare(at.keep(at.rows(at.frame(pl.DataFrame(rows, schema=schema, orient="row")))))
    x = x.with_columns(
        sum=along.sum("value"),
        last=along.last("value"),
        min=along.min("value"),
        **{name: along.shift("value", n) for name, n in SHIFTS.items()},
    )
    x = x.with_columns(least=along.last("min"))
    result = at.collect(
        x.select(
            *KEY, *(nw.col(c).cast(nw.Int64) for c in ("sum", "last", "min", "least", *SHIFTS))
        )
    )
    return {
        tuple(row[k] for k in KEY): {c: v for c, v in row.items() if c not in KEY}
        for row in result.to_dicts()
    }


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
def test_every_engine_walks_as_a_loop_does(rows, name):
    wanted = looped(rows)
    assert len(wanted) == len(rows)
    assert walked(rows, name) == wanted


@pytest.mark.parametrize("name", ENGINES)
def test_customers_may_have_names(name):
    rows = [("b", 2, 0, None), ("b", 3, 0, 7), ("a", 4, 0, 5), ("a", 5, 0, 8), ("c", 1, 0, None)]
    assert walked(rows, name, pl.String) == looped(rows)


@pytest.mark.parametrize("name", ENGINES)
@given(rows=ROWS)
def test_random_walks(name, rows):
    assert walked(rows, name) == looped(rows)


MANY = st.lists(
    st.tuples(st.integers(-2, 3), st.integers(0, 3), *[st.none() | st.integers(-9, 9)] * 3),
    min_size=1,
    max_size=25,
)


def ticks(rows, name, work):
    """What `work` makes of several rows per customer and day, sorted."""
    at = engine(name)
    columns = ("customer", "day", "a", "b", "c")
    frame = at.keep(
        at.rows(at.frame(pl.DataFrame(rows, dict.fromkeys(columns, pl.Int64), orient="row")))
    )
    result = work(at.along("day"), frame.select(*columns))
    return at.collect(result.select(nw.col(*columns).cast(nw.Int64))).sort("customer", "day").rows()


@pytest.mark.parametrize("name", ENGINES)
@given(rows=MANY)
def test_rows_of_one_tick_are_put_together(name, rows):
    def together(values, how):
        there = [v for v in values if v is not None]
        return sum(there) if how == "sum" else (max if how == "last" else min)(there, default=None)

    wanted = []
    for tick, own in itertools.groupby(sorted(rows, key=lambda r: r[:2]), key=lambda r: r[:2]):
        a, b, c = zip(*(row[2:] for row in own), strict=True)
        wanted.append((*tick, together(a, "sum"), together(b, "last"), together(c, "min")))
    assert (
        ticks(rows, name, lambda along, x: along.gather(x, {"a": "sum", "b": "last", "c": "min"}))
        == wanted
    )


@pytest.mark.parametrize("name", ENGINES)
@given(
    rows=st.lists(
        st.tuples(st.integers(-2, 3), st.integers(0, 4), st.integers(0, 2), st.integers(0, 9)),
        max_size=25,
    )
)
def test_columns_are_carried_forward_side_by_side(name, rows):
    """Each column has one value per tick, and all have one at the customer's first."""
    changes = {(who, day, column): value for who, day, column, value in rows}
    changes |= {(who, -1, column): 0 for who in range(-2, 4) for column in range(3)}
    listed = [
        (who, day, *(value if i == column else None for i in range(3)))
        for (who, day, column), value in changes.items()
    ]
    wanted, state = [], [0, 0, 0]
    for tick, own in itertools.groupby(sorted(changes.items()), key=lambda item: item[0][:2]):
        for (_, _, column), value in own:
            state[column] = value
        wanted.append((*tick, *state))

    def merged(along, frame):
        parts = {c: frame.select("customer", "day", c) for c in ("a", "b", "c")}
        return along.merge({c: part.filter(~nw.col(c).is_null()) for c, part in parts.items()})

    assert ticks(listed, name, merged) == wanted


@pytest.mark.parametrize("name", ENGINES)
@given(rows=MANY)
def test_a_walk_runs_along_the_ticks_of_all_frames(name, rows):
    """Sums, last and least values of what several frames have, each tick once."""
    wanted = []
    for who, own in itertools.groupby(sorted(rows, key=lambda r: r[0]), key=lambda r: r[0]):
        so_far: list[list[int]] = [[], [], []]
        last = None
        by_day = sorted(own, key=lambda r: r[1])
        for day, together in itertools.groupby(by_day, key=lambda r: r[1]):
            there = [[v for v in c if v is not None] for c in list(zip(*together, strict=True))[2:]]
            so_far = [[*values, *new] for values, new in zip(so_far, there, strict=True)]
            last = max(there[1], default=last)
            wanted.append((who, day, sum(so_far[0]), last, min(so_far[2], default=None)))

    def walked_along(along, x):
        frames = [x.select("customer", "day", c) for c in ("a", "b", "c")]
        return along.walk(frames, {"a": "sum", "b": "last", "c": "min"})

    assert ticks(rows, name, walked_along) == wanted


STATES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 2)),
    min_size=1,
    max_size=25,
    unique_by=lambda row: row[:2],
)


def framed(rows, columns, at):
    data = pl.DataFrame(rows, dict.fromkeys(columns, pl.Int64), orient="row")
    return at.keep(at.rows(at.frame(data))).select(*columns)


@pytest.mark.parametrize("name", ENGINES)
@given(rows=STATES)
def test_rows_at_which_a_state_changes(name, rows):
    wanted = []
    for _, own in itertools.groupby(sorted(rows), key=lambda r: r[0]):
        before = None
        for row in own:
            wanted += [row] if row[2] != before else []
            before = row[2]
    at = engine(name)
    frame = framed(rows, ("customer", "tick", "level"), at)
    along = at.along("tick")
    changed = along.changes(along.prepare(frame), "level")
    assert sorted(at.collect(changed.select("customer", "tick", "level")).rows()) == wanted
    members = at.collect(along.members(frame.drop("level"))).rows()
    assert sorted(members) == sorted({(r[0],) for r in rows})


@pytest.mark.parametrize("name", ENGINES)
@given(
    rows=STATES,
    people=st.dictionaries(
        st.integers(0, 4), st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2))
    ),
)
def test_states_hold_between_a_customers_bounds(name, rows, people):
    """From each tick to the next, within (first, end]; what happens at the end is said in the row that ends there."""
    wanted = []
    for who, own in itertools.groupby(sorted(rows), key=lambda r: r[0]):
        if who not in people:
            continue
        first, length, event = people[who]
        end, states = first + length, list(own)
        for i, (_, tick, level) in enumerate(states):
            stop = min(states[i + 1][1] if i + 1 < len(states) else end, end)
            if tick > end or (tick < first and stop <= first):
                continue
            start = max(tick, first)
            here = event if stop == end and start < end else -1
            wanted.append((who, start - 1, stop - 1, here, level, 10 * who))
    at = engine(name)
    frame = framed(rows, ("customer", "tick", "level"), at)
    bounds = [(who, a, a + n, 1, event, 10 * who) for who, (a, n, event) in people.items()]
    columns = ("customer", "cx_first", "cx_end", "cx_origin", "event", "group")
    who = framed(bounds, columns, at)
    along = at.along("tick")
    result = along.spans(along.prepare(frame), who)
    names = ("customer", "start", "stop", "event", "level", "group")
    assert sorted(at.collect(result.select(*names)).rows()) == sorted(wanted)
