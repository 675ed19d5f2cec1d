"""What an earlier run has kept is the same as what would be counted, and never in the way."""

import json
import os
import shutil
import stat
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import msgspec
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims import tables as store
from cxresearch.risk import cache
from cxresearch.risk.agents import agent_table
from cxresearch.risk.gaps import gap_table
from cxresearch.risk.matched import matched_table
from cxresearch.utils.trust import signature
from cxresearch.worlds import KNOWN, simulate

CLAIMS = ["one-strike", "bad-moments-drive-away"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    known = KNOWN["harm"]
    simulate(known.world, 1_200, 3).write(folder, name="harm", truth=known.to_dict())
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture(scope="module")
def run_before(made, tmp_path_factory):
    """The company after a first run, and its docket; each test that begins there has a copy."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("before") / "study"))
    return folder, tried(folder)


@pytest.fixture
def after(run_before, tmp_path):
    """A folder in which a first run has been made, and its docket."""
    folder, first = run_before
    return Path(shutil.copytree(folder, tmp_path / "after")), first


@pytest.fixture
def reads(monkeypatch):
    """How often the tables of a study are read."""
    calls = []
    real = store.read_records
    monkeypatch.setattr(store, "read_records", lambda *a, **k: (calls.append(1), real(*a, **k))[1])
    return calls


def tried(folder, **options):
    return cx.evaluate(cx.read_study(folder), CLAIMS, alone=True, verdicts_only=True, **options)


def files(folder):
    return sorted(p for p in (folder / ".cxresearch" / "cache").rglob("*") if p.is_file())


def test_second_run_reads_nothing_and_says_the_same(folder, reads):
    first = tried(folder)
    assert len(reads) == 1
    second = tried(folder)
    assert len(reads) == 1
    assert second.to_json() == first.to_json()
    assert str(second.audit) == str(first.audit)
    assert tried(folder, keep=False).to_json() == first.to_json()
    assert len(reads) == 2


@pytest.mark.slow
def test_another_claim_counts_only_what_is_new(after, reads):
    folder, _ = after
    before = set(files(folder))
    cx.evaluate(cx.read_study(folder), ["judgment-day"], alone=True, verdicts_only=True)
    assert len(reads) == 1
    assert before < set(files(folder))


def test_changed_content_is_read_again(after, reads):
    folder, first = after
    customers = pl.read_csv(folder / "customers.csv")
    customers.head(1_100).write_csv(folder / "customers.csv")
    assert tried(folder).fingerprint != first.fingerprint
    assert len(reads) == 1


@pytest.mark.slow
def test_a_folder_that_is_a_column_counts(folder, reads):
    log = pl.read_parquet(folder / "interactions.parquet")
    (folder / "interactions.parquet").unlink()
    for place in ("log/rated=1", "log/rated=2"):
        (folder / place).mkdir(parents=True)
    log.drop("stars").write_parquet(folder / "log/rated=1/part.parquet")
    log.drop("stars").head(0).write_parquet(folder / "log/rated=2/part.parquet")
    study = folder / "study.toml"
    text = (
        study.read_text().replace('"interactions.parquet"', '"log"').replace('"stars"', '"rated"')
    )
    study.write_text(text)
    first = tried(folder)
    (folder / "log/rated=1").rename(folder / "log/rated=5")
    second = tried(folder)
    assert len(reads) == 2
    assert second.counted != first.counted


def test_a_touched_file_is_not(after, reads):
    folder, _ = after
    os.utime(folder / "customers.csv", (1, 1))
    tried(folder)
    assert len(reads) == 0


TABLES = """
[tables.log]
source = "interactions.parquet"
[tables.contacts]
query = "select customer, at, touchpoint, channel, stars from log where stars > 0"
"""
SETTINGS = {
    "scale": ("scale = [1, 5]", "scale = [1, 9]"),
    "bad": ("[moments]", '[moments]\nbad = "stars <= 3"'),
    "exclude": ("exclude = \"touchpoint = 'cancellation'\"", 'exclude = "stars = 4"'),
    "blackout": ("[moments]", "[moments]\nblackout_days = 7"),
    "defection": ('defection = ["switched"]', 'defection = ["switched", "moved away"]'),
    "query": ("select * from contacts", "select * from contacts where channel <> 'phone'"),
    "table": ("stars > 0", "stars > 1"),
}


@pytest.fixture(scope="module")
def asked_before(made, tmp_path_factory):
    """The company, its contacts by a query, after a first run; and its docket."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("asked") / "study"))
    file = folder / "study.toml"
    source, query = 'source = "interactions.parquet"', 'query = "select * from contacts"'
    file.write_text(file.read_text().replace(source, query) + TABLES)
    return folder, tried(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), SETTINGS.values(), ids=SETTINGS)
