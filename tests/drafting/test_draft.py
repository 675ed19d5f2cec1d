"""A study file drafted from files: it can be read, its guesses say why, and nothing is made up."""

import random
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.cli import main
from cxresearch.errors import ArgumentError, SourceError

DAY = date(2023, 1, 1)


def calls(n=400, **more):
    """A log of 60 customers."""
    rng = random.Random(3)
    rows = [
        {
            "customer_id": f"C{rng.randrange(60):03}",
            "called_at": (DAY + timedelta(days=rng.randrange(700))).isoformat(),
            "stars": rng.randrange(1, 6),
            "channel": rng.choice(["phone", "app", "web"]),
        }
        for _ in range(n)
    ]
    return pl.DataFrame(rows).with_columns(**more)


def customers():
    return pl.DataFrame(
        {
            "customer_id": [f"C{i:03}" for i in range(60)],
            "signed_up": [(DAY + timedelta(days=i)).isoformat() for i in range(60)],
            "cancelled": [
                (DAY + timedelta(days=400 + i)).isoformat() if i % 3 == 0 else None
                for i in range(60)
            ],
            "reason": [("price" if i % 2 else "moved") if i % 3 == 0 else None for i in range(60)],
            "plan": ["basic" if i % 4 else "plus" for i in range(60)],
            "campaign": ["spring" if i % 5 else "winter" for i in range(60)],
        }
    )


def draft_of(tmp_path, **tables):
    files = []
    for name, table in tables.items():
        files.append(tmp_path / f"{name}.csv")
        table.write_csv(files[-1])
    return cx.drafting.draft_study(files, out=tmp_path)


def settings(draft):
    return tomllib.loads(draft.text)


def words(draft):
    """The text on one line, comments unwrapped."""
    return " ".join(draft.text.replace("\n#  ", " ").split())


def check_every_guess(text):
    """Each key stands below a comment that says why it is guessed, or is one that needs no guess."""
    plain = (
        "name",
        "source",
        "query",
        "group by",
        "format.",
        "columns",
        "widths",
        "encoding",
        "sheet",
    )
    comment = ""
    within = False
    for line in re.sub(r"(?s)\[tables\]\n.*?\n\n", "", text).splitlines():
        if within or line.startswith("query ="):
            within = not line.startswith('"""') or line.startswith("query =")
        elif line.startswith("#"):
            comment = f"{comment} {line.removeprefix('#').strip()}"
        elif " = " in line and not line.startswith(plain):
            assert re.search("guess: .+; because .+", comment), line
            comment = ""
        else:
            comment = ""


def test_contracts(tmp_path):
    draft = draft_of(tmp_path, customers=customers(), calls=calls())
    raw = settings(draft)
    assert raw["interactions"]["source"] == "calls.csv"
    log = raw["interactions"]
    assert set(log.pop("unattended")) == {"app", "web"}
    assert log == {
        "source": "calls.csv", "customer": "customer_id", "at": "called_at", "score": "stars", "scale": [1, 5],
        "channel": "channel",
    }  # fmt: skip
    assert raw["moments"] == {"bad": "stars <= 2", "good": "stars >= 4"}
    kept = raw["retention"]
    assert {k: kept[k] for k in ("kind", "source", "customer", "start", "end", "cause", "segment", "marketing")} == {
        "kind": "contract", "source": "customers.csv", "customer": "customer_id", "start": "signed_up",
        "end": "cancelled", "cause": "reason", "segment": "plan", "marketing": ["campaign"],
    }  # fmt: skip
    assert "gap_days" not in kept
    assert "100% of the customers of the log are found in it" in words(draft)
    assert draft.open_keys == ()
    assert draft.problem == ""
    assert dict(draft.audit.read) == {"interactions": 400, "retention": 60}
    check_every_guess(draft.text)
    # it is a study like any other
    assert cx.audit(cx.read_study(tmp_path)).read == draft.audit.read


def test_the_tables_of_the_sample_are_understood(tmp_path):
    """All that its own study file says, but for what nobody can know: which cause is defection."""
    sample = Path(__file__).parents[2] / "data" / "sample"
    files = [sample / "customers.csv", sample / "interactions.parquet"]
    draft = cx.drafting.draft_study(files, out=tmp_path)
    drafted, own = (
        settings(draft),
        tomllib.loads((sample / "study.toml").read_text(encoding="utf-8")),
    )
    assert set(own["interactions"].pop("unattended")) <= set(
        drafted["interactions"].pop("unattended")
    )
    for section in ("interactions", "moments", "retention"):
        for key in set(own[section]) - {"source", "exclude", "defection"}:
            assert drafted[section][key] == own[section][key], key
    assert "# exclude = \"touchpoint = 'cancellation'\"" in draft.text
    assert '# defection = ["switched", "moved away"]' in draft.text
    assert draft.open_keys == ()
    mine, theirs = cx.check_claims(cx.read_study(tmp_path)), cx.check_claims(cx.read_study(sample))
    assert mine == theirs


