"""Taking a stamp back at the till: one tap, by whoever gave it, for ten minutes; later
by a manager who says why.
"""

from __future__ import annotations

import re
from datetime import datetime

from aiohttp import web

from core.actions.cards import CardView, ledger, load_entry
from core.actions.undo import undo_grant
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Refused, Undone
from core.rules.types import (
    CardId,
    Entry,
    EntryId,
    MerchantId,
    Why,
)
from core.rules.undoing import is_fresh_own
from core.vault import new_token
from core.wording import say
from webhooks.forms import problems_in_words, read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import (
    Desk,
    find_card,
    find_desk,
    pad,
    render_till,
)
from webhooks.till.refusals import say_refusal

_ENTRY = re.compile(r"[0-9A-Z]{26}")


async def undo_stamps(request: web.Request) -> web.Response:
    """Take a grant back; the same key gets the same page.

    The answer is a page, not a redirect, as for giving stamps.
    """
    desk = await find_desk(request)
    view = await find_card(request, desk)
    fields = await read_fields(request)
    entry_id = text_of(fields, "entry")
    if not _ENTRY.fullmatch(entry_id):
        raise NotFound("entry")
    key = text_of(fields, "key")[:64] or new_token()
    reason = text_of(fields, "reason")
    refusal = await _undo(request, desk, view.card.id, EntryId(entry_id), key, reason)
    view = await find_card(request, desk)
    return show_undone(request, desk, view, refusal)


def show_undone(
    request: web.Request, desk: Desk, view: CardView, refusal: str = ""
) -> web.Response:
    """The stamp is off the card, or why not; ready for the next customer."""
    context = {
        "state": "kept" if refusal else "undone",
        "refusal": refusal,
        "view": view,
        **pad(desk, view.program.key),
    }
    return render_till(request, "counter.html", desk, context)


def is_undoable(desk: Desk, entry: Entry, now: datetime) -> bool:
    """May whoever stands at the till take this back without a word?"""
    return is_fresh_own(entry, desk.session.staff, now)


def was_undone(tx: Tx, merchant_id: MerchantId, entry: Entry) -> bool:
    """Was this grant taken back already, among the latest of its card?"""
    return any(e.undoes == entry.id for e in ledger(tx, merchant_id, entry.card_id))


async def _undo(
    request: web.Request,
    desk: Desk,
    card_id: CardId,
    entry_id: EntryId,
    key: str,
    reason: str,
) -> str:
    """Why not, or ""."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    language = desk.session.language
    try:
        outcome, again = await parts[DB].write(
            _take_back,
            desk,
            card_id,
            entry_id,
            f"till-undo:{key}:{entry_id}",
            reason,
            now,
        )
    except Invalid as error:
        if "reason" not in error.problems:
            raise
        # A manager may undo anything, but with a reason: a card's history asks for it.
        if not reason:
            return say("till.undo_reason", language)
        return problems_in_words(error, language)["reason"]
    if not isinstance(outcome, Refused):
        return ""
    return (
        say("till.undone_before", language)
        if again
        else say_refusal(desk.session, outcome)
    )


def _take_back(
    tx: Tx,
    desk: Desk,
    card_id: CardId,
    entry_id: EntryId,
    key: str,
    reason: str,
    now: datetime,
) -> tuple[Undone | Refused, bool]:
    """The outcome, and whether it was refused because it was done before."""
    merchant_id = desk.session.merchant.id
    entry = load_entry(tx, merchant_id, entry_id)
    if entry.card_id != card_id:
        raise NotFound("entry")
    outcome = undo_grant(
        tx,
        merchant_id=merchant_id,
        entry_id=entry_id,
        by=desk.session.staff,
        reason=reason,
        key=key,
        now=now,
    )
    used = isinstance(outcome, Refused) and outcome.why is Why.already_used
    return outcome, used and was_undone(tx, merchant_id, entry)
