"""Two customers become one: what moves, what leads where, and taking it back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter as Counted
from dataclasses import replace

import pytest

from core.actions.adjust import adjust_card
from core.actions.cards import card_by_code, card_by_id, find_cards
from core.actions.grant import grant_stamps
from core.actions.join import follow, open_card
from core.actions.link import (
    link_customers,
    link_people,
    make_link_code,
    preview_link,
)
from core.actions.outbox import deliver_done, take_deliveries
from core.actions.passes import hold_pass, load_pass, register_device
from core.actions.unlink import links_of, unlink_people
from core.errors import NotFound
from core.rules.asking import Adjusted, Granted, Redeemed, Refused, StampAsk
from core.rules.linking import Linked, Unlinked
from core.rules.types import Expiry, Limit, Reward, Spend, Why
from core.store.cards import load_card as stored_card
from core.store.ledger import all_entries
from jobs.audit import wrong_cards
from tests.actions.test_undo import Counter
from tests.builders import build_shop, coffee, person

TEN = coffee(
    goal=10,
    limit=Limit(),
    rewards=(Reward(at=5, name="クッキー"), Reward(at=10, name="コーヒー1杯")),
)
SAME = (
    "state",
    "balance",
    "cycle",
    "total",
    "remainder",
    "first_stamp_at",
    "last_stamp_at",
    "expires_at",
    "extended_to",
    "next_card_id",
    "merged_into",
)


class Two(Counter):
    """A wallet customer and a LINE one, and all that can be done with both."""

    merchant_id = property(lambda self: self.shop.merchant.id)

    async def wallet(self, stamps=0, external_id=None, amount=None, program="coffee"):
        card_id = await self.db.write(
            open_card,
            merchant_id=self.merchant_id,
            program_key=program,
            key=self.key(),
            now=self.clock.now(),
            name="太郎",
            external_id=external_id,
        )
        if stamps:
            await self.stamp(card_id, stamps)
        if amount:
            await self.pay(card_id, amount)
        return card_id

    async def line(self, stamps=0, who=1):
        """The LINE person's card of the first program."""
        cards = await self.db.write(
            follow, self.merchant_id, person(who), self.key(), self.clock.now()
        )
        if stamps:
            await self.stamp(cards[0], stamps)
        return cards[0]

    async def ask(self, card_id, **what):
        return await self.db.write(
            grant_stamps,
            StampAsk(
                merchant_id=self.merchant_id,
                key=self.key(),
                how="api",
                card_id=card_id,
                **what,
            ),
            self.clock.now(),
        )

    async def stamp(self, card_id, stamps=1):
        outcome = await self.ask(card_id, stamps=stamps)
        assert isinstance(outcome, Granted), outcome
        return outcome

    async def pay(self, card_id, amount):
        outcome = await self.ask(card_id, amount=amount)
        assert isinstance(outcome, Granted), outcome
        return outcome

    async def code(self, card_id):
        made = await self.db.write(
            make_link_code, self.merchant_id, card_id, self.clock.now()
        )
        return made if isinstance(made, Refused) else made.code

    async def preview(self, code, who=1):
        return await self.db.write(
            preview_link, self.merchant_id, code, person(who), self.clock.now()
        )

    async def link(self, code, who=1, key=None):
        return await self.db.write(
            link_people,
            merchant_id=self.merchant_id,
            code=code,
            person=person(who),
            key=key or self.key(),
            now=self.clock.now(),
        )

    async def linked(self, card_id, who=1):
        outcome = await self.link(await self.code(card_id), who)
        assert isinstance(outcome, Linked), outcome
        return outcome

    async def adjust(self, card_id, stamps):
        return await self.db.write(
            adjust_card,
            merchant_id=self.merchant_id,
            card_id=card_id,
            stamps=stamps,
            reason="数えなおし",
            by=None,
            key=self.key(),
            now=self.clock.now(),
        )

    async def link_at_counter(self, one, other, by="clerk"):
        return await self.db.write(
            link_customers,
            merchant_id=self.merchant_id,
            from_id=one,
            to_id=other,
            by=await self.staff(by),
            key=self.key(),
            now=self.clock.now(),
        )

    async def unlink(self, link_id, by="manager", key=None):
        return await self.db.write(
            unlink_people,
            merchant_id=self.merchant_id,
            link_id=link_id,
            by=None if by is None else await self.staff(by),
            key=key or self.key(),
            now=self.clock.now(),
        )

    async def very(self, card_id):
        """The card's own row, whatever it leads to."""

        def read(tx):
            return stored_card(tx, self.merchant_id, card_id, own=True)

        return await self.db.read(read)

    async def state(self, card_id):
        card = await self.very(card_id)
        return {name: getattr(card, name) for name in SAME}

    async def lines(self, card_id):
        card = await self.very(card_id)
        entries = await self.db.read(all_entries, card)
        assert sum(e.stamps for e in entries) == card.balance
        assert sum(e.remainder for e in entries) == card.remainder
        return [(e.kind, e.stamps, e.how) for e in entries]

    async def face(self, card_id):
        return (await self.view(card_id)).face

    async def customer_of(self, card_id):
        return (await self.very(card_id)).customer_id

    async def find(self, **by):
        return await self.db.read(find_cards, self.merchant_id, self.clock.now(), **by)

    async def sound(self):
        assert await self.db.read(wrong_cards) == []


