"""What was kept long enough goes, to the day, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from core.actions.grant import grant_stamps
from core.actions.inbox import NewEvent, finish_event, keep_events
from core.actions.journal import note
from core.actions.printed import make_printed_code
from core.actions.signin import start_session
from core.actions.till import current_window
from core.rules.asking import Granted
from core.store.tables import inbox, journal, line_channel, session, till_code
from jobs import audit, retention
from jobs.parts import Parts
from tests.actions.test_grant import ask
from tests.jobs.stamping import a_stamp


@pytest.fixture
def parts(settings, db, vault):
    return Parts(settings=settings, db=db, vault=vault)


async def actions(db):
    rows = await db.read(lambda tx: tx.execute(select(journal.c.action)).all())
    return {row.action for row in rows}


async def test_log_rows_stay_365_days_and_not_one_more(parts, clock):
    now = clock.now()
    year = timedelta(days=365)
    for action, at in (
        ("young", now - year + timedelta(seconds=1)),
        ("exactly", now - year),
        ("old", now - year - timedelta(seconds=1)),
        ("ancient", now - 3 * year),
    ):
        await parts.db.write(note, None, "test", action, "x", at)

    result = await retention.run(parts, now)

    assert result["log_rows"] == 2
    assert await actions(parts.db) == {"young", "exactly"}


async def test_the_days_are_a_setting(settings, parts, clock):
    short = Parts(
        settings=settings.model_copy(update={"log_days": 30}),
        db=parts.db,
        vault=parts.vault,
    )
    await parts.db.write(note, None, "test", "x", "x", clock.now())

    assert (await retention.run(short, clock.move(days=30)))["log_rows"] == 0
    assert (await retention.run(short, clock.move(seconds=1)))["log_rows"] == 1


async def test_more_than_one_batch_goes_in_one_night(parts, clock, monkeypatch):
    monkeypatch.setattr("jobs.retention.BATCH", 10)
    old = clock.now() - timedelta(days=400)

    def fill(tx):
        for number in range(35):
            note(tx, None, "test", "x", str(number), old)

    await parts.db.write(fill)
    assert (await retention.run(parts, clock.now()))["log_rows"] == 35


async def test_ended_sessions_go_and_living_ones_stay(parts, shop, clock):
    now = clock.now()
    for token, kind in (("a", "settings"), ("b", "till")):
        await parts.db.write(start_session, shop.owner, token, kind, "ja", now)

    result = await retention.run(parts, clock.move(days=8))

    assert result["sessions"] == 1
    left = await parts.db.read(
        lambda tx: tx.execute(select(session.c.token_hash)).all()
    )
    assert [row.token_hash for row in left] == ["b"]


async def test_texts_of_line_events_go_after_a_day_their_ids_never(parts, shop, clock):
    merchant, now = shop.merchant.id, clock.now()
    events = [
        NewEvent(
            event_id=name,
            person="U1",
            happened_at=now,
            reply_deadline=now + timedelta(minutes=1),
            body='{"text": "my name is Hanako"}',
        )
        for name in ("finished", "waiting")
    ]
    await parts.db.write(keep_events, merchant, events, now)
    await parts.db.write(finish_event, merchant, "finished", "granted", now)

    assert (await retention.run(parts, clock.move(days=1)))["event_bodies"] == 0
    assert (await retention.run(parts, clock.move(seconds=1)))["event_bodies"] == 1
    assert (await retention.run(parts, clock.now()))["event_bodies"] == 0
    assert await left_of(parts) == {"finished": ("", "U1"), "waiting": ("words", "U1")}

    # Who wrote it can still be erased until then.
    assert (await retention.run(parts, clock.move(days=29)))["event_people"] == 1
    assert await left_of(parts) == {"finished": ("", ""), "waiting": ("words", "U1")}
    # A replayed webhook is still known, and still does nothing.
    assert await parts.db.write(keep_events, merchant, events, clock.now()) == 0


async def left_of(parts):
    """What is kept of each event: its words, and who wrote them."""
    rows = await parts.db.read(lambda tx: tx.execute(select(inbox)).all())
    return {row.event_id: ("words" if row.body else "", row.person) for row in rows}


async def test_a_replaced_secret_of_line_is_forgotten_after_its_day(parts, shop, clock):
    from_before = line_channel.update().values(sealed_previous_secret="v1.old")
    await parts.db.write(lambda tx: tx.execute(from_before) and None)

    async def kept():
        row = await parts.db.read(lambda tx: tx.execute(select(line_channel)).one())
        return row.sealed_previous_secret, row.previous_until

    # One from the time before there were ends gets one.
    day_later = clock.now() + timedelta(days=1)
    assert (await retention.run(parts, clock.now()))["old_secrets"] == 0
    assert await kept() == ("v1.old", day_later)
    assert (await retention.run(parts, clock.move(hours=23)))["old_secrets"] == 0
    assert (await retention.run(parts, clock.move(hours=1)))["old_secrets"] == 1
    assert await kept() == (None, None)


async def test_the_ledger_is_not_touched(parts, shop, clock):
    await a_stamp(shop, 1, clock.now())
    await retention.run(parts, clock.move(days=5000))

    count = await parts.db.read(
        lambda tx: tx.execute(
            select(func.count()).select_from(text("ledger_entry"))
        ).scalar_one()
    )
    assert count == 1


async def test_the_audit_names_a_card_that_contradicts_its_ledger(parts, shop, clock):
    card_id = await a_stamp(shop, 1, clock.now())
    await a_stamp(shop, 2, clock.now())
    assert await audit.run(parts, clock.now()) == {"wrong": [], "red": []}

    await parts.db.write(
        lambda tx: tx.execute(
            text("UPDATE card SET balance = 9 WHERE id = :id"), {"id": card_id}
        )
    )
    assert (await audit.run(parts, clock.now()))["wrong"] == [card_id]


async def test_the_audit_notices_a_missing_entry(parts, shop, clock):
    card_id = await a_stamp(shop, 1, clock.now())
    await parts.db.write(
        lambda tx: tx.execute(text("UPDATE card SET n_entries = n_entries + 1"))
    )
    assert (await audit.run(parts, clock.now()))["wrong"] == [card_id]


async def test_codes_that_nobody_claimed_go_after_thirty_days(parts, shop, clock):
    claimed, unclaimed = [await shop.till_code(clock.now()) for _ in range(2)]
    asked = {"shop_key": "main", "program_key": "coffee", "stamps": 1}
    told = {"merchant_id": shop.merchant.id, "now": clock.now(), **asked}
    window = await parts.db.write(current_window, **told, staff_id=None)
    poster = await parts.db.write(
        make_printed_code, **told, radius_m=None, staff_id=None
    )
    for who, code in enumerate((claimed, window)):
        outcome = await parts.db.write(
            grant_stamps, ask(shop, code, f"k{who}", who), clock.now()
        )
        assert isinstance(outcome, Granted)

    clock.at = window.expires_at + timedelta(days=30)
    assert (await retention.run(parts, clock.now()))["codes"] == 0
    assert (await retention.run(parts, clock.move(seconds=1)))["codes"] == 1
    clock.at = unclaimed.expires_at + timedelta(days=30, seconds=1)
    assert (await retention.run(parts, clock.now()))["codes"] == 1

    def left(tx):
        return {row.code for row in tx.execute(select(till_code.c.code))}

    assert await parts.db.read(left) == {claimed.code, poster.code}
