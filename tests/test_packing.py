"""Columns in one integer: the same order, and the same columns again."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cxresearch.packing import packing

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
    assert packing(edge, ["a", "b"]).unpack(edge.select(packing(edge, ["a", "b"]).key).to_series().to_numpy())[
        "a"
    ].to_list() == [
        0,
        2**62,
    ]