def test_settings_left_of_the_tables_count(asked_before, reads, tmp_path, old, new):
    before, first = asked_before
    folder = Path(shutil.copytree(before, tmp_path / "study"))
    file = folder / "study.toml"
    text = file.read_text()
    assert cache.opened(cx.read_study(folder)).records_summary() is not None
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    assert cache.opened(cx.read_study(folder)).records_summary() is None
    second = tried(folder)
    assert len(reads) == 1
    assert second.counted != first.counted
    assert second.to_json() == tried(folder, keep=False).to_json()


def test_settings_right_of_the_tables_do_not(after, reads):
    folder, _ = after
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("horizon_days = 365", "horizon_days = 180"))
    tried(folder)
    assert len(reads) == 0


def test_another_format_is_not_read(after, reads, monkeypatch):
    folder, _ = after
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    tried(folder)
    assert len(reads) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polars", "narwhals"])
def test_another_version_of_a_library_is_not_read(after, reads, monkeypatch, name):
    folder, _ = after
    real = cache.version
    monkeypatch.setattr(cache, "version", lambda n: "0.0" if n == name else real(n))
    tried(folder)
    assert len(reads) == 1


# the number of the format, and the digest of what is stored of the company below in this format
STORED = (9, "e03076969525877c")


def test_what_is_stored_changes_only_with_the_number_of_its_format(folder):
    """When this fails: raise `cache.FORMAT`, and put the number and the new digest into `STORED`."""
    study = cx.read_study(folder)
    records = cx.read_records(study)
    histories = {"bad": cx.bad_count(2), "recent": cx.contacts_within(90)}
    eps = cx.episodes(records, strata=["segment"], observed_from_start=True, **histories)
    kept = cache.opened(study)
    kept.keep_records_summary(
        cache.RecordsSummary(records.audit, records.window, records.fixed, records.available)
    )
    kept.keep_table("risk", cx.risk_table(records, strata=["segment"], **histories))
    kept.keep_table("matched", matched_table(eps, "bad", "1", "recent"))
    kept.keep_table("agents", agent_table(records, "agent", ("touchpoint", "month")))
    stored = []
    for path in files(folder):
        if path.suffix == ".json" and path.parent != folder / ".cxresearch" / "cache":
            content = msgspec.json.decode(path.read_bytes())
            if "available" in content:
                content["available"].sort()  # a set, which has no order
            stored.append((path.name, json.dumps(content, sort_keys=True)))
        elif path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            kinds = str(dict(frame.schema))  # a schema itself is written otherwise by Python 3.12
            stored.append((path.name, kinds, repr(frame.rows())))
    text = repr(stored)
    assert "reading.json" in text
    assert all(f"-{part}.parquet" in text for part in ("flows", "spans", "counts"))
    digest = blake2b(text.encode(), digest_size=8).hexdigest()
    assert (cache.FORMAT, digest) == STORED


def test_half_a_file_is_made_again(after, reads):
    folder, first = after
    for path in files(folder):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert tried(folder).to_json() == first.to_json()
    assert len(reads) == 1
    assert tried(folder).to_json() == first.to_json()
    assert len(reads) == 1


DAMAGES = {
    "renamed": lambda frame: frame.rename({frame.columns[0]: "another"}),
    "a column less": lambda frame: frame.drop(frame.columns[-1]),
    "texts": lambda frame: frame.with_columns(pl.all().cast(pl.String)),
    "a column more": lambda frame: frame.with_columns(pl.lit(1).alias("more")),
    "nothing": lambda frame: pl.DataFrame(),
    "reversed": lambda frame: frame.select(reversed(frame.columns)),
}


