"""Who brings a friend: both get stamps after the friend's first stamp, once."""

from __future__ import annotations

import asyncio
import re

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.referral import enter_referral, referral_code_of
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Referred, Refused
from core.rules.types import Limit, Reward, Why
from core.store.cards import lock_card, update_card
from core.store.customers import update_customer
from tests.actions.people import People, open_people
from tests.builders import build_shop, coffee, person


class Friends(People):
    """Customers who bring one another."""

    async def code(self, number=1):
        return await self.db.write(
            referral_code_of,
            self.merchant_id,
            await self.customer_id(number),
            self.clock.now(),
        )

    async def enter(self, code, number=2, key=None, **more):
        more = more or {"person": person(number)}
        return await self.db.write(
            enter_referral,
            merchant_id=self.merchant_id,
            code=code,
            key=key or self.key(),
            now=self.clock.now(),
            **more,
        )

    async def change(self, number, **values):
        await self.db.write(
            update_customer, self.merchant_id, await self.customer_id(number), **values
        )

    async def pair(self):
        """Two new friends' cards; the first one brought the second."""
        cards = (await self.join(1), await self.join(2, "次郎"))
        assert isinstance(await self.enter(await self.code()), Referred)
        return cards

    async def balances(self, *cards):
        return tuple([await self.balance(card_id) for card_id in cards])


@pytest.fixture
async def friends(db, vault, clock):
    people = await open_people(db, vault, clock, referral=2)
    return Friends(db, people.shop, clock)


# --- codes ------------------------------------------------------------------------


async def test_a_code_is_made_once_and_is_easy_to_read(friends):
    await friends.join()

    code = await friends.code()

    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{8}", code)
    assert {code} == set(await asyncio.gather(*(friends.code() for _ in range(5))))
    assert len(await friends.log("referral.code_made")) == 1


async def test_ten_askers_at_once_get_one_code(friends):
    await friends.join()

    codes = await asyncio.gather(*(friends.code() for _ in range(10)))

    assert len(set(codes)) == 1
    assert len(await friends.log("referral.code_made")) == 1


async def test_nobody_has_no_code(friends, clock):
    await friends.join()
    customer_id = await friends.customer_id()
    await friends.change(1, erased_at=clock.now())

    for nobody in ("nobody", customer_id):
        with pytest.raises(NotFound, match="customer"):
            await friends.db.write(
                referral_code_of, friends.merchant_id, nobody, clock.now()
            )


async def test_a_code_is_found_however_it_is_typed(friends):
    await friends.join()
    await friends.change(1, referral_code="0A1BCDEF")

    assert isinstance(await friends.enter(" oalb-cdef　", 2), Referred)


# --- who may enter one ------------------------------------------------------------


async def test_a_friend_enters_a_code_and_is_remembered(friends):
    await friends.join()

    outcome = await friends.enter(await friends.code())

    one, two = await friends.customer_id(1), await friends.customer_id(2)
    assert Referred(customer_id=two, referrer_id=one) == outcome
    assert (await friends.customer(2)).referred_by == one
    [row] = await friends.log("referral.entered")
    assert (row.actor, row.subject) == (f"customer:{two}", one)


async def test_a_code_that_nobody_has(friends, vault, clock):
    other = await build_shop(
        friends.db, vault, clock.now(), key="other", api_key="sk_of_another"
    )
    theirs = Friends(friends.db, other, clock)
    await theirs.join(5)

    for code in ("", "ABCDEFGH", await theirs.code(5)):
        assert Refused(why=Why.unknown_code) == await friends.enter(code)


async def test_the_code_of_somebody_who_left_is_nobodys(friends, clock):
    await friends.join()
    code = await friends.code()
    await friends.change(1, erased_at=clock.now())

    assert Refused(why=Why.unknown_code) == await friends.enter(code)


async def test_nobody_brings_themselves(friends):
    await friends.join()

    assert Refused(why=Why.same_person) == await friends.enter(await friends.code(), 1)


async def test_nobody_brings_the_customer_that_they_were_linked_to(friends):
    await friends.join(1)
    await friends.join(2)
    code = await friends.code(1)
    await friends.change(1, merged_into=await friends.customer_id(2))

    assert Refused(why=Why.same_person) == await friends.enter(code, 2)


