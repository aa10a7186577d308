"""Taking a grant back: by whom, until when, and where the card then stands."""

from __future__ import annotations

import asyncio

import pytest

from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass, load_pass
from core.actions.publish import publish, save_draft
from core.actions.redeem import load_voucher, redeem_voucher
from core.actions.signin import logins
from core.actions.undo import undo_grant
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused, Undone
from core.rules.types import (
    Expiry,
    Limit,
    Reward,
    Why,
)
from tests.actions.test_grant import ask
from tests.builders import build_shop, coffee

FIVE = coffee(
    goal=5,
    limit=Limit(),
    rewards=(Reward(at=3, name="クッキー"), Reward(at=5, name="コーヒー1杯")),
)


class Counter:
    """A shop's counter: grants and undoes, each with a key of its own."""

    def __init__(self, db, shop, clock):
        self.db, self.shop, self.clock = db, shop, clock
        self.keys = 0

    def key(self):
        self.keys += 1
        return f"key-{self.keys}"

    async def grant(self, stamps=1):
        code = await self.shop.till_code(self.clock.now(), stamps)
        outcome = await self.db.write(
            grant_stamps, ask(self.shop, code, self.key()), self.clock.now()
        )
        assert isinstance(outcome, Granted), outcome
        return outcome

    async def staff(self, role):
        [login] = await self.db.read(logins, f"{role}@aozora.jp")
        return login.staff

    async def undo(self, grant, by="owner", reason="", key=None):
        return await self.db.write(
            undo_grant,
            merchant_id=self.shop.merchant.id,
            entry_id=grant.entry_id,
            by=None if by is None else await self.staff(by),
            reason=reason,
            key=key or self.key(),
            now=self.clock.now(),
        )

    async def redeem(self, voucher_id):
        return await self.db.write(
            redeem_voucher,
            merchant_id=self.shop.merchant.id,
            voucher_id=voucher_id,
            by=self.shop.owner,
            key=self.key(),
            now=self.clock.now(),
        )

    async def publish(self, design):
        ids = (self.shop.merchant.id, self.shop.program.id)
        await self.db.write(
            save_draft, *ids, design, self.shop.owner.id, self.clock.now()
        )
        await self.db.write(publish, *ids, self.shop.owner.id, self.clock.now())

    async def view(self, card_id):
        now = self.clock.now()
        return await self.db.read(load_card, self.shop.merchant.id, card_id, now)

    async def card(self, card_id):
        return (await self.view(card_id)).card

    async def entries(self, card_id):
        """Oldest first; their sum is what the card shows."""
        found = await self.db.read(ledger, self.shop.merchant.id, card_id)
        assert sum(e.stamps for e in found) == (await self.card(card_id)).balance
        return found[::-1]

    async def voucher(self, voucher_id):
        return await self.db.read(load_voucher, self.shop.merchant.id, voucher_id)


@pytest.fixture
async def counter(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=FIVE)
    return Counter(db, shop, clock)


# --- what it does -----------------------------------------------------------------


async def test_a_counter_entry_takes_the_stamps_off_and_nothing_is_deleted(counter):
    await counter.grant(1)
    grant = await counter.grant(1)

    outcome = await counter.undo(grant)

    assert isinstance(outcome, Undone)
    entries = await counter.entries(grant.card_id)
    assert [(e.kind, e.stamps) for e in entries] == [
        ("stamp", 1),
        ("stamp", 1),
        ("undo", -1),
    ]
    last = entries[-1]
    assert (last.id, last.undoes) == (outcome.entry_id, grant.entry_id)
    assert (last.staff_id, last.shop_id) == (
        counter.shop.owner.id,
        counter.shop.shop.id,
    )
    card = await counter.card(grant.card_id)
    assert (card.balance, card.cycle, card.total) == (1, 0, 1)