def test_the_distribution_of_a_score_is_printed(tmp_path):
    table = calls()
    text = words(draft_of(tmp_path, calls=table))
    for value, n in table["stars"].value_counts().iter_rows():
        assert f"{value}: {n} ({n / 400:.0%})" in text


def test_without_a_table_of_customers_a_gap_is_explained(tmp_path):
    draft = draft_of(tmp_path, calls=calls())
    kept = settings(draft)["retention"]
    assert kept["kind"] == "activity"
    assert kept["gap_days"] in (60, 90, 120, 180)
    assert "come back within as long again: 1 days:" in " ".join(
        draft.text.replace("#  ", "").split()
    )
    check_every_guess(draft.text)
    assert dict(draft.audit.kept) == {"interactions": draft.audit.kept[0][1]}


def test_what_is_bad_is_never_made_up(tmp_path):
    table = calls().drop("stars").with_columns(escalated=pl.col("channel") == "web")
    draft = draft_of(tmp_path, calls=table)
    assert draft.open_keys == ("moments.bad",)
    assert "bad" not in settings(draft)["moments"]
    assert '# bad = "escalated"' in draft.text
    assert draft.audit is not None  # rows can be accounted for without it
    done = CliRunner().invoke(main, ["evaluate", str(tmp_path)])
    assert done.exit_code == 2
    assert "no contact can be graded" in done.stderr


@pytest.mark.parametrize(
    ("column", "values"), [("grade", ["bad", "good"]), ("level", ["basic", "desired"])]
)
def test_grades_and_levels_need_no_rule(tmp_path, column, values):
    table = (
        calls()
        .drop("stars")
        .with_columns(**{column: pl.Series([values[i % 2] for i in range(400)])})
    )
    draft = draft_of(tmp_path, calls=table)
    assert settings(draft)["interactions"][column] == column
    assert "moments" not in settings(draft) or settings(draft)["moments"] == {}
    assert draft.open_keys == ()
    assert draft.audit.fact("bad moments").count > 0


@pytest.mark.parametrize(
    ("scores", "bad"),
    [
        ([0, 3, 6, 10], "nps <= 6"),
        ([1, 4, 7], "nps <= 6"),
    ],
)
def test_promoter_scores(tmp_path, scores, bad):
    table = (
        calls()
        .with_columns(nps=pl.Series([scores[i % len(scores)] for i in range(400)]))
        .drop("stars")
    )
    assert settings(draft_of(tmp_path, calls=table))["moments"]["bad"] == bad