async def test_who_has_a_stamp_is_not_new(friends):
    await friends.join(1)
    await friends.stamp(await friends.join(2))

    assert Refused(why=Why.not_new) == await friends.enter(await friends.code())


async def test_also_where_that_stamp_was_taken_back(friends):
    await friends.join(1)
    grant = await friends.stamp(await friends.join(2))
    await friends.undo(grant.entry_id)

    assert Refused(why=Why.not_new) == await friends.enter(await friends.code())


async def test_a_bonus_for_joining_makes_nobody_old(db, vault, clock):
    people = await open_people(db, vault, clock, referral=2, bonus=1)
    friends = Friends(db, people.shop, clock)

    cards = await friends.pair()

    await friends.stamp(cards[1])
    assert await friends.balances(*cards) == (3, 4)


async def test_who_came_by_a_code_comes_by_no_other(friends):
    await friends.pair()
    await friends.join(3)

    assert Refused(why=Why.not_new) == await friends.enter(await friends.code(3))


async def test_two_do_not_bring_each_other(friends):
    await friends.join(2)
    await friends.pair()

    assert Refused(why=Why.not_new) == await friends.enter(await friends.code(2), 1)


async def test_also_not_when_they_try_at_once(friends):
    await friends.join(1)
    await friends.join(2)
    one, two = await friends.code(1), await friends.code(2)

    outcomes = await asyncio.gather(friends.enter(one, 2), friends.enter(two, 1))

    assert sum(isinstance(outcome, Referred) for outcome in outcomes) == 1
    assert [Why.not_new] == [o.why for o in outcomes if isinstance(o, Refused)]


async def test_two_codes_at_once_are_one(friends):
    await friends.join(1)
    await friends.join(3)
    codes = [await friends.code(1), await friends.code(3)]
    await friends.join(2)

    outcomes = await asyncio.gather(*(friends.enter(code, 2) for code in codes))

    assert sum(isinstance(outcome, Referred) for outcome in outcomes) == 1


async def test_the_same_key_is_the_same_answer(friends):
    await friends.join()
    code = await friends.code()

    first = await friends.enter(code, key="tap")

    assert first == await friends.enter(code, key="tap")
    with pytest.raises(Invalid, match="key"):
        await friends.enter("ABCDEFGH", key="tap")