async def test_the_card_has_its_earlier_dates_again(counter, clock):
    await counter.publish(coffee(**_with(expires=Expiry(kind="after_last", months=6))))
    first = await counter.grant()
    before = await counter.card(first.card_id)
    clock.move(days=40)
    second = await counter.grant()
    assert before.expires_at < (await counter.card(first.card_id)).expires_at

    await counter.undo(second)

    card = await counter.card(first.card_id)
    assert (before.first_stamp_at, before.last_stamp_at, before.expires_at) == (
        card.first_stamp_at,
        card.last_stamp_at,
        card.expires_at,
    )
    await counter.undo(first, reason="人違い")
    card = await counter.card(first.card_id)
    assert (
        card.first_stamp_at,
        card.last_stamp_at,
        card.expires_at,
    ) == (None, None, None)


async def test_what_was_undone_no_longer_counts_for_the_limit(counter):
    await counter.publish(coffee(**_with(limit=Limit(kind="day"))))
    await counter.undo(await counter.grant())

    again = await counter.grant()

    assert (await counter.card(again.card_id)).balance == 1


async def test_passes_and_pages_hear_of_it(counter, db, clock):
    grant = await counter.grant()
    held = await db.write(
        hold_pass, counter.shop.merchant.id, grant.card_id, "apple", clock.now()
    )

    with db.watch({f"card:{grant.card_id}"}) as watch:
        await counter.undo(grant)
        assert await watch.wait(5)

    view = await db.read(load_pass, held.id, clock.now())
    assert view.held.changed_at > held.changed_at
    due = await db.write(take_deliveries, 10, 60, clock.now())
    assert [f"pass:{held.id}"] == [delivery.topic for delivery in due]


# --- once -------------------------------------------------------------------------


async def test_the_same_key_gets_its_first_answer(counter, clock):
    grant = await counter.grant()
    first = await counter.undo(grant, key="double tap")
    clock.move(hours=3)

    assert first == await counter.undo(grant, key="double tap")
    assert (await counter.card(grant.card_id)).balance == 0


async def test_a_second_undo_is_refused(counter):
    grant = await counter.grant()
    await counter.undo(grant)

    refused = await counter.undo(grant)

    assert Refused(why=Why.already_used, card_id=grant.card_id) == refused


async def test_twenty_undos_at_once_take_one_stamp(counter):
    await counter.grant(2)
    grant = await counter.grant(1)

    outcomes = await asyncio.gather(*(counter.undo(grant) for _ in range(20)))

    assert sum(isinstance(outcome, Undone) for outcome in outcomes) == 1
    assert (await counter.card(grant.card_id)).balance == 2


async def test_a_key_that_undid_another_grant_is_not_taken(counter):
    one, two = await counter.grant(), await counter.grant()
    await counter.undo(one, key="k")

    with pytest.raises(Invalid):
        await counter.undo(two, key="k")


# --- by whom ----------------------------------------------------------------------


async def test_a_clerk_undoes_their_own_stamp_for_ten_minutes(counter, clock):
    clerk = await counter.staff("clerk")
    counter.shop = type(counter.shop)(**(vars(counter.shop) | {"owner": clerk}))
    one, two = await counter.grant(), await counter.grant()

    clock.move(minutes=10)
    assert isinstance(await counter.undo(one, by="clerk"), Undone)
    clock.move(seconds=1)
    late = await counter.undo(two, by="clerk", reason="まちがい")
    assert Why.not_allowed == late.why


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_others_stamps_are_not_a_clerks_to_undo(counter, role):
    grant = await counter.grant()

    refused = await counter.undo(grant, by=role, reason="まちがい")

    assert Refused(why=Why.not_allowed, card_id=grant.card_id) == refused
    assert (await counter.card(grant.card_id)).balance == 1


async def test_a_manager_undoes_anybodys_stamp_at_any_time_with_a_reason(
    counter, clock
):
    grant = await counter.grant()
    clock.move(days=30)

    with pytest.raises(Invalid, match="reason"):
        await counter.undo(grant, by="manager", reason="  ")
    assert isinstance(
        await counter.undo(grant, by="manager", reason=" 二重に付与 "), Undone
    )

    assert (await counter.entries(grant.card_id))[-1].reason == "二重に付与"


