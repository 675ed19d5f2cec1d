"""A study that tries to put a cell, an id, a path or a password into what is published.

Each attack is a study that is right, published, and then changed so that the next run fails with an error that holds
the secret; or one that succeeds and names a column of secrets for something that pages show.
"""

from __future__ import annotations

import html
import re
from random import Random
from urllib.parse import unquote

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import CxResearchError, EstimationError, NotTestable, StudyError
from cxresearch.report.pages import provenance, show
from cxresearch.report.pages.html import page, summary, title_of
from cxresearch.report.pages.site import Entry, index
from cxresearch.report.runs import build, jobs
from cxresearch.report.runs.run import report
from tests.report.in_process import executed
from tests.report.standins import executed as ready
from tests.report.standins import notebook, study_of

SECRET = "Xanthippe-hospice"
READS = "import cxresearch as cx\nfrom cxresearch.report.pages import show\n"
READS += "records = cx.read_records(show.study(study))\nshow.opening(records, 'What was read')"


def shown_in(text):
    """A published file with everything written out that a browser would decode."""
    for _ in range(3):
        text = unquote(html.unescape(text))
    return text.replace("\\u002d", "-").lower()


def holders(folder, secret=SECRET):
    """Published files that hold the secret, or whose names do."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    return [p.name for p in files if secret.lower() in shown_in(p.read_text() + p.name)]


def rewrite(file, *changes):
    text = file.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


def strange_ids(study):
    log = pl.read_csv(study / "log.csv").with_columns(customer=pl.lit(SECRET))
    log.write_csv(study / "log.csv")


def dates_that_cannot_be_read(study):
    log = pl.read_csv(study / "log.csv").with_columns(at=pl.lit(f"{SECRET} on Friday"))
    log.write_csv(study / "log.csv")


def a_strange_type(study):
    who = pl.read_csv(study / "customers.csv").with_columns(segment=pl.lit([SECRET]))
    who.write_parquet(study / "customers.parquet")
    rewrite(study / "study.toml", ("customers.csv", "customers.parquet"))


def strange_columns(study):
    log = pl.read_csv(study / "log.csv").rename({"grade": SECRET})
    log.write_csv(study / "log.csv")


def too_many_fields(study):
    file = study / "log.csv"
    file.write_text(f"{file.read_text()}{SECRET},{SECRET},{SECRET},{SECRET},{SECRET}\n")


def a_number_that_is_none(study):
    query = f"query = \"select customer, at, grade, cast('{SECRET}' as integer) as x from log\""
    rewrite(study / "study.toml", ('source = "log.csv"', query))
    rewrite(study / "study.toml", ("[retention]", '[tables]\nlog = "log.csv"\n[retention]'))


def a_path(study):
    rewrite(study / "study.toml", ('"log.csv"', f'"/srv/{SECRET}/log.csv"'))


def a_database(study):
    rewrite(study / "study.toml", ('"log.csv"', f'"duckdb:{SECRET}.duckdb/{SECRET}"'))


def a_password(study):
    server = f'"postgresql://reader:{SECRET}@db.example/crm"\nquery = "select 1"'
    rewrite(study / "study.toml", ('"log.csv"', server))


def a_setting_of_an_address(study):
    server = f'"postgresql://reader@db.example/crm?{SECRET}=1"\nquery = "select 1"'
    rewrite(study / "study.toml", ('"log.csv"', server))


def a_rule(study):
    rewrite(
        study / "study.toml", ("[retention]", f"[moments]\nbad = \"'{SECRET}' = (\"\n[retention]")
    )


def a_key(study):
    rewrite(study / "study.toml", ("[study]", f'["{SECRET}"]\nx = 1\n[study]'))


def no_toml(study):
    rewrite(study / "study.toml", ("[study]", f"{SECRET} {SECRET}\n[study]"))


def a_claim(study):
    file = study / "study.toml"
    file.write_text(f'{file.read_text()}\n[[claims]]\nid = "{SECRET}"\n"{SECRET}" = 1\n')


CHANGES = [
    strange_ids,
    dates_that_cannot_be_read,
    a_strange_type,
    strange_columns,
    too_many_fields,
    a_number_that_is_none,
    a_path,
    a_database,
    a_password,
    a_setting_of_an_address,
    a_rule,
    a_key,
    no_toml,
    a_claim,
]
# their errors hold no cell to begin with, as far as engines do
QUIET = (a_rule, a_strange_type, dates_that_cannot_be_read, no_toml, too_many_fields)
RAISES = {
    "an error of Python": f"raise ValueError('{SECRET} at 7')",
    "a field of an error": f"from cxresearch.errors import StudyError\n"
    f"raise StudyError('{SECRET}', field='interactions.{SECRET}')",
    "a class": f"raise type('{SECRET}', (Exception,), {{}})()",
    "several lines": f"raise KeyError('''claims\\n\\x1b[31m{SECRET}\\n<b>{SECRET}</b>''')",
    "a message that begins like a field": f"raise RuntimeError('claims.{SECRET} is bad')",
    "the end of the process": f"import os, sys\nsys.stderr.write('{SECRET}')\n"
    f"os.write(2, b'{SECRET}')\nos._exit(3)",
    "an exit": f"raise SystemExit('{SECRET}')",
    "an error with a cause": f"try:\n    {{}}['{SECRET}']\n"
    f"except KeyError as e:\n    raise TypeError('{SECRET}') from e",
}


class Published:
    """A study with a page of an earlier run, and the real kernel from now on."""

    def __init__(self, folder, monkeypatch):
        self.study, self.out, self.told = folder / "study", folder / "out", []
        study_of(self.study)
        with monkeypatch.context() as patched:
            patched.setattr(build, "execute", lambda *_: ready())
            self.run()
        self.own = folder / "own.ipynb"
        monkeypatch.setattr(jobs, "notebook_path", lambda _: self.own)

    def run(self, *cells):
        if cells:
            notebook(self.own, *cells)
        return report(self.study, self.out, force=True, tell=self.told.append)


@pytest.fixture
def published(tmp_path, monkeypatch):
    return Published(tmp_path, monkeypatch)


def fails(published, *cells):
    """The next run fails, says the secret to whoever runs it, marks the pages and tells them nothing."""
    with pytest.raises(CxResearchError) as caught:
        published.run(*cells)
    assert not holders(published.out)
    for name in ("verdicts.html", "index.html"):
        said = (published.out / name).read_text()
        assert "<strong>Not up to date.</strong>" in said
        assert "; the log of that run says more" in said
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_study_that_cannot_be_read_puts_no_secret_into_a_page(published, change):
    change(published.study)
    said = fails(published, READS, "cx.evaluate(records)")
    if change in (a_password, a_setting_of_an_address):
        assert SECRET not in said
    elif change not in QUIET:
        assert SECRET in said, said


@pytest.mark.slow
@pytest.mark.parametrize("cell", RAISES.values(), ids=RAISES)
def test_a_notebook_that_fails_puts_no_message_into_a_page(published, cell):
    fails(published, READS, cell)


@pytest.mark.slow
def test_what_a_notebook_writes_past_the_page_stays_off_it(published):
    """Warnings, logs and the standard error stream, of Python and of libraries."""
    noise = (
        f"import logging, os, sys, warnings\nwarnings.warn('{SECRET}')\n"
        f"logging.getLogger('x').error('{SECRET}')\nprint('{SECRET}', file=sys.stderr)\n"
        f"os.write(1, b'{SECRET}')\nos.write(2, b'{SECRET}')"
    )
    study = (
        f"with show.if_testable():\n    raise cx.errors.EstimationError('no level {SECRET}')\n"
        "print('it went on')"
    )
    published.run(READS, noise, study)
    assert "it went on" in (published.out / "verdicts.html").read_text()
    published.own.write_text(
        re.sub(SECRET, "", published.own.read_text())
    )  # a page shows its code, which is ours
    body = (published.out / "verdicts.html").read_text().partition('<details class="cx-code">')[0]
    assert SECRET not in shown_in(body)
    assert SECRET not in (published.out / "index.html").read_text()


def tables(customers=400):
    """A log and a retention table without a fault; ids are secrets."""
    random = Random(3)
    log, who = [], []
    for i in range(customers):
        start = random.randrange(100)
        end = start + random.randrange(60, 300) if random.random() < 0.6 else None
        cause = random.choice(("price", "moved")) if end is not None else None
        who.append((f"{SECRET}-{i:03}", start, end, random.choice("ab"), cause))
        for _ in range(random.randrange(1, 6)):
            log.append(
                (f"{SECRET}-{i:03}", random.randrange(start, end or 400), random.choice("pq"), random.choice("xy"),
                 f"agent {random.randrange(5)}", random.choice(("bad", "good", "neutral")),
                 random.choice(("basic", "desired", "expected")), random.choice((1, 5)))
            )  # fmt: skip
    names = ["customer", "at", "touchpoint", "owner", "agent", "grade", "level", "respect"]
    kinds = {"customer": pl.String, "start": pl.Int64, "end": pl.Int64}
    return (
        pl.DataFrame(log, schema=names, orient="row"),
        pl.DataFrame(who, schema={**kinds, "segment": pl.String, "cause": pl.String}, orient="row"),
    )


def study_in_memory(log, who, **changes):
    raw = {
        "study": {"name": "S", "horizon_days": 150},
        "interactions": {"log_from": 0, "log_until": 400, "expectations_scale": [1, 5]},
        "retention": {"cause": "cause", "defection": ["price"], "observed_until": 400},
    }
    raw["retention"]["segment"] = "segment"
    for section, keys in changes.items():
        raw[section] = raw[section] | keys
    return cx.study_from(raw, interactions=log, retention=who)


def rare_cause(log, who):
    rare = pl.col("customer").str.ends_with("7") & (pl.col("cause") == "moved")
    few = rare & (rare.cast(pl.Int32).cum_sum() <= 3)
    who = who.with_columns(cause=pl.when(few).then(pl.lit(SECRET)).otherwise("cause"))
    return study_in_memory(log, who, retention={"defection": ["price", SECRET[:-1]]})


def many_moments_of_few(log, who):
    """One customer of a segment of its own, who comes and goes among the levels of the histories."""
    one = log.row(0, named=True)["customer"]
    who = who.with_columns(
        segment=pl.when(pl.col("customer") == one).then(pl.lit(SECRET)).otherwise("segment"),
        start=pl.when(pl.col("customer") == one).then(0).otherwise("start"),
        end=pl.when(pl.col("customer") == one).then(None).otherwise("end"),
        cause=pl.when(pl.col("customer") == one).then(None).otherwise("cause"),
    )
    more = pl.DataFrame([log.row(0, named=True) | {"at": day} for day in range(1, 390, 9)])
    return study_in_memory(pl.concat([log, more.cast(dict(log.schema))]), who)


NAMED = {
    "segments": lambda log, who: study_in_memory(log, who, retention={"segment": "customer"}),
    "touchpoints": lambda log, who: study_in_memory(
        log, who, interactions={"touchpoint": "customer"}
    ),
    "owners": lambda log, who: study_in_memory(log, who, interactions={"owner": "customer"}),
    "agents": lambda log, who: study_in_memory(log, who, interactions={"agent": "customer"}),
    "levels": lambda log, who: study_in_memory(log, who, interactions={"level": "customer"}),
    "grades": lambda log, who: study_in_memory(log, who, interactions={"grade": "customer"}),
    "scores": lambda log, who: study_in_memory(log, who, interactions={"respect": "customer"}),
    "clusters": lambda log, who: study_in_memory(log, who, retention={"cluster": "customer"}),
    "causes": lambda log, who: study_in_memory(
        log, who.with_columns(cause=pl.when(pl.col("end").is_not_null()).then("customer"))
    ),
    "a covariate": lambda log, who: study_in_memory(
        log, who.with_columns(name="customer"), retention={"covariates": ["name"]}
    ),
    "marketing": lambda log, who: study_in_memory(
        log, who.with_columns(name="customer"), retention={"marketing": ["name"]}
    ),
    "a rare cause that is nearly named": rare_cause,
    "one customer with many moments": many_moments_of_few,
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", NAMED.values(), ids=NAMED)
def test_no_column_puts_ids_or_rare_values_onto_a_page(attack, monkeypatch):
    # no claim is tried but those that are shown
    study = attack(*tables()).replace(decision__multiplicity="none")
    told = {
        "explore": {},
        "journey": {},
        "verdicts": {"claims": ["three-strikes", "bad-moments-drive-away"]},
    }
    if attack is NAMED["scores"]:  # text is no score
        with pytest.raises(CxResearchError, match="respect"):
            executed(monkeypatch, "explore", study)
        return
    done = {name: executed(monkeypatch, name, study, **given) for name, given in told.items()}
    entries = [Entry(f"{name}.html", title_of(nb, name), summary(nb)) for name, nb in done.items()]
    pages = {name: page(nb, name=name, entries=entries) for name, nb in done.items()}
    for name, text in (pages | {"index": index(entries)}).items():
        assert SECRET.lower() not in shown_in(text), name


def test_a_level_is_named_where_enough_customers_are_at_risk_in_it_at_once():
    log, who = tables()
    for study, named in (
        (study_in_memory(log, who), "a, b"),
        (NAMED["segments"](log, who), "400 with fewer than 10 customers at once, not named"),
        (many_moments_of_few(log, who), "a, b, 1 with fewer than 10 customers at once, not named"),
    ):
        records = cx.read_records(study)
        table = cx.risk_table(
            records, strata=["segment"], bad=cx.bad_count(3), observed_from_start=True
        )
        assert f">{named}</td>" in table.html(10)


def test_an_audit_on_a_page_suggests_no_cause_of_the_table():
    audit = cx.audit(rare_cause(*tables()))
    assert f"did you mean '{SECRET}'?" in str(audit)
    assert SECRET not in provenance.audit(audit, 10)


@pytest.mark.parametrize(
    "error",
    [
        EstimationError(f"segment has no level 'x'; it has: {SECRET}"),
        StudyError(f"moments.bad: {SECRET}", field="moments.bad"),
        NotTestable("too_few", f"enough events: {SECRET} has 3 of them"),
    ],
)
def test_a_part_of_a_page_that_failed_tells_its_kind(error, monkeypatch, capsys):
    sent = []
    monkeypatch.setattr(show, "_send", sent.append)
    with show.if_testable():
        raise error
    (said,) = (block["text/html"] for block in sent)
    assert "This study cannot say" in said
    assert SECRET not in said
    assert isinstance(error, NotTestable) or SECRET in capsys.readouterr().err


def test_details_of_what_a_study_lacks_are_in_the_docket_alone():
    """An exact count behind an answer that could not be given is a count all the same."""
    log, who = tables(60)
    docket = cx.evaluate(study_in_memory(log, who), ["three-strikes"], alone=True)
    trial = docket["three-strikes"]
    lacks = [e.lacks for e in trial.results if re.search(r": .*\d", e.lacks)]
    assert lacks
    from cxresearch.report.pages.publishable import publishable_trial

    told = publishable_trial(trial, docket.min_cell)
    assert all(":" not in e.lacks for e in told.results)
    for detail in (said.partition(": ")[2] for said in lacks):
        assert detail not in str(told.sentence) + " ".join(e.reason for e in told.results)
    again = publishable_trial(told, docket.min_cell)
    assert (again.results, str(again.sentence)) == (told.results, str(told.sentence))
    block = index([Entry("verdicts.html", "V", show.summary(docket))])
    assert not [s for s in lacks if s.partition(": ")[2] in block]
