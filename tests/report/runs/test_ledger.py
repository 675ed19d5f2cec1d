import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import polars as pl
import pytest

from cxresearch.claims.units import Unit
from cxresearch.report.pages import verdict_history
from cxresearch.report.pages.changes import changes_since
from cxresearch.report.runs import ledger
from cxresearch.report.runs.ledger import (
    SCHEMA,
    SHOWN,
    RunRecord,
    identity,
    next_run,
    put_together,
    read_history,
    read_run_records,
    record,
)
from cxresearch.study import study_from
from cxresearch.utils.trust import signed

LOOK = RunRecord(
    run="20261122T060001000000Z-ab12",
    at="2026-11-22T06:00:01Z",
    study="shop",
    fingerprint="f",
    version="0.1.0",
    data_from="2023-01-01",
    data_until="2024-01-01",
    claim="three-strikes",
    reading="before-third",
    primary=True,
    verdict="contradicted",
    verdict_alone="contradicted",
    estimate=0.31,
    ci_low=0.28,
    ci_high=0.34,
    level=0.95,
    interval="fixed",
    unit="share",
    se=0.02,
    customers=2731,
    events=611,
    family="one-strike,three-strikes",
)
LATER = replace(
    LOOK, run="20261129T060001000000Z-0001", estimate=None, ci_low=None, ci_high=None, se=None
)


def test_what_is_recorded_is_read_again_oldest_first(tmp_path):
    other = replace(LOOK, study="another shop", claim="one-strike")
    record(tmp_path, [LATER])
    file = record(tmp_path, [LOOK, replace(LOOK, reading="excess"), other])
    assert read_run_records(tmp_path, "shop") == (LOOK, replace(LOOK, reading="excess"), LATER)
    assert file == tmp_path / "ledger" / f"{LOOK.run}.parquet"
    assert file.stat().st_mode & 0o077 == 0
    assert [p.name for p in (tmp_path / "ledger").glob(".*")] == []


def test_nothing_recorded_is_no_look(tmp_path):
    assert read_run_records(tmp_path, "shop") == ()


def test_a_file_that_cannot_be_read_is_passed_over_and_told_of(tmp_path):
    record(tmp_path, [LOOK])
    (tmp_path / "ledger" / "0-broken.parquet").write_bytes(b"half a fi")
    pl.DataFrame({"run": ["x"]}).write_parquet(tmp_path / "ledger" / "1-other.parquet")
    said = []
    assert read_run_records(tmp_path, "shop", said.append) == (LOOK,)
    assert read_run_records(tmp_path, "shop") == (LOOK,)
    assert len(said) == 2
    assert said[0].startswith(
        "the ledger's file 0-broken.parquet cannot be read and is passed over: "
    )
    assert "1-other.parquet" in said[1]


def test_a_part_that_was_never_finished_does_not_count(tmp_path):
    part, target = ledger.prepared(tmp_path, [LOOK])
    assert part.parent == target.parent
    assert read_run_records(tmp_path, "shop") == ()
    part.replace(target)
    assert read_run_records(tmp_path, "shop") == (LOOK,)


@pytest.mark.parametrize("given", [[], [LOOK, LATER], [replace(LOOK, run="../up")]])
def test_a_file_holds_one_run(given, tmp_path):
    with pytest.raises(ValueError, match="one run"):
        record(tmp_path, given)
    assert not (tmp_path / "ledger").exists()


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="No space"):
        record(tmp_path, [LOOK])
    assert list((tmp_path / "ledger").iterdir()) == []


def test_a_study_is_known_by_its_id_or_else_by_its_name():
    study = {"interactions": {"source": "a.csv", "grade": "g"}, "retention": {"source": "b.csv"}}
    assert identity(study_from(study | {"study": {"id": "shop", "name": "The shop"}})) == "shop"
    assert identity(study_from(study | {"study": {"name": "The shop"}})) == "The shop"


NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)


def runs(folder, verdicts, *, clock=timedelta(days=7)):
    """Record a run for each verdict, the clock moved by as much after each."""
    made = []
    for i, verdict in enumerate(verdicts):
        now = NOW + i * clock
        run = next_run(folder, now)
        made.append(replace(LOOK, run=run, at=f"{now:%Y-%m-%dT%H:%M:%SZ}", verdict=verdict))
        record(folder, [made[-1], replace(made[-1], reading="excess", primary=False)])
    return made


def test_runs_are_in_order_though_the_clock_is_set_back(tmp_path):
    made = runs(tmp_path, ["supported", "undecided", "contradicted"], clock=timedelta(days=-400))
    history = read_history(tmp_path, "shop")
    assert [x.run for x in history] == sorted(x.run for x in made) == [x.run for x in made]
    compared = changes_since(history, ["three-strikes"])
    assert compared.now.verdict == "contradicted"
    assert compared.before.verdict == "undecided"
    shown = verdict_history.over_runs(history, "", Unit.SHARE).partition("cx-runs")[2]
    assert shown.index("Contradicted") < shown.index("Undecided") < shown.index("Supported")