@pytest.mark.parametrize(
    ("low", "high", "rules"),
    [
        (1, 5, ("<= 2", ">= 4")),
        (1, 7, ("<= 3", ">= 5")),
        (1, 10, ("<= 5", ">= 6")),
        (0, 100, ("< 50", "> 50")),
    ],
)
def test_scales(tmp_path, low, high, rules):
    scores = [low + (high - low) * i // 8 for i in range(9)]
    table = (
        calls().with_columns(rating=pl.Series([scores[i % 9] for i in range(400)])).drop("stars")
    )
    raw = settings(draft_of(tmp_path, calls=table))
    assert raw["interactions"]["scale"] == [low, high]
    assert (raw["moments"]["bad"], raw["moments"]["good"]) == tuple(f"rating {r}" for r in rules)


def test_a_score_of_which_no_low_ones_occur(tmp_path):
    draft = draft_of(tmp_path, calls=calls().with_columns(stars=pl.col("stars").clip(3)))
    assert settings(draft)["moments"]["bad"] == "stars <= 3"
    assert "no score below the middle occurs" in draft.text


def test_day_and_month_that_cannot_be_told_apart_are_left_open(tmp_path):
    table = calls().with_columns(
        called_at=pl.Series([f"{i % 12 + 1:02}/{i // 12 % 12 + 1:02}/2023" for i in range(400)])
    )
    draft = draft_of(tmp_path, calls=table)
    assert "interactions.at_format" in draft.open_keys
    assert "at_format" not in settings(draft)["interactions"]
    assert '# at_format = "%d/%m/%Y"' in draft.text
    assert '# at_format = "%m/%d/%Y"' in draft.text
    assert draft.audit is None
    assert draft.problem == ""


def test_other_forms_of_days_are_written_down(tmp_path):
    table = calls().with_columns(
        called_at=pl.col("called_at").str.to_date().dt.strftime("%d.%m.%Y")
    )
    draft = draft_of(tmp_path, calls=table)
    assert settings(draft)["interactions"]["at_format"] == "%d.%m.%Y"
    assert dict(draft.audit.read) == {"interactions": 400}


def test_no_column_of_customers(tmp_path):
    draft = draft_of(tmp_path, calls=calls().rename({"customer_id": "x"}))
    assert "interactions.customer" in draft.open_keys
    assert "customer" not in settings(draft)["interactions"]
    assert '# customer = "x"' in draft.text


def test_several_columns_of_times(tmp_path):
    table = calls().with_columns(closed_at=pl.col("called_at"), updated_at=pl.col("called_at"))
    draft = draft_of(tmp_path, calls=table)
    assert settings(draft)["interactions"]["at"] == "called_at"
    assert "# at could be as well: closed_at" in draft.text
    assert settings(draft)["interactions"]["resolved_at"] == "closed_at"


def test_semicolons(tmp_path):
    calls().write_csv(tmp_path / "calls.csv", separator=";")
    draft = cx.drafting.draft_study([tmp_path / "calls.csv"], out=tmp_path)
    assert settings(draft)["interactions"]["format"] == {"separator": ";"}
    assert dict(draft.audit.read) == {"interactions": 400}


def test_files_of_one_table(tmp_path):
    for i, part in enumerate(calls().iter_slices(100)):
        part.write_csv(tmp_path / f"calls-2023-0{i + 1}.csv")
    draft = cx.drafting.draft_study(sorted(tmp_path.glob("*.csv")), out=tmp_path)
    assert settings(draft)["interactions"]["source"] == "calls-2023-0*.csv"
    assert dict(draft.audit.read) == {"interactions": 400}
    # with another file of such a name that was not given, they stay apart
    calls(5).write_csv(tmp_path / "calls-2023-09.csv")
    some = [tmp_path / f"calls-2023-0{i}.csv" for i in (1, 2)]
    apart = cx.drafting.draft_study(some)
    assert [t.source for t in apart.tables] == [str(f) for f in some]


def test_an_end_in_another_table(tmp_path):
    who = customers()
    left = who.drop_nulls("cancelled").select("customer_id", churn_date="cancelled")
    draft = draft_of(tmp_path, accounts=who.drop("cancelled", "reason"), churn=left, calls=calls())
    raw = settings(draft)
    assert set(raw["tables"]) == {"accounts", "churn", "calls"}
    assert 'min(b."churn_date")' in raw["retention"]["query"]
    assert str(draft.audit.fact("customers who defected")).startswith("20")
    assert "accounts.customer_id: 100% of the values on the left" in " ".join(
        draft.text.replace("#  ", "").split()
    )
    check_every_guess(draft.text)


def test_several_contracts_of_a_customer(tmp_path):
    table = pl.concat([customers(), customers()]).with_columns(contract_id=pl.int_range(120))
    draft = draft_of(tmp_path, contracts=table, calls=calls())
    assert settings(draft)["retention"]["contract"] == "contract_id"


def test_customers_of_a_log_that_stand_in_another_table(tmp_path):
    orders = (
        calls()
        .with_columns(order_id=pl.format("O-{}", pl.int_range(400)))
        .rename({"called_at": "ordered_at"})
    )
    returned = orders.select("order_id", returned_at="ordered_at").head(50)
    draft = draft_of(tmp_path, returned=returned, orders=orders)
    assert settings(draft)["interactions"]["source"] == "orders.csv"
    assert "returned.order_id = orders.order_id: 100%" in " ".join(
        draft.text.replace("#  ", "").split()
    )


def test_a_log_without_customers_is_joined_to_the_table_that_has_them(tmp_path):
    """A log of messages names tickets, and the tickets name the customers."""
    tickets = calls(60).select(
        ticket_id=pl.format("T-{}", pl.int_range(60)), customer_id="customer_id"
    )
    messages = calls().select(
        "called_at",
        "stars",
        ticket_id=pl.format("T-{}", pl.int_range(400) % 60),
        message_id=pl.int_range(400),
    )
    draft = draft_of(tmp_path, messages=messages, tickets=tickets)
    raw = settings(draft)
    assert "messages as a join tickets as b" in " ".join(raw["interactions"]["query"].split())
    assert raw["interactions"]["customer"] == "customer_id"
    assert dict(draft.audit.read) == {"interactions": 400}


def test_lines_of_one_contact_are_pointed_out(tmp_path):
    draft = draft_of(
        tmp_path, calls=pl.concat([calls(), calls().with_columns(stars=6 - pl.col("stars"))])
    )
    assert "several rows may be lines or updates of one contact" in " ".join(
        draft.text.replace("#  ", "").split()
    )


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" name',
        "two\nlines",
        "back\\slash",
        "order",
        "Ünïcode €",
        "x'); drop",
        "\x1b[31mred\x7f",
        "''' \"\"\"",
    ],
)
def test_names_and_values_cannot_break_the_file(tmp_path, name):
    table = (
        calls()
        .with_columns(pl.lit(name).alias("kind"), (pl.col("stars") > 3).alias(name))
        .drop("stars")
    )
    table = table.with_columns(
        pl.when(pl.int_range(400) < 9).then(pl.lit("other")).otherwise("kind").alias("kind")
    )
    table.write_parquet(tmp_path / "calls.parquet")
    draft = cx.drafting.draft_study([tmp_path / "calls.parquet"], out=tmp_path)
    assert settings(draft)["interactions"]["customer"] == "customer_id"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", draft.text)
    # each candidate is a rule that can be used as it stands
    for line in re.findall(r"(?m)^# (bad = .*)", draft.text):
        study = cx.read_study(tmp_path).replace(bad=tomllib.loads(line)["bad"])
        assert cx.audit(study).fact("bad moments").count > 0


