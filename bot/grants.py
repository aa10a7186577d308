"""Granting in the chat: the stamps, and the cards to show with the outcome."""

from __future__ import annotations

from datetime import datetime

from core.actions.cards import cards_of_person, load_face
from core.actions.grant import grant_stamps
from core.actions.join import know_person
from core.database import Tx
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.face import CardFace

Done = tuple[Granted | Refused, list[CardFace]]


def grant_if_known(tx: Tx, ask: StampAsk, now: datetime) -> Done | None:
    """Grant at once to a person whose name we know; None for anybody else."""
    person = ask.person and know_person(tx, ask.merchant_id, ask.person.user_id)
    return grant_and_look(tx, ask, now) if person and person.name else None


def grant_and_look(tx: Tx, ask: StampAsk, now: datetime) -> Done:
    """Grant, and the cards that the answer is about."""
    # The card is looked at in the same transaction: on SQLite, a read of its own
    # would cost more than the stamp.
    outcome = grant_stamps(tx, ask, now)
    merchant_id, card_id = ask.merchant_id, outcome.card_id
    if card_id is not None:
        began = outcome.next_card_id if isinstance(outcome, Granted) else None
        shown = [began, card_id] if began else [card_id]
        return outcome, [load_face(tx, merchant_id, each, now) for each in shown]
    user_id = ask.person.user_id if ask.person else ""
    return outcome, cards_of_person(tx, merchant_id, user_id, now)
