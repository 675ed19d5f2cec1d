"""From TOML, or from tables in memory, to a frozen `Study`. Nothing is read from the tables here."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from cxresearch.errors import StudyError, nearest
from cxresearch.study import settings, validation
from cxresearch.study import settings as strict
from cxresearch.study.settings import (
    Customers,
    DecisionRules,
    Format,
    Interactions,
    MomentRules,
    Retention,
    S,
    Section,
    Study,
    StudySection,
    Table,
)
from cxresearch.utils.checks import arguments, optional

_SECTIONS: dict[str, type[Section]] = {
    "study": StudySection,
    "interactions": Interactions,
    "moments": MomentRules,
    "retention": Retention,
    "customers": Customers,
    "decision": DecisionRules,
}


def read_study(
    path: str | Path, variables: Mapping[str, str] | None = None, *, state: str | Path | None = None
) -> Study:
    """Read a study file.

    Args:
        path: the TOML file.
        variables: values for ``${NAME}`` in sources; the environment is asked for the other names that the user
            allows in ``CXRESEARCH_ALLOW_ENV``.
        state: folder for what is kept between runs; when not given, the environment variable ``CXRESEARCH_STATE``, or
            ``.cxresearch`` next to the study; ``.cxresearch-NAME`` for a study file NAME.toml.

    Returns:
        The study, checked. Its tables are not opened yet.

    Raises:
        StudyError: no such file, not TOML, an unknown key (the nearest known one is named), a value of the wrong
            type, or settings that contradict each other.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cxresearch as cx
        >>> from cxresearch.utils.bundled import copy_sample
        >>> with TemporaryDirectory() as folder:
        ...     file, *tables = copy_sample(Path(folder))
        ...     study = cx.read_study(file)
        >>> study.name
        'Sample phone company (synthetic)'
    """
    arguments(path=path)
    optional(variables=variables, state=state)
    path = Path(path)
    try:
        path = path / "study.toml" if path.is_dir() else path
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StudyError(
            f"no study file {path}: give the path of a TOML file, or of a folder with a study.toml"
        ) from None
    except UnicodeDecodeError as e:
        raise StudyError(
            f"{path} is not text in UTF-8 (byte {e.start}): a study file is TOML, saved as UTF-8"
        ) from None
    except (OSError, ValueError) as e:
        raise StudyError(
            f"cannot read the study file {path}: {getattr(e, 'strerror', None) or e}"
        ) from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise StudyError(f"{path} is not valid TOML: {e}") from None
    except RecursionError:
        raise StudyError(f"{path} is not valid TOML: too deeply nested") from None
    except ValueError:  # Python reads no longer ones
        raise StudyError(f"{path} is not valid TOML: a number has thousands of digits") from None
    try:
        home = path.resolve()
        given = state or os.environ.get("CXRESEARCH_STATE") or default_state(home)
        check_names((home, Path(given)))
    except OSError as e:
        raise StudyError(f"cannot find the folder of {path}: {e.strerror or e}") from None
    return study_from(raw, folder=home.parent, variables=variables, state=given)


def folder_of(file: Path, state: Path, what: str) -> Path:
    """Where something of one study is kept; in a state folder that is given, each study has a place of its own.

    Args:
        file: the study file, or its folder.
        state: the study's state folder.
        what: the name of the folder, such as ``quarantine``.
    """
    file = (file / "study.toml" if file.is_dir() else file).resolve()
    if state.resolve() == default_state(file):
        return state / what
    mark = blake2b(os.fsencode(file), digest_size=4).hexdigest()
    name = file.parent.name if file.name == "study.toml" else file.stem
    return state / what / f"{name}-{mark}"


def check_names(paths: Iterable[Path]) -> None:
    """Refuse a path that is not text: engines take their paths as text.

    Raises:
        StudyError: a name holds bytes that are not UTF-8.
    """
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            shown = str(path).encode("utf-8", "backslashreplace").decode()
            raise StudyError(f"the path {shown} is not UTF-8: rename the file or folder") from None


def default_state(file: Path) -> Path:
    """Where is kept what a study keeps between runs; several study files in one folder do not share it.

    Args:
        file: the study file.
    """
    name = "" if file.name == "study.toml" else f"-{file.stem}"
    return file.parent / f".cxresearch{name}"


def study_from(
    raw: Mapping[str, Any],
    *,
    folder: str | Path = ".",
    variables: Mapping[str, str] | None = None,
    state: str | Path | None = None,
    **frames: Any,
) -> Study:
    """Make a study from settings and, if given, tables in memory.

    Args:
        raw: the sections of a study file, as a mapping.
        folder: where relative sources start.
        variables: values for ``${NAME}`` in sources.
        state: as `read_study`.
        frames: frames by name, of Polars, pandas, Arrow or DuckDB; ``interactions``, ``retention`` and, where
            ``[customers]`` names columns, ``customers`` stand in for the sources; any other name can be used in a
            query.

    Returns:
        The study, checked.

    Raises:
        StudyError: as `read_study`.

    Example:
        >>> import polars as pl
        >>> log = pl.DataFrame({"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-03-01"]})
        >>> study_from({"study": {"name": "two lines"}}, interactions=log, retention=who).name
        'two lines'
    """
    arguments(raw=raw, folder=folder)
    optional(variables=variables, state=state)
    settings.check_keys("", raw, (*_SECTIONS, "tables", "claims"), elsewhere=_homes)

    def section(name: str, kind: type[S]) -> S:
        return settings.convert(name, raw.get(name, {}), kind, elsewhere=_homes)

    tables = raw.get("tables", {})
    if not isinstance(tables, Mapping):
        raise StudyError(
            '[tables] must be a table of names, such as tickets = "tickets.csv"', field="tables"
        )
    study = Study(
        info=section("study", StudySection),
        interactions=section("interactions", Interactions),
        moments=section("moments", MomentRules),
        retention=section("retention", Retention),
        customers=section("customers", Customers),
        decision=section("decision", DecisionRules),
        tables={k: _table(k, v) for k, v in tables.items()},
        claims=_claims(raw.get("claims", [])),
        folder=Path(folder),
        state=Path(state or os.environ.get("CXRESEARCH_STATE") or Path(folder) / ".cxresearch"),
        variables=dict(variables or {}),
        frames=dict(frames),
    )
    validation.check(study)
    return study


def _homes(key: str) -> list[str]:
    """The sections a key belongs to."""
    homes = [name for name, kind in _SECTIONS.items() if key in kind.__struct_fields__]
    return homes + ["interactions.format", "retention.format"] * (key in Format.__struct_fields__)


def _claims(value: object) -> tuple[dict[str, Any], ...]:
    """Claims as written; what is in them is checked when they are tried."""
    if not (isinstance(value, list | tuple) and all(isinstance(c, dict) for c in value)):
        raise StudyError(
            "claims must be an array of tables: write each as [[claims]]", field="claims"
        )
    return tuple(value)


def _table(name: str, value: object) -> Table:
    return (
        Table(source=value)
        if isinstance(value, str)
        else settings.convert(f"tables.{name}", value, Table)
    )


_OF_CUSTOMERS = ("segment", "cluster", "covariates", "marketing")
_SECTIONS_VARIANTS = ("info", "moments", "retention", "customers", "decision", "interactions")


def replace_settings(study: Study, **settings: Any) -> Study:
    """A study with some settings changed and checked; its data are the same.

    Args:
        study: the study as declared.
        settings: key of the study file to value, such as ``blackout_days=14``, ``horizon_days=180`` or
            ``bad="stars <= 3"``. A key that stands in two sections is written ``retention__source``; ``claims`` takes a
            list of claims of the study's own, each a dict with the keys of ``[[claims]]``.

    Returns:
        The changed study; the given one stays as it is.

    Raises:
        StudyError: no such key, a value of the wrong type, or settings that contradict each other.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-03-01"]})
        >>> study = cx.study_from({}, interactions=log, retention=who)
        >>> study.replace(blackout_days=14).moments.blackout_days
        14
        >>> study.replace(claims=[{"id": "busy-stay"}]).claims[0]["id"]
        'busy-stay'
    """
    made = study
    if "claims" in settings:
        made = msgspec.structs.replace(made, claims=_claims(settings.pop("claims")))
    changed: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        section, field = _place(study, key)
        changed.setdefault(section, {})[field] = value
    for section, values in changed.items():
        old = getattr(study, section)
        # through the same door as a study file, so that types are checked; fields that are unset stay out
        raw = {k: v for k, v in msgspec.structs.asdict(old).items() if v is not None} | values
        name = "study" if section == "info" else section
        made = msgspec.structs.replace(
            made, **{section: strict.convert(name, _plain(raw), type(old))}
        )
    validation.check(made)
    return made


def _place(study: Study, key: str) -> tuple[str, str]:
    """The section of a key."""
    given, _, field = key.rpartition("__")
    given = "info" if given == "study" else given
    homes = [
        s
        for s in _SECTIONS_VARIANTS
        if field in getattr(study, s).__struct_fields__ and given in ("", s)
    ]
    if field == "at" and len(homes) > 1 and not study.has_active_table:
        homes = ["interactions"]
    if len(homes) > 1:  # of customers one section tells, which the kind of retention decides
        is_shop = study.retention.kind == "activity"
        unused = "retention" if is_shop and field in _OF_CUSTOMERS else "customers"
        homes = [home for home in homes if home != unused or (is_shop and unused == "customers")]
    if len(homes) == 1:
        return homes[0], field
    if homes:
        ways = " or ".join(f"{'study' if h == 'info' else h}__{field}" for h in homes)
        raise StudyError(f"{field!r} stands in several sections: write {ways}", field=field)
    known = [f for s in _SECTIONS_VARIANTS for f in getattr(study, s).__struct_fields__]
    raise StudyError(f"no setting {key!r}{nearest(field, known)}", field=key)


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    """Tuples and nested sections as TOML would give them."""
    return {k: list(v) if isinstance(v, tuple) else _nested(v) for k, v in raw.items()}


def _nested(value: Any) -> Any:
    return _plain(msgspec.structs.asdict(value)) if isinstance(value, msgspec.Struct) else value
