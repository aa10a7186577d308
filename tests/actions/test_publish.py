"""A new version: nobody is stranded, and every pass hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from core.actions.cards import ledger, load_card
from core.actions.expire import expire_due
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass, load_pass
from core.actions.publish import load_program, preview_publish, publish, save_draft
from core.rules.asking import Granted, StampAsk
from core.rules.types import Expiry, Limit, Look, Reward
from core.store.cards import lock_card, update_card
from core.store.programs import designs_between
from core.vault import new_token
from tests.actions.core_model_parts import end_of
from tests.actions.test_grant import ask
from tests.builders import build_shop, coffee, person


async def built(db, vault, clock, stamps):
    shop = await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))
    code = await shop.till_code(clock.now(), stamps)
    granted = await db.write(grant_stamps, ask(shop, code), clock.now())
    return shop, granted.card_id


async def republish(db, shop, design, clock, cards="move"):
    ids = (shop.merchant.id, shop.program.id)
    await db.write(save_draft, *ids, design, shop.owner.id, clock.now())
    preview = await db.read(preview_publish, *ids, cards)
    version = await db.write(publish, *ids, shop.owner.id, clock.now(), cards)
    return preview, version


async def collect(db, shop, clock, number, stamps):
    """A new customer's card with so many stamps."""
    [card_id] = await db.write(
        follow, shop.merchant.id, person(number), f"f{number}", clock.now()
    )
    if stamps:
        await stamp(db, shop, clock, card_id, stamps)
    return card_id


async def stamp(db, shop, clock, card_id, stamps=1):
    one = StampAsk(
        merchant_id=shop.merchant.id,
        key=new_token(),
        how="api",
        card_id=card_id,
        stamps=stamps,
    )
    granted = await db.write(grant_stamps, one, clock.now())
    assert isinstance(granted, Granted), granted


async def card_of(db, shop, card_id, clock):
    return (await db.read(load_card, shop.merchant.id, card_id, clock.now())).card


async def change(db, shop, card_id, **values):
    def write(tx):
        held = lock_card(tx, shop.merchant.id, card_id, own=True)
        update_card(tx, held, **values)

    await db.write(write)


async def test_a_new_look_reaches_every_card_and_pass(db, vault, clock):
    shop, card_id = await built(db, vault, clock, 3)
    held = await db.write(hold_pass, shop.merchant.id, card_id, "apple", clock.now())
    blue = coffee(limit=Limit(), look=Look(background="#0044AA"))

    preview, version = await republish(db, shop, blue, clock)

    assert (preview.cards, preview.gain, preview.lose, version) == (1, 0, 0, 2)
    view = await db.read(load_pass, held.id, clock.now())
    assert (
        view.face.look.background,
        view.face.version,
        view.face.balance,
    ) == ("#0044AA", 2, 3)
    assert view.held.changed_at > held.changed_at
    due = await db.write(take_deliveries, 10, 60, clock.now())
    topics = [f"class:{shop.program.id}", f"pass:{held.id}"]
    assert topics == [delivery.topic for delivery in due]


async def test_a_lowered_goal_completes_the_cards_that_are_there(db, vault, clock):
    shop, card_id = await built(db, vault, clock, 8)
    five = coffee(goal=5, limit=Limit(), rewards=(Reward(at=5, name="クッキー"),))

    preview, _ = await republish(db, shop, five, clock)

    assert (preview.cards, preview.gain) == (1, 1)
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert (
        view.card.balance,
        view.card.cycle,
        [v.name for v in view.face.vouchers],
    ) == (3, 1, ["クッキー"])


async def test_publishing_without_a_draft_changes_nothing(db, shop, clock):
    ids = (shop.merchant.id, shop.program.id)

    assert await db.write(publish, *ids, shop.owner.id, clock.now()) == 1
    assert (await db.read(load_program, *ids)).version == 1


async def test_two_stamps_within_one_second_change_last_modified_twice(
    db, vault, clock
):
    shop, card_id = await built(db, vault, clock, 1)
    held = await db.write(hold_pass, shop.merchant.id, card_id, "apple", clock.now())
    seen = [held.changed_at]
    for key in ("a", "b"):
        one = StampAsk(
            merchant_id=shop.merchant.id, key=key, how="api", card_id=card_id
        )
        assert isinstance(await db.write(grant_stamps, one, clock.now()), Granted)
        view = await db.read(load_pass, held.id, clock.now())
        seen.append(view.held.changed_at)

    assert sorted(set(seen)) == seen


# --- for new cards only -------------------------------------------------------------


