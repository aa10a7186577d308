"""Puts a backup back: checked first, the present database kept beside."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import tempfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from core.actions.channels import LINE_SECRET
from core.config import Settings
from core.errors import StampcardError, Unsealable
from core.store.migrate import migrate
from core.vault import Vault
from jobs.backup_files import (
    problem_of,
    read_manifest,
    sync_file,
    sync_folder,
)
from jobs.backup_proof import BadCopy, Proof, known_counts, prove
from jobs.dump import load_server
from jobs.in_use import database_file, sole_use
from jobs.sqlite_copy import leave_one_file

log = structlog.get_logger()


class Refused(StampcardError):
    """This file is not put back; nothing was changed."""


def restore(settings: Settings, file: Path, now: datetime) -> dict[str, Any]:
    """Put `file` back as the database of `settings`; what came of it.

    Blocks. A SQLite database is exchanged in one step and the present one is kept as
    `….before-restore-<time>`; a PostgreSQL database must be empty. An older backup is
    brought up to date first. Raises `Refused`, or `InUse` while a service runs on it.
    """
    target = database_file(settings)
    folder = target.parent if target else settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=folder) as scratch:
        fresh = Path(scratch) / "fresh.db"
        proof = _unpack(file, fresh)
        migrate(settings.model_copy(update={"database_url": f"sqlite:///{fresh}"}))
        leave_one_file(fresh)
        renewed = prove(fresh)
        _compare(proof, renewed)
        secrets_open = _secrets_open(settings, fresh)
        kept = None
        if target is None:
            migrate(settings)
            load_server(settings, fresh)
        else:
            kept = _exchange(target, fresh, now)
    log.info("backup_restored", file=str(file), kept=str(kept))
    return {
        "restored": str(file),
        "to": str(target) if target else "postgresql",
        "kept": str(kept) if kept else None,
        "made_at_revision": proof.revision,
        "revision": renewed.revision,
        "counts": renewed.counts,
        "checksum": "verified" if read_manifest(file) else "no manifest",
        "secrets_open": secrets_open,
    }


def _unpack(file: Path, fresh: Path) -> Proof:
    if not file.is_file():
        raise Refused(f"there is no file {file}")
    manifest = read_manifest(file)
    # A lone file, all that was left of a lost machine, still has its own checks below.
    problem = problem_of(file, manifest) if manifest else ""
    if problem:
        raise Refused(f"{file.name}: {problem}")
    try:
        with gzip.open(file, "rb") as packed, fresh.open("wb") as whole:
            shutil.copyfileobj(packed, whole, 1 << 20)
        fresh.chmod(0o600)
        proof = prove(fresh)
    except (OSError, EOFError, zlib.error, BadCopy) as error:
        raise Refused(f"{file.name}: damaged: {error}") from error
    if manifest and manifest.counts != proof.counts:
        raise Refused(f"{file.name}: holds other rows than its manifest says")
    return proof


def _secrets_open(settings: Settings, fresh: Path) -> bool:
    # The master key is in no backup: with another one, every merchant's secrets are
    # lost, and it is better to hear that now than at the next stamp.
    vault = Vault(settings.secret_key.get_secret_value())
    with closing(sqlite3.connect(fresh)) as connection:
        rows = connection.execute("SELECT merchant_id, sealed_secret FROM line_channel")
        try:
            for merchant_id, sealed in rows:
                vault.open(sealed, merchant_id, LINE_SECRET)
        except Unsealable:
            return False
    return True


def _exchange(target: Path, fresh: Path, now: datetime) -> Path | None:
    kept = None
    with sole_use(target):
        sync_file(fresh)
        if target.exists():
            stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            kept = target.with_name(f"{target.name}.before-restore-{stamp}")
            os.link(target, kept)
            _set_log_aside(target, kept)
        # One step: there is never a moment without a database in this place.
        fresh.replace(target)
        sync_folder(target.parent)
    return kept


def _set_log_aside(target: Path, kept: Path) -> None:
    # Only where the present database could not be read; its log must not be taken for
    # the restored one's.
    for ending in ("-wal", "-shm"):
        stale = target.with_name(target.name + ending)
        if stale.exists():
            stale.replace(kept.with_name(kept.name + ending))


def _compare(backup: Proof, restored: Proof) -> None:
    old, new = known_counts(backup.counts), known_counts(restored.counts)
    lost = [name for name, n in old.items() if new.get(name, 0) < n]
    if lost:
        raise Refused(f"bringing it up to date lost rows of {', '.join(lost)}")