async def test_an_api_key_undoes_like_a_manager(counter, clock):
    grant = await counter.grant()
    clock.move(days=30)

    assert isinstance(await counter.undo(grant, by=None), Undone)
    assert (await counter.entries(grant.card_id))[-1].how == "api"


@pytest.mark.parametrize("reason", ["x" * 201, "a\x00b"])
async def test_a_reason_that_cannot_be_kept_is_invalid(counter, reason):
    grant = await counter.grant()

    with pytest.raises(Invalid, match="reason"):
        await counter.undo(grant, reason=reason)


async def test_only_a_grant_of_this_merchant_can_be_undone(counter, db, vault, clock):
    grant = await counter.grant()
    undone = await counter.undo(grant)
    with pytest.raises(NotFound, match="entry"):
        await counter.undo(undone)

    other = await build_shop(
        db, vault, clock.now(), key="minato", api_key="sk_other_0123456789"
    )
    counter.shop = other
    with pytest.raises(NotFound, match="entry"):
        await counter.undo(grant)


# --- rewards ----------------------------------------------------------------------


async def test_undoing_the_stamp_that_filled_the_card_voids_its_voucher(counter):
    await counter.grant(4)
    grant = await counter.grant(1)
    assert len((await counter.view(grant.card_id)).face.vouchers) == 2

    outcome = await counter.undo(grant)

    assert grant.vouchers == outcome.vouchers
    view = await counter.view(grant.card_id)
    assert (view.card.balance, view.card.cycle, view.card.total) == (4, 0, 4)
    assert [v.name for v in view.face.vouchers] == ["クッキー"]
    assert (await counter.voucher(grant.vouchers[0])).state == "void"
    full = await counter.grant(1)
    assert [(await counter.voucher(v)).state for v in full.vouchers] == ["issued"]


async def test_not_once_its_reward_was_used(counter):
    await counter.grant(4)
    grant = await counter.grant(1)
    await counter.redeem(grant.vouchers[0])

    refused = await counter.undo(grant)

    assert Refused(why=Why.already_used, card_id=grant.card_id) == refused
    assert (await counter.card(grant.card_id)).balance == 5


async def test_also_not_when_a_later_stamp_could_fill_the_card_instead(counter):
    await counter.grant(4)
    grant = await counter.grant(1)
    await counter.redeem(grant.vouchers[0])
    await counter.grant(1)

    assert (await counter.undo(grant)).why == Why.already_used


async def test_nor_an_earlier_stamp_without_which_the_used_reward_falls_away(counter):
    early = await counter.grant(1)
    full = await counter.grant(4)
    coffee_voucher = full.vouchers[-1]
    await counter.redeem(coffee_voucher)

    assert Why.already_used == (await counter.undo(early)).why


async def test_surplus_that_started_the_next_card_goes_back_with_it(counter):
    await counter.grant(4)
    grant = await counter.grant(3)
    assert (await counter.card(grant.card_id)).balance == 2

    await counter.undo(grant)

    card = await counter.card(grant.card_id)
    assert (card.balance, card.cycle, card.total) == (4, 0, 4)
    entries = await counter.entries(grant.card_id)
    assert [e.stamps for e in entries] == [4, 3, -5, 5, -3]
    assert [e.balance for e in entries] == [4, 7, 2, 7, 4]


async def test_the_first_stamp_of_the_next_card_undone_shows_the_full_card(counter):
    await counter.grant(5)
    grant = await counter.grant(1)

    await counter.undo(grant)

    card = await counter.card(grant.card_id)
    assert (card.balance, card.cycle) == (5, 1)
    assert len((await counter.view(grant.card_id)).face.vouchers) == 2


# --- when other stamps came after it ----------------------------------------------