async def test_cards_that_keep_theirs_stay_as_they_are_and_new_ones_are_new(
    db, vault, clock
):
    shop, card_id = await built(db, vault, clock, 8)
    five = coffee(
        goal=5,
        limit=Limit(),
        rewards=(Reward(at=5, name="クッキー"),),
        look=Look(background="#0044AA"),
    )

    preview, version = await republish(db, shop, five, clock, "keep")

    assert (preview.cards, preview.gain, preview.lose, version) == (1, 0, 0, 2)
    old = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert (old.card.version, old.card.balance, old.face.goal) == (1, 8, 10)
    assert (old.face.look.background, old.face.vouchers) == (Look().background, ())
    new_id = await collect(db, shop, clock, 2, 1)
    new = await db.read(load_card, shop.merchant.id, new_id, clock.now())
    assert (new.card.version, new.face.goal) == (2, 5)
    await stamp(db, shop, clock, card_id)
    assert (await card_of(db, shop, card_id, clock)).balance == 9


async def test_a_kept_card_begins_its_next_round_with_the_newest_version(
    db, vault, clock
):
    shop, card_id = await built(db, vault, clock, 8)
    five = coffee(goal=5, limit=Limit(), rewards=(Reward(at=5, name="クッキー"),))
    await republish(db, shop, five, clock, "keep")

    await stamp(db, shop, clock, card_id, 3)

    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    assert (view.card.version, view.card.balance, view.face.goal) == (2, 1, 5)
    assert [v.name for v in view.face.vouchers] == ["コーヒー1杯"]


async def test_a_later_move_takes_each_card_from_the_version_that_it_is_on(
    db, vault, clock
):
    shop, kept = await built(db, vault, clock, 8)
    three = coffee(goal=3, limit=Limit(), rewards=(Reward(at=3, name="クッキー"),))
    await republish(db, shop, three, clock, "keep")
    full = await collect(db, shop, clock, 2, 3)
    begun = await collect(db, shop, clock, 3, 2)
    six = coffee(goal=6, limit=Limit(), rewards=(Reward(at=6, name="ケーキ"),))

    preview, _ = await republish(db, shop, six, clock)

    # Eight of ten complete at six; three of three have had their reward and start
    # afresh; two of three have one stamp to the cookie, and four to the cake.
    assert (preview.cards, preview.gain, preview.lose) == (3, 1, 1)
    found = {}
    for card_id in (kept, full, begun):
        view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
        names = [v.name for v in view.face.vouchers]
        found[card_id] = (view.card.version, view.card.balance, view.card.cycle, names)
    assert found == {
        kept: (3, 2, 1, ["ケーキ"]),
        full: (3, 0, 1, ["クッキー"]),
        begun: (3, 2, 0, []),
    }


async def test_who_gains_and_who_loses_is_said_before(db, vault, clock):
    rewards = (Reward(at=5, name="クッキー"), Reward(at=10, name="コーヒー1杯"))
    design = coffee(limit=Limit(), rewards=rewards)
    shop = await build_shop(db, vault, clock.now(), design=design)
    for number, stamps in enumerate((0, 2, 5, 7, 10)):
        await collect(db, shop, clock, number, stamps)

    async def said(new):
        await db.write(
            save_draft, shop.merchant.id, shop.program.id, new, None, clock.now()
        )
        preview = await db.read(preview_publish, shop.merchant.id, shop.program.id)
        return preview.gain, preview.lose

    renamed = tuple(replace(reward, name="別の名前") for reward in rewards)
    assert await said(replace(design, rewards=renamed)) == (0, 0)
    assert await said(replace(design, rewards=rewards[1:])) == (0, 2)
    assert await said(replace(design, rewards=rewards[:1])) == (0, 4)
    nearer = (Reward(at=5, name="クッキー"), Reward(at=7, name="コーヒー1杯"))
    assert await said(replace(design, goal=7, rewards=nearer)) == (1, 0)


async def test_cards_that_another_one_stands_for_move_and_complete_nothing(
    db, vault, clock
):
    shop, stands = await built(db, vault, clock, 1)
    merged = await collect(db, shop, clock, 2, 8)
    onward = await collect(db, shop, clock, 3, 10)
    await change(db, shop, merged, merged_into=stands)
    await change(db, shop, onward, next_card_id=stands)
    five = coffee(goal=5, limit=Limit(), rewards=(Reward(at=5, name="クッキー"),))

    preview, _ = await republish(db, shop, five, clock)

    assert (preview.cards, preview.gain, preview.lose) == (2, 0, 0)

    def read(tx):
        held = [lock_card(tx, shop.merchant.id, c, own=True) for c in (merged, onward)]
        return [(each.version, each.balance, each.cycle) for each in held]

    assert await db.write(read) == [(2, 8, 0), (2, 10, 1)]


