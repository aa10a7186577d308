"""A full card leads on: to the rank-up card, or to the newest version of its own."""

from __future__ import annotations

import pytest

from core.actions.adjust import adjust_card
from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.programs import pause_program
from core.actions.publish import find_program, publish, save_draft
from core.actions.undo import undo_grant
from core.rules.asking import Granted, Refused, StampAsk, Undone
from core.rules.types import Limit, Reward, Spend, Why
from tests.builders import coffee, person
from tests.conftest import START

GOLD = coffee(
    name="ゴールド", goal=4, limit=Limit(), rewards=(Reward(at=4, name="ケーキ"),)
)
PLAIN = coffee(
    goal=3,
    limit=Limit(),
    rewards=(Reward(at=3, name="コーヒー"),),
    next_program="gold",
)


class Party:
    """One customer with a card that leads to another."""

    def __init__(self, db, clock):
        self.db, self.clock, self.keys = db, clock, 0

    def key(self):
        self.keys += 1
        return f"key-{self.keys}"

    async def open(self, plain=PLAIN, gold=GOLD, programs=None):
        file = MerchantFile(
            merchant={
                "key": "aozora",
                "name": "あおぞら珈琲",
                "timezone": "Asia/Tokyo",
                "day_starts_at": 5,
                "contact": "",
                "languages": ["ja"],
            },
            shops=({"key": "main", "name": "本店"},),
            programs=programs or (("coffee", plain), ("gold", gold)),
        )
        self.merchant = (
            await self.db.write(apply_merchant, file, {}, START)
        ).merchant_id
        self.cards = await self.db.write(
            follow, self.merchant, person(), self.key(), START
        )
        self.card = self.cards[0]
        return self

    async def grant(self, stamps=1, card=None, amount=None):
        ask = StampAsk(
            merchant_id=self.merchant,
            key=self.key(),
            how="api",
            card_id=card or self.card,
            stamps=stamps,
            amount=amount,
        )
        return await self.db.write(grant_stamps, ask, self.clock.now())

    async def view(self, card=None):
        view = await self.db.read(
            load_card, self.merchant, card or self.card, self.clock.now()
        )
        return view.card

    async def program_key(self):
        asked = (self.merchant, self.card, self.clock.now())
        return (await self.db.read(load_card, *asked)).program.key

    async def stands(self, card=None):
        card = await self.view(card)
        return (card.balance, card.cycle, card.total)

    async def undo(self, entry_id):
        return await self.db.write(
            undo_grant,
            merchant_id=self.merchant,
            entry_id=entry_id,
            by=None,
            reason="",
            key=self.key(),
            now=self.clock.now(),
        )

    async def publish(self, design, to, key="coffee"):
        program = await self.db.read(find_program, self.merchant, key)
        ids = (self.merchant, program.id)
        await self.db.write(save_draft, *ids, design, None, self.clock.now())
        await self.db.write(publish, *ids, None, self.clock.now(), to)


@pytest.fixture
async def party(db, clock):
    return await Party(db, clock).open()


async def test_a_full_card_begins_its_rank_up_card_at_once(party):
    first = await party.grant(3)

    assert (first.completed, first.card_id, first.stamps) == (True, party.card, 3)
    assert await party.stands() == (3, 1, 3)
    assert await party.stands(first.next_card_id) == (0, 0, 0)
    assert len(first.vouchers) == 1
    second = await party.grant(1)
    assert (second.card_id, second.next_card_id) == (first.next_card_id, None)
    assert await party.stands(second.card_id) == (1, 0, 1)
    assert await party.stands() == (3, 1, 3)


async def test_surplus_goes_on_to_the_rank_up_card_in_the_same_grant(party):
    await party.grant(2)

    granted = await party.grant(3)

    assert (granted.stamps, granted.card_id) == (3, party.card)
    assert await party.stands() == (3, 1, 3)
    assert await party.stands(granted.next_card_id) == (2, 0, 2)
    [part] = await party.db.read(ledger, party.merchant, granted.next_card_id)
    assert (part.stamps, part.cause) == (2, granted.entry_id)


async def test_one_grant_may_fill_both(party):
    granted = await party.grant(3 + 4 + 2)

    assert len(granted.vouchers) == 2
    # Nothing comes after gold: its next round is gold again.
    assert await party.stands(granted.next_card_id) == (2, 1, 6)


async def test_a_rank_up_card_brings_its_own_bonus(db, clock):
    party = await Party(db, clock).open(
        gold=coffee(goal=5, limit=Limit(), rewards=(), bonus=2)
    )

    granted = await party.grant(4)

    assert await party.stands(granted.next_card_id) == (3, 0, 3)


async def test_limits_count_over_the_change_of_card(db, clock):
    daily = {"limit": Limit(kind="day")}
    party = await Party(db, clock).open(
        coffee(goal=1, rewards=(), next_program="gold", **daily),
        coffee(goal=4, rewards=(), **daily),
    )
    await party.grant()

    second = await party.grant()

    assert second.why == Why.already_today
    clock.at = second.retry_at
    assert isinstance(await party.grant(), Granted)


@pytest.mark.parametrize("state", ["paused", "unknown"])
async def test_where_the_rank_up_card_takes_no_stamps_the_round_is_the_cards_own(
    party, db, clock, state
):
    if state == "paused":
        gold = await db.read(find_program, party.merchant, "gold")
        ids = {"merchant_id": party.merchant, "program_id": gold.id}
        await db.write(pause_program, **ids, by=None, now=clock.now())
    else:
        await party.publish(coffee(**(fields(PLAIN) | {"next_program": "x"})), "move")

    granted = await party.grant(5)

    assert granted.next_card_id is None
    assert await party.stands() == (2, 1, 5)


