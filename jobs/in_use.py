"""Is a service running on this SQLite file? A lock tells, and ends with its process."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from core.config import Settings
from core.errors import StampcardError

# How long a new process waits for the old one to stop.
PATIENCE = 10.0
# The first release without the WAL-reset bug (sqlite.org/wal.html, section 11.1).
SAFE_SQLITE = (3, 51, 3)


class InUse(StampcardError):
    """Somebody works on the database file."""


def database_file(settings: Settings) -> Path | None:
    """The SQLite file of these settings; None where a server is configured."""
    url = settings.database_url
    if not url:
        return settings.sqlite_file
    return Path(url.split("///", 1)[1]) if url.startswith("sqlite") else None


@contextmanager
def in_use(file: Path | None) -> Iterator[None]:
    """Show that a service works on `file`; None does nothing.

    Blocks up to `PATIENCE` seconds for a process that is stopping. Raises `InUse`
    during a restore, and for a second process where SQLite is too old for two.
    """
    two_are_safe = sqlite3.sqlite_version_info >= SAFE_SQLITE
    kind = fcntl.LOCK_SH if two_are_safe else fcntl.LOCK_EX
    refusal = (
        "the database is being restored, or another service process works on it"
        f" (SQLite {sqlite3.sqlite_version} is safe with one)"
    )
    if file is None:
        yield
        return
    with _locked(file, kind, refusal, PATIENCE):
        yield


@contextmanager
def sole_use(file: Path) -> Iterator[None]:
    """Keep every service off `file`. Raises `InUse` where one runs.

    Leaves no write-ahead log beside a readable file.
    """
    refusal = "a service is running on this database"
    with _locked(file, fcntl.LOCK_EX, refusal, 0):
        if file.exists():
            _take_over_log(file)
        yield


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """One at a time may hold the file `lock`. Raises `InUse` for a second one."""
    with _held(lock, fcntl.LOCK_EX, "another process is at it", 0):
        yield


@contextmanager
def _locked(file: Path, kind: int, refusal: str, patience: float) -> Iterator[None]:
    with _held(file.with_name(file.name + ".lock"), kind, refusal, patience):
        yield


@contextmanager
def _held(file: Path, kind: int, refusal: str, patience: float) -> Iterator[None]:
    with file.open("a") as stream:
        until = time.monotonic() + patience
        while not _lock(stream, kind):
            if time.monotonic() >= until:
                raise InUse(f"{refusal}: {file}")
            time.sleep(0.1)
        yield


def _lock(stream: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_over_log(file: Path) -> None:
    # Fails while anybody else has the file open, a command of ours for instance. What
    # is no database any more cannot be in use.
    with closing(sqlite3.connect(file, timeout=1)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise InUse(f"somebody has this database open: {file}") from None
        except sqlite3.DatabaseError:
            with suppress(sqlite3.Error):
                connection.rollback()
