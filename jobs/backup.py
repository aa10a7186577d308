"""Makes verified backups and keeps the newest good ones.

Copy → sync → reopen and check everything → compress → rename into place → only then let
an old one go. A copy that fails a check never gets a name, so that a bad night never
pushes out a good one.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from core.config import Settings
from jobs.backup_files import (
    AUTOMATIC,
    MANUAL,
    Manifest,
    digest_of,
    file_name,
    list_backups,
    private_folder,
    sync_file,
    sync_folder,
    write_manifest,
)
from jobs.backup_proof import BadCopy, Proof, prove
from jobs.dump import dump_server
from jobs.in_use import database_file, only_one
from jobs.parts import Parts
from jobs.sqlite_copy import copy_sqlite

# Backups made by hand are counted apart: a busy afternoon must not push out the nights.
MANUAL_GENERATIONS = 7
_CHUNK = 1 << 20

log = structlog.get_logger()


async def run(parts: Parts, now: datetime) -> dict[str, Any]:
    """The nightly backup with its trial restore; what was made and what was let go.

    Raises `BadCopy` when the copy fails a check.
    """
    return await back_up(parts.settings, now, prefix=AUTOMATIC)


async def back_up(
    settings: Settings, now: datetime, *, prefix: str = MANUAL
) -> dict[str, Any]:
    """Make one backup now and rotate those of the same kind (`prefix`)."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_back_up, settings, now, prefix, stop)
    except asyncio.CancelledError:
        # The thread sees this at its next step and cleans up.
        stop.set()
        raise


def _back_up(
    settings: Settings, now: datetime, prefix: str, stop: threading.Event
) -> dict[str, Any]:
    folder = private_folder(settings.backups)
    with only_one(folder / ".lock"):
        return _back_up_alone(settings, now, prefix, stop, folder)


def _back_up_alone(
    settings: Settings, now: datetime, prefix: str, stop: threading.Event, folder: Path
) -> dict[str, Any]:
    for left_over in folder.glob(".making-*"):
        # Of a process that was killed: we hold the lock, so nobody works on it.
        shutil.rmtree(left_over)
    final = folder / file_name(prefix, now)
    if final.exists():
        raise FileExistsError(f"{final.name} is there already")
    scratch = folder / f".making-{final.stem}"
    scratch.mkdir(mode=0o700)
    try:
        manifest = _make(settings, now, final, scratch, stop)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    keep = settings.backup_generations if prefix == AUTOMATIC else MANUAL_GENERATIONS
    dropped = rotate(folder, prefix, keep)
    log.info("backup_made", file=final.name, size=manifest.size, dropped=dropped)
    return {
        "file": str(final),
        "size": manifest.size,
        "counts": manifest.counts,
        "verified": manifest.verified,
        "dropped": dropped,
    }


def _make(
    settings: Settings, now: datetime, final: Path, scratch: Path, stop: threading.Event
) -> Manifest:
    copy, packed = scratch / "copy.db", scratch / "copy.db.gz"
    _copy(settings, copy)
    sync_file(copy)
    proof = prove(copy)
    _carry_over(copy, packed, stop, _packing)
    trial = _try_restore(packed, scratch / "trial.db", stop)
    if trial.counts != proof.counts:
        raise BadCopy("the trial restore holds other rows than the copy")
    manifest = Manifest(
        file=final.name,
        made_at=now,
        sha256=digest_of(packed),
        size=packed.stat().st_size,
        revision=proof.revision,
        counts=proof.counts,
        verified=True,
    )
    _unless_stopped(stop)
    # The manifest first: a file with a good name always has its proof beside it.
    write_manifest(final, manifest)
    packed.replace(final)
    sync_folder(final.parent)
    return manifest


def _copy(settings: Settings, copy: Path) -> None:
    file = database_file(settings)
    if file is not None:
        copy_sqlite(file, copy)
    else:
        dump_server(settings, copy)
    copy.chmod(0o600)


def _try_restore(packed: Path, trial: Path, stop: threading.Event) -> Proof:
    _carry_over(packed, trial, stop, _unpacking)
    proof = prove(trial)
    trial.unlink()
    return proof


def _carry_over(
    source: Path,
    target: Path,
    stop: threading.Event,
    streams: Callable[[Path, Path], tuple[Any, Any]],
) -> None:
    reading, writing = streams(source, target)
    with reading, writing:
        while chunk := reading.read(_CHUNK):
            _unless_stopped(stop)
            writing.write(chunk)
    target.chmod(0o600)
    sync_file(target)


def _packing(source: Path, target: Path) -> tuple[Any, Any]:
    return source.open("rb"), gzip.open(target, "wb", compresslevel=1)


def _unpacking(source: Path, target: Path) -> tuple[Any, Any]:
    return gzip.open(source, "rb"), target.open("wb")


def rotate(folder: Path, prefix: str, keep: int) -> list[str]:
    """Keep the `keep` newest good backups; the names of those that were deleted.

    A file that has gone bad since it was made does not count as one of them; it goes
    when it is older than all that are kept.
    """
    backups = [b for b in list_backups(folder) if b.name.startswith(prefix)]
    good = [b for b in backups if b.is_good]
    if len(good) < keep:
        return []
    oldest_kept = good[keep - 1].name
    dropped = [b for b in backups if b.name < oldest_kept]
    for backup in dropped:
        backup.path.unlink(missing_ok=True)
        backup.manifest_path.unlink(missing_ok=True)
    sync_folder(folder)
    return [b.name for b in dropped]


def _unless_stopped(stop: threading.Event) -> None:
    if stop.is_set():
        raise InterruptedError("the service stops")
