"""From TOML to frozen settings: a wrong key or value is an error that names the field and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from cxresearch.errors import StudyError, nearest
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.redaction import Secrets, forms_of_source
from cxresearch.utils.trust import variable


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of a file: its fields are the keys it may hold."""


S = TypeVar("S", bound=Section)


@cache
def fields_of(kind: type[Section]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a section; a catalogue asks for those of a few kinds hundreds of times."""
    return msgspec.structs.fields(kind)


def convert(
    where: str, raw: object, kind: type[S], *, elsewhere: Callable[[str], list[str]] | None = None
) -> S:
    """A section from plain values.

    Args:
        where: its path, for messages.
        raw: a mapping.
        kind: the section.
        elsewhere: the sections that a misplaced key belongs to.

    Raises:
        StudyError: not a mapping, an unknown key, a missing one, or a value of the wrong type.
    """
    if not isinstance(raw, Mapping):
        raise StudyError(
            f"{where} must be a section with keys of its own, written [{where}], was {raw!r}",
            field=where,
        )
    check_keys(where, raw, kind.__struct_fields__, elsewhere=elsewhere)
    raw = _spelled(where, raw, kind)
    for field in fields_of(kind):
        optional = get_origin(field.type) in (Union, UnionType)
        if field.name not in raw or (optional and raw[field.name] is None):
            continue
        for section in get_args(field.type) if optional else (field.type,):
            if isinstance(section, type) and issubclass(section, Section):
                convert(f"{where}.{field.name}", raw[field.name], section)
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as e:
        message, _, at = str(e).partition(" - at ")
        field_path = where + at.strip("`").removeprefix("$")
        raise StudyError(
            f"{field_path}: {message[0].lower()}{message[1:]}", field=field_path
        ) from None


def _spelled(where: str, raw: Mapping[str, Any], kind: type[Section]) -> dict[str, Any]:
    """The values with words of a closed list as the list spells them: ``utf8`` for ``UTF-8``.

    Raises:
        StudyError: a word that is not in the list.
    """
    result = dict(raw)
    for field in fields_of(kind):
        value = raw.get(field.name)
        if isinstance(value, Mapping) and isinstance(field.type, type):
            if issubclass(field.type, Section):
                result[field.name] = _spelled(f"{where}.{field.name}", value, field.type)
        elif get_origin(field.type) is Literal and isinstance(value, str):
            allowed: tuple[str, ...] = get_args(field.type)
            same = [word for word in allowed if _letters(word) == _letters(value)]
            if not same:
                words = " or ".join(map(repr, allowed))
                raise StudyError(
                    f"{where}.{field.name} must be {words}, was {value!r}{nearest(value, allowed)}",
                    field=f"{where}.{field.name}",
                )
            result[field.name] = value if value in allowed else same[0]
    return result


def _letters(word: str) -> str:
    """A word by which spellings are compared: its letters and digits, in small letters, without the s of a plural."""
    return "".join(c for c in word.lower() if c.isalnum()).removesuffix("s")


def check_keys(
    where: str,
    raw: Mapping[str, Any],
    known: Iterable[str],
    *,
    elsewhere: Callable[[str], list[str]] | None = None,
) -> None:
    """Every key of `raw` is known.

    Raises:
        StudyError: one is not; the nearest known one, or the section it belongs to, is named.
    """
    known = tuple(known)
    for key in raw:
        if key in known:
            continue
        label = f"[{where}]" if where else "the study file"
        homes = [h for h in elsewhere(key) if h != where] if elsewhere else []
        places = " or ".join(f"[{h}]" for h in homes)
        hint = f"; it belongs in {places}" if homes else nearest(key, known)
        raise StudyError(
            f"unknown key {key!r} in {label}{hint or '; known: ' + ', '.join(known)}",
            field=f"{where}.{key}" if where else key,
        )


LEVELS_OF_SERVICE = ("criminal", "basic", "expected", "desired", "surprising", "unbelievable")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class StudySection(Section, frozen=True, kw_only=True):
    """`[study]`: identity and the questions' common horizon.

    Attributes:
        id: what the study is called in the ledger of runs; its name may change.
        name: what it is called on pages; the folder when not given.
        horizon_days: how many days ahead claims look.
        min_cell: the smallest count that a page shows: smaller ones are hidden, others rounded to the nearest so many.
    """

    id: str | None = None
    name: str | None = None
    horizon_days: int = 365
    min_cell: int = 10


class Format(Section, frozen=True, kw_only=True):
    """How a text file is written, where it is not plain CSV.

    Attributes:
        separator: the character between two fields; found by itself where it is not given.
        quote: the character around texts; may be empty.
        decimal_comma: whether numbers are written with a comma, as in 2,5.
        thousands: what stands between thousands, as the point in 1.234,5.
        skip_rows: lines, or rows of a sheet, before the names of columns.
        null_values: what means that nothing is written.
    """

    separator: str | None = None
    quote: str = '"'
    decimal_comma: bool = False
    thousands: str | None = None
    skip_rows: int = 0
    null_values: tuple[str, ...] = ("",)


class Source(Section, frozen=True, kw_only=True):
    """Where a table comes from.

    Attributes:
        source: a file, a pattern of files, a folder of Parquet files, or a table of a database; ``${NAME}`` is filled
            in.
        query: a SELECT over the tables of `[tables]`, or for the server that `source` names.
        format: how a text file is written.
        sheet: the sheet of a workbook; not needed where it has one.
        columns: names of the columns of a file, or sheet, without a line of names.
        widths: letters of each column, where a text file has columns of fixed width; `columns` names them.
        encoding: of a text file, such as cp1252, gbk or utf-16; found by itself where it can be. With utf8-lossy, what
            is not UTF-8 becomes a mark.
    """

    source: str | None = None
    query: str | None = None
    format: Format = Format()
    sheet: str | None = None
    columns: tuple[str, ...] | None = None
    widths: tuple[int, ...] | None = None
    encoding: str | None = None


class Table(Source, frozen=True, kw_only=True):
    """An entry of `[tables]`: a file, or a query over the tables named before it."""


class Interactions(Source, frozen=True, kw_only=True):
    """`[interactions]`: the log, one row per contact.

    Attributes:
        customer: column: whom the contact was with.
        at: column: when it was; times, dates or whole days.
        at_format: how times are written, in the letters of strptime; not needed for ISO dates and columns of times.
        time_zone: the zone of times that have an offset; others are taken as they stand.
        touchpoint: column: where in the journey the contact took place.
        channel: column: by what means.
        owner: column: which function is responsible.
        agent: column: which person is responsible.
        score: column: a number by which customers rate the contact.
        scale: the lowest and the highest score.
        level: column: one of the six levels of service.
        grade: column: bad, neutral, good or unknown.
        attended: column, true or false: whether a person was there.
        is_problem: column, true or false: whether the contact was about a problem, as known at the contact.
        handoff: column, true or false: whether the customer was handed on, as known at the contact.
        respect: column of numbers: whether customers were treated with respect.
        solutions: column of numbers: whether they got a solution.
        simplicity: column of numbers: whether it was simple.
        responsibility: column of numbers: whether somebody took responsibility.
        problem_at: column: when a problem came up.
        resolved_at: column: when it was resolved.
        goodwill_at: column: when a goodwill gesture was made.
        informed_at: column: when the customer was informed of a problem to come.
        complained_at: column: when the customer complained.
        posted_at: column: when the customer posted in public.
        null_values: words for a missing value in columns that are read, besides the usual ones such as NULL or N/A.
        true_values: words for true in columns of flags, besides the usual ones such as yes.
        false_values: words for false in columns of flags, besides the usual ones such as no.
        unattended: channels or touchpoints without a person.
        expectations_scale: the lowest and the highest value of the four expectations; `scale` when not given.
        known_at_contact: dated events that are bare flags and were known at the contact itself.
        log_from: the first day that the log covers; the first contact when not given.
        log_until: the last day that the log covers; the last contact when not given.
    """

    customer: str = "customer"
    at: str = "at"
    at_format: str | None = None
    time_zone: str = "UTC"
    touchpoint: str | None = None
    channel: str | None = None
    owner: str | None = None
    agent: str | None = None
    score: str | None = None
    scale: tuple[float, float] | None = None
    level: str | None = None
    grade: str | None = None
    attended: str | None = None
    is_problem: str | None = None
    handoff: str | None = None
    respect: str | None = None
    solutions: str | None = None
    simplicity: str | None = None
    responsibility: str | None = None
    problem_at: str | None = None
    resolved_at: str | None = None
    goodwill_at: str | None = None
    informed_at: str | None = None
    complained_at: str | None = None
    posted_at: str | None = None
    unattended: tuple[str, ...] = ()
    expectations_scale: tuple[float, float] | None = None
    known_at_contact: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    log_from: date | int | None = None
    log_until: date | int | None = None


class MomentRules(Section, frozen=True, kw_only=True):
    """`[moments]`: which contacts count, and as what.

    Attributes:
        bad: condition in SQL over the columns of the log: which contacts were bad.
        neutral: condition: which were neutral; ``otherwise`` for all that are neither bad nor good.
        good: condition: which were good.
        exclude: condition: which do not count, such as those that follow from leaving.
        blackout_days: moments take effect so many days later, in every analysis.
        lead_days: how many days ahead customers may have decided to leave; rising. Claims that this could explain are
            computed again with what happened in the last so many days left aside: support must survive each of them,
            contradiction the longest.
        grades: where grades come from: ``given`` by customers, or ``measured``, as a delay is.
        lookback_days: how far histories go back, where few customers start within the log.
        value_per_customer_day: what one customer is worth on one day, for what bad moments go with in money.
        currency: of that value, such as EUR.
    """

    bad: str | None = None
    neutral: str | None = None
    good: str | None = None
    exclude: str | None = None
    blackout_days: int = 0
    lead_days: tuple[int, ...] = (14, 30, 60)
    grades: Literal["given", "measured"] = "given"
    lookback_days: int = 365
    value_per_customer_day: float | None = None
    currency: str | None = None


class Retention(Source, frozen=True, kw_only=True):
    """`[retention]`: who stayed and who left.

    Attributes:
        kind: ``contract``: a table holds starts and ends; ``activity``: who is silent for `gap_days` has lapsed.
        customer: column: whose relation it is.
        start: column: when it began.
        end: column: when it ended; empty for those who are still there.
        date_format: how dates are written, in the letters of strptime.
        cause: column: why a customer left.
        contract: column: the id of a contract, where customers have several.
        defection: the causes that are defection; all when not given.
        observed_from: a column, a date or a whole day: from when on a customer is observed.
        observed_until: a column, a date or a whole day: until when.
        segment: column: the segment of a customer.
        cluster: column: customers who belong together, such as a household.
        covariates: columns that describe customers as of entry.
        marketing: those of them that describe acquisition and campaigns.
        null_values: words for a missing value in columns that are read, besides the usual ones such as NULL or N/A.
        gap_days: of an activity study: the days without a contact after which a customer has lapsed.
        active: of an activity study: condition in SQL over the columns of the log: which contacts keep a customer
            active, such as orders; all when not given.
        new_from: of an activity study: customers first seen from this day on are known to be new.
        at: of an activity study whose customers are kept active by the rows of a table of its own, such as orders,
            which `source` or `query` names: column: when.
        returns: what becomes of customers who come back after a lapse, or whose next contract begins after a gap:
            ``ignore``, or ``new_spell``: they are at risk again, with what they had lived through before.
    """

    kind: Literal["contract", "activity"] = "contract"
    customer: str = "customer"
    start: str = "start"
    end: str = "end"
    date_format: str | None = None
    null_values: tuple[str, ...] = ()
    cause: str | None = None
    contract: str | None = None
    defection: tuple[str, ...] = ()
    observed_from: Any = None  # a column, a date or an integer day
    observed_until: Any = None
    segment: str | None = None
    cluster: str | None = None
    covariates: tuple[str, ...] = ()
    marketing: tuple[str, ...] = ()
    gap_days: int | None = None
    active: str | None = None
    new_from: date | int | None = None
    at: str = "at"
    returns: Literal["ignore", "new_spell"] = "ignore"

    @property
    def has_spells(self) -> bool:
        """Whether customers who come back are at risk again."""
        return self.returns == "new_spell"

    @property
    def described(self) -> tuple[str, ...]:
        """Columns that describe a customer as of entry, besides the segment: covariates, and marketing."""
        return tuple(dict.fromkeys((*self.covariates, *self.marketing)))


class Customers(Source, frozen=True, kw_only=True):
    """`[customers]`: what is known of customers, where there are no contracts; one row per customer.

    Attributes:
        customer: column: who it is.
        segment: column: the segment of a customer.
        cluster: column: customers who belong together, such as a household.
        covariates: columns that describe customers as of their first contact.
        marketing: those of them that describe acquisition and campaigns.
        null_values: words for a missing value in columns that are read, besides the usual ones such as NULL or N/A.
    """

    customer: str = "customer"
    segment: str | None = None
    cluster: str | None = None
    covariates: tuple[str, ...] = ()
    marketing: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()

    @property
    def described(self) -> tuple[str, ...]:
        """Columns that describe a customer, besides the segment: covariates, and marketing."""
        return tuple(dict.fromkeys((*self.covariates, *self.marketing)))


class DecisionRules(Section, frozen=True, kw_only=True):
    """`[decision]`: how sure one wants to be.

    Attributes:
        level: of confidence, between 0.5 and 1.
        multiplicity: how verdicts allow for the number of claims.
        looks: for which looks at the data the intervals hold: a ``single`` one that was fixed beforehand, or
            ``anytime``, at each of the runs of a report on data that grow.
    """

    level: float = 0.95
    multiplicity: Literal["holm", "benjamini-hochberg", "none"] = "holm"
    looks: Literal["single", "anytime"] = "single"


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A study: everything the pipeline needs to know, and no data.

    Attributes:
        info: identity, horizon in days, smallest cell shown.
        interactions: the log's source and columns.
        moments: rules that grade a contact.
        retention: the retention table's source and columns, or the gap that means a customer has lapsed.
        customers: the table that describes customers where there are no contracts.
        decision: level and multiplicity.
        tables: named files and queries that the two sources may use.
        claims: claims of the study, as written.
        folder: where relative sources start.
        state: folder for what is kept between runs.
        variables: values given for ``${NAME}``; of the others, those that the user allows come from the environment.
        frames: tables held in memory, by name; they stand in for files of that name.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> study.retention.kind, study.info.horizon_days
        ('contract', 365)
    """

    info: StudySection
    interactions: Interactions
    moments: MomentRules
    retention: Retention
    customers: Customers
    decision: DecisionRules
    tables: dict[str, Table]
    claims: tuple[dict[str, Any], ...]
    folder: Path
    state: Path
    variables: dict[str, str]
    frames: dict[str, Any]

    def __repr__(self) -> str:
        """The study by its name; never what a variable holds."""
        return f"Study({self.name!r}, folder={str(self.folder)!r})"

    def _repr_html_(self) -> str:
        log, kept, moments = self.interactions, self.retention, self.moments
        rules = ((f"{name} moments", getattr(moments, name)) for name in ("bad", "neutral", "good"))
        rows = [
            ("interactions", log.source or ("a query" if log.query else "a table in memory")),
            ("retention", f"{self._kept_active_by()}: a gap of {kept.gap_days} days")
            if kept.kind == "activity"
            else ("retention", kept.source or ("a query" if kept.query else "a table in memory")),
            *((name, rule) for name, rule in rules if rule),
            ("set aside", moments.exclude or "nothing"),
            ("blackout", f"{moments.blackout_days} days"),
            ("horizon", f"{self.info.horizon_days} days"),
            ("smallest count shown", self.info.min_cell),
            (
                "confidence level",
                f"{self.decision.level:.0%}, several claims: {self.decision.multiplicity}",
            ),
        ]
        return html_table(self.name, ("setting", "is"), rows)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]

    def _kept_active_by(self) -> str:
        if not self.has_active_table:
            return "from the contacts"
        kept = self.retention
        return f"from {kept.source or ('a query' if kept.query else 'a table in memory')}"

    @property
    def name(self) -> str:
        """The study's name, or its id, or the folder it lies in."""
        return self.info.name or self.info.id or self.folder.name

    def replace(self, **settings: Any) -> Study:
        """The same study with some settings changed and checked; its data are the same.

        Args:
            settings: key of the study file to value, such as ``blackout_days=14`` or ``bad="stars <= 3"``. A key that
                stands in two sections is written ``retention__source``.

        Raises:
            StudyError: no such key, a value of the wrong type, or settings that contradict each other.
        """
        # the checks know this class, so it cannot import them when it is loaded
        changed: Study = import_module("cxresearch.study.load").replace_settings(self, **settings)
        return changed

    def fill(self, template: str, field: str) -> str:
        """`template` with ``${NAME}`` replaced by values.

        Raises:
            StudyError: a variable has no value; the message names the variable and the field.
        """

        def value(match: re.Match[str]) -> str:
            result = self._value(match[1])
            if not result:
                held = "is empty" if result == "" else "has no value"
                raise StudyError(
                    f"{field} uses ${{{match[1]}}}, which {held}: give it on the command line with "
                    f"-D {match[1]}=VALUE, or set the environment variable {match[1]} and allow it with "
                    f"--allow-env {match[1]}",
                    field=field,
                )
            return result

        return _VARIABLE.sub(value, template)

    @property
    def sections(self) -> tuple[Interactions | Retention | Customers | Table, ...]:
        """All that name a source."""
        return (self.interactions, self.retention, self.customers, *self.tables.values())

    @property
    def has_customer_table(self) -> bool:
        """Whether a table describes customers where there are no contracts."""
        named = self.customers
        is_given = named.source is not None or named.query is not None
        is_frame = "customers" in self.frames and named != Customers()
        return self.retention.kind == "activity" and (is_given or is_frame)

    @property
    def has_active_table(self) -> bool:
        """Whether customers without contracts are kept active by the rows of a table of its own, such as orders."""
        named = self.retention
        is_given = named.source is not None or named.query is not None
        return named.kind == "activity" and (is_given or "retention" in self.frames)

    @property
    def described_by(self) -> Retention | Customers:
        """The section that names segment, cluster and covariates of customers."""
        return self.customers if self.retention.kind == "activity" else self.retention

    @property
    def asks_server(self) -> bool:
        """Whether a query is put to a PostgreSQL server."""
        return any(s.source is not None and s.query is not None for s in self.sections)

    def redact(self, text: str) -> str:
        """`text` with every variable's value turned back into ``${NAME}``: for whatever is printed or stored."""
        names = {name for template in self._templates() for name in _VARIABLE.findall(template)}
        return Secrets({name: self._value(name) for name in names}, forms_of_source).redact(text)

    def _value(self, name: str) -> str | None:
        return variable(name, self.variables)

    def _templates(self) -> list[str]:
        return [s.source for s in self.sections if s.source]
