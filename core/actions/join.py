"""Meeting people and issuing their cards: friend added, first code, or without LINE."""

from __future__ import annotations

from datetime import datetime

from core.actions.issuing import issue_card
from core.actions.menus import greet_with_menu
from core.actions.once import check_question
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import LinePerson
from core.rules.types import CardId, Customer, Language, MerchantId, Program
from core.store.answers import first_answer, keep_answer, mark_of
from core.store.customers import add_customer, find_customer, update_customer
from core.store.merchants import load_merchant, lock_merchant
from core.store.programs import find_program, list_programs


def know_person(tx: Tx, merchant_id: MerchantId, line_user_id: str) -> Customer | None:
    """The customer behind a LINE user id, or None."""
    return find_customer(tx, merchant_id, line_user_id=line_user_id)


def meet_person(
    tx: Tx, merchant_id: MerchantId, person: LinePerson, now: datetime
) -> Customer:
    """The customer behind a LINE person, created or with the profile made current."""
    known = find_customer(tx, merchant_id, line_user_id=person.user_id)
    if known is None:
        return add_customer(
            tx,
            merchant_id,
            language=person.language or "ja",
            now=now,
            name=person.name,
            line_user_id=person.user_id,
        )
    fresh = {
        "name": person.name or known.name,
        "language": person.language or known.language,
    }
    if fresh != {"name": known.name, "language": known.language}:
        update_customer(tx, merchant_id, known.id, **fresh)
        return find_customer(tx, merchant_id, line_user_id=person.user_id) or known
    return known


def follow(
    tx: Tx, merchant_id: MerchantId, person: LinePerson, key: str, now: datetime
) -> tuple[CardId, ...]:
    """A friend added (again): a card of every open program, each with its bonus.

    Idempotent: cards that are there stay as they are, so a return after a block
    brings back what was collected.
    """
    merchant = load_merchant(tx, merchant_id)
    customer = meet_person(tx, merchant_id, person, now)
    update_customer(tx, merchant_id, customer.id, followed_at=now)
    greet_with_menu(tx, merchant_id, customer, now)
    return tuple(
        issue_card(tx, merchant, program.id, customer.id, key, now)
        for program in _to_begin_with(list_programs(tx, merchant_id))
    )


def _to_begin_with(programs: list[Program]) -> list[Program]:
    """The open programs that no other one leads to.

    Of programs that lead to each other in a ring, the first one begins it.
    """
    after = {p.key: p.design.next_program for p in programs}
    led_to = {then for key, then in after.items() if then != key}
    starts = [p.key for p in programs if p.key not in led_to]
    reached: set[str] = set()
    for key in [*starts, *after]:
        if key not in reached and key not in starts:
            starts.append(key)
        step: str | None = key
        while step in after and step not in reached:
            reached.add(step)
            step = after[step]
    return [p for p in programs if p.key in starts and p.state == "active"]


def unfollow(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, happened_at: datetime
) -> None:
    """The shop was blocked; cards and stamps stay.

    Friend is who followed last: with redelivery an old block may arrive after a newer
    friendship, or the other way round, so each keeps its own time.
    """
    customer = find_customer(tx, merchant_id, lock=True, line_user_id=line_user_id)
    if customer is not None:
        update_customer(tx, merchant_id, customer.id, unfollowed_at=happened_at)


def open_card(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    program_key: str,
    key: str,
    now: datetime,
    name: str = "",
    external_id: str | None = None,
    language: Language = "ja",
) -> CardId:
    """A card for somebody without LINE.

    Who has this `external_id` already keeps one card of each program, also when two
    tills ask at once. Raises `NotFound("program")`, and `Invalid` for a "key" that
    asked for something else before.
    """
    asked = mark_of([program_key, external_id])
    first = first_answer(tx, merchant_id, key, now)
    if first is not None:
        check_question(first, asked)
        return CardId(first["card"])
    program = find_program(tx, merchant_id, program_key)
    if program is None:
        raise NotFound("program")
    merchant = load_merchant(tx, merchant_id)
    known = None
    if external_id is not None:
        lock_merchant(tx, merchant_id)
        known = find_customer(tx, merchant_id, external_id=external_id)
    customer = known or add_customer(
        tx, merchant_id, language=language, now=now, name=name, external_id=external_id
    )
    card_id = issue_card(
        tx, merchant, program.id, customer.id, key, now, external_id=external_id
    )
    keep_answer(tx, merchant_id, key, {"card": card_id, "asked": asked})
    return card_id