def test_a_name_of_a_customer_is_not_an_id(tmp_path):
    table = calls().with_columns(
        customer_name=pl.col("customer_id"), customer_since=pl.col("called_at")
    )
    assert settings(draft_of(tmp_path, calls=table))["interactions"]["customer"] == "customer_id"


def test_nothing_is_overwritten(tmp_path):
    draft_of(tmp_path, calls=calls())
    (tmp_path / "study.toml").write_text("mine")
    with pytest.raises(SourceError, match="is there already; --force overwrites it"):
        cx.drafting.draft_study([tmp_path / "calls.csv"], out=tmp_path)
    assert (tmp_path / "study.toml").read_text() == "mine"
    cx.drafting.draft_study([tmp_path / "calls.csv"], out=tmp_path, force=True)
    assert "customer_id" in (tmp_path / "study.toml").read_text()


def test_without_a_folder_nothing_is_written(tmp_path):
    calls().write_csv(tmp_path / "calls.csv")
    draft = cx.drafting.draft_study([tmp_path / "calls.csv"])
    assert draft.path is None
    assert draft.audit is not None
    assert [f.name for f in tmp_path.iterdir()] == ["calls.csv"]


@pytest.mark.parametrize("files", ["calls.csv", [], [3], None])
def test_wrong_arguments(files):
    with pytest.raises((ArgumentError, TypeError)):
        cx.drafting.draft_study(files)


def run(*args):
    return CliRunner().invoke(main, ["init", *map(str, args)])


def test_command(tmp_path):
    calls().write_csv(tmp_path / "calls.csv")
    customers().write_csv(tmp_path / "customers.csv")
    done = run(tmp_path / "calls.csv", tmp_path / "customers.csv", "--out", tmp_path / "mine")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "mine" / "study.toml")
    assert re.search(
        r"^  stars +whole numbers +5 different +\d \(\d+\), \d \(\d+\)", done.stdout, re.M
    )
    assert re.search(r"^  customer_id +text +60 different$", done.stdout, re.M)
    assert re.search(
        r"^  cancelled +times +20 different +40 empty +2024-02-05 to 2024-04-02$", done.stdout, re.M
    )
    assert re.search("interactions +read +400", done.stdout)
    assert re.search(r"^cxresearch: \d+ guesses to confirm in ", done.stderr)
    assert (tmp_path / "mine" / "study.schema.json").is_file()
    again = run(tmp_path / "calls.csv", "--out", tmp_path / "mine")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert run(tmp_path / "calls.csv", "--out", tmp_path / "mine", "--force").exit_code == 0


