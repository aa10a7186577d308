"""What waits for somebody's answer is asked once and answered once; two people who
become one lose nothing that comes meanwhile.
"""

from __future__ import annotations

from core.actions.cards import cards_of_person, ledger
from core.actions.claims import approve_claim, make_claim
from core.actions.giving import Gave
from core.actions.join import open_card
from core.actions.link import link_people, make_link_code
from core.actions.paper import migrate_paper
from core.actions.redemptions import ask_redemption, confirm_redemption
from core.rules.asking import ClaimMade, Redeemed, Refused
from core.rules.linking import Linked
from core.rules.types import Why
from core.store.cards import load_card
from jobs.audit import wrong_cards
from tests.builders import person
from tests.stories.calls import (
    Call,
    by_api,
    full_card,
    granted_of,
    kinds,
    new_card,
    reasons,
    redeeming,
)


async def test_a_reward_that_is_asked_for_and_confirmed_by_many_is_used_once(
    db, free_shop, clock, crowd
):
    shop, now = free_shop, clock.now()
    granted = await full_card(shop, now)
    card = await db.read(load_card, shop.merchant.id, granted.card_id)
    asking = {
        "merchant_id": shop.merchant.id,
        "voucher_id": granted.vouchers[0],
        "customer_id": card.customer_id,
        "now": now,
    }

    asked = await crowd(
        [Call.of(ask_redemption, **asking, key=f"a{n}") for n in range(50)]
    )

    [redemption_id] = {each.id for each in asked}
    confirming = [
        Call.of(
            confirm_redemption,
            merchant_id=shop.merchant.id,
            redemption_id=redemption_id,
            by=shop.owner,
            key=f"c{n}",
            now=now,
        )
        for n in range(50)
    ]
    scanning = [
        redeeming(shop, granted.vouchers[0], f"r{n}", now, by=shop.owner)
        for n in range(50)
    ]
    outcomes = await crowd([*confirming, *scanning])

    assert sum(isinstance(o, Redeemed) for o in outcomes) == 1
    assert sum(isinstance(o, Refused) for o in outcomes) == 99
    entries = await db.read(ledger, shop.merchant.id, granted.card_id)
    assert kinds(entries) == ["redeem", "stamp"]


async def test_a_claim_that_is_made_and_approved_by_many_is_one_stamp(
    db, shop, clock, crowd
):
    card_id = await new_card(shop, clock.now())
    claiming = {"merchant_id": shop.merchant.id, "person": person()}

    claims = await crowd(
        [
            Call.of(make_claim, **claiming, key=f"m{n}", now=clock.now())
            for n in range(50)
        ]
    )

    [made] = [o for o in claims if isinstance(o, ClaimMade)]
    assert reasons(claims) == {Why.already_claimed: 49}
    outcomes = await crowd(
        [
            Call.of(
                approve_claim,
                merchant_id=shop.merchant.id,
                claim_id=made.claim_id,
                by=shop.owner,
                key=f"a{n}",
                now=clock.now(),
            )
            for n in range(50)
        ]
    )

    assert sum(isinstance(o, Gave) for o in outcomes) == 1
    assert sum(isinstance(o, Refused) for o in outcomes) == 49
    [entry] = await db.read(ledger, shop.merchant.id, card_id)
    assert (entry.how, entry.stamps) == ("claim", 1)
    assert await db.read(wrong_cards) == []


async def test_a_paper_card_that_many_staff_bring_over_counts_once(
    db, shop, clock, crowd
):
    card_id = await new_card(shop, clock.now())
    calls = [
        Call.of(
            migrate_paper,
            merchant_id=shop.merchant.id,
            card_id=card_id,
            stamps=6,
            by=shop.owner,
            key=f"p{n}",
            now=clock.now(),
        )
        for n in range(50)
    ]

    outcomes = await crowd(calls)

    assert sum(isinstance(o, Gave) for o in outcomes) == 1
    assert reasons(outcomes) == {Why.already_migrated: 49}
    card = await db.read(load_card, shop.merchant.id, card_id)
    assert (card.balance, card.total) == (6, 6)


# --- two who become one --------------------------------------------------------


async def wallet_card(shop, now):
    """A card without LINE, and the code with which it can be linked."""
    card_id = await shop.db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key=shop.program.key,
        key="wallet",
        now=now,
    )
    code = await shop.db.write(make_link_code, shop.merchant.id, card_id, now)
    return card_id, code.code


def linking(shop, code, who, key, now):
    return Call.of(
        link_people,
        merchant_id=shop.merchant.id,
        code=code,
        person=person(who),
        key=key,
        now=now,
    )


async def test_a_link_code_that_twenty_people_send_joins_one_of_them(
    db, free_shop, clock, crowd
):
    shop, now = free_shop, clock.now()
    card_id, code = await wallet_card(shop, now)
    await db.write(by_api(shop, card_id, "before", now, stamps=3).run)
    calls = [linking(shop, code, who, f"l{who}", now) for who in range(20)]

    outcomes = await crowd(calls)

    [winner] = [who for who, o in enumerate(outcomes) if isinstance(o, Linked)]
    assert sum(isinstance(o, Refused) for o in outcomes) == 19
    held = {}
    for who in range(20):
        user_id = person(who).user_id
        faces = await db.read(cards_of_person, shop.merchant.id, user_id, now)
        held[who] = sum(face.balance for face in faces)
    assert held == {who: 3 if who == winner else 0 for who in range(20)}
    assert await db.read(wrong_cards) == []


async def test_stamps_that_come_while_two_cards_become_one_are_all_there(
    db, free_shop, clock, crowd
):
    shop, now = free_shop, clock.now()
    in_line = await new_card(shop, now)
    in_wallet, code = await wallet_card(shop, now)
    calls = [
        call
        for n in range(24)
        for call in (
            by_api(shop, in_line, f"line-{n}", now),
            by_api(shop, in_wallet, f"wallet-{n}", now),
        )
    ]
    calls.insert(20, linking(shop, code, 1, "link", now))

    outcomes = await crowd(calls)

    assert isinstance(outcomes[20], Linked)
    assert len(granted_of(outcomes)) == 48
    standing = await db.read(load_card, shop.merchant.id, in_wallet)
    assert standing.id == in_line
    # 48 stamps are four full cards and eight more.
    assert (standing.balance, await completed(db, shop, in_line, in_wallet)) == (8, 4)
    assert await db.read(wrong_cards) == []


async def completed(db, shop, *card_ids):
    """How often these cards were full, whoever's they are now."""
    own = [
        await db.read(load_card, shop.merchant.id, card_id, own=True)
        for card_id in card_ids
    ]
    return sum(card.cycle for card in own)