@pytest.mark.parametrize("order", [("coffee", "gold"), ("gold", "coffee")])
async def test_a_new_friend_gets_the_card_that_comes_first(db, clock, order):
    party = Party(db, clock)
    designs = {"coffee": PLAIN, "gold": GOLD}
    await party.open(programs=tuple((key, designs[key]) for key in order))

    assert (await party.program_key(), len(party.cards)) == ("coffee", 1)


async def test_two_cards_may_lead_to_each_other(db, clock):
    party = await Party(db, clock).open(
        PLAIN, coffee(**(fields(GOLD) | {"next_program": "coffee"}))
    )
    first = await party.grant(3 + 4 + 1)
    gold = (await party.grant(1)).card_id

    assert gold == party.card  # the first card takes stamps again
    assert await party.stands() == (2, 1, 5)
    other = await party.grant(2)
    assert await party.stands() == (3, 2, 6)
    assert await party.stands(other.next_card_id) == (1, 1, 5)
    assert first.next_card_id in (other.next_card_id, party.card)


async def test_what_was_paid_towards_a_stamp_goes_along(db, clock):
    spend = {"spend": Spend(per=500), "limit": Limit()}
    party = await Party(db, clock).open(
        coffee(goal=2, rewards=(), next_program="gold", **spend),
        coffee(goal=4, rewards=(), **spend),
    )

    first = await party.grant(amount=1300)

    assert await party.stands() == (2, 1, 2)
    assert (await party.view(first.next_card_id)).remainder == 300
    second = await party.grant(amount=200)
    assert (second.card_id, second.stamps) == (first.next_card_id, 1)
    assert (await party.view(first.next_card_id)).remainder == 0
    assert isinstance(await party.undo(second.entry_id), Undone)
    assert isinstance(await party.undo(first.entry_id), Undone)
    assert await party.stands() == (0, 0, 0)
    assert (await party.view()).remainder == 0
    assert (await party.view(first.next_card_id)).remainder == 0


# --- taking it back ---------------------------------------------------------------


async def test_taking_the_filling_grant_back_takes_all_its_parts(party):
    await party.grant(2)
    granted = await party.grant(3)

    undone = await party.undo(granted.entry_id)

    assert isinstance(undone, Undone)
    assert (undone.stamps, undone.vouchers) == (3, granted.vouchers)
    assert await party.stands() == (2, 0, 2)
    assert await party.stands(granted.next_card_id) == (0, 0, 0)
    again = await party.grant(2)
    assert (again.completed, again.next_card_id) == (True, granted.next_card_id)
    assert await party.stands() == (3, 1, 3)


async def test_the_part_on_the_rank_up_card_stands_for_the_whole(party):
    granted = await party.grant(4)
    [part] = await party.db.read(ledger, party.merchant, granted.next_card_id)

    assert (await party.undo(part.id)).undoes == granted.entry_id
    assert await party.stands() == (0, 0, 0)


async def test_once_the_rank_up_card_has_more_it_is_too_late(party):
    filling = await party.grant(3)
    later = await party.grant(1)

    assert (await party.undo(filling.entry_id)).why == Why.too_late
    assert isinstance(await party.undo(later.entry_id), Undone)
    assert isinstance(await party.undo(filling.entry_id), Undone)
    assert await party.stands() == (0, 0, 0)


async def test_an_earlier_stamp_of_a_card_that_ranked_up_stays(party):
    early = await party.grant(1)
    await party.grant(2)

    assert (await party.undo(early.entry_id)).why == Why.too_late


async def test_a_manager_corrects_the_card_that_takes_the_stamps(party, db, clock):
    filled = await party.grant(4)
    told = {"merchant_id": party.merchant, "card_id": party.card, "by": None}

    adjusted = await db.write(
        adjust_card, **told, stamps=-1, reason="打ち間違い", key="a", now=clock.now()
    )

    assert adjusted.card_id == filled.next_card_id
    assert await party.stands(filled.next_card_id) == (0, 0, 0)
    refused = await db.write(
        adjust_card, **told, stamps=-1, reason="打ち間違い", key="b", now=clock.now()
    )
    assert isinstance(refused, Refused)


# --- versions ---------------------------------------------------------------------


async def test_a_card_that_kept_its_version_takes_the_new_one_when_it_is_full(
    db, clock
):
    party = await Party(db, clock).open(coffee(goal=3, limit=Limit(), rewards=()))
    await party.grant(2)
    five = coffee(goal=5, limit=Limit(), rewards=(Reward(at=2, name="クッキー"),))
    await party.publish(five, "keep")
    assert (await party.view()).version == 1

    granted = await party.grant(1 + 2)

    assert await party.stands() == (2, 1, 5)
    assert (await party.view()).version == 2
    assert len(granted.vouchers) == 1


async def test_a_card_that_moves_is_on_the_new_version_at_once(db, clock):
    party = await Party(db, clock).open(coffee(goal=5, limit=Limit(), rewards=()))
    await party.grant(4)
    await party.publish(coffee(goal=3, limit=Limit(), rewards=()), "move")

    assert await party.stands() == (1, 1, 4)
    assert (await party.view()).version == 2


def fields(design):
    return {name: getattr(design, name) for name in design.__slots__}
