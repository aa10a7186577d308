"""A birthday brings a gift a year, to who told it in time and has a card."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.actions.adjust import adjust_card
from core.actions.apply import MerchantFile, apply_merchant
from core.actions.birthday import (
    find_celebrated,
    forget_birthday,
    give_gifts,
    tell_birthday,
)
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass, load_pass
from core.actions.redeem import redeem_voucher
from core.errors import Invalid, NotFound
from core.rules.asking import Adjusted, Redeemed, Undone
from core.rules.types import Expiry, Gift, Limit, Reward
from core.store.cards import load_card, lock_card, update_card
from core.store.customers import update_customer
from core.store.tables import program
from core.store.vouchers import all_vouchers
from tests.actions.people import People, open_people
from tests.builders import build_shop, coffee

TOKYO = ZoneInfo("Asia/Tokyo")
CAKE = Gift(name="ケーキ", valid="30d")
# The clock of the tests stands on 23 November 2026.
XMAS = date(2026, 12, 24)


class Party(People):
    """Customers and their birthdays."""

    async def tell(self, month=12, day=24, number=1):
        return await self.db.write(
            tell_birthday,
            merchant_id=self.merchant_id,
            customer_id=await self.customer_id(number),
            month=month,
            day=day,
            now=self.clock.now(),
        )

    async def forget(self, number=1):
        customer_id = await self.customer_id(number)
        now = self.clock.now()
        await self.db.write(forget_birthday, self.merchant_id, customer_id, now)

    def goto(self, *day, hour=9):
        self.clock.at = datetime(*day, hour, tzinfo=TOKYO).astimezone(UTC)

    async def give(self, number=1, day=XMAS, customer_id=None):
        return await self.db.write(
            give_gifts,
            merchant_id=self.merchant_id,
            customer_id=customer_id or await self.customer_id(number),
            day=day,
            now=self.clock.now(),
        )

    async def found(self, day=XMAS, after=None, limit=100):
        return await self.db.read(find_celebrated, self.merchant_id, day, after, limit)

    async def set_card(self, card_id, **values):
        await self.db.write(
            lambda tx: update_card(
                tx, lock_card(tx, self.merchant_id, card_id), **values
            )
        )

    async def all_vouchers(self, card_id):
        return await self.db.read(
            lambda tx: all_vouchers(tx, load_card(tx, self.merchant_id, card_id))
        )


async def open_party(db, vault, clock, **design):
    people = await open_people(db, vault, clock, **({"birthday": CAKE} | design))
    return Party(db, people.shop, clock)


@pytest.fixture
async def party(db, vault, clock):
    return await open_party(db, vault, clock)


# --- telling ----------------------------------------------------------------------


async def test_a_birthday_is_told_and_the_first_gift_has_its_day(party, clock):
    await party.join()

    assert await party.tell(12, 24) == date(2026, 12, 24)

    customer = await party.customer()
    assert (customer.birthday, customer.birthday_told_at) == ("12-24", clock.now())


async def test_less_than_thirty_days_ahead_waits_a_year(party):
    await party.join()

    assert await party.tell(12, 22) == date(2027, 12, 22)
    party.goto(2026, 12, 22)
    assert await party.found(date(2026, 12, 22)) == []
    assert await party.give(day=date(2026, 12, 22)) == ()
    party.goto(2027, 12, 22)
    assert await party.found(date(2027, 12, 22)) == [await party.customer_id()]
    assert len(await party.give(day=date(2027, 12, 22))) == 1


async def test_the_business_day_of_telling_counts(party):
    await party.join()
    # Before five in the morning it is still the 23rd, thirty days ahead of the 23rd.
    party.goto(2026, 11, 24, hour=4)
    assert await party.tell(12, 23) == date(2026, 12, 23)

    party.goto(2026, 11, 24, hour=5)
    await party.forget()
    assert await party.tell(12, 23) == date(2027, 12, 23)


async def test_to_tell_the_same_again_changes_nothing(party, clock):
    await party.join()
    await party.tell()
    told_at = clock.now()
    clock.move(days=20)

    assert await party.tell() == XMAS
    assert (await party.customer()).birthday_told_at == told_at
    assert len(await party.log("birthday.told")) == 1


async def test_to_tell_another_one_waits_anew(party, clock):
    await party.join()
    await party.tell(3, 3)
    clock.move(days=10)

    assert await party.tell() == date(2027, 12, 24)
    party.goto(2026, 12, 24)
    assert await party.give() == ()


async def test_to_forget_and_tell_again_waits_anew(party, clock):
    await party.join()
    await party.tell()
    clock.move(days=10)
    await party.forget()
    assert (await party.customer()).birthday is None

    assert await party.tell() == date(2027, 12, 24)


@pytest.mark.parametrize(("month", "day"), [(2, 30), (13, 1), (0, 1), (6, 31)])
async def test_a_day_that_no_year_has_is_not_kept(party, month, day):
    await party.join()

    with pytest.raises(Invalid, match="birthday"):
        await party.tell(month, day)
    assert (await party.customer()).birthday is None


async def test_nobody_has_no_birthday(party, clock):
    await party.join()
    customer_id = await party.customer_id()
    left = {"erased_at": clock.now()}
    await party.db.write(update_customer, party.merchant_id, customer_id, **left)

    for nobody in ("nobody", customer_id):
        with pytest.raises(NotFound, match="customer"):
            await party.db.write(
                tell_birthday,
                merchant_id=party.merchant_id,
                customer_id=nobody,
                month=1,
                day=1,
                now=clock.now(),
            )
        with pytest.raises(NotFound, match="customer"):
            await party.db.write(
                forget_birthday, party.merchant_id, nobody, clock.now()
            )


async def test_the_log_says_that_it_was_told_but_not_which_day(party):
    await party.join()
    await party.tell()
    await party.forget()

    assert "12-24" not in await party.written()
    [told] = await party.log("birthday.told")
    [forgotten] = await party.log("birthday.forgotten")
    assert told.actor == forgotten.actor == f"customer:{await party.customer_id()}"


# --- the gift ---------------------------------------------------------------------


async def test_the_gift_is_a_voucher_that_costs_no_stamp(party, clock):
    card_id = await party.join()
    await party.stamp(card_id)
    await party.tell()
    party.goto(2026, 12, 24)
    before = await party.card(card_id)

    [voucher_id] = await party.give()

    [voucher] = (await party.view(card_id)).face.vouchers
    assert (voucher.id, voucher.name, voucher.state) == (voucher_id, "ケーキ", "issued")
    assert voucher.reward_at is None
    # Thirty days from the day itself, to the end of that business day.
    ends_at = datetime(2027, 1, 24, 5, tzinfo=TOKYO)
    assert voucher.expires_at == ends_at
    last = (await party.entries(card_id))[-1]
    assert (last.kind, last.how, last.stamps, last.balance) == (
        "bonus",
        "birthday",
        0,
        1,
    )
    assert (last.reason, voucher.entry_id) == ("ケーキ", last.id)
    card = await party.card(card_id)
    assert card.revision > before.revision
    assert (card.balance, card.total, card.last_stamp_at, card.expires_at) == (
        before.balance,
        before.total,
        before.last_stamp_at,
        before.expires_at,
    )


async def test_once_a_year_however_often_it_is_asked(party):
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)

    given = await asyncio.gather(*(party.give() for _ in range(10)))

    assert sorted(len(vouchers) for vouchers in given) == [0] * 9 + [1]
    assert await party.vouchers(card_id) == ["ケーキ"]
    party.goto(2027, 12, 24)
    assert len(await party.give(day=date(2027, 12, 24))) == 1


async def test_another_birthday_in_the_same_year_brings_no_second_gift(party):
    await party.join()
    await party.tell(1, 10)
    party.goto(2028, 1, 10)
    assert len(await party.give(day=date(2028, 1, 10))) == 1

    await party.tell(12, 24)
    party.goto(2028, 12, 24)

    assert await party.give(day=date(2028, 12, 24)) == ()
    assert await party.found(date(2028, 12, 24)) == []


async def test_born_on_the_leap_day(party):
    await party.join()
    await party.tell(2, 29)

    party.goto(2027, 2, 28)
    assert await party.found(date(2027, 2, 28)) == [await party.customer_id()]
    assert len(await party.give(day=date(2027, 2, 28))) == 1
    party.goto(2028, 2, 28)
    assert await party.found(date(2028, 2, 28)) == []
    assert await party.give(day=date(2028, 2, 28)) == ()
    party.goto(2028, 2, 29)
    assert len(await party.give(day=date(2028, 2, 29))) == 1


async def test_the_passes_show_the_gift(party, clock):
    card_id = await party.join()
    await party.tell()
    held = await party.db.write(
        hold_pass, party.merchant_id, card_id, "google", clock.now()
    )
    party.goto(2026, 12, 24)

    await party.give()

    due = await party.db.write(take_deliveries, 10, 60, clock.now())
    assert f"pass:{held.id}" in {delivery.topic for delivery in due}
    after = (await party.db.read(load_pass, held.id, clock.now())).held
    assert after.changed_at == int(clock.now().timestamp())


async def test_the_gift_is_used_like_any_reward(party):
    await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    [voucher_id] = await party.give()

    outcome = await party.db.write(
        redeem_voucher,
        merchant_id=party.merchant_id,
        voucher_id=voucher_id,
        by=party.shop.owner,
        key="use",
        now=party.clock.now(),
    )

    assert isinstance(outcome, Redeemed)


async def test_a_gift_for_ever_has_no_last_day(db, vault, clock):
    party = await open_party(db, vault, clock, birthday=Gift(name="ケーキ"))
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    await party.give()

    [voucher] = (await party.view(card_id)).face.vouchers
    assert voucher.expires_at is None


async def test_the_log_says_who_got_what(party):
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)

    [voucher_id] = await party.give()

    [row] = await party.log("birthday.given")
    assert (row.actor, row.subject) == ("rule", card_id)
    assert row.detail["voucher"] == voucher_id


# --- taking stamps back leaves the gift alone ---------------------------------------


async def test_taking_a_stamp_back_leaves_the_gift(db, vault, clock):
    rewards = (Reward(at=1, name="クッキー"), Reward(at=10, name="コーヒー1杯"))
    party = await open_party(db, vault, clock, rewards=rewards)
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    grant = await party.stamp(card_id)
    await party.give()

    undone = await party.undo(grant.entry_id)

    assert isinstance(undone, Undone)
    assert await party.vouchers(card_id) == ["ケーキ"]
    assert await party.balance(card_id) == 0


async def test_also_on_a_full_card_and_on_the_one_after_it(db, vault, clock):
    party = await open_party(
        db,
        vault,
        clock,
        goal=3,
        limit=Limit(),
        rewards=(Reward(at=3, name="クッキー"),),
    )
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    grants = [await party.stamp(card_id) for _ in range(3)]
    await party.give()
    grants.append(await party.stamp(card_id))

    for grant in reversed(grants):
        assert isinstance(await party.undo(grant.entry_id), Undone)

    assert await party.vouchers(card_id) == ["ケーキ"]
    card = await party.card(card_id)
    assert (card.balance, card.cycle, card.total) == (0, 0, 0)


async def test_correcting_the_stamps_leaves_the_gift(db, vault, clock):
    rewards = (Reward(at=1, name="クッキー"), Reward(at=2, name="コーヒー1杯"))
    party = await open_party(db, vault, clock, goal=2, rewards=rewards)
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)

    async def adjust(stamps):
        return await party.db.write(
            adjust_card,
            merchant_id=party.merchant_id,
            card_id=card_id,
            stamps=stamps,
            reason="数えなおし",
            by=party.shop.owner,
            key=party.key(),
            now=party.clock.now(),
        )

    assert isinstance(await adjust(2), Adjusted)
    await party.give()
    assert isinstance(await adjust(-2), Adjusted)

    assert await party.vouchers(card_id) == ["ケーキ"]
    states = {v.name: v.state for v in await party.all_vouchers(card_id)}
    assert states == {"クッキー": "void", "コーヒー1杯": "void", "ケーキ": "issued"}


async def test_the_gift_itself_is_no_grant_to_take_back(party):
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    await party.give()
    [entry] = await party.entries(card_id)

    with pytest.raises(NotFound, match="entry"):
        await party.undo(entry.id)


async def test_it_does_not_prolong_the_card_nor_begin_it(db, vault, clock):
    party = await open_party(
        db, vault, clock, expires=Expiry(kind="after_first", months=1)
    )
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    await party.give()
    assert (await party.card(card_id)).expires_at is None

    party.goto(2027, 1, 10)
    await party.stamp(card_id)

    assert (await party.card(card_id)).expires_at == datetime(
        2027, 2, 11, 5, tzinfo=TOKYO
    )


# --- who gets none ----------------------------------------------------------------


async def test_a_program_without_a_gift_gives_none(db, vault, clock):
    party = await open_party(db, vault, clock, birthday=None)
    card_id = await party.join()
    await party.tell()
    party.goto(2026, 12, 24)

    assert await party.give() == ()
    assert await party.entries(card_id) == []


@pytest.mark.parametrize(
    "values", [{"state": "stopped"}, {"next_card_id": "after"}, {"merged_into": None}]
)
async def test_a_card_that_is_not_in_use_brings_none(party, values):
    card_id = await party.join()
    other_id = await party.join(2)
    await party.tell()
    party.goto(2026, 12, 24)
    if "merged_into" in values:
        values = {"merged_into": other_id}
    await party.set_card(card_id, **values)

    assert await party.found() == []
    assert await party.give() == ()


@pytest.mark.parametrize("state", ["paused", "archived"])
async def test_a_program_that_rests_gives_none(party, state):
    await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    await party.db.write(lambda tx: tx.execute(program.update().values(state=state)))

    assert await party.give() == ()


async def test_who_left_gets_none(party, clock):
    await party.join()
    await party.tell()
    party.goto(2026, 12, 24)
    customer_id = await party.customer_id()
    left = {"erased_at": clock.now()}
    await party.db.write(update_customer, party.merchant_id, customer_id, **left)

    assert await party.found() == []
    assert await party.give(customer_id=customer_id) == ()


async def test_who_forgot_their_birthday_in_time_gets_none(party):
    await party.join()
    await party.tell()
    [customer_id] = await party.found()
    party.goto(2026, 12, 24)
    await party.forget()

    assert await party.give(customer_id=customer_id) == ()


async def test_a_card_of_the_day_after_brings_none_for_the_day_before(db, vault, clock):
    party = await open_party(db, vault, clock)
    await party.join()
    await party.tell()
    party.goto(2026, 12, 25, hour=6)
    file = MerchantFile(
        merchant={"key": "aozora"},
        programs=(("tea", coffee(name="紅茶カード", birthday=Gift(name="茶葉"))),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    _, tea_id = await party.join_all()

    assert len(await party.give()) == 1
    assert await party.vouchers(tea_id) == []


async def test_each_card_of_the_customer_brings_its_own_gift(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=coffee(birthday=CAKE))
    file = MerchantFile(
        merchant={"key": "aozora"},
        programs=(("tea", coffee(name="紅茶カード", birthday=Gift(name="茶葉"))),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    party = Party(db, shop, clock)
    coffee_id, tea_id = await party.join_all()
    await party.tell()
    party.goto(2026, 12, 24)

    assert len(await party.give()) == 2
    assert await party.vouchers(coffee_id) == ["ケーキ"]
    assert await party.vouchers(tea_id) == ["茶葉"]


# --- with linked customers --------------------------------------------------------


async def link(party, one=1, other=2):
    """Customer `one` is linked to `other`, with their cards."""
    cards = {n: await party.join(n) for n in (one, other)}
    ids = {n: await party.customer_id(n) for n in (one, other)}
    await party.db.write(
        update_customer, party.merchant_id, ids[one], merged_into=ids[other]
    )
    await party.set_card(cards[one], merged_into=cards[other])
    return cards[other], ids[one]


async def test_a_birthday_told_before_linking_counts_for_the_one_who_stays(party):
    await party.join()
    await party.tell()
    card_id, linked_id = await link(party)
    party.goto(2026, 12, 24)

    assert await party.found() == [linked_id]
    assert len(await party.give(customer_id=linked_id)) == 1
    assert await party.found() == []
    assert await party.vouchers(card_id) == ["ケーキ"]


async def test_two_birthdays_of_one_person_are_the_one_of_who_stays(party):
    await party.join(1)
    await party.join(2)
    await party.tell(12, 24, 1)
    await party.tell(12, 25, 2)
    card_id, linked_id = await link(party)
    party.goto(2026, 12, 24)
    assert await party.give(customer_id=linked_id) == ()

    party.goto(2026, 12, 25)
    assert len(await party.give(2, day=date(2026, 12, 25))) == 1
    assert await party.vouchers(card_id) == ["ケーキ"]


async def test_who_was_linked_forgets_every_birthday(party):
    await party.join()
    await party.tell()
    _, linked_id = await link(party)

    await party.forget(2)

    party.goto(2026, 12, 24)
    assert await party.found() == []
    assert await party.give(customer_id=linked_id) == ()


# --- finding them -----------------------------------------------------------------


async def test_only_who_has_birthday_is_found_in_pages_and_not_again(party):
    for number in range(1, 8):
        await party.join(number)
        if number != 7:
            await party.tell(12, 24 if number % 2 else 25, number)
    await party.tell(12, 24, 7)
    mine = [await party.customer_id(number) for number in (1, 3, 5, 7)]
    party.goto(2026, 12, 24)

    first = await party.found(limit=3)
    rest = await party.found(after=first[-1], limit=3)

    assert sorted(mine) == first + rest
    assert len(first) == 3
    await party.give(3)
    assert sorted({*mine} - {await party.customer_id(3)}) == await party.found()


async def test_another_merchants_customers_are_not_found(party, vault, clock):
    other = await build_shop(
        party.db,
        vault,
        clock.now(),
        key="other",
        design=coffee(birthday=CAKE),
        api_key="sk_of_another",
    )
    theirs = Party(party.db, other, clock)
    await theirs.join()
    await theirs.tell()
    party.goto(2026, 12, 24)

    assert await party.found() == []
    assert await party.give(customer_id=await theirs.customer_id()) == ()
    assert len(await theirs.give()) == 1
