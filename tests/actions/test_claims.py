"""「スタンプが付いていない」: a claim shows what went wrong; a manager decides."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.claims import approve_claim, list_claims, make_claim, reject_claim
from core.actions.giving import Gave
from core.actions.referral import enter_referral, referral_code_of
from core.errors import Invalid, NotFound
from core.rules.asking import ClaimMade, ClaimRejected, Granted, Refused, Undone
from core.rules.types import Expiry, Limit, Reward, Why
from core.store.cards import lock_card, update_card
from core.store.customers import update_customer
from tests.actions.people import People, open_people
from tests.builders import build_shop, coffee, person


class Desk(People):
    """Where claims come in."""

    async def claim(self, number=1, text="昨日の分がありません", **more):
        more = {"key": self.key(), "person": person(number)} | more
        return await self.db.write(
            make_claim,
            merchant_id=self.merchant_id,
            text=text,
            now=self.clock.now(),
            **more,
        )

    async def open_claim(self, number=1, **more):
        made = await self.claim(number, **more)
        assert isinstance(made, ClaimMade), made
        return made.claim_id

    async def claims(self, state="open", customer_id=None):
        return await self.db.read(list_claims, self.merchant_id, state, customer_id)

    async def approve(self, claim_id, by="manager", **more):
        more = {"key": self.key(), "merchant_id": self.merchant_id} | more
        return await self.db.write(
            approve_claim,
            claim_id=claim_id,
            by=await self.staff(by),
            now=self.clock.now(),
            **more,
        )

    async def reject(self, claim_id, by="manager", **more):
        more = {"key": self.key(), "answer": "レシートをお持ちください"} | more
        return await self.db.write(
            reject_claim,
            merchant_id=self.merchant_id,
            claim_id=claim_id,
            by=await self.staff(by),
            now=self.clock.now(),
            **more,
        )


@pytest.fixture
async def desk(db, vault, clock):
    people = await open_people(db, vault, clock)
    return Desk(people.db, people.shop, people.clock)


# --- making one -------------------------------------------------------------------


async def test_a_claim_carries_what_went_wrong_for_this_customer(desk, clock):
    card_id = await desk.join()
    await desk.join(2, "次郎")
    await desk.claim_code("ZZZZZZZZ", 2)
    await desk.claim_code("0LDC0DE0")
    clock.move(days=7)
    code = await desk.shop.till_code(clock.now())
    first = clock.move(minutes=2)
    assert Why.expired_code == (await desk.claim_code(code.code)).why
    second = clock.move(minutes=1)
    assert Why.unknown_code == (await desk.claim_code("ABCDEFGH")).why

    await desk.open_claim(text="  昨日の分が\nありません ")

    [view] = await desk.claims()
    assert (view.customer_name, view.program.key) == ("花子", "coffee")
    assert view.member_no == (await desk.customer()).member_no
    assert (view.claim.card_id, view.claim.state) == (card_id, "open")
    assert view.claim.text == "昨日の分が ありません"
    assert [(a.at, a.why, a.code) for a in view.claim.refusals] == [
        (second, Why.unknown_code, "ABCDEFGH"),
        (first, Why.expired_code, code.code),
    ]


async def test_what_is_refused_later_is_not_in_the_claim(desk):
    await desk.join()
    await desk.open_claim()
    await desk.claim_code("ABCDEFGH")

    [view] = await desk.claims()
    assert view.claim.refusals == ()


async def test_one_claim_at_a_time_for_a_card(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()

    again = await desk.claim()

    assert Refused(why=Why.already_claimed, card_id=card_id) == again
    await desk.reject(claim_id)
    assert isinstance(await desk.claim(), ClaimMade)


async def test_ten_taps_at_once_are_one_claim(desk):
    await desk.join()

    outcomes = await asyncio.gather(*(desk.claim() for _ in range(10)))

    assert sum(isinstance(outcome, ClaimMade) for outcome in outcomes) == 1
    assert {Why.already_claimed} == {o.why for o in outcomes if isinstance(o, Refused)}
    assert len(await desk.claims()) == 1


async def test_the_same_key_is_the_same_claim(desk):
    await desk.join()
    first = await desk.claim(key="tap")

    assert first == await desk.claim(key="tap")
    assert len(await desk.claims(None)) == 1


async def test_a_key_of_another_act_is_told_apart(desk):
    await desk.join()
    await desk.join(2)
    await desk.claim(key="tap")

    with pytest.raises(Invalid, match="key"):
        await desk.claim(2, key="tap")


async def test_nobody_claims_for_a_card_that_is_not_theirs(desk):
    card_id = await desk.join()
    await desk.join(2)

    for outcome in (
        await desk.claim(2, card_id=card_id),
        await desk.claim(1, card_id="nothing"),
        await desk.claim(3),
        await desk.claim(3, person=None),
    ):
        assert Why.no_such_card == outcome.why
    assert await desk.claims() == []


async def test_a_claim_by_customer_and_card(desk):
    card_id = await desk.join()

    await desk.open_claim(
        person=None, customer_id=await desk.customer_id(), card_id=card_id
    )

    [view] = await desk.claims()
    assert card_id == view.claim.card_id


async def test_who_has_several_cards_must_choose(db, vault, clock):
    desk = await two_cards(db, vault, clock)
    coffee_id, tea_id = await desk.join_all()

    with pytest.raises(Invalid, match="card_id"):
        await desk.claim()
    await desk.open_claim(card_id=tea_id)
    await desk.open_claim(card_id=coffee_id)

    assert [view.program.key for view in await desk.claims()] == ["coffee", "tea"]


async def test_a_stopped_card_is_not_a_choice(db, vault, clock):
    desk = await two_cards(db, vault, clock)
    coffee_id, tea_id = await desk.join_all()
    await set_card(desk, tea_id, state="stopped")

    made = await desk.claim()

    assert coffee_id == made.card_id


async def two_cards(db, vault, clock):
    shop = await build_shop(db, vault, clock.now())
    file = MerchantFile(
        merchant={"key": "aozora"}, programs=(("tea", coffee(name="紅茶カード")),)
    )
    await db.write(apply_merchant, file, {}, clock.now())
    return Desk(db, shop, clock)


async def set_card(desk, card_id, **values):
    await desk.db.write(
        lambda tx: update_card(tx, lock_card(tx, desk.merchant_id, card_id), **values)
    )


@pytest.mark.parametrize("text", ["あ" * 201, "a\x00b", "a\u202eb"])
async def test_words_that_cannot_be_shown_in_a_line_are_not_kept(desk, text):
    await desk.join()

    with pytest.raises(Invalid, match="text"):
        await desk.claim(text=text)


async def test_a_claim_needs_no_words(desk):
    await desk.join()

    await desk.open_claim(text="")

    assert (await desk.claims())[0].claim.text == ""


async def test_newest_first_and_each_customer_their_own(desk, clock):
    for number in (1, 2):
        await desk.join(number)
        await desk.open_claim(number)
        clock.move(minutes=1)

    mine = await desk.claims(customer_id=await desk.customer_id(1))

    assert [c.claim.customer_id for c in await desk.claims()] == [
        await desk.customer_id(2),
        await desk.customer_id(1),
    ]
    assert [await desk.customer_id(1)] == [c.claim.customer_id for c in mine]


async def test_who_left_claims_nothing(desk, clock):
    await desk.join()
    await desk.open_claim()
    customer_id = await desk.customer_id()
    await desk.db.write(
        update_customer, desk.merchant_id, customer_id, erased_at=clock.now()
    )

    assert await desk.claims() == []
    refused = await desk.claim(person=None, customer_id=customer_id)
    assert Why.no_such_card == refused.why


# --- deciding ---------------------------------------------------------------------


async def test_approving_gives_the_stamps_whatever_the_limit_says(desk):
    card_id = await desk.join()
    await desk.stamp(card_id)
    claim_id = await desk.open_claim()

    gave = await desk.approve(claim_id, stamps=2, reason="レシートで確認")

    assert isinstance(gave, Gave)
    last = (await desk.entries(card_id))[-1]
    assert (last.id, last.kind, last.how) == (gave.entry_id, "stamp", "claim")
    assert (last.stamps, last.balance, last.reason) == (2, 3, "レシートで確認")
    assert last.staff_id == (await desk.staff("manager")).id
    [view] = await desk.claims("approved")
    assert (view.claim.entry_id, view.claim.decided_at) == (last.id, desk.clock.now())
    assert await desk.claims() == []


async def test_a_missing_stamp_of_yesterday_does_not_use_up_today(desk):
    card_id = await desk.join()
    await desk.approve(await desk.open_claim())

    await desk.stamp(card_id)

    assert await desk.balance(card_id) == 2


async def test_it_may_fill_the_card(db, vault, clock):
    people = await open_people(
        db, vault, clock, goal=3, rewards=(Reward(at=3, name="コーヒー1杯"),)
    )
    desk = Desk(db, people.shop, clock)
    card_id = await desk.join()

    gave = await desk.approve(await desk.open_claim(), stamps=4)

    assert gave.completed
    assert len(gave.vouchers) == 1
    assert await desk.balance(card_id) == 1


async def test_a_rejected_claim_tells_why(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()

    outcome = await desk.reject(claim_id, answer="ご来店が\n確認できません")

    assert ClaimRejected(claim_id=claim_id, card_id=card_id) == outcome
    [view] = await desk.claims("rejected", await desk.customer_id())
    assert view.claim.answer == "ご来店が 確認できません"
    assert await desk.entries(card_id) == []


@pytest.mark.parametrize("answer", ["", " \n", "あ" * 201])
async def test_an_answer_is_something_to_read(desk, answer):
    await desk.join()
    claim_id = await desk.open_claim()

    with pytest.raises(Invalid, match="answer"):
        await desk.reject(claim_id, answer=answer)


async def test_a_claim_is_decided_once(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()
    await desk.approve(claim_id)

    refused = Refused(why=Why.already_used, card_id=card_id)
    assert refused == await desk.approve(claim_id)
    assert refused == await desk.reject(claim_id)
    assert await desk.balance(card_id) == 1


async def test_two_managers_at_once_give_the_stamp_once(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()

    outcomes = await asyncio.gather(
        *(desk.approve(claim_id) for _ in range(5)),
        *(desk.reject(claim_id) for _ in range(5)),
    )

    assert sum(not isinstance(outcome, Refused) for outcome in outcomes) == 1
    gave = any(isinstance(outcome, Gave) for outcome in outcomes)
    assert await desk.balance(card_id) == int(gave)


async def test_the_same_tap_twice_is_one_stamp_and_one_answer(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()

    first = await desk.approve(claim_id, key="tap")

    assert first == await desk.approve(claim_id, key="tap")
    assert await desk.balance(card_id) == 1


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_only_managers_decide(desk, role):
    card_id = await desk.join()
    claim_id = await desk.open_claim()

    refused = Refused(why=Why.not_allowed, card_id=card_id)
    assert refused == await desk.approve(claim_id, role)
    assert refused == await desk.reject(claim_id, role)
    assert len(await desk.claims()) == 1


@pytest.mark.parametrize("stamps", [0, -1, 51])
async def test_one_to_fifty_stamps_for_a_claim(desk, stamps):
    await desk.join()

    with pytest.raises(Invalid, match="stamps"):
        await desk.approve(await desk.open_claim(), stamps=stamps)


async def test_a_stopped_card_takes_nothing_and_the_claim_stays_open(desk):
    card_id = await desk.join()
    claim_id = await desk.open_claim()
    await set_card(desk, card_id, state="stopped")

    assert Why.card_stopped == (await desk.approve(claim_id)).why
    assert len(await desk.claims()) == 1

    await set_card(desk, card_id, state="active")
    assert isinstance(await desk.approve(claim_id), Gave)


async def test_a_card_after_its_last_day_takes_nothing_either(db, vault, clock):
    on = (clock.now() + timedelta(days=1)).date()
    people = await open_people(db, vault, clock, expires=Expiry(kind="on", on=on))
    desk = Desk(db, people.shop, clock)
    await desk.join()
    claim_id = await desk.open_claim()
    clock.move(days=3)

    assert Why.expired_card == (await desk.approve(claim_id)).why
    assert len(await desk.claims()) == 1


async def test_another_merchant_decides_nothing(desk, vault, clock):
    other = await build_shop(
        desk.db, vault, clock.now(), key="other", api_key="sk_of_another"
    )
    await desk.join()
    claim_id = await desk.open_claim()

    with pytest.raises(NotFound, match="claim"):
        await desk.approve(claim_id, merchant_id=other.merchant.id)
    assert await desk.db.read(list_claims, other.merchant.id) == []


async def test_what_was_given_for_a_claim_can_be_taken_back(desk):
    card_id = await desk.join()
    gave = await desk.approve(await desk.open_claim())

    assert isinstance(await desk.undo(gave.entry_id), Undone)

    assert await desk.balance(card_id) == 0
    assert len(await desk.claims("approved")) == 1
    assert await desk.claims() == []


async def test_the_customers_words_are_not_in_the_ledger_and_not_in_the_log(desk):
    await desk.join()
    await desk.join(2)
    await desk.approve(await desk.open_claim(text="私は山田です"))
    await desk.reject(await desk.open_claim(2, text="電話は090です"))

    written = await desk.written()

    assert "山田" not in written
    assert "090です" not in written
    assert [row.actor for row in await desk.log("claim.made")] == [
        f"customer:{await desk.customer_id(n)}" for n in (1, 2)
    ]
    assert len(await desk.log("claim.approved")) == 1
    assert len(await desk.log("claim.rejected")) == 1


async def test_a_claim_for_a_card_that_ranked_up_goes_to_the_card_after_it(
    db, vault, clock
):
    shop = await build_shop(
        db,
        vault,
        clock.now(),
        design=coffee(
            goal=2,
            limit=Limit(),
            rewards=(Reward(at=2, name="コーヒー1杯"),),
            next_program="gold",
        ),
    )
    file = MerchantFile(
        merchant={"key": "aozora"}, programs=(("gold", coffee(name="ゴールド")),)
    )
    await db.write(apply_merchant, file, {}, clock.now())
    desk = Desk(db, shop, clock)
    card_id = await desk.join()
    claim_id = await desk.open_claim()
    filled = await desk.stamp(card_id, 2)
    assert filled.next_card_id

    gave = await desk.approve(claim_id)

    assert filled.next_card_id == gave.card_id
    assert await desk.balance(filled.next_card_id) == 1
    made = await desk.claim()
    assert filled.next_card_id == made.card_id


async def test_a_first_stamp_by_a_claim_pays_the_friend_who_brought_them(
    db, vault, clock
):
    people = await open_people(db, vault, clock, referral=2)
    desk = Desk(db, people.shop, clock)
    theirs, mine = await desk.join(1), await desk.join(2)
    code = await db.write(
        referral_code_of, desk.merchant_id, await desk.customer_id(1), clock.now()
    )
    await db.write(
        enter_referral,
        merchant_id=desk.merchant_id,
        person=person(2),
        code=code,
        key="friend",
        now=clock.now(),
    )

    assert isinstance(await desk.approve(await desk.open_claim(2)), Gave)

    assert (await desk.balance(theirs), await desk.balance(mine)) == (2, 3)


async def test_granting_goes_on_while_claims_are_decided(desk):
    """A till that stamps and a manager who approves meet on one card."""
    card_id = await desk.join()
    claim_id = await desk.open_claim()
    code = await desk.shop.till_code(desk.clock.now())

    granted, gave = await asyncio.gather(
        desk.claim_code(code.code), desk.approve(claim_id)
    )

    assert isinstance(granted, Granted)
    assert isinstance(gave, Gave)
    assert await desk.balance(card_id) == 2
