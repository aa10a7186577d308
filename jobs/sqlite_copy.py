"""A consistent copy of a SQLite file while the service writes to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy in one step from a reading connection of its own.

    Copying page by page starts again at each write and never ends under load; a plain
    file copy misses all that is still in the write-ahead log.
    """
    if not source.is_file():
        raise FileNotFoundError(f"there is no database at {source}")
    with (
        closing(sqlite3.connect(source, timeout=30)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        # Only the service's writer may checkpoint (sqlite.org/wal.html, 11.1).
        reading.execute("PRAGMA wal_autocheckpoint=0")
        reading.execute("PRAGMA query_only=ON")
        reading.backup(writing, pages=-1)
    leave_one_file(target)


def leave_one_file(file: Path) -> None:
    """Bring the write-ahead log into the file; there is none beside it afterwards."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
