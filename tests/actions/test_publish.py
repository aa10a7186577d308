"""A new version: nobody is stranded, and every pass hears of it."""

from __future__ import annotations

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.outbox import take_deliveries
from core.actions.passes import hold_pass, load_pass
from core.actions.publish import load_program, preview_publish, publish, save_draft
from core.rules.asking import Granted, StampAsk
from core.rules.types import Limit, Look, Reward
from tests.actions.test_grant import ask
from tests.builders import build_shop, coffee


async def built(db, vault, clock, stamps):
    shop = await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))
    code = await shop.till_code(clock.now(), stamps)
    granted = await db.write(grant_stamps, ask(shop, code), clock.now())
    return shop, granted.card_id


async def republish(db, shop, design, clock):
    ids = (shop.merchant.id, shop.program.id)
    await db.write(save_draft, *ids, design, shop.owner.id, clock.now())
    preview = await db.read(preview_publish, *ids)
    version = await db.write(publish, *ids, shop.owner.id, clock.now())
    return preview, version


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
    assert [f"pass:{held.id}"] == [delivery.topic for delivery in due]


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