def test_command_says_what_is_to_be_filled_in(tmp_path):
    calls().drop("stars").write_csv(tmp_path / "calls.csv")
    done = run(tmp_path / "calls.csv", "--out", tmp_path)
    assert done.exit_code == 0
    assert "cxresearch: fill in moments.bad before evaluate" in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"a\0b", "not text"), (b"a,b\n", "has no rows"), (None, "no file")],
)
def test_command_with_a_file_that_is_no_table(tmp_path, content, message):
    path = tmp_path / "calls.csv"
    if content is not None:
        path.write_bytes(content)
    done = run(path, "--out", tmp_path)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "study.toml").exists()


def test_command_whose_audit_fails(tmp_path):
    """A draft is written, and what the audit stumbles over is said."""
    who = customers().with_columns(customer_id=pl.format("X-{}", pl.int_range(60)))
    calls().write_csv(tmp_path / "calls.csv")
    who.write_csv(tmp_path / "customers.csv")
    done = run(tmp_path / "calls.csv", tmp_path / "customers.csv", "--out", tmp_path)
    assert done.exit_code == 1
    assert "the audit of" in done.stderr
    assert (tmp_path / "study.toml").is_file()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_question_mark_is_no_customer(tmp_path, kind):
    table = calls().with_columns(
        customer_id=pl.when(pl.int_range(pl.len()) < 7)
        .then(pl.lit("?"))
        .otherwise(pl.col("customer_id"))
    )
    path = tmp_path / f"calls.{kind}"
    table.write_csv(path) if kind == "csv" else table.write_excel(path)
    draft = cx.drafting.draft_study([path], out=tmp_path)
    log = settings(draft)["interactions"]
    if kind == "csv":
        assert log["format"]["null_values"] == ["", "?"]
    else:
        assert log["null_values"] == ["?"]
    reasons = {f.reason: f.rows for f in draft.audit.findings}
    assert reasons["no customer"] == 7
    assert "? stands for nothing in customer_id" in draft.text or kind == "xlsx"


def test_the_rarer_side_of_a_flag_is_the_candidate(tmp_path):
    table = (
        calls()
        .drop("stars")
        .with_columns(in_time=pl.int_range(pl.len()) % 10 > 0, late=pl.int_range(pl.len()) % 9 == 0)
    )
    text = draft_of(tmp_path, calls=table).text
    assert '# bad = "not in_time"' in text
    assert '# bad = "late"' in text


def test_a_rule_that_is_not_written_yet_gets_no_warning(tmp_path):
    draft = draft_of(tmp_path, calls=calls().drop("stars"))
    assert draft.open_keys == ("moments.bad",)
    # the silences are as they are; of rules nothing is said
    assert [w.code for w in draft.audit.warnings] == ["lapsed_came_back"]
    assert "moments.bad is open" in draft.audit.graded_by


def test_the_id_of_a_contact_of_several_rows_is_named(tmp_path):
    table = calls(200).with_columns(ticket=pl.int_range(pl.len()) + 5000)
    draft = draft_of(
        tmp_path, calls=pl.concat([table, table.with_columns(stars=pl.lit(3, pl.Int64))])
    )
    text = " ".join(draft.text.replace("#  ", "").split())
    assert 'select "ticket", min("customer_id") as "customer_id"' in text
    assert 'group by "ticket"' in text


@pytest.mark.parametrize("unit", ["day", "minute"])
def test_purchases_of_one_day_are_pointed_out_where_there_is_no_clock(tmp_path, unit):
    rng = random.Random(8)
    table = pl.DataFrame(
        [
            {"customer_id": f"C{i % 60:03}", "at": DAY + timedelta(days=rng.randrange(500)), "n": i}
            for i in range(400)
        ]
    )
    table = pl.concat([table, table.head(16).with_columns(n=pl.col("n") + 400)])
    if unit == "minute":
        minutes = pl.duration(minutes=pl.int_range(pl.len()))
        table = table.with_columns(pl.col("at").cast(pl.Datetime) + minutes)
    assert ("lines or" in draft_of(tmp_path, sales=table).text) == (unit == "day")


def test_another_part_of_the_log_is_pointed_out(tmp_path):
    later = calls().rename({"customer_id": "CustomerID", "stars": "Rating"})
    text = draft_of(tmp_path, calls=calls(), later=later).text
    assert "3 of the 4 columns" in text
    assert "UNION ALL" in text


def test_a_table_of_customers_is_no_part_of_the_log(tmp_path):
    assert "UNION ALL" not in draft_of(tmp_path, calls=calls(), customers=customers()).text