# --- until when ---------------------------------------------------------------------


def months(count):
    return Expiry(kind="after_last", months=count)


async def begun(db, vault, clock, expires, stamps=3):
    design = coffee(limit=Limit(), expires=expires)
    shop = await build_shop(db, vault, clock.now(), design=design)
    return shop, await collect(db, shop, clock, 1, stamps)


@pytest.mark.parametrize("cards", ["move", "keep"])
async def test_a_shorter_expiry_takes_nothing_from_cards_that_are_there(
    db, vault, clock, cards
):
    shop, card_id = await begun(db, vault, clock, months(6))
    before = (await card_of(db, shop, card_id, clock)).expires_at

    await republish(db, shop, coffee(limit=Limit(), expires=months(1)), clock, cards)

    assert (await card_of(db, shop, card_id, clock)).expires_at == before
    clock.move(days=10)
    await stamp(db, shop, clock, card_id)
    assert (await card_of(db, shop, card_id, clock)).expires_at > before
    new_id = await collect(db, shop, clock, 2, 1)
    assert (await card_of(db, shop, new_id, clock)).expires_at < before


async def test_a_longer_expiry_reaches_cards_at_once_unless_they_keep_theirs(
    db, vault, clock
):
    shop, card_id = await begun(db, vault, clock, months(1))
    before = (await card_of(db, shop, card_id, clock)).expires_at

    await republish(db, shop, coffee(limit=Limit(), expires=months(2)), clock, "keep")
    assert (await card_of(db, shop, card_id, clock)).expires_at == before

    await republish(db, shop, coffee(limit=Limit(), expires=months(6)), clock)
    assert (await card_of(db, shop, card_id, clock)).expires_at == end_of(
        date(2027, 5, 23)
    )
    await republish(db, shop, coffee(limit=Limit(), expires=Expiry()), clock)
    assert (await card_of(db, shop, card_id, clock)).expires_at is None


async def test_what_was_for_new_cards_only_promises_old_ones_nothing(db, vault, clock):
    shop, card_id = await begun(db, vault, clock, months(1))
    await republish(db, shop, coffee(limit=Limit(), expires=months(24)), clock, "keep")

    await republish(db, shop, coffee(limit=Limit(), expires=months(2)), clock)

    assert (await card_of(db, shop, card_id, clock)).expires_at == end_of(
        date(2027, 1, 23)
    )


async def test_publishing_saves_stamps_that_are_still_there_and_revives_no_others(
    db, vault, clock
):
    shop, gone = await begun(db, vault, clock, months(1))
    clock.move(days=30)
    there = await collect(db, shop, clock, 2, 4)
    clock.move(days=5)
    assert await db.write(expire_due, clock.now(), 100) == 1
    clock.move(days=30)
    ended = (await card_of(db, shop, gone, clock)).expires_at

    await republish(db, shop, coffee(limit=Limit(), expires=months(12)), clock)

    assert (await card_of(db, shop, gone, clock)).expires_at == ended
    assert (await card_of(db, shop, there, clock)).expires_at > clock.now()
    await stamp(db, shop, clock, there)
    assert (await card_of(db, shop, there, clock)).balance == 5
    await stamp(db, shop, clock, gone)
    card = await card_of(db, shop, gone, clock)
    assert (card.balance, card.expires_at > clock.now()) == (1, True)
    kinds = [e.kind for e in await db.read(ledger, shop.merchant.id, gone)]
    assert kinds == ["stamp", "expiry", "stamp"]


async def test_the_designs_a_card_went_through_leave_out_what_was_for_others(
    db, vault, clock
):
    shop, card_id = await built(db, vault, clock, 1)
    steps = ((8, "keep"), (7, "move"), (6, "keep"), (5, "keep"), (4, "move"))
    for goal, cards in steps:
        new = coffee(goal=goal, limit=Limit(), rewards=())
        await republish(db, shop, new, clock, cards)
    held = await card_of(db, shop, card_id, clock)
    assert held.version == 6

    def goals(tx, oldest, also=()):
        return {v: d.goal for v, d in designs_between(tx, held, oldest, also).items()}

    assert await db.read(goals, 1) == {1: 10, 3: 7, 6: 4}
    assert await db.read(goals, 2) == {2: 8, 3: 7, 6: 4}
    assert await db.read(goals, 1, (5,)) == {1: 10, 3: 7, 5: 5, 6: 4}
    assert await db.read(goals, 6) == {6: 4}
