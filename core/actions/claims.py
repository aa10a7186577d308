"""「スタンプが付いていない」: a customer claims missing stamps, a manager decides.

The claim's own words stay out of the ledger and the log: they are the customer's, and
go when the customer leaves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.actions.giving import Gave, current_card, give_stamps
from core.actions.history import check_reason
from core.actions.once import once
from core.actions.referral import pay_referral
from core.actions.till import MAX_STAMPS
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import ClaimMade, ClaimRejected, LinePerson, Refused
from core.rules.claiming import (
    Claim,
    ClaimState,
    ClaimView,
    check_text,
    decide_claim,
    is_open_card,
)
from core.rules.types import (
    Card,
    CardId,
    ClaimId,
    CustomerId,
    MerchantId,
    ShopId,
    Staff,
    Why,
)
from core.store.cards import cards_of_customer, load_card, lock_card
from core.store.claims import (
    add_claim,
    attempts_since,
    find_claims,
    lock_claim,
    update_claim,
)
from core.store.customers import find_customer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.people import standing_customer
from core.store.programs import design_of, list_programs, load_program

# A claim shows what went wrong for the customer in the week before it.
ATTEMPTS_WITHIN = timedelta(days=7)


def make_claim(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    key: str,
    now: datetime,
    person: LinePerson | None = None,
    customer_id: CustomerId | None = None,
    card_id: CardId | None = None,
    text: str = "",
) -> ClaimMade | Refused:
    """Claim missing stamps on a card, with the customer's refused attempts of a week.

    The customer is `person` or `customer_id`; without `card_id` it is about their only
    card. Refused where they have no such card, or one claim for it is open. Raises
    `Invalid` for "text", for "card_id" where they must choose, and for a "key" that
    asked for something else before.
    """
    words = check_text(text, "text")
    claimant = _claimant(tx, merchant_id, person, customer_id)
    if claimant is None:
        return Refused(why=Why.no_such_card)

    def do() -> ClaimMade | Refused:
        card = _claimed_card(tx, merchant_id, claimant, card_id)
        if card is None:
            return Refused(why=Why.no_such_card)
        return _keep(tx, card, claimant, words, now)

    asked = ["claim", claimant, card_id or ""]
    return once(tx, merchant_id, key, asked, ClaimMade, do, now)


def list_claims(
    tx: Tx,
    merchant_id: MerchantId,
    state: ClaimState | None = "open",
    customer_id: CustomerId | None = None,
) -> list[ClaimView]:
    """Claims in this state (None: in any), newest first, 200 at most.

    With `customer_id` those of one customer, as they may see them.
    """
    programs = {program.id: program for program in list_programs(tx, merchant_id)}
    return [
        ClaimView(
            claim=claim,
            customer_name=name,
            member_no=member_no,
            program=programs[program_id],
        )
        for claim, name, member_no, program_id in find_claims(
            tx, merchant_id, state, customer_id
        )
    ]


def approve_claim(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    claim_id: ClaimId,
    by: Staff,
    key: str,
    now: datetime,
    stamps: int = 1,
    reason: str = "",
    shop_id: ShopId | None = None,
) -> Gave | Refused:
    """Give the missing stamps, whatever the card's limits say; once.

    For managers and owners. A card that takes no stamps leaves the claim open. `reason`
    is the merchant's, for the ledger. Raises `NotFound("claim")`, `Invalid` for
    "stamps", "reason", and a "key" that asked for something else before.
    """
    if not 1 <= stamps <= MAX_STAMPS:
        raise Invalid({"stamps": ("invalid.stamps", {"max": MAX_STAMPS})})
    reason = check_reason(reason, needed=False)

    def do() -> Gave | Refused:
        claim = _open_claim(tx, merchant_id, claim_id, by)
        if isinstance(claim, Refused):
            return claim
        gave = _give(tx, claim, merchant_id, stamps, by, reason, shop_id, now)
        if isinstance(gave, Gave):
            _decide(tx, merchant_id, claim, "approved", by, now, entry_id=gave.entry_id)
        return gave

    asked: list[str | int] = ["approve-claim", claim_id, stamps]
    return once(tx, merchant_id, key, asked, Gave, do, now)


def reject_claim(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    claim_id: ClaimId,
    by: Staff,
    answer: str,
    key: str,
    now: datetime,
) -> ClaimRejected | Refused:
    """Give nothing for a claim, and tell the customer why; once.

    For managers and owners. Raises `NotFound("claim")`, `Invalid` for "answer" and for
    a "key" that asked for something else before.
    """
    words = check_text(answer, "answer", needed=True)

    def do() -> ClaimRejected | Refused:
        claim = _open_claim(tx, merchant_id, claim_id, by)
        if isinstance(claim, Refused):
            return claim
        _decide(tx, merchant_id, claim, "rejected", by, now, answer=words)
        return ClaimRejected(claim_id=claim_id, card_id=claim.card_id)

    asked = ["reject-claim", claim_id]
    return once(tx, merchant_id, key, asked, ClaimRejected, do, now)


def _claimant(
    tx: Tx,
    merchant_id: MerchantId,
    person: LinePerson | None,
    customer_id: CustomerId | None,
) -> CustomerId | None:
    if person is not None:
        known = find_customer(tx, merchant_id, line_user_id=person.user_id)
        return None if known is None else known.id
    return customer_id


def _claimed_card(
    tx: Tx, merchant_id: MerchantId, claimant: CustomerId, card_id: CardId | None
) -> Card | None:
    """Their card with this id, or their only one. Raises `Invalid` for "card_id"."""
    customer = standing_customer(tx, merchant_id, claimant)
    if customer is None:
        return None
    if card_id is not None:
        found = load_card(tx, merchant_id, card_id)
        theirs = {claimant, customer.id}
        return found if found is not None and found.customer_id in theirs else None
    states = {program.id: program.state for program in list_programs(tx, merchant_id)}
    cards = [
        card
        for card in cards_of_customer(tx, merchant_id, customer.id)
        if is_open_card(card, states[card.program_id])
    ]
    if len(cards) > 1:
        raise Invalid({"card_id": ("invalid.which_card", {})})
    return cards[0] if cards else None


def _keep(
    tx: Tx, card: Card, claimant: CustomerId, text: str, now: datetime
) -> ClaimMade | Refused:
    merchant_id = card.merchant_id
    claim_id = add_claim(
        tx,
        merchant_id,
        customer_id=claimant,
        card_id=card.id,
        text=text,
        refusals=attempts_since(tx, merchant_id, claimant, now - ATTEMPTS_WITHIN),
        now=now,
    )
    if claim_id is None:
        return Refused(why=Why.already_claimed, card_id=card.id)
    actor = f"customer:{claimant}"
    note(tx, merchant_id, actor, "claim.made", claim_id, now, card=card.id)
    tx.signal(f"claims:{merchant_id}")
    return ClaimMade(claim_id=claim_id, card_id=card.id)


def _open_claim(
    tx: Tx, merchant_id: MerchantId, claim_id: ClaimId, by: Staff
) -> Claim | Refused:
    claim = lock_claim(tx, merchant_id, claim_id)
    if claim is None:
        raise NotFound("claim")
    return decide_claim(claim, by) or claim


def _give(
    tx: Tx,
    claim: Claim,
    merchant_id: MerchantId,
    stamps: int,
    by: Staff,
    reason: str,
    shop_id: ShopId | None,
    now: datetime,
) -> Gave | Refused:
    merchant = load_merchant(tx, merchant_id)
    # The customer before the card, as everywhere: a referral may be paid by this.
    standing_customer(tx, merchant_id, claim.customer_id, lock=True)
    card = lock_card(tx, merchant_id, claim.card_id)
    if card is None:
        return Refused(why=Why.no_such_card)
    card = current_card(tx, card)
    gave = give_stamps(
        tx,
        merchant,
        card,
        stamps,
        kind="stamp",
        how="claim",
        now=now,
        shop_id=shop_id,
        staff_id=by.id,
        reason=reason,
    )
    if isinstance(gave, Gave):
        program = load_program(tx, merchant_id, card.program_id)
        design = design_of(tx, program, card.version) if program else None
        assert design is not None
        pay_referral(tx, merchant, card, design, now)
    return gave


def _decide(
    tx: Tx,
    merchant_id: MerchantId,
    claim: Claim,
    state: ClaimState,
    by: Staff,
    now: datetime,
    **values: str,
) -> None:
    update_claim(
        tx,
        merchant_id,
        claim.id,
        state=state,
        decided_at=now,
        staff_id=by.id,
        **values,
    )
    actor = f"staff:{by.id}"
    note(tx, merchant_id, actor, f"claim.{state}", claim.id, now, card=claim.card_id)
    tx.signal(f"claims:{merchant_id}")
