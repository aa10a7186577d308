"""The heart: a stamp is given once, to one, or refused with the reason and the time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from core.actions.cards import cards_of_person, ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.till import till_code_state
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.types import Limit, Why
from tests.builders import build_shop, coffee, person


def ask(shop, code, key="k1", who=1):
    return StampAsk(
        merchant_id=shop.merchant.id,
        key=key,
        how="line",
        code=code.code if hasattr(code, "code") else code,
        person=person(who),
    )


async def test_a_claimed_code_is_one_stamp_on_a_card_made_on_the_way(db, shop, clock):
    code = await shop.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code), clock.now())

    assert isinstance(outcome, Granted)
    [face] = await db.read(
        cards_of_person, shop.merchant.id, person().user_id, clock.now()
    )
    assert (face.balance, face.goal, face.to_next) == (1, 10, 9)
    state = await db.read(till_code_state, shop.merchant.id, code.code, clock.now())
    assert (state.state, state.customer_name) == ("claimed", "花子")


async def test_the_same_key_gets_its_first_answer_for_ever(db, shop, clock):
    code = await shop.till_code(clock.now())
    first = await db.write(grant_stamps, ask(shop, code), clock.now())
    clock.move(days=40)

    again = await db.write(grant_stamps, ask(shop, code), clock.now())

    assert first == again
    [face] = await db.read(
        cards_of_person, shop.merchant.id, person().user_id, clock.now()
    )
    assert face.total == 1


async def test_a_second_person_on_one_code_is_told_it_is_used(db, shop, clock):
    code = await shop.till_code(clock.now())
    await db.write(grant_stamps, ask(shop, code), clock.now())

    second = await db.write(grant_stamps, ask(shop, code, "k2", who=2), clock.now())

    assert Refused(why=Why.used_code) == second


async def test_a_hundred_people_on_one_code_at_once_is_one_stamp(db, shop, clock):
    code = await shop.till_code(clock.now())

    outcomes = await asyncio.gather(
        *(
            db.write(grant_stamps, ask(shop, code, f"k{n}", who=n), clock.now())
            for n in range(100)
        )
    )

    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 1
    assert {Why.used_code} == {o.why for o in outcomes if isinstance(o, Refused)}


async def test_fifty_grants_at_once_under_one_a_day_are_one_stamp(db, shop, clock):
    code = await shop.till_code(clock.now())
    first = await db.write(grant_stamps, ask(shop, code), clock.now())
    clock.move(days=1)

    outcomes = await asyncio.gather(
        *(
            db.write(
                grant_stamps,
                StampAsk(
                    merchant_id=shop.merchant.id,
                    key=f"direct-{n}",
                    how="api",
                    card_id=first.card_id,
                ),
                clock.now(),
            )
            for n in range(50)
        )
    )

    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 1
    view = await db.read(load_card, shop.merchant.id, first.card_id, clock.now())
    assert view.card.balance == 2


async def test_a_second_stamp_the_same_day_names_the_next_opening(db, shop, clock):
    for key, code in (("a", await shop.till_code(clock.now())),):
        await db.write(grant_stamps, ask(shop, code, key), clock.now())
    code = await shop.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code, "b"), clock.now())

    # 24 November, 5:00 in Tokyo.
    assert Why.already_today == outcome.why
    assert datetime(2026, 11, 23, 20, 0, tzinfo=UTC) == outcome.retry_at
    state = await db.read(till_code_state, shop.merchant.id, code.code, clock.now())
    assert state.state == "waiting"


async def test_a_code_ends_after_ninety_seconds(db, shop, clock):
    code = await shop.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code), clock.move(seconds=90))

    assert Refused(why=Why.expired_code) == outcome


async def test_another_shops_code_is_called_so(db, shop, vault, clock):
    other = await build_shop(
        db, vault, clock.now(), key="minato", api_key="sk_other_0123456789"
    )
    code = await other.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code), clock.now())

    assert Refused(why=Why.wrong_merchant) == outcome


async def test_five_unknown_codes_close_the_door_for_ten_minutes(db, shop, clock):
    for n in range(5):
        wrong = await db.write(
            grant_stamps, ask(shop, f"ZZZZZZZ{n}", f"w{n}"), clock.now()
        )
        assert Why.unknown_code == wrong.why
        clock.move(seconds=10)
    code = await shop.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code, "right"), clock.now())
    assert Why.too_many_tries == outcome.why

    code = await shop.till_code(outcome.retry_at)
    later = await db.write(grant_stamps, ask(shop, code, "later"), outcome.retry_at)
    assert isinstance(later, Granted)


async def test_the_six_digits_are_the_same_code(db, shop, clock):
    code = await shop.till_code(clock.now())

    outcome = await db.write(grant_stamps, ask(shop, code.digits), clock.now())

    assert isinstance(outcome, Granted)


async def test_a_full_card_gives_its_voucher_and_keeps_the_surplus(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))
    await db.write(
        grant_stamps, ask(shop, await shop.till_code(clock.now(), 9), "a"), clock.now()
    )

    outcome = await db.write(
        grant_stamps, ask(shop, await shop.till_code(clock.now(), 3), "b"), clock.now()
    )

    assert outcome.completed
    view = await db.read(load_card, shop.merchant.id, outcome.card_id, clock.now())
    assert (view.card.balance, view.card.cycle, view.card.total) == (2, 1, 12)
    assert [v.name for v in view.face.vouchers] == ["コーヒー1杯"]
    entries = await db.read(ledger, shop.merchant.id, outcome.card_id)
    assert [entry.stamps for entry in entries] == [-10, 3, 9]
    assert view.card.balance == sum(entry.stamps for entry in entries)


async def test_a_card_stays_full_until_the_next_stamp(db, vault, clock):
    shop = await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))
    full = await db.write(
        grant_stamps, ask(shop, await shop.till_code(clock.now(), 10), "a"), clock.now()
    )
    view = await db.read(load_card, shop.merchant.id, full.card_id, clock.now())
    assert (view.face.balance, view.face.is_full) == (10, True)

    await db.write(
        grant_stamps, ask(shop, await shop.till_code(clock.now(), 1), "b"), clock.now()
    )

    view = await db.read(load_card, shop.merchant.id, full.card_id, clock.now())
    assert (view.card.balance, view.card.cycle) == (1, 1)
