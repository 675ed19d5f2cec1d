"""One server for all tests, from the programs that Debian installs, on a socket in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# characters that mean something in an address, in SQL, in JSON and in a shell
USER, PASSWORD = "re@der/Ünal", 'p@ss:w/ord?%41#"\\ &x=y'
ADDRESS = "postgresql://${CX_USER}:${CX_PASSWORD}@/postgres?host=${CX_SOCKET}"
_PROGRAMS = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Server:
    """A server, and a role that may read what is granted to it."""

    socket: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"CX_USER": USER, "CX_PASSWORD": PASSWORD, "CX_SOCKET": str(self.socket)}

    def connect(self):
        from adbc_driver_postgresql import dbapi

        return dbapi.connect(
            f"postgresql://admin:admin@/postgres?host={self.socket}", autocommit=True
        )

    def run(self, *statements: str) -> None:
        """What an administrator does."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def one(self, sql: str):
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def load(self, name: str, frame, *, types: str = "") -> None:
        """Make a table of a frame; the role may read it."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(name, frame.to_arrow(), mode="replace")
            for change in filter(None, types.split(";")):
                cursor.execute(f"alter table {name} {change}")
            cursor.execute(f'grant select on {name} to "{USER}"')


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server; it refuses to be run by an administrator, so it runs as the user that Debian made for it."""
    result = sorted(_PROGRAMS.glob("*/bin"), key=lambda p: int(p.parent.name.split(".")[0]))
    assert result, "no server programs: apt-get install postgresql"
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    who = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def call(program: str, *words: str) -> None:
        done = subprocess.run(
            [result[-1] / program, "-D", folder / "data", *words], **who, cwd=folder, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    secret = folder / "password"
    secret.write_text("admin")
    secret.chmod(0o644)
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c timezone=Asia/Tokyo"
    try:
        login = ("-A", "scram-sha-256", "-U", "admin", f"--pwfile={secret}")
        call("initdb", *login, "--no-sync", "--locale=C", "--encoding=UTF8")
        # with a log of its own: the server would hold on to the pipe
        call("pg_ctl", "start", "-w", "-o", settings, "-l", str(folder / "log"))
        try:
            made = Server(folder)
            made.run(f"""create role "{USER}" login password '{PASSWORD}'""")
            yield made
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)