async def test_later_stamps_move_up_into_its_place(counter):
    await counter.grant(2)
    wrong = await counter.grant(1)
    await counter.grant(1)

    await counter.undo(wrong)

    assert (await counter.card(wrong.card_id)).balance == 3
    # The third stamp is there still, so is what it earned.
    vouchers = (await counter.view(wrong.card_id)).face.vouchers
    assert [v.name for v in vouchers] == ["クッキー"]


async def test_the_stamp_after_it_becomes_the_one_that_fills_the_card(counter):
    await counter.grant(4)
    wrong = await counter.grant(1)
    await counter.grant(1)
    assert (await counter.card(wrong.card_id)).balance == 1

    outcome = await counter.undo(wrong)

    view = await counter.view(wrong.card_id)
    assert (view.card.balance, view.card.cycle, view.card.total) == (5, 1, 5)
    assert outcome.vouchers == ()
    assert len(view.face.vouchers) == 2


async def test_a_card_turns_back_from_its_second_round_with_the_voucher(counter):
    await counter.grant(3)
    wrong = await counter.grant(3)
    await counter.grant(1)

    outcome = await counter.undo(wrong)

    view = await counter.view(wrong.card_id)
    assert (view.card.balance, view.card.cycle, view.card.total) == (4, 0, 4)
    assert [v.name for v in view.face.vouchers] == ["クッキー"]
    assert wrong.vouchers == outcome.vouchers


async def test_stamps_that_have_expired_since_cannot_be_taken_back(counter, clock):
    await counter.publish(coffee(**_with(expires=Expiry(kind="after_last", months=1))))
    gone = await counter.grant(2)
    clock.move(days=60)
    fresh = await counter.grant(1)

    refused = await counter.undo(gone, reason="まちがい")
    assert Refused(why=Why.too_late, card_id=gone.card_id) == refused

    await counter.undo(fresh)
    card = await counter.card(gone.card_id)
    assert (card.balance, card.total, card.expires_at) == (0, 2, None)


async def test_nor_stamps_that_a_new_goal_has_settled(counter):
    grant = await counter.grant(4)
    await counter.publish(coffee(goal=3, limit=Limit(), rewards=()))
    assert (await counter.card(grant.card_id)).balance == 1

    assert Why.too_late == (await counter.undo(grant)).why


async def test_nor_where_the_card_would_have_met_the_new_goal_without_it(counter):
    wrong = await counter.grant(2)
    await counter.grant(4)
    await counter.publish(coffee(goal=3, limit=Limit(), rewards=()))
    # One stamp of five was on the second card; without the two it were four of five.
    assert (await counter.card(wrong.card_id)).balance == 1

    assert (await counter.undo(wrong)).why == Why.too_late


async def test_nor_where_it_would_have_passed_a_reward_that_is_new_since(counter):
    wrong = await counter.grant(1)
    await counter.grant(3)
    new = (*FIVE.rewards, Reward(at=4, name="ケーキ"))
    await counter.publish(coffee(**_with(rewards=new)))
    await counter.grant(1)

    assert (await counter.undo(wrong)).why == Why.too_late


async def test_nor_where_it_would_be_in_another_round_of_a_longer_card(counter):
    await counter.publish(coffee(**_with(rewards=())))
    wrong = await counter.grant(2)
    await counter.grant(4)
    await counter.publish(coffee(goal=10, limit=Limit(), rewards=()))
    await counter.grant(7)
    # 1 + 7 of ten; without the two it were 4 + 7, full once, and one on the next.
    assert (await counter.card(wrong.card_id)).balance == 8

    assert (await counter.undo(wrong)).why == Why.too_late


async def test_a_new_look_or_a_goal_further_off_does_not_stand_in_the_way(counter):
    grant = await counter.grant(2)
    await counter.publish(coffee(limit=Limit()))

    assert isinstance(await counter.undo(grant), Undone)
    assert (await counter.card(grant.card_id)).balance == 0


def _with(**changes):
    kept = {f: getattr(FIVE, f) for f in ("goal", "limit", "rewards")}
    return kept | changes