def test_a_file_that_somebody_else_put_there_does_not_count_runs(tmp_path):
    runs(tmp_path, ["supported"])
    for name in ("99999998-x.parquet", "runs-99999999.signed"):
        (tmp_path / "ledger" / name).write_bytes(b"-" * 99)
    assert next_run(tmp_path, NOW).startswith("00000002-")


def test_many_files_become_one_that_says_the_same(tmp_path):
    runs(tmp_path, ["supported", "undecided"] * 4)
    before = read_run_records(tmp_path, "shop"), read_history(tmp_path, "shop")
    put_together(tmp_path, 9)
    assert len(list((tmp_path / "ledger").iterdir())) == 8
    put_together(tmp_path, 8)
    assert [p.name for p in (tmp_path / "ledger").iterdir()] == ["runs-00000008.signed"]
    assert (read_run_records(tmp_path, "shop"), read_history(tmp_path, "shop")) == before
    assert next_run(tmp_path, NOW).startswith("00000009-")
    more = runs(tmp_path, ["contradicted"] * 2)
    put_together(tmp_path, 2)
    assert [p.name for p in (tmp_path / "ledger").iterdir()] == ["runs-00000010.signed"]
    assert read_run_records(tmp_path, "shop")[:-4] == before[0]
    assert read_history(tmp_path, "shop")[-1].run == more[-1].run


@pytest.mark.parametrize("killed_after", range(6))
def test_killed_while_files_are_put_together_no_run_is_lost_or_doubled(
    tmp_path, monkeypatch, killed_after
):
    runs(tmp_path, ["supported"] * 4)
    before, steps = read_run_records(tmp_path, "shop"), []

    def step(real):
        def counted(*args, **given):
            if len(steps) == killed_after:
                raise KeyboardInterrupt
            steps.append(real)
            return real(*args, **given)

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "atomic_write", step(ledger.atomic_write))
        patched.setattr(ledger.Path, "unlink", step(ledger.Path.unlink))
        with suppress(KeyboardInterrupt):
            put_together(tmp_path, 4)
    assert read_run_records(tmp_path, "shop") == before
    put_together(tmp_path, 1)
    assert read_run_records(tmp_path, "shop") == before


def test_what_others_wrote_is_never_put_together(tmp_path):
    runs(tmp_path, ["supported"] * 3)
    stranger = tmp_path / "ledger" / "00000009-x.parquet"
    pl.DataFrame([{n: getattr(LOOK, n) for n in SCHEMA.names()}], schema=SCHEMA).write_parquet(
        stranger
    )
    put_together(tmp_path, 1)
    assert stranger.exists()
    said = []
    assert len(read_run_records(tmp_path, "shop", said.append)) == 6
    assert said == [
        "the ledger's file 00000009-x.parquet was not recorded by this user on this machine and is passed over"
    ]
    whole = next((tmp_path / "ledger").glob("runs-*"))
    whole.write_bytes(whole.read_bytes()[:-1] + b"x")
    assert read_run_records(tmp_path, "shop", said.append) == ()
    assert "runs-00000003.signed was not recorded by this user" in said[-2] + said[-1]


def long_ledger(folder, count, claims=28, readings=5):
    """So many runs, all but the last few put together."""
    single = pl.DataFrame([{n: getattr(LOOK, n) for n in SCHEMA.names()}], schema=SCHEMA)
    number = pl.DataFrame({"n": range(1, count + 1)})
    frame = number.join(pl.DataFrame({"c": range(claims)}), how="cross")
    frame = frame.join(pl.DataFrame({"r": range(readings)}), how="cross")
    frame = frame.join(single, how="cross").with_columns(
        run=pl.format("{}-20260101T000000Z-0000", pl.col("n").cast(pl.String).str.zfill(8)),
        claim=pl.format("claim-{}", "c"),
        reading=pl.format("reading-{}", "r"),
        primary=pl.col("r") == 0,
        estimate=(pl.col("n") % 97) / 97,
        fingerprint=pl.format("f{}", "n"),
        verdict=pl.when(pl.col("n") > 40).then(pl.lit("supported")).otherwise(pl.lit("undecided")),
    )
    written = BytesIO()
    frame.select(SCHEMA.names()).write_parquet(written)
    name = f"runs-{count:08d}.signed"
    (folder / "ledger").mkdir(parents=True, mode=0o700)
    (folder / "ledger" / name).write_bytes(signed(name, written.getvalue()))


@pytest.mark.slow
def test_five_thousand_runs_are_read_in_less_than_a_second(tmp_path):
    long_ledger(tmp_path, 5000)
    runs(tmp_path, ["supported"] * (ledger.FILES - 1))
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        history = read_history(tmp_path, "shop")
        times.append(time.perf_counter() - begun)
    assert min(times) < 1
    assert len(history) == 28 * (SHOWN + 3) + SHOWN + 2
    of = [x for x in history if x.claim == "claim-7"]
    assert [x.number for x in of] == [40, 41, *range(5000 - SHOWN, 5001)]
    shown = verdict_history.over_runs(of, "", Unit.SHARE)
    assert f"The last {SHOWN} of 5,000 runs" in shown
    assert "since 22 Nov. 2026; before: " in shown