async def test_a_friend_without_line_comes_by_a_code_too(friends, clock):
    mine = await friends.join(1)
    theirs = await friends.db.write(
        open_card,
        merchant_id=friends.merchant_id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    customer_id = (await friends.card(theirs)).customer_id

    outcome = await friends.enter(await friends.code(), customer_id=customer_id)

    assert isinstance(outcome, Referred)
    await friends.stamp(theirs)
    assert await friends.balances(mine, theirs) == (2, 3)


async def test_nobody_enters_nothing(friends):
    await friends.join()

    with pytest.raises(NotFound, match="customer"):
        await friends.enter(await friends.code(), customer_id="nobody")


# --- what it brings ---------------------------------------------------------------


async def test_both_get_stamps_with_the_friends_first_one(friends):
    mine, theirs = await friends.pair()
    assert await friends.balances(mine, theirs) == (0, 0)

    await friends.stamp(theirs)

    assert await friends.balances(mine, theirs) == (2, 3)
    assert [(e.kind, e.how, e.stamps) for e in await friends.entries(theirs)] == [
        ("stamp", "till", 1),
        ("bonus", "referral", 2),
    ]
    assert [(e.kind, e.how, e.stamps) for e in await friends.entries(mine)] == [
        ("bonus", "referral", 2)
    ]
    [row] = await friends.log("referral.paid")
    assert row.actor == f"customer:{await friends.customer_id(2)}"
    assert (row.detail["stamps"], row.detail["both"]) == (2, True)


async def test_also_by_a_code_at_the_till(friends):
    mine, theirs = await friends.pair()
    code = await friends.shop.till_code(friends.clock.now())

    assert isinstance(await friends.claim_code(code.code, 2), Granted)

    assert await friends.balances(mine, theirs) == (2, 3)


async def test_exactly_once(friends, clock):
    mine, theirs = await friends.pair()
    first = await friends.stamp(theirs)
    clock.move(days=1)
    await friends.stamp(theirs)
    await friends.undo(first.entry_id)
    clock.move(days=1)
    await friends.stamp(theirs)

    assert await friends.balances(mine, theirs) == (2, 4)


async def test_the_stamp_of_who_brought_them_brings_nothing(friends):
    mine, theirs = await friends.pair()

    await friends.stamp(mine)

    assert await friends.balances(mine, theirs) == (1, 0)


async def test_it_uses_up_no_stamp_of_today(friends):
    mine, theirs = await friends.pair()
    await friends.stamp(theirs)

    await friends.stamp(mine)

    assert await friends.balances(mine, theirs) == (3, 3)


async def test_a_refused_stamp_pays_nothing(friends):
    mine, theirs = await friends.pair()
    await friends.db.write(
        lambda tx: update_card(
            tx, lock_card(tx, friends.merchant_id, theirs), state="stopped"
        )
    )
    ask = friends.ask(theirs)

    outcome = await friends.db.write(grant_stamps, ask, friends.clock.now())

    assert Why.card_stopped == outcome.why
    assert await friends.balances(mine, theirs) == (0, 0)


async def test_a_program_without_referral_pays_nothing(db, vault, clock):
    people = await open_people(db, vault, clock)
    friends = Friends(db, people.shop, clock)
    mine, theirs = await friends.pair()

    await friends.stamp(theirs)

    assert await friends.balances(mine, theirs) == (0, 1)
    assert await friends.log("referral.paid") == []


async def test_many_friends_bring_stamps_each(friends):
    mine = await friends.join(1)
    code = await friends.code(1)
    cards = [await friends.join(number) for number in range(2, 6)]
    for number in range(2, 6):
        assert isinstance(await friends.enter(code, number), Referred)

    await asyncio.gather(*(friends.stamp(card_id) for card_id in cards))

    assert (await friends.card(mine)).total == 8
    assert await friends.balances(*cards) == (3, 3, 3, 3)


async def test_two_tills_at_once_pay_once(db, vault, clock):
    people = await open_people(db, vault, clock, referral=2, limit=Limit())
    friends = Friends(db, people.shop, clock)
    mine, theirs = await friends.pair()

    await asyncio.gather(*(friends.stamp(theirs) for _ in range(5)))

    assert await friends.balances(mine, theirs) == (2, 7)
    assert len(await friends.log("referral.paid")) == 1


async def test_two_cards_of_the_friend_at_once_pay_once(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=coffee(referral=2))
    file = MerchantFile(
        merchant={"key": "aozora"},
        programs=(("tea", coffee(name="紅茶カード", referral=2)),),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    friends = Friends(db, shop, clock)
    mine, theirs = await friends.join_all(1), await friends.join_all(2)
    assert isinstance(await friends.enter(await friends.code()), Referred)

    await asyncio.gather(*(friends.stamp(card_id) for card_id in theirs))

    assert sum(await friends.balances(*theirs)) == 4
    assert sum(await friends.balances(*mine)) == 2
    assert len(await friends.log("referral.paid")) == 1


async def test_a_till_and_a_code_at_once_pay_once(db, vault, clock):
    """The till locks the card first, a code the customer: both come through."""
    people = await open_people(db, vault, clock, referral=2, limit=Limit())
    friends = Friends(db, people.shop, clock)
    mine, theirs = await friends.pair()
    codes = [await friends.shop.till_code(clock.now()) for _ in range(3)]

    outcomes = await asyncio.gather(
        *(friends.claim_code(code.code, 2) for code in codes),
        *(friends.stamp(theirs) for _ in range(3)),
    )

    assert all(isinstance(outcome, Granted) for outcome in outcomes)
    assert await friends.balances(mine, theirs) == (2, 8)
    assert len(await friends.log("referral.paid")) == 1


async def test_a_chain_of_friends_who_stamp_at_once(friends):
    cards = [await friends.join(number) for number in range(1, 7)]
    for number in range(2, 7):
        code = await friends.code(number - 1)
        assert isinstance(await friends.enter(code, number), Referred)

    await asyncio.gather(*(friends.stamp(card_id) for card_id in cards))

    # One of their own, two for coming, two for bringing.
    assert await friends.balances(*cards) == (3, 5, 5, 5, 5, 3)


@pytest.mark.parametrize("how", ["stopped", "left", "none"])
async def test_who_can_get_nothing_is_left_out_and_the_friend_is_not(
    friends, clock, how
):
    if how == "none":
        await friends.db.write(
            enter_referral,
            merchant_id=friends.merchant_id,
            person=person(1),
            code="-",
            key="meet",
            now=clock.now(),
        )
    mine = None if how == "none" else await friends.join(1)
    theirs = await friends.join(2)
    assert isinstance(await friends.enter(await friends.code()), Referred)
    if how == "stopped":
        await friends.db.write(
            lambda tx: update_card(
                tx, lock_card(tx, friends.merchant_id, mine), state="stopped"
            )
        )
    if how == "left":
        await friends.change(1, erased_at=clock.now())

    await friends.stamp(theirs)

    assert await friends.balance(theirs) == 3
    assert mine is None or await friends.balance(mine) == 0
    [row] = await friends.log("referral.paid")
    assert row.detail["both"] is False
    clock.move(days=1)
    await friends.stamp(theirs)
    assert await friends.balance(theirs) == 4


async def test_it_may_fill_both_cards(db, vault, clock):
    rewards = (Reward(at=3, name="コーヒー1杯"),)
    people = await open_people(
        db, vault, clock, goal=3, referral=3, limit=Limit(), rewards=rewards
    )
    friends = Friends(db, people.shop, clock)
    mine, theirs = await friends.pair()

    await friends.stamp(theirs)

    assert await friends.vouchers(mine) == ["コーヒー1杯"]
    assert await friends.vouchers(theirs) == ["コーヒー1杯"]
    assert await friends.balances(mine, theirs) == (3, 1)


async def test_who_ranked_up_gets_them_on_the_card_after_it(db, vault, clock):
    rewards = (Reward(at=2, name="コーヒー1杯"),)
    silver = coffee(
        goal=2, referral=1, limit=Limit(), rewards=rewards, next_program="gold"
    )
    shop = await build_shop(db, vault, clock.now(), design=silver)
    file = MerchantFile(
        merchant={"key": "aozora"}, programs=(("gold", coffee(name="ゴールド")),)
    )
    await db.write(apply_merchant, file, {}, clock.now())
    friends = Friends(db, shop, clock)
    mine, theirs = await friends.pair()
    gold = (await friends.stamp(mine, 2)).next_card_id

    # The first stamp and the one for coming fill the friend's card too.
    await friends.stamp(theirs)

    assert await friends.balance(gold) == 1
    assert await friends.balance(theirs) == 2
    assert (await friends.card(theirs)).next_card_id


# --- with linked customers --------------------------------------------------------


async def test_the_friend_may_have_been_linked_before_the_first_stamp(friends):
    mine, wallet = await friends.pair()
    theirs = await friends.join(3)
    await friends.change(2, merged_into=await friends.customer_id(3))
    await friends.db.write(
        lambda tx: update_card(
            tx, lock_card(tx, friends.merchant_id, wallet), merged_into=theirs
        )
    )

    await friends.stamp(theirs)

    assert await friends.balances(mine, theirs) == (2, 3)


async def test_but_who_had_stamps_before_is_no_new_friend_by_linking(friends, clock):
    mine, wallet = await friends.pair()
    theirs = await friends.join(3)
    await friends.stamp(theirs)
    clock.move(days=1)
    await friends.change(2, merged_into=await friends.customer_id(3))
    await friends.db.write(
        lambda tx: update_card(
            tx, lock_card(tx, friends.merchant_id, wallet), merged_into=theirs
        )
    )

    await friends.stamp(theirs)

    assert await friends.balances(mine, theirs) == (0, 2)


async def test_who_turned_out_to_be_the_same_person_gets_nothing(friends):
    _mine, theirs = await friends.pair()
    await friends.change(1, merged_into=await friends.customer_id(2))

    await friends.stamp(theirs)

    assert await friends.balance(theirs) == 1
