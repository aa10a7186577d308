"""Stamps that a till scanned without network and sends when it is heard again.

Each carries the key under which it may have been asked for before: an answer that was
lost on its way is given once more, and nothing is doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.actions.giving import current_card
from core.actions.grant import grant_stamps
from core.actions.once import once
from core.actions.outcomes import outcome_from_dict, refused_to_dict
from core.actions.scanning import CodeKeys, Scan, Unread, WhyUnread, cards_scanned
from core.actions.undo import undo_grant
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused, StampAsk, Undone
from core.rules.late import counts_at, scanned_at
from core.rules.pass_codes import PassCode
from core.rules.scanned import CardCode, read_scanned
from core.rules.types import (
    Card,
    CardId,
    EntryId,
    MerchantId,
    ShopId,
    Staff,
    StaffId,
    Why,
)
from core.store.answers import first_answer, keep_answer, mark_of
from core.store.cards import find_card_by_code, lock_card
from core.store.ledger import list_entries
from core.store.programs import load_program

_KEPT_BACK = Refused(why=Why.expired_request)
# Why nothing can be given for a scan, in the words of the till's queue.
_SAID: dict[WhyUnread, str] = {
    "member": "queue.old_code",
    "changed": "barcode.late.changed",
    "used": "barcode.late.used",
    "replaced": "reissue.late",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LateScan:
    """`n` stamps for whom `what` names: a card's code or its URL, a member number, or
    a code that changes, which is made under `keys`. `age` is how long ago it was
    scanned, None unknown; `by` is the browser that sends it, as in `Scan`.

    `program` says which card where a member has several; "" where one was scanned.
    """

    merchant_id: MerchantId
    key: str
    what: str
    keys: CodeKeys
    by: str
    n: int = 1
    age: timedelta | None = None
    program: str = ""
    shop_id: ShopId | None = None
    staff_id: StaffId | None = None


def scan_key(key: str, card_id: CardId, n: int) -> str:
    """The idempotency key of +n on a scanned card, sent at once or late."""
    return f"scan:{key}:{card_id}:{n}"


def own_card_id(tx: Tx, merchant_id: MerchantId, code: str) -> CardId:
    """The very card that carries `code`, also where another stands for it by now.

    Keys name this one: a card that is linked between two tries must not change them.
    Raises `NotFound("card")`.
    """
    card = find_card_by_code(tx, code, own=True)
    if card is None or card.merchant_id != merchant_id:
        raise NotFound("card")
    return card.id


def send_scan(tx: Tx, scan: LateScan, now: datetime) -> Granted | Refused:
    """Give what was scanned, by the limits of the instant at which it was.

    Raises `NotFound("card")` for what is nobody's here, and `Invalid` for "what" that
    names no one card and for a "key" that asked for something else before.
    """

    def do() -> Granted | Refused:
        card_id = _card_of(tx, scan, scanned_at(scan.age, now), now)
        ask = StampAsk(
            merchant_id=scan.merchant_id,
            key=scan_key(scan.key, card_id, scan.n),
            how="scan",
            card_id=card_id,
            stamps=scan.n,
            shop_id=scan.shop_id,
            staff_id=scan.staff_id,
        )
        # The key before the card, as everybody takes the two.
        if first_answer(tx, scan.merchant_id, ask.key, now) is not None:
            return grant_stamps(tx, ask, now)
        return grant_stamps(tx, ask, _counts_at(tx, scan, card_id, now))

    return once(tx, scan.merchant_id, _late_key(scan), _asked(scan), Granted, do, now)


def withdraw_scan(
    tx: Tx, scan: LateScan, *, by: Staff, reason: str, now: datetime
) -> Undone | Refused | None:
    """Staff took it back before they knew what became of it.

    None: nothing was given, and nothing will be, however late the first try comes in.
    What was given is undone, or the answer says why not. Raises as `undo_grant` does.
    """
    granted: Granted | None = None
    for key, answer in _keys(tx, scan, now):
        first = first_answer(tx, scan.merchant_id, key, now)
        if first is None:
            keep_answer(tx, scan.merchant_id, key, answer)
        elif first["outcome"] == "granted":
            found = outcome_from_dict(first)
            granted = found if isinstance(found, Granted) else granted
        elif first["outcome"] == "done":
            granted = Granted(
                card_id=CardId(first["done"]["card_id"]),
                entry_id=EntryId(first["done"]["entry_id"]),
                stamps=first["done"]["stamps"],
            )
    if granted is None:
        return None
    return undo_grant(
        tx,
        merchant_id=scan.merchant_id,
        entry_id=granted.entry_id,
        by=by,
        reason=reason,
        key=f"queue-undo:{scan.key}",
        now=now,
    )


def _late_key(scan: LateScan) -> str:
    return f"queue:{scan.key}"


def _asked(scan: LateScan) -> list[str | int]:
    return [scan.what, scan.n]


def _keys(tx: Tx, scan: LateScan, now: datetime) -> list[tuple[str, dict[str, object]]]:
    """Under which keys it may have been asked for, and what closes each of them."""
    closed: dict[str, object] = refused_to_dict(_KEPT_BACK)
    keys = [(_late_key(scan), {"asked": mark_of(_asked(scan)), **closed})]
    try:
        card_id = _card_of(tx, scan, None, now)
    except (NotFound, Invalid):
        return keys
    # Without the mark of a question: this answers whatever comes under the key.
    return [*keys, (scan_key(scan.key, card_id, scan.n), closed)]


def _card_of(tx: Tx, scan: LateScan, at: datetime | None, now: datetime) -> CardId:
    """Whose it is; a code must have been good `at` that instant, None whenever."""
    what = read_scanned(scan.what)
    if what is None:
        raise NotFound("card")
    found = cards_scanned(
        tx,
        Scan(
            merchant_id=scan.merchant_id,
            what=what,
            at=at,
            # Whoever read it before the network was lost gave nothing for it yet; but
            # a code that was kept twice is one stamp.
            by=_late_key(scan),
            seen_by=scan.by,
        ),
        scan.keys,
        now,
    )
    if isinstance(found, Unread):
        raise Invalid({"what": (_SAID[found.why], {})})
    if isinstance(what, CardCode | PassCode) and found:
        return found[0].id
    return _chosen(tx, found, scan)


def _chosen(tx: Tx, cards: list[Card], scan: LateScan) -> CardId:
    cards = [card for card in cards if not (card.next_card_id or card.merged_into)]
    if not cards:
        raise NotFound("card")
    if len(cards) > 1:
        cards = [card for card in cards if _program_key(tx, card) == scan.program]
    if len(cards) != 1:
        raise Invalid({"what": ("queue.which_card", {})})
    return cards[0].id


def _program_key(tx: Tx, card: Card) -> str:
    program = load_program(tx, card.merchant_id, card.program_id)
    return program.key if program else ""


def _counts_at(tx: Tx, scan: LateScan, card_id: CardId, now: datetime) -> datetime:
    card = lock_card(tx, scan.merchant_id, card_id)
    if card is None:
        return now
    card = current_card(tx, card)
    entries = list_entries(tx, scan.merchant_id, card.id, before=None, limit=1)
    last = entries[0].at if entries else card.issued_at
    return counts_at(scanned_at(scan.age, now), last, now)
