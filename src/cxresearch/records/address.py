"""The address of a PostgreSQL server: which host it leads to, and what may be sent there.

An address is taken apart as libpq takes it apart. A study may come from a stranger, so a value of the user's is sent to
a host that nobody has confirmed as a password alone, and over TLS; the name of a user, host or database is not secret.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from cxresearch.errors import SourceError
from cxresearch.study import Study
from cxresearch.utils.trust import is_confirmed, is_local

_VARIABLE = re.compile(r"\$\{\w+\}")
_SCHEMES = ("postgresql://", "postgres://")
_SAFE_TLS = ("require", "verify-ca", "verify-full")
# settings that name no file and no program of this machine, other than certificates that are only compared with
_SETTINGS = {
    *(
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "sslmode",
        "sslrootcert",
        "connect_timeout",
    ),
    *(
        "application_name",
        "target_session_attrs",
        "channel_binding",
        "gssencmode",
        "keepalives",
        "options",
    ),
    *(
        "load_balance_hosts",
        "require_auth",
        "sslnegotiation",
        "tcp_user_timeout",
        "client_encoding",
        "ssl",
    ),
}


@dataclass(frozen=True, slots=True)
class _Parts:
    """An address as libpq reads it.

    Attributes:
        user: encoded, as are the others.
        password: what stands after the colon of the login.
        hosts: names without ports; an empty one is libpq's default.
        database: its name.
        settings: what stands after the question mark, in order.
    """

    user: str
    password: str
    hosts: tuple[str, ...]
    database: str
    settings: tuple[tuple[str, str], ...]


def filled(study: Study, source: str, field: str) -> str:
    """The address with its variables filled in; no character of a value is taken for a part of the address.

    Args:
        study: fills in the variables.
        source: as the study file has it; one variable may hold the complete address.
        field: where it stands, for messages.

    Raises:
        SourceError: it is no address, names a setting that is not among those allowed, would send the value of a
            variable to a host that the user has not confirmed, or connects without TLS.
        StudyError: a variable without a value.
    """
    address, wrong = _filled(study, source, field)
    if wrong:
        del address  # some tools print the variables of each frame that an error went through
        raise SourceError(f"{field}: {wrong}")
    return address


def _filled(study: Study, source: str, field: str) -> tuple[str, str]:
    """The address, and what is wrong with it."""
    if _VARIABLE.fullmatch(source):
        address = study.fill(source, field)
        if not address.startswith(_SCHEMES):
            return (
                address,
                f"what {source} holds is no address: postgresql://user:password@host/database",
            )
        return _with_tls(address)  # whoever gave the value has named the host

    def fill(part: str, safe: str) -> str:
        return _VARIABLE.sub(
            lambda name: quote(study.fill(name[0], field), safe, errors="surrogateescape"), part
        )

    login, at, place = source.rpartition("@")
    address = fill(login, "") + at + fill(place, ":,[]")
    strange = [h for h in _hosts(_parts(address)) if not is_confirmed(h)]
    if strange and _fills_more_than_a_password(source):
        return address, (
            f"{source!r} fills variables into more than the password, and leads to a host that is not confirmed: write "
            "user, host and database in the study file, or confirm the host with --allow-host HOST"
        )
    if strange and not _has_password(_parts(address)):
        # libpq would send the one that the environment holds for another server
        address += f"{'&' if '?' in address else '?'}password="
    return _with_tls(address)


def _fills_more_than_a_password(source: str) -> bool:
    parts = _parts(source)
    others = [
        parts.user,
        *parts.hosts,
        parts.database,
        *(v for k, v in parts.settings if k != "password"),
    ]
    names = [k for k, _ in parts.settings]
    ports = source.count("${") != sum(
        len(_VARIABLE.findall(p)) for p in (parts.password, *_passwords(parts), *others)
    )
    return ports or any(_VARIABLE.search(unquote(part)) for part in (*others, *names))


def _passwords(parts: _Parts) -> list[str]:
    return [v for k, v in parts.settings if k == "password"]


def _has_password(parts: _Parts) -> bool:
    return bool(parts.password or any(_passwords(parts)))


def _with_tls(address: str) -> tuple[str, str]:
    """The address, with TLS required unless it leads to this machine; and what is wrong with it."""
    parts = _parts(address)
    # no part is quoted: what is taken for a setting may be a piece of a password
    if any(k not in _SETTINGS for k, _ in parts.settings):
        return address, "the address has a setting that is not among those allowed: " + ", ".join(
            sorted(_SETTINGS)
        )
    if all(map(is_local, _hosts(parts))):
        return address, ""
    asked = [v for k, v in parts.settings if k == "sslmode"]
    asked += ["require" for k, v in parts.settings if k == "ssl" and v == "true"]
    if any(mode not in _SAFE_TLS for mode in asked):
        return (
            address,
            f"sslmode must be one of {', '.join(_SAFE_TLS)} for a server on another machine",
        )
    if asked or os.environ.get("PGSSLMODE") in _SAFE_TLS:
        return address, ""
    return f"{address}{'&' if '?' in address else '?'}sslmode=require", ""


def _hosts(parts: _Parts) -> list[str]:
    """All hosts that an address leads to, wherever it names them; where it names none, those of the environment."""
    hosts = [h for k, v in parts.settings if k in ("host", "hostaddr") for h in v.split(",")]
    result = [h for h in (*map(unquote, parts.hosts), *hosts) if h]
    return result or [
        h for n in ("PGHOST", "PGHOSTADDR") for h in os.environ.get(n, "").split(",") if h
    ]


def _parts(address: str) -> _Parts:
    """As libpq's `conninfo_uri_parse_options` reads it: the login ends at the first @ before a slash."""
    rest = address.partition("://")[2]
    login = ""
    if result := re.match("[^@/]*@", rest):
        login, rest = result[0][:-1], rest[result.end() :]
    netloc = re.match("[^/?]*", rest)
    hosts = netloc[0] if netloc else ""
    path, _, query = rest[len(hosts) :].partition("?")
    user, _, password = login.partition(":")
    pairs = (part.partition("=") for part in query.split("&") if part)
    return _Parts(
        user,
        password,
        tuple(_without_port(h) for h in hosts.split(",")),
        path.removeprefix("/"),
        tuple((unquote(k), unquote(v)) for k, _, v in pairs),
    )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