async def two_of(db, vault, clock, design=TEN, **more):
    return Two(
        db, await build_shop(db, vault, clock.now(), design=design, **more), clock
    )


@pytest.fixture
async def two(db, vault, clock):
    return await two_of(db, vault, clock)


# --- what moves -------------------------------------------------------------------


async def test_the_sum_is_shown_first_and_then_is_what_the_card_has(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    code = await two.code(theirs)

    shown = await two.preview(code)
    before = (await two.face(yours)).balance
    outcome = await two.link(code)

    [sum_] = shown.sums
    assert (sum_.theirs, sum_.yours, sum_.balance, before) == (3, 4, 7, 4)
    assert isinstance(outcome, Linked)
    assert outcome.cards == (yours,)
    face = await two.face(yours)
    assert face.balance == 7
    assert [each.balance for each in shown.faces] == [7]
    assert await two.lines(theirs) == [("stamp", 3, "api"), ("merge", -3, "link")]
    assert (await two.lines(yours))[-1] == ("merge", 3, "link")
    await two.sound()


async def test_looking_changes_nothing(two):
    theirs = await two.wallet(3)
    code = await two.code(theirs)
    before = await two.state(theirs)

    first, second = await two.preview(code), await two.preview(code)

    assert [s.balance for s in first.sums] == [s.balance for s in second.sums] == [3]
    assert await two.state(theirs) == before
    assert await two.find(line_user_id=person().user_id) == []


async def test_a_sum_over_the_goal_fills_the_card_and_begins_the_next(two):
    theirs, yours = await two.wallet(8), await two.line(4)
    code = await two.code(theirs)

    [shown] = (await two.preview(code)).sums
    outcome = await two.link(code)

    assert (shown.balance, shown.completed, shown.rewards) == (
        2,
        True,
        ("コーヒー1杯",),
    )
    assert shown.vouchers == ("クッキー",)
    face = await two.face(yours)
    assert (face.balance, face.cycle) == (2, 1)
    names = sorted(voucher.name for voucher in face.vouchers)
    assert names == ["クッキー", "コーヒー1杯"]
    assert len(outcome.vouchers) == 1


async def test_stamps_that_move_earn_no_reward_a_second_time(two):
    theirs, yours = await two.wallet(7), await two.line()

    await two.linked(theirs)

    face = await two.face(yours)
    assert face.balance == 7
    assert [voucher.name for voucher in face.vouchers] == ["クッキー"]


async def test_stamps_that_reach_a_reward_only_together_earn_it(two):
    theirs, yours = await two.wallet(3), await two.line(3)

    await two.linked(theirs)

    assert [v.name for v in (await two.face(yours)).vouchers] == ["クッキー"]


async def test_a_full_card_moves_its_vouchers_but_not_its_paid_stamps(two):
    theirs, yours = await two.wallet(10), await two.line(2)

    await two.linked(theirs)

    face = await two.face(yours)
    assert (face.balance, face.cycle) == (2, 0)
    assert len(face.vouchers) == 2
    await two.stamp(theirs)
    assert (await two.face(yours)).balance == 3


async def test_a_customer_without_a_card_of_it_gets_one_without_a_bonus(
    db, vault, clock
):
    two = await two_of(db, vault, clock, coffee(goal=10, limit=Limit(), bonus=2))
    theirs = await two.wallet()

    outcome = await two.linked(theirs)

    [card_id] = outcome.cards
    assert card_id != theirs
    assert (await two.face(card_id)).balance == 2
    assert await two.lines(card_id) == [("merge", 2, "link")]


async def test_what_expired_does_not_move(db, vault, clock):
    design = coffee(goal=10, limit=Limit(), expires=Expiry(kind="after_last", months=1))
    two = await two_of(db, vault, clock, design)
    theirs = await two.wallet(5)
    clock.move(days=40)
    yours = await two.line(2)

    before = (await two.state(theirs), await two.state(yours))
    outcome = await two.linked(theirs)

    assert (await two.face(yours)).balance == 2
    await two.unlink(outcome.link_id)
    assert (await two.state(theirs), await two.state(yours)) == before
    assert (await two.face(theirs)).state == "expired"


async def test_stamps_stay_good_for_as_long_as_they_were(db, vault, clock):
    design = coffee(
        goal=10, limit=Limit(), expires=Expiry(kind="after_first", months=6)
    )
    two = await two_of(db, vault, clock, design)
    yours = await two.line(1)
    clock.move(days=150)
    theirs = await two.wallet(5)
    before = await two.state(yours)
    promised = (await two.very(theirs)).expires_at

    outcome = await two.linked(theirs)

    assert before["expires_at"] < promised
    assert (await two.face(yours)).expires_at == promised
    assert isinstance(await two.unlink(outcome.link_id), Unlinked)
    assert await two.state(yours) == before


async def test_what_was_spent_towards_a_stamp_adds_up_to_one(db, vault, clock):
    two = await two_of(
        db, vault, clock, coffee(goal=10, limit=Limit(), spend=Spend(per=500))
    )
    theirs, yours = await two.wallet(amount=1300), await two.line()
    await two.pay(yours, 450)
    before = (await two.state(theirs), await two.state(yours))

    outcome = await two.linked(theirs)

    card = await two.very(yours)
    assert (card.balance, card.remainder) == (3, 250)
    assert (await two.very(theirs)).remainder == 0
    assert isinstance(await two.unlink(outcome.link_id), Unlinked)
    assert (await two.state(theirs), await two.state(yours)) == before
    await two.lines(theirs)
    await two.lines(yours)


# --- what leads where -------------------------------------------------------------


async def test_everything_that_named_the_one_leads_to_the_other(two):
    theirs, yours = await two.wallet(3, external_id="pos-7"), await two.line(4)
    face = await two.face(theirs)
    now = two.clock.now()

    await two.linked(theirs)

    views = [
        await two.db.read(card_by_code, face.code, now),
        await two.db.read(card_by_id, theirs, now),
        await two.view(theirs),
        *await two.find(external_id="pos-7"),
        *await two.find(member_no=face.member_no),
    ]
    assert [view.card.id for view in views] == [yours] * 5
    assert {view.customer.name for view in views} == {"花子"}
    assert await two.entries(theirs) == await two.entries(yours)


async def test_a_stamp_for_the_one_is_given_to_the_other(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    await two.linked(theirs)

    outcome = await two.stamp(theirs, 2)
    await two.adjust(theirs, -1)

    assert outcome.card_id == yours
    assert (await two.face(yours)).balance == 8
    assert (await two.very(theirs)).balance == 0


async def test_once_a_business_day_counts_for_both_together(db, vault, clock):
    two = await two_of(db, vault, clock, coffee())
    theirs = await two.wallet(1)
    await two.line()
    await two.linked(theirs)

    assert (await two.ask(theirs)).why == Why.already_today


async def test_the_wallet_pass_keeps_its_number_and_shows_the_sum(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    now = two.clock.now()
    args = (two.merchant_id, theirs, "apple", now)
    held = await two.db.write(hold_pass, *args)
    await two.linked(theirs)

    view = await two.db.read(load_pass, held.id, now)
    assert (view.held.id, view.face.card_id, view.face.balance) == (held.id, yours, 7)
    await drain(two)
    await two.stamp(yours)
    assert f"pass:{held.id}" in await drain(two)


async def test_a_voucher_that_came_along_can_be_used_and_passes_are_told(two):
    theirs, yours = await two.wallet(10), await two.line(1)
    now = two.clock.now()
    held = await two.db.write(hold_pass, two.merchant_id, yours, "apple", now)
    await two.linked(theirs)
    voucher = (await two.face(yours)).vouchers[0]
    await drain(two)

    assert isinstance(await two.redeem(voucher.id), Redeemed)

    assert voucher.id not in {v.id for v in (await two.face(yours)).vouchers}
    assert f"pass:{held.id}" in await drain(two)
    assert (await two.redeem(voucher.id)).why == Why.already_used


async def drain(two):
    """What is behind, and then no more."""
    now = two.clock.now()
    taken = await two.db.write(take_deliveries, 100, 60.0, now)
    for delivery in taken:
        await two.db.write(deliver_done, delivery, now)
    return {delivery.topic for delivery in taken}


async def test_stamps_can_be_taken_off_again_below_a_reward_that_was_had_before(two):
    theirs, yours = await two.wallet(7), await two.line()
    await two.linked(theirs)

    outcome = await two.adjust(yours, -4)

    assert (outcome.vouchers, (await two.face(yours)).balance) == ((), 3)
    assert [v.name for v in (await two.face(yours)).vouchers] == ["クッキー"]
    assert isinstance(await two.adjust(yours, 4), Adjusted)


async def test_the_page_of_a_pass_hears_of_it_at_once(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    now = two.clock.now()
    held = await two.db.write(hold_pass, two.merchant_id, theirs, "apple", now)
    with two.db.watch({f"card:{theirs}"}) as watch:
        await two.linked(theirs)
        assert await watch.wait(5)

    with two.db.watch({f"card:{yours}"}) as watch:
        await two.db.write(register_device, held.id, "device", "token", now)
        assert await watch.wait(5)


# --- who may ----------------------------------------------------------------------


async def test_a_code_is_good_once_for_ten_minutes_and_replaced_by_the_next(two):
    theirs = await two.wallet(1)
    first = await two.code(theirs)
    second = await two.code(theirs)
    assert (await two.link(first)).why == Why.expired_code
    assert len(second) == 8
    two.clock.move(minutes=10)
    assert (await two.link(second)).why == Why.expired_code
    third = await two.code(theirs)

    assert isinstance(await two.link(f" {third.lower()} "), Linked)

    assert (await two.link(third, who=2)).why == Why.used_code
    assert (await two.preview(third, who=2)).why == Why.used_code
    assert (await two.link("00000000")).why == Why.unknown_code


async def test_the_same_key_links_once(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    code = await two.code(theirs)

    outcomes = await asyncio.gather(*(two.link(code, key="one") for _ in range(5)))

    assert len(set(outcomes)) == 1
    assert (await two.face(yours)).balance == 7


async def test_many_people_with_one_code_get_the_card_once(two):
    code = await two.code(await two.wallet(3))

    outcomes = await asyncio.gather(*(two.link(code, who=n) for n in range(1, 9)))

    assert sum(isinstance(o, Linked) for o in outcomes) == 1
    assert {o.why for o in outcomes if isinstance(o, Refused)} == {Why.used_code}


async def test_another_merchants_code_is_told_apart(db, vault, clock, two):
    other = await two_of(db, vault, clock, key="hana", api_key="sk_hana_0123456789")

    assert (await other.link(await two.code(await two.wallet(1)))).why == (
        Why.wrong_merchant
    )


async def test_who_is_in_line_needs_no_code(two):
    yours, theirs = await two.line(1), await two.wallet(1)
    assert (await two.code(yours)).why == Why.already_linked
    await two.linked(theirs)
    assert (await two.code(theirs)).why == Why.already_linked


async def test_staff_link_two_cards_at_the_counter_in_either_order(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    ids = (await two.customer_of(yours), await two.customer_of(theirs))
    assert (await two.link_at_counter(*ids, by="viewer")).why == Why.not_allowed

    outcome = await two.link_at_counter(*ids)

    assert outcome.customer_id == ids[0]
    assert (await two.face(yours)).balance == 7
    assert (await two.link_at_counter(*ids)).why == Why.already_linked
    assert (await two.link_at_counter(*reversed(ids))).why == Why.already_linked
    assert (await two.link_at_counter(ids[0], ids[0])).why == Why.same_person


async def test_two_people_in_line_stay_two(two):
    one, other = await two.line(1), await two.line(1, who=2)
    ids = (await two.customer_of(one), await two.customer_of(other))

    assert (await two.link_at_counter(*ids)).why == Why.already_linked
    with pytest.raises(NotFound):
        await two.link_at_counter("nobody", ids[0])


async def test_a_stopped_card_stays_by_itself_and_takes_nothing(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    await stop(two, yours)
    before = await two.state(theirs)
    assert (await two.link(await two.code(theirs))).why == Why.card_stopped
    assert await two.state(theirs) == before

    other = await two.wallet(2)
    await stop(two, other)
    outcome = await two.linked(other, who=2)
    assert outcome.cards == ()
    assert (await two.face(other)).state == "stopped"


async def stop(two, card_id):
    from core.store.cards import lock_card, update_card

    def write(tx):
        card = lock_card(tx, two.merchant_id, card_id, own=True)
        update_card(tx, card, state="stopped")

    await two.db.write(write)


# --- at once ----------------------------------------------------------------------


async def test_stamps_that_come_while_linking_are_on_one_card_or_the_other(two):
    theirs, yours = await two.wallet(1), await two.line(1)
    code = await two.code(theirs)

    outcomes = await asyncio.gather(
        two.stamp(theirs), two.stamp(yours), two.link(code), two.stamp(theirs)
    )

    assert isinstance(outcomes[2], Linked)
    assert (await two.face(yours)).balance == 5
    assert (await two.very(theirs)).balance == 0
    await two.lines(theirs)
    await two.sound()


async def test_two_that_are_linked_to_each_other_at_once_are_linked_one_way(two):
    one, other = await two.wallet(1), await two.wallet(2)
    ids = [await two.customer_of(one), await two.customer_of(other)]

    outcomes = await asyncio.gather(
        two.link_at_counter(*ids), two.link_at_counter(*reversed(ids))
    )

    assert sum(isinstance(o, Linked) for o in outcomes) == 1
    assert sum(isinstance(o, Refused) for o in outcomes) == 1
    assert (await two.face(one)).balance == (await two.face(other)).balance == 3


# --- three of them ----------------------------------------------------------------


async def test_who_was_joined_already_leads_on_with_the_one_they_joined(two):
    first, second, yours = await two.wallet(1), await two.wallet(2), await two.line(4)
    ids = [await two.customer_of(c) for c in (first, second, yours)]
    start = [await two.state(c) for c in (first, second, yours)]
    one = await two.link_at_counter(ids[0], ids[1])
    middle = [await two.state(c) for c in (first, second, yours)]
    other = await two.linked(second)

    assert (await two.view(first)).card.id == yours
    assert (await two.face(first)).balance == 7
    assert (await two.unlink(one.link_id)).why == Why.already_linked
    assert isinstance(await two.unlink(other.link_id), Unlinked)
    assert [await two.state(c) for c in (first, second, yours)] == middle
    assert (await two.face(first)).balance == 3
    assert isinstance(await two.unlink(one.link_id), Unlinked)
    assert [await two.state(c) for c in (first, second, yours)] == start
    await two.sound()


# --- taking it back ---------------------------------------------------------------


async def test_taken_apart_each_has_what_they_had(two):
    theirs, yours = await two.wallet(8), await two.line(4)
    before = (await two.state(theirs), await two.state(yours))
    outcome = await two.linked(theirs)
    [link] = await two.db.read(
        links_of, two.merchant_id, outcome.customer_id, two.clock.now()
    )
    assert link.id == outcome.link_id

    assert isinstance(await two.unlink(outcome.link_id, key="u"), Unlinked)
    assert isinstance(await two.unlink(outcome.link_id, key="u"), Unlinked)

    assert (await two.state(theirs), await two.state(yours)) == before
    assert (await two.lines(theirs))[-1] == ("undo", 8, "link")
    assert [v.name for v in (await two.face(theirs)).vouchers] == ["クッキー"]
    assert (await two.face(yours)).vouchers == ()
    assert (await two.unlink(outcome.link_id)).why == Why.too_late
    assert isinstance(await two.link(await two.code(theirs)), Linked)
    await two.sound()


async def test_stamps_collected_since_stay_with_the_one_in_line(two):
    theirs, yours = await two.wallet(3), await two.line(4)
    outcome = await two.linked(theirs)
    await two.stamp(theirs, 2)

    await two.unlink(outcome.link_id)

    assert (await two.face(yours)).balance == 6
    assert (await two.face(theirs)).balance == 3


async def test_a_used_voucher_that_the_sum_earned_forbids_it(two):
    theirs, yours = await two.wallet(8), await two.line(4)
    outcome = await two.linked(theirs)
    await two.redeem(outcome.vouchers[0])
    before = (await two.state(theirs), await two.state(yours))

    assert (await two.unlink(outcome.link_id)).why == Why.already_used

    assert (await two.state(theirs), await two.state(yours)) == before


async def test_a_voucher_of_their_own_that_was_used_forbids_nothing(two):
    theirs, yours = await two.wallet(7), await two.line(1)
    outcome = await two.linked(theirs)
    [cookie] = (await two.face(yours)).vouchers
    await two.redeem(cookie.id)

    assert isinstance(await two.unlink(outcome.link_id), Unlinked)
    assert ((await two.face(theirs)).balance, (await two.face(yours)).balance) == (7, 1)


async def test_after_seven_days_it_stays(two):
    outcome = await two.linked(await two.wallet(3))
    two.clock.move(days=7)
    assert (await two.unlink(outcome.link_id, by="viewer")).why == Why.not_allowed
    two.clock.move(seconds=1)

    assert (await two.unlink(outcome.link_id)).why == Why.too_late
    assert (
        await two.db.read(
            links_of, two.merchant_id, outcome.customer_id, two.clock.now()
        )
        == []
    )
    with pytest.raises(NotFound):
        await two.unlink("nothing")


async def test_a_card_that_comes_back_meets_the_goal_that_was_set_meanwhile(two):
    theirs = await two.wallet(10)
    outcome = await two.linked(theirs)
    await two.publish(coffee(goal=12, limit=Limit()))

    await two.unlink(outcome.link_id)

    assert (await two.face(theirs)).balance == 0
    assert (await two.lines(theirs))[-1] == ("rollover", -10, "rule")
    await two.stamp(theirs)
    assert (await two.face(theirs)).balance == 1


async def test_a_card_that_began_anew_since_is_left_to_a_manager(two):
    theirs, yours = await two.wallet(7), await two.line()
    outcome = await two.linked(theirs)
    five = (Reward(at=5, name="コーヒー1杯"),)
    await two.publish(coffee(goal=5, limit=Limit(), rewards=five))
    before = (await two.state(theirs), await two.state(yours))

    assert (await two.unlink(outcome.link_id)).why == Why.too_late
    assert (await two.state(theirs), await two.state(yours)) == before


# --- rank-up cards ----------------------------------------------------------------


@pytest.fixture
async def ranks(db, vault, clock):
    """A card of five that leads to a gold one of eight."""
    design = coffee(goal=5, limit=Limit(), rewards=(), next_program="gold")
    two = await two_of(db, vault, clock, design)
    await add_program(
        two, "gold", coffee(name="ゴールド", goal=8, limit=Limit(), rewards=())
    )
    return two


async def add_program(two, key, design):
    from core.store.programs import add_program, append_version

    def write(tx):
        now = two.clock.now()
        program_id = add_program(tx, two.merchant_id, key, 1, now)
        append_version(tx, two.merchant_id, program_id, 1, design, None, now)

    await two.db.write(write)


async def balances(two, who=1):
    views = await two.find(line_user_id=person(who).user_id)
    return {v.program.key: (v.face.balance, v.face.ranked_up) for v in views}


async def test_a_sum_that_fills_the_card_begins_the_rank_up_card(ranks):
    theirs, yours = await ranks.wallet(4), await ranks.line(3)
    before = (await ranks.state(theirs), await ranks.state(yours))
    [shown] = (await ranks.preview(await ranks.code(theirs))).sums
    outcome = await ranks.linked(theirs)

    assert (shown.balance, shown.completed) == (5, True)
    assert await balances(ranks) == {"coffee": (5, True), "gold": (2, False)}
    assert isinstance(await ranks.unlink(outcome.link_id), Unlinked)
    assert (await ranks.state(theirs), await ranks.state(yours)) == before
    assert (await balances(ranks))["gold"][0] == 0
    await ranks.sound()


async def test_who_had_ranked_up_keeps_the_rank_and_what_is_on_that_card(ranks):
    theirs, yours = await ranks.wallet(7), await ranks.line()
    before = (await ranks.state(theirs), await ranks.state(yours))

    outcome = await ranks.linked(theirs)

    assert await balances(ranks) == {"coffee": (0, True), "gold": (2, False)}
    await ranks.stamp(yours)
    assert (await balances(ranks))["gold"] == (3, False)
    assert isinstance(await ranks.unlink(outcome.link_id), Unlinked)
    assert (await ranks.state(theirs), await ranks.state(yours)) == before
    assert (await balances(ranks))["gold"] == (1, False)
    await ranks.sound()


async def test_who_has_begun_the_first_card_fills_it_first(ranks):
    theirs, yours = await ranks.wallet(7), await ranks.line(2)
    await ranks.linked(theirs)

    assert await balances(ranks) == {"coffee": (2, False), "gold": (2, False)}
    await ranks.stamp(yours, 3)
    assert await balances(ranks) == {"coffee": (5, True), "gold": (2, False)}


async def test_stamps_of_a_card_that_the_other_has_done_with_go_to_the_rank_up_card(
    ranks,
):
    theirs, yours = await ranks.wallet(3), await ranks.line(6)
    before = (await ranks.state(theirs), await ranks.state(yours))

    outcome = await ranks.linked(theirs)

    assert await balances(ranks) == {"coffee": (5, True), "gold": (4, False)}
    assert isinstance(await ranks.unlink(outcome.link_id), Unlinked)
    assert (await ranks.state(theirs), await ranks.state(yours)) == before
    assert (await balances(ranks))["gold"] == (1, False)


# --- whatever they had ------------------------------------------------------------


def any_design(chance):
    goal = chance.randint(2, 7)
    counts = {goal} | {chance.randint(1, goal) for _ in range(2)}
    return coffee(
        goal=goal,
        limit=Limit(),
        rewards=tuple(Reward(at=at, name=f"特典{at}") for at in sorted(counts)),
        spend=Spend(per=300),
        expires=Expiry(
            kind=chance.choice(["none", "after_last", "after_first"]), months=1
        ),
        bonus=chance.randint(0, goal - 1),
    )


async def collect(two, card_id, goal, chance):
    for _ in range(chance.randint(0, 3)):
        two.clock.move(hours=chance.randint(1, 300))
        await two.stamp(card_id, chance.randint(1, goal))
        await two.pay(card_id, chance.randint(1, 700))


@pytest.mark.parametrize("seed", range(24))
async def test_linked_and_taken_apart_every_two_cards_are_as_before(
    db, vault, clock, seed
):
    chance = random.Random(seed)
    design = any_design(chance)
    two = await two_of(db, vault, clock, design)
    theirs, yours = await two.wallet(), await two.line()
    await collect(two, theirs, design.goal, chance)
    await collect(two, yours, design.goal, chance)
    before = (await two.state(theirs), await two.state(yours))
    held = await rewards(two, theirs)
    code = await two.code(theirs)
    shown = await two.preview(code)

    outcome = await two.link(code)

    assert isinstance(outcome, Linked)
    face = await two.face(yours)
    [sum_] = shown.sums
    # A voucher gets its number when it is issued.
    [promised] = shown.faces
    assert replace(promised, vouchers=()) == replace(face, vouchers=())
    assert sum_.balance == face.balance
    names = Counted(voucher.name for voucher in promised.vouchers)
    assert names == Counted(voucher.name for voucher in face.vouchers)
    # No stamp earns the same reward twice.
    new = Counted(v.reward_at for v in face.vouchers if v.id in outcome.vouchers)
    assert all(n == 1 for n in new.values())
    made_one = before[0]["remainder"] + before[1]["remainder"] >= 300
    allowed = {face.balance} if made_one else set()
    assert all(at > sum_.theirs or at in allowed for at in new)
    assert sum_.completed == (new[design.goal] == 1)
    assert isinstance(await two.unlink(outcome.link_id), Unlinked)
    assert (await two.state(theirs), await two.state(yours)) == before
    assert await rewards(two, theirs) == held
    await two.lines(theirs)
    await two.lines(yours)
    await two.sound()


async def rewards(two, card_id):
    return (await two.face(card_id)).vouchers
