"""Backups are consistent, proven, and only ever replaced by good ones."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from core.store.job_runs import last_runs
from jobs.backup import back_up, rotate, run
from jobs.backup_files import (
    AUTOMATIC,
    MANUAL,
    list_backups,
    manifest_path,
    private_folder,
)
from jobs.backup_proof import BadCopy, prove
from jobs.in_use import InUse, only_one
from jobs.parts import Parts
from jobs.runner import run_now
from jobs.schedule import find_job
from tests.jobs.stamping import a_stamp, stamp_forever


@pytest.fixture
def parts(settings, db, vault):
    return Parts(settings=settings, db=db, vault=vault)


def listed(folder):
    return [path for path in folder.iterdir() if path.name != ".lock"]


def unpacked(file, folder):
    target = folder / "unpacked.db"
    target.write_bytes(gzip.decompress(file.read_bytes()))
    return target


async def test_a_backup_holds_everything_and_says_so(parts, shop, clock, tmp_path):
    await a_stamp(shop, 1, clock.now())
    made = await back_up(parts.settings, clock.now())

    (backup,) = list_backups(parts.settings.backups)
    assert backup.is_good
    assert str(backup.path) == made["file"]
    assert backup.name == "manual-20261123T060000Z.db.gz"
    assert backup.manifest.counts == made["counts"]
    assert made["counts"]["ledger_entry"] == 1
    assert made["counts"]["staff"] == 4
    proof = prove(unpacked(backup.path, tmp_path))
    assert proof.counts == made["counts"]
    assert proof.revision == backup.manifest.revision


async def test_only_the_service_s_user_can_read_it(parts, shop, clock):
    await back_up(parts.settings, clock.now())

    folder = parts.settings.backups
    assert {path.stat().st_mode & 0o777 for path in listed(folder)} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(listed(folder)) == 2


async def test_backups_under_writes_are_consistent_and_hold_every_kept_stamp(
    parts, shop, clock, tmp_path
):
    stop, kept, n_seen = asyncio.Event(), asyncio.Queue(), 0
    writers = [
        asyncio.create_task(stamp_forever(shop, n, clock.now(), stop, kept))
        for n in range(8)
    ]
    try:
        for number in range(5):
            # However slow the machine is, stamps come in between.
            for _ in range(5):
                await kept.get()
            n_seen += 5
            before = n_seen + kept.qsize()
            now = clock.move(seconds=1)
            made = await back_up(parts.settings, now)
            # A copy that was torn in two would contradict itself here.
            proof = prove(unpacked(parts.settings.backups / made["file"], tmp_path))
            assert proof.counts["ledger_entry"] >= before, f"backup {number}"
    finally:
        stop.set()
        await asyncio.gather(*writers)


async def test_ten_good_days_leave_exactly_seven_generations(parts, shop, clock):
    for _ in range(10):
        await run(parts, clock.move(days=1))

    names = [backup.name for backup in list_backups(parts.settings.backups)]
    days = [f"stampcard-202612{day:02d}T060000Z.db.gz" for day in (3, 2, 1)]
    days += [f"stampcard-202611{day:02d}T060000Z.db.gz" for day in (30, 29, 28, 27)]
    assert names == days
    assert len(listed(parts.settings.backups)) == 14


async def test_bad_days_never_push_out_a_good_one(parts, shop, clock):
    for _ in range(7):
        await run(parts, clock.move(days=1))
    good = [backup.name for backup in list_backups(parts.settings.backups)]
    await a_stamp(shop, 1, clock.now())
    await parts.db.write(lambda tx: tx.execute(text("UPDATE card SET balance = 5")))

    for _ in range(10):
        with pytest.raises(BadCopy, match="contradicts its ledger"):
            await run(parts, clock.move(days=1))

    assert [b.name for b in list_backups(parts.settings.backups)] == good
    assert all(b.is_good for b in list_backups(parts.settings.backups))
    # Nothing half-made is left lying around.
    assert len(listed(parts.settings.backups)) == 14


async def test_a_file_that_went_bad_does_not_count_as_a_generation(parts, shop, clock):
    for _ in range(7):
        await run(parts, clock.move(days=1))
    newest, *_ = list_backups(parts.settings.backups)
    damaged = bytearray(newest.path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    newest.path.write_bytes(damaged)

    await run(parts, clock.move(days=1))

    backups = list_backups(parts.settings.backups)
    assert sum(b.is_good for b in backups) == 7
    assert [b.problem for b in backups if not b.is_good] == [
        "damaged: not the file that was verified"
    ]


async def test_backups_by_hand_do_not_push_out_the_nights(parts, shop, clock):
    for _ in range(3):
        await run(parts, clock.move(days=1))
    for _ in range(9):
        await back_up(parts.settings, clock.move(minutes=1))

    names = [b.name for b in list_backups(parts.settings.backups)]
    assert sum(name.startswith(AUTOMATIC) for name in names) == 3
    assert sum(name.startswith(MANUAL) for name in names) == 7


async def test_one_bit_anywhere_makes_a_backup_bad(parts, shop, clock):
    made = await back_up(parts.settings, clock.now())
    path = parts.settings.backups / made["file"]
    whole = path.read_bytes()
    step = max(len(whole) // 60, 1)
    for place in range(0, len(whole), step):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        (backup,) = list_backups(parts.settings.backups)
        assert not backup.is_good, place
    path.write_bytes(whole)
    assert list_backups(parts.settings.backups)[0].is_good


async def test_a_backup_without_a_manifest_is_not_good(parts, shop, clock):
    made = await back_up(parts.settings, clock.now())
    path = parts.settings.backups / made["file"]
    manifest_path(path).write_text("{}")
    assert list_backups(parts.settings.backups)[0].problem == "no readable manifest"

    manifest_path(path).unlink()
    assert list_backups(parts.settings.backups)[0].problem == "no readable manifest"
    assert rotate(parts.settings.backups, MANUAL, 1) == []


async def test_the_same_second_twice_is_refused_and_harms_nothing(parts, shop, clock):
    await back_up(parts.settings, clock.now())
    with pytest.raises(FileExistsError):
        await back_up(parts.settings, clock.now())
    assert list_backups(parts.settings.backups)[0].is_good


async def test_a_second_backup_at_the_same_time_is_refused(parts, shop, clock):
    folder = private_folder(parts.settings.backups)
    with only_one(folder / ".lock"), pytest.raises(InUse):
        await back_up(parts.settings, clock.now())


async def test_what_a_killed_process_left_is_cleared_away(parts, shop, clock):
    folder = private_folder(parts.settings.backups)
    (folder / ".making-stampcard-20261101T000000Z.db").mkdir()
    (folder / ".making-stampcard-20261101T000000Z.db" / "copy.db").write_text("half")

    await back_up(parts.settings, clock.now())

    assert len(listed(folder)) == 2


async def test_the_job_keeps_what_it_made(parts, shop, clock):
    job = find_job("backup")
    assert job is not None
    state, result = await run_now(parts, clock, job)

    assert state == "done"
    assert result["verified"] is True
    (kept,) = await parts.db.read(last_runs)
    assert json.loads(json.dumps(kept.result))["file"] == result["file"]


async def test_the_same_rows_come_from_either_database(parts, shop, clock, tmp_path):
    await a_stamp(shop, 1, clock.now())
    made = await back_up(parts.settings, clock.now())
    copy = unpacked(parts.settings.backups / made["file"], tmp_path)

    with closing(sqlite3.connect(copy)) as connection:
        languages, created = connection.execute(
            "SELECT languages, created_at FROM merchant"
        ).fetchone()
    assert json.loads(languages) == ["ja", "en"]
    assert datetime.fromisoformat(created).replace(tzinfo=UTC) == clock.now()


def test_what_is_no_database_is_no_copy(tmp_path):
    file = tmp_path / "x.db"
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(BadCopy):
        prove(file)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE card (id TEXT)")
    with pytest.raises(BadCopy, match="no database of this service"):
        prove(tmp_path / "other.db")
