"""Pause, archive, reopen; and a longer life for the cards that are out there."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from core.actions.expire import expire_due
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass
from core.actions.programs import (
    archive_program,
    lengthen_expiry,
    pause_program,
    preview_lengthen,
    programs_with_counts,
    reopen_program,
)
from core.actions.publish import load_program
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.types import Expiry, Limit, ProgramId, Why
from core.store.tables import journal
from tests.actions.core_model_parts import end_of
from tests.actions.test_undo import Counter
from tests.builders import build_shop, coffee, person


class Office(Counter):
    """Somebody at the settings, and customers at the counter."""

    async def do(self, fn, by="owner", **more):
        values = {"merchant_id": self.shop.merchant.id}
        values["program_id"] = self.shop.program.id
        staff = None if by is None else await self.staff(by)
        now = self.clock.now()
        return await self.db.write(fn, **(values | more), by=staff, now=now)

    async def lengthen(self, until, by="owner"):
        return await self.do(lengthen_expiry, by, until=until)

    async def join(self, number):
        [card_id] = await self.db.write(
            follow,
            self.shop.merchant.id,
            person(number),
            f"f{number}",
            self.clock.now(),
        )
        return card_id

    async def stamp(self, card_id, stamps=1):
        ask = StampAsk(
            merchant_id=self.shop.merchant.id,
            key=self.key(),
            how="api",
            card_id=card_id,
            stamps=stamps,
        )
        return await self.db.write(grant_stamps, ask, self.clock.now())

    async def expire(self):
        return await self.db.write(expire_due, self.clock.now(), 100)

    async def actions(self):
        def read(tx):
            return list(tx.execute(select(journal.c.action).order_by("id")).scalars())

        return await self.db.read(read)


async def office(db, vault, clock, **design):
    made = coffee(limit=Limit(), **design)
    return Office(db, await build_shop(db, vault, clock.now(), design=made), clock)


# --- states ------------------------------------------------------------------------


async def test_a_paused_program_gives_no_stamps_and_keeps_what_is_there(
    db, vault, clock
):
    desk = await office(db, vault, clock)
    card_id = await desk.join(1)
    await desk.stamp(card_id, 3)

    paused = await desk.do(pause_program)

    assert paused.state == "paused"
    assert Why.program_paused == (await desk.stamp(card_id)).why
    view = await desk.view(card_id)
    assert (view.face.state, view.card.balance) == ("paused", 3)

    assert (await desk.do(reopen_program)).state == "active"
    assert isinstance(await desk.stamp(card_id), Granted)
    assert (await desk.card(card_id)).balance == 4


async def test_an_archived_program_stops_its_cards_and_can_be_reopened(
    db, vault, clock
):
    desk = await office(db, vault, clock)
    card_id = await desk.join(1)
    await desk.stamp(card_id, 3)

    await desk.do(archive_program)

    assert (await desk.view(card_id)).face.state == "stopped"
    assert Why.card_stopped == (await desk.stamp(card_id)).why
    await desk.do(reopen_program)
    assert (await desk.view(card_id)).face.state == "active"
    assert (await desk.stamp(card_id)).card_id == card_id
    assert (await desk.card(card_id)).balance == 4


async def test_every_pass_hears_of_a_new_state_once(db, vault, clock):
    desk = await office(db, vault, clock)
    card_id = await desk.join(1)
    held = await db.write(
        hold_pass, desk.shop.merchant.id, card_id, "apple", clock.now()
    )

    await desk.do(pause_program)
    await desk.do(pause_program)

    [due] = await db.write(take_deliveries, 10, 60, clock.now())
    assert (due.topic, due.wanted) == (f"pass:{held.id}", 1)
    assert [a for a in await desk.actions() if a.startswith("program.")] == [
        "program.paused"
    ]


@pytest.mark.parametrize("fn", [pause_program, archive_program, reopen_program])
async def test_only_owners_and_managers_change_the_state(db, vault, clock, fn):
    desk = await office(db, vault, clock)
    for by in ("clerk", "viewer"):
        assert Refused(why=Why.not_allowed) == await desk.do(fn, by)
    for by in ("owner", "manager", None):
        assert not isinstance(await desk.do(fn, by), Refused)


async def test_another_merchants_program_is_unknown(db, vault, clock):
    desk = await office(db, vault, clock)
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_other")
    for program_id in (other.program.id, ProgramId("none")):
        for fn in (pause_program, archive_program, reopen_program):
            with pytest.raises(NotFound, match="program"):
                await desk.do(fn, program_id=program_id)
        with pytest.raises(NotFound, match="program"):
            await desk.do(lengthen_expiry, program_id=program_id, until=date.max)

    found = await db.read(load_program, other.merchant.id, other.program.id)
    assert found.state == "active"


async def test_the_cards_of_each_program_are_counted(db, vault, clock):
    desk = await office(db, vault, clock)
    for number in (1, 2, 3):
        await desk.join(number)

    found = await db.read(programs_with_counts, desk.shop.merchant.id)

    assert [(program.key, count) for program, count in found] == [("coffee", 3)]


# --- a longer life -----------------------------------------------------------------

MONTH = Expiry(kind="after_last", months=1)


async def test_cards_that_would_end_before_are_good_until_that_day(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    early, late, empty = [await desk.join(number) for number in (1, 2, 3)]
    await desk.stamp(early)
    clock.move(days=20)
    await desk.stamp(late)
    was = {card: (await desk.card(card)).expires_at for card in (early, late, empty)}
    until = date(2027, 1, 5)

    assert await desk.lengthen(until) == 1

    now_is = {card: (await desk.card(card)).expires_at for card in was}
    assert now_is == {early: end_of(until), late: was[late], empty: None}
    assert was[early] < end_of(until) < was[late]
    assert (await desk.card(early)).extended_to == end_of(until)


async def test_the_next_stamp_does_not_shorten_what_was_lengthened(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    card_id = await desk.join(1)
    await desk.stamp(card_id)
    await desk.lengthen(date(2027, 6, 30))
    clock.move(days=3)

    await desk.stamp(card_id)

    assert (await desk.card(card_id)).expires_at == end_of(date(2027, 6, 30))


async def test_it_never_shortens(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    card_id = await desk.join(1)
    await desk.stamp(card_id)
    await desk.lengthen(date(2027, 6, 30))

    assert await desk.lengthen(date(2027, 3, 31)) == 0
    assert await desk.lengthen(date(2027, 6, 30)) == 0

    assert (await desk.card(card_id)).expires_at == end_of(date(2027, 6, 30))


async def test_cards_that_never_end_are_left_alone(db, vault, clock):
    desk = await office(db, vault, clock)
    card_id = await desk.join(1)
    await desk.stamp(card_id)

    assert await desk.lengthen(date(2027, 6, 30)) == 0

    card = await desk.card(card_id)
    assert (card.expires_at, card.extended_to) == (None, None)


async def test_a_card_that_ended_with_its_stamps_still_on_it_is_saved(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    card_id = await desk.join(1)
    await desk.stamp(card_id, 4)
    clock.move(days=60)
    assert (await desk.view(card_id)).face.state == "expired"

    assert await desk.lengthen(date(2027, 6, 30)) == 1

    assert await desk.expire() == 0
    await desk.stamp(card_id)
    view = await desk.view(card_id)
    assert (view.face.state, view.card.balance) == ("active", 5)


async def test_a_card_whose_stamps_have_gone_is_not_revived(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    card_id = await desk.join(1)
    await desk.stamp(card_id, 4)
    clock.move(days=60)
    assert await desk.expire() == 1
    ended = (await desk.card(card_id)).expires_at

    assert await desk.lengthen(date(2027, 6, 30)) == 0

    view = await desk.view(card_id)
    assert (view.face.state, view.card.expires_at) == ("expired", ended)
    assert view.card.extended_to is None


async def test_a_card_that_never_had_a_stamp_gets_the_new_last_day(db, vault, clock):
    last = clock.now().date() + timedelta(days=3)
    desk = await office(db, vault, clock, expires=Expiry(kind="on", on=last))
    card_id = await desk.join(1)
    clock.move(days=10)
    assert Why.expired_card == (await desk.stamp(card_id)).why

    assert await desk.lengthen(date(2027, 6, 30)) == 1

    assert isinstance(await desk.stamp(card_id), Granted)
    assert (await desk.card(card_id)).expires_at == end_of(date(2027, 6, 30))


async def test_the_preview_counts_what_is_then_lengthened(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    for number in (1, 2):
        await desk.stamp(await desk.join(number))
    await desk.join(3)
    told = {
        "merchant_id": desk.shop.merchant.id,
        "program_id": desk.shop.program.id,
        "now": clock.now(),
    }
    for until in (date(2026, 11, 24), date(2027, 6, 30), date(2027, 6, 30)):
        counted = await db.read(preview_lengthen, **told, until=until)
        assert await desk.lengthen(until) == counted
    assert counted == 0
    with pytest.raises(Invalid):
        await db.read(preview_lengthen, **told, until=date(2026, 11, 22))
    gone = told | {"program_id": ProgramId("01ARZ3NDEKTSV4RRFFQ69G5FAV")}
    with pytest.raises(NotFound):
        await db.read(preview_lengthen, **gone, until=date(2027, 6, 30))


async def test_passes_hear_of_it_and_the_log_says_how_many(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    card_id = await desk.join(1)
    await desk.stamp(card_id)
    held = await db.write(
        hold_pass, desk.shop.merchant.id, card_id, "google", clock.now()
    )

    await desk.lengthen(date(2027, 6, 30))

    [due] = await db.write(take_deliveries, 10, 60, clock.now())
    assert due.topic == f"pass:{held.id}"

    def detail(tx):
        mine = journal.c.action == "expiry.lengthened"
        return tx.execute(select(journal.c.detail).where(mine)).scalar_one()

    assert await db.read(detail) == {"until": "2027-06-30", "cards": 1}


async def test_only_owners_and_managers_lengthen(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    for by in ("clerk", "viewer"):
        assert Refused(why=Why.not_allowed) == await desk.lengthen(
            date(2027, 6, 30), by
        )
    assert await desk.lengthen(date(2027, 6, 30), "manager") == 0


async def test_the_day_is_from_today_on_and_not_for_ever(db, vault, clock):
    desk = await office(db, vault, clock, expires=MONTH)
    # At 3:00 it is still yesterday's business day.
    clock.move(hours=12)
    assert await desk.lengthen(date(2026, 11, 23)) == 0
    for until in (date(2026, 11, 22), date(2037, 1, 1), date.max, date.min):
        with pytest.raises(Invalid) as problem:
            await desk.lengthen(until)
        assert set(problem.value.problems) == {"until"}
