"""Columns in one integer: the same order, and the same columns again."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.engines.packing import packing, sums

ROWS = st.lists(st.tuples(*[st.integers(-(2**19), 2**19)] * 3), min_size=1, max_size=30)


@given(ROWS)
def test_orders_and_comes_back(rows):
    frame = pl.DataFrame(rows, schema=["a", "b", "c"], orient="row")
    pack = packing(frame, ["a", "b", "c"])
    key = frame.select(pack.key.alias("key"))["key"]
    assert pack.unpack(key.to_numpy()).equals(frame)
    assert pack.unpack(key.to_numpy(), small=True).equals(frame.cast(pl.Int32))
    assert frame.with_columns(key=key).sort("key").drop("key").equals(frame.sort("a", "b", "c"))


def test_what_does_not_fit_is_not_packed():
    wide = pl.DataFrame({"a": [0, 2**40], "b": [0, 2**40]})
    assert packing(wide, ["a"]) is not None
    assert packing(wide, ["a", "b"]) is None
    assert packing(pl.DataFrame({"a": ["x"]}), ["a"]) is None
    assert packing(pl.DataFrame({"a": [1, None]}), ["a"]) is None
    assert packing(pl.DataFrame({"a": []}, schema={"a": pl.Int64}), ["a"]) is None
    edge = pl.DataFrame({"a": [0, 2**62], "b": [0, 0]})
    assert packing(edge, ["a", "b"]).unpack(
        edge.select(packing(edge, ["a", "b"]).key).to_series().to_numpy()
    )["a"].to_list() == [
        0,
        2**62,
    ]


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(0, 2), st.integers(0, 2**31)),
        min_size=1,
        max_size=60,
    )
)
def test_sums_are_the_same_dense_and_sparse(rows):
    """Where keys are few they are counted without sorting; both ways are exact and hold no row without a count."""
    frame = pl.DataFrame(rows, schema=["a", "b", "n"], orient="row")
    wanted: dict[tuple[int, int], int] = {}
    for a, b, n in rows:
        wanted[a, b] = wanted.get((a, b), 0) + n
    for repeated in (1, 40):  # many rows to a key, or few
        result = sums(pl.concat([frame] * repeated), ["a", "b"], ["n"])
        assert list(result.iter_rows()) == [(*k, repeated * v) for k, v in sorted(wanted.items())]
