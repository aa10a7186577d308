"""Whoever comes at the same moment, and wherever: what is there once goes to one.

Each story is told on both databases, by a crowd in one process and by one in two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from core.actions.cards import cards_of_person, ledger, load_card
from core.actions.join import follow
from core.actions.receipts import make_receipts, receipt_codes
from core.actions.till import current_window, till_code_state
from core.rules.asking import Granted, Refused
from core.rules.types import Why
from core.store.tables import customer, refusal
from jobs.audit import wrong_cards
from tests.builders import person
from tests.stories.calls import Call, by_api, by_code, granted_of, kinds, new_card

# 5:00 of 24 November in Tokyo, after the Monday on which the tests take place.
TOMORROW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
# The next window of a till begins every half minute.
NEXT_WINDOW = datetime(2026, 11, 23, 6, 0, 30, tzinfo=UTC)


# --- stamps --------------------------------------------------------------------


async def test_fifty_grants_under_one_a_day_are_one_stamp(db, shop, clock, crowd):
    card_id = await new_card(shop, clock.now())
    outcomes = await crowd(
        [by_api(shop, card_id, f"k{n}", clock.now()) for n in range(50)]
    )

    [granted] = granted_of(outcomes)
    refused = Refused(why=Why.already_today, retry_at=TOMORROW, card_id=card_id)
    assert outcomes.count(refused) == 49
    [entry] = await db.read(ledger, shop.merchant.id, card_id)
    assert (entry.id, entry.stamps, entry.balance) == (granted.entry_id, 1, 1)
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert (view.card.balance, view.card.total) == (1, 1)
    assert await db.read(wrong_cards) == []


async def test_of_fifty_grants_without_a_limit_none_is_lost(
    db, free_shop, clock, crowd
):
    shop = free_shop
    card_id = await new_card(shop, clock.now())

    outcomes = await crowd(
        [by_api(shop, card_id, f"k{n}", clock.now()) for n in range(50)]
    )

    assert all(isinstance(o, Granted) for o in outcomes)
    assert len({o.entry_id for o in outcomes}) == 50
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert view.card.total == 50
    # Five times ten: four times full and begun again, full for the fifth time.
    assert (view.card.balance, view.card.cycle) == (10, 5)
    assert len({voucher for o in outcomes for voucher in o.vouchers}) == 5
    assert await db.read(wrong_cards) == []


async def test_fifty_deliveries_of_one_message_are_one_stamp_and_one_answer(
    db, shop, clock, crowd
):
    code = await shop.till_code(clock.now())

    outcomes = await crowd([by_code(shop, code.code, 1, "event-1", clock.now())] * 50)

    assert isinstance(outcomes[0], Granted)
    assert outcomes == [outcomes[0]] * 50
    entries = await db.read(ledger, shop.merchant.id, outcomes[0].card_id)
    assert kinds(entries) == ["stamp"]
    assert await db.read(wrong_cards) == []


async def test_a_friend_who_is_announced_fifty_times_has_one_card(
    db, shop, clock, crowd
):
    calls = [
        Call.of(follow, shop.merchant.id, person(), f"follow-{n}", clock.now())
        for n in range(50)
    ]

    outcomes = await crowd(calls)

    assert len(outcomes[0]) == 1
    assert outcomes == [outcomes[0]] * 50
    people = await db.read(lambda tx: tx.execute(select(customer)).all())
    assert len(people) == 1


# --- codes ---------------------------------------------------------------------


async def told_no(db):
    """What each person was refused, as it was kept for them: name, reason, code."""
    refused = select(customer.c.name, refusal.c.why, refusal.c.code).where(
        customer.c.merchant_id == refusal.c.merchant_id,
        customer.c.id == refusal.c.customer_id,
    )
    return {tuple(row) for row in await db.read(lambda tx: tx.execute(refused).all())}


async def who_holds_what(db, shop, clock, people):
    """The stamps of each person who has a card."""
    found = {}
    for who in people:
        faces = await db.read(
            cards_of_person, shop.merchant.id, person(who).user_id, clock.now()
        )
        if faces:
            found[who] = sum(face.total for face in faces)
    return found


async def test_a_code_that_a_hundred_people_send_at_once_is_one_persons(
    db, shop, clock, crowd
):
    code = (await shop.till_code(clock.now())).code
    calls = [by_code(shop, code, who, f"k{who}", clock.now()) for who in range(100)]

    outcomes = await crowd(calls)

    [winner] = [who for who, o in enumerate(outcomes) if isinstance(o, Granted)]
    assert outcomes.count(Refused(why=Why.used_code)) == 99
    others = set(range(100)) - {winner}
    assert await told_no(db) == {(f"客{who}", "used_code", code) for who in others}
    assert await who_holds_what(db, shop, clock, range(100)) == {winner: 1}
    state = await db.read(till_code_state, shop.merchant.id, code, clock.now())
    assert (state.customer_name, state.entry.id) == (
        f"客{winner}",
        outcomes[winner].entry_id,
    )
    assert await db.read(wrong_cards) == []


async def test_a_receipt_that_a_hundred_people_send_at_once_is_one_persons(
    db, shop, clock, crowd
):
    batch = await db.write(
        make_receipts,
        merchant_id=shop.merchant.id,
        shop_key=shop.shop.key,
        program_key=shop.program.key,
        stamps=2,
        count=2,
        name="秋",
        until=None,
        by=shop.owner,
        key="batch",
        now=clock.now(),
    )
    sent, kept = await db.read(receipt_codes, shop.merchant.id, batch.id)

    outcomes = await crowd(
        [by_code(shop, sent.code, who, f"k{who}", clock.now()) for who in range(100)]
    )

    [winner] = [who for who, o in enumerate(outcomes) if isinstance(o, Granted)]
    assert outcomes.count(Refused(why=Why.used_code)) == 99
    assert await who_holds_what(db, shop, clock, range(100)) == {winner: 2}
    # The other slip of the batch is as good as before.
    clock.move(days=1)
    later = by_code(shop, kept.code, 200, "later", clock.now())
    assert isinstance(await db.write(later.run), Granted)
    assert await db.read(wrong_cards) == []


async def test_a_tills_window_is_for_everybody_once(db, free_shop, clock, crowd):
    shop = free_shop
    window = await db.write(
        current_window,
        merchant_id=shop.merchant.id,
        shop_key=shop.shop.key,
        program_key=shop.program.key,
        stamps=1,
        staff_id=shop.owner.id,
        now=clock.now(),
    )
    # Everybody sends it three times, each time as a message of its own.
    calls = [
        by_code(shop, window.code, who, f"k{who}-{time}", clock.now())
        for time in range(3)
        for who in range(100)
    ]

    outcomes = await crowd(calls)

    for who in range(100):
        own = outcomes[who::100]
        assert sum(isinstance(o, Granted) for o in own) == 1
        assert own.count(Refused(why=Why.used_code, retry_at=NEXT_WINDOW)) == 2
    held = await who_holds_what(db, shop, clock, range(100))
    assert held == dict.fromkeys(range(100), 1)
    assert await db.read(wrong_cards) == []


async def test_tills_that_ask_at_once_show_one_window(db, shop, clock, crowd):
    call = Call.of(
        current_window,
        merchant_id=shop.merchant.id,
        shop_key=shop.shop.key,
        program_key=shop.program.key,
        stamps=1,
        staff_id=shop.owner.id,
        now=clock.now(),
    )

    codes = await crowd([call] * 20)

    assert len({code.code for code in codes}) == 1
