"""The files of the backup folder: `stampcard-20261123T181000Z.db.gz` and its manifest.

A manifest (`….json`) says what the file must be: digest, size, tables' row counts,
revision, and that it was opened and checked.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AUTOMATIC = "stampcard-"
MANUAL = "manual-"
_ENDING = ".db.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is: `size` in bytes, `counts` rows by table."""

    file: str
    made_at: datetime
    sha256: str
    size: int
    revision: str | None
    counts: dict[str, int]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One file of the folder; `problem` is "" while it still is what it was."""

    path: Path
    manifest: Manifest | None
    problem: str

    @property
    def name(self) -> str:
        """The file's name, which sorts by time within its kind."""
        return self.path.name

    @property
    def is_good(self) -> bool:
        """Was it verified, and is it still the same to the byte?"""
        return not self.problem

    @property
    def manifest_path(self) -> Path:
        """Where its manifest is."""
        return manifest_path(self.path)


def file_name(prefix: str, now: datetime) -> str:
    """The name of a backup made at `now`."""
    return f"{prefix}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{_ENDING}"


def list_backups(folder: Path) -> list[Backup]:
    """Every backup of the folder, newest first, each read whole and compared."""
    files = [
        path
        for prefix in (AUTOMATIC, MANUAL)
        for path in folder.glob(f"{prefix}*{_ENDING}")
    ]
    files.sort(key=lambda path: path.name.partition("-")[2], reverse=True)
    return [_look_at(path) for path in files]


def manifest_path(path: Path) -> Path:
    """`x.db.gz` → `x.json`."""
    return path.with_name(path.name.removesuffix(_ENDING) + ".json")


def read_manifest(path: Path) -> Manifest | None:
    """The manifest beside a backup file; None without a readable one."""
    try:
        data = json.loads(manifest_path(path).read_text())
        data["made_at"] = datetime.fromisoformat(data["made_at"])
        return Manifest(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Put the manifest beside `path`, whole or not at all, mode 0600."""
    data: dict[str, Any] = asdict(manifest)
    data["made_at"] = manifest.made_at.isoformat()
    target = manifest_path(path)
    draft = target.with_name(f".{target.name}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump(data, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(target)


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def private_folder(folder: Path) -> Path:
    """Make the folder, for the service's own user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def sync_file(path: Path) -> None:
    """Have the disk itself hold the file's content."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk itself hold the folder's names."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _look_at(path: Path) -> Backup:
    manifest = read_manifest(path)
    return Backup(path=path, manifest=manifest, problem=problem_of(path, manifest))


def problem_of(path: Path, manifest: Manifest | None) -> str:
    """What is wrong with a backup file by its manifest; "" when nothing is."""
    if manifest is None:
        return "no readable manifest"
    if not manifest.verified:
        return "never verified"
    if path.stat().st_size != manifest.size or digest_of(path) != manifest.sha256:
        return "damaged: not the file that was verified"
    return ""