@pytest.mark.parametrize(
    "damage",
    ["texts", *(pytest.param(d, marks=pytest.mark.slow) for d in DAMAGES if d != "texts")],
)
def test_a_table_of_another_shape_is_made_again(after, reads, damage):
    """Whole files, signed by this user, as another program or an earlier one would have left them."""
    folder, first = after
    shutil.rmtree(folder / ".cxresearch" / "spill", ignore_errors=True)
    hit = 0
    for path in files(folder):
        if path.suffix == ".parquet" and "quarantine" not in path.name:
            hit += 1
            content = cache._as_parquet(DAMAGES[damage](pl.read_parquet(path)))
            path.write_bytes(content)
            mac = signature(f"{path.parent.name}/{path.name}", content)
            path.with_name(f"{path.name}.signature").write_text(mac)
        elif path.name.startswith("trial-"):
            path.unlink()
    assert hit >= 4
    assert tried(folder).to_json() == first.to_json()
    assert len(reads) == 1
    assert tried(folder).to_json() == first.to_json()
    assert len(reads) == 1


@pytest.mark.slow
def test_each_kind_of_kept_table_has_the_columns_that_are_asked_for(folder):
    study = cx.read_study(folder)
    docket = cx.evaluate(study, ["three-strikes", "bad-moments-drive-away", "jack"], alone=True)
    assert docket["three-strikes"].primary.estimate is not None
    names = {p.name.rpartition("-")[2] for p in files(folder) if p.suffix == ".parquet"}
    assert {"flows.parquet", "spans.parquet", "population.parquet"} <= names
    kept = cache.opened(study)
    keys = {
        p.name.partition("-")[0] for p in files(folder) if p.name.endswith("-population.parquet")
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cache, "_short", lambda key: key)
        assert all(kept.table(key) is not None for key in keys)


def test_nothing_is_left_half_written_and_only_the_owner_reads(run_before):
    folder, _ = run_before
    result = files(folder)
    assert result
    assert not [p for p in result if p.name.startswith(".")]
    state = folder / ".cxresearch" / "cache"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    tables = [p for p in result if p.parent != state]
    assert {stat.S_IMODE(p.stat().st_mode) for p in tables} == {0o600}


@pytest.mark.slow
def test_state_elsewhere(folder, tmp_path, monkeypatch):
    cx.evaluate(
        cx.read_study(folder, state=tmp_path / "there"),
        ["one-strike"],
        alone=True,
        verdicts_only=True,
    )
    assert (tmp_path / "there" / "cache").is_dir()
    assert not (folder / ".cxresearch").exists()
    monkeypatch.setenv("CXRESEARCH_STATE", str(tmp_path / "third"))
    cx.evaluate(cx.read_study(folder), ["one-strike"], alone=True, verdicts_only=True)
    assert (tmp_path / "third" / "cache").is_dir()


def test_a_state_folder_that_cannot_be_made_is_no_obstacle(folder, run_before):
    (folder / ".cxresearch").write_text("in the way")
    assert tried(folder).fingerprint == run_before[1].fingerprint


def test_frames_in_memory_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = simulate(KNOWN["harm"].world, 600, 3).study()
    cx.evaluate(study, ["one-strike"], alone=True, verdicts_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_old_states_are_forgotten(folder):
    state = folder / ".cxresearch" / "cache"
    for i in range(12):
        (state / f"old{i:02d}").mkdir(parents=True)
        os.utime(state / f"old{i:02d}", (i, i))
    tried(folder)
    left = [p.name for p in state.iterdir() if p.is_dir()]
    assert len(left) == cache.KEPT
    assert "old11" in left
    assert "old00" not in left


def test_gaps_are_kept_and_come_back_equal(tmp_path):
    """Of a shop: what a second run reads is what the first one counted; other columns are counted anew."""
    log = pl.DataFrame(
        {
            "customer": [f"c{i % 7}" for i in range(60)],
            "at": [f"2024-{1 + i // 10:02}-{1 + i % 10 * 2:02}" for i in range(60)],
            "grade": ["bad" if i % 5 == 0 else "good" for i in range(60)],
        }
    )
    log.write_csv(tmp_path / "log.csv")
    (tmp_path / "study.toml").write_text(
        '[interactions]\nsource = "log.csv"\n[retention]\nkind = "activity"\ngap_days = 20\n'
    )
    study = cx.read_study(tmp_path / "study.toml")
    table = gap_table(cx.read_records(study), {"bad": {"grade": 0}})
    kept = cache.opened(study)
    kept.keep_table("gaps", table)
    again = cache.opened(study).table("gaps")
    assert again.gaps.equals(table.gaps)
    assert (again.marks, again.is_dated) == (table.marks, table.is_dated)
    kept.keep_table("gaps", replace(table, gaps=table.gaps.drop("ended")))
    assert cache.opened(study).table("gaps") is None
