"""Cards in wallets, and the devices that Apple lets us push to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, case, func, literal, select

from core.database import Tx
from core.ids import new_id
from core.rules.types import (
    CardId,
    HeldPass,
    IssuerName,
    MerchantId,
    PassId,
    ProgramId,
)
from core.store.cards import GROUP
from core.store.outbox import AT_LEISURE, announce, announce_all
from core.store.tables import card, held_pass, outbox, pass_device
from core.store.upsert import put_if_new

# One installation has been seen to register with hundreds of device ids.
MAX_DEVICES = 20
# Whoever has not come for longer looks at the card less often.
ACTIVE = timedelta(days=90)

# HTTP dates have whole seconds: two stamps in one second must still differ.
LATER = case(
    (held_pass.c.changed_at >= bindparam("second"), held_pass.c.changed_at + 1),
    else_=bindparam("second"),
)
GOOD = held_pass.c.replaced_at.is_(None)
# Built once: to build a statement costs more than to run it.
_CHANGE = (
    held_pass.update()
    .where(
        held_pass.c.merchant_id == bindparam("of_merchant"),
        held_pass.c.card_id.in_(GROUP),
        GOOD,
    )
    .values(changed_at=LATER)
    .returning(held_pass.c.id)
)
TOPIC = literal("pass:").concat(held_pass.c.id).label("topic")
_ITS_CARD = (card.c.merchant_id == held_pass.c.merchant_id) & (
    card.c.id == held_pass.c.card_id
)


@dataclass(frozen=True, slots=True)
class Behind:
    """Of `n_passes` passes, so many wait for a new look; `n_failing` not at first."""

    n_passes: int
    n_waiting: int
    n_failing: int


def add_pass(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, issuer: IssuerName, now: datetime
) -> HeldPass:
    """The card's good pass at this issuer, made once."""
    row = {
        "merchant_id": merchant_id,
        "id": new_id(now),
        "card_id": card_id,
        "issuer": issuer,
        "changed_at": int(now.timestamp()),
        "installed": False,
        "created_at": now,
    }
    put_if_new(tx, held_pass, row)
    found = tx.execute(
        select(held_pass).where(
            held_pass.c.merchant_id == merchant_id,
            held_pass.c.card_id == card_id,
            held_pass.c.issuer == issuer,
            GOOD,
        )
    ).one()
    return _pass(tx, found)


def load_pass(tx: Tx, pass_id: PassId) -> HeldPass | None:
    """One pass by its serial number, or None."""
    row = tx.execute(select(held_pass).where(held_pass.c.id == pass_id)).first()
    return None if row is None else _pass(tx, row)


def announce_passes(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime
) -> None:
    """The card changed: move its passes' Last-Modified on and have them refreshed.

    Cards that are linked with it show the same, so their passes too.
    """
    mine = {"of_merchant": merchant_id, "of_card": card_id}
    rows = tx.execute(_CHANGE, {**mine, "second": int(now.timestamp())})
    for row in rows.all():
        announce(tx, merchant_id, f"pass:{row.id}", now)
        tx.signal(f"pass:{row.id}")


def announce_program(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, now: datetime
) -> None:
    """The program's look changed: the same for the passes of all its cards.

    Those that are looked at come first: on a phone, and stamped lately. And Apple's
    before Google's, which take five a second, and Apple's any number.
    """
    cards = select(card.c.id).where(
        card.c.merchant_id == merchant_id, card.c.program_id == program_id
    )
    mine = (held_pass.c.merchant_id == merchant_id) & held_pass.c.card_id.in_(cards)
    mine &= GOOD
    change = held_pass.update().where(mine).values(changed_at=LATER)
    tx.execute(change, {"second": int(now.timestamp())})
    is_apple = held_pass.c.issuer == "apple"
    comes = card.c.last_stamp_at >= now - ACTIVE
    place = case(
        (held_pass.c.installed.is_(False), AT_LEISURE + 4),
        (is_apple & comes, AT_LEISURE),
        (is_apple, AT_LEISURE + 1),
        (comes, AT_LEISURE + 2),
        else_=AT_LEISURE + 3,
    )
    rows = (
        select(held_pass.c.merchant_id, TOPIC, place)
        .select_from(held_pass.join(card, _ITS_CARD))
        .where(
            held_pass.c.merchant_id == merchant_id,
            card.c.program_id == program_id,
            GOOD,
        )
    )
    announce_all(tx, rows, now)


def count_behind(tx: Tx, merchant_id: MerchantId, program_id: ProgramId) -> Behind:
    """How far a new look has got among the passes of a program."""
    waits = (outbox.c.wanted > outbox.c.done) & outbox.c.dead.is_(False)
    waits &= outbox.c.priority >= AT_LEISURE
    row = tx.execute(
        select(
            func.count().label("n_passes"),
            _how_many(waits).label("n_waiting"),
            _how_many(waits & (outbox.c.attempts > 0)).label("n_failing"),
        )
        .select_from(
            held_pass.join(card, _ITS_CARD).outerjoin(
                outbox,
                (outbox.c.merchant_id == held_pass.c.merchant_id)
                & (outbox.c.topic == TOPIC),
            )
        )
        .where(
            held_pass.c.merchant_id == merchant_id,
            card.c.program_id == program_id,
            GOOD,
        )
    ).one()
    return Behind(row.n_passes, row.n_waiting or 0, row.n_failing or 0)


def put_device(
    tx: Tx, held: HeldPass, device_id: str, push_token: str, now: datetime
) -> bool:
    """Register a device for a pass, or renew its push token; True when it is new."""
    row = {
        "merchant_id": held.merchant_id,
        "pass_id": held.id,
        "device_id": device_id,
        "push_token": push_token,
        "registered_at": now,
    }
    is_new = put_if_new(tx, pass_device, row, "merchant_id", "pass_id", "device_id")
    if not is_new:
        values = {"push_token": push_token, "registered_at": now}
        tx.execute(pass_device.update().where(_device(held, device_id)).values(values))
    _drop_oldest_devices(tx, held)
    set_installed(tx, held, installed=True)
    return is_new


def drop_device(tx: Tx, held: HeldPass, device_id: str) -> bool:
    """Forget a device's registration; False when there was none."""
    gone = tx.execute(pass_device.delete().where(_device(held, device_id))).rowcount
    _settle_installed(tx, held)
    return gone > 0


def drop_push_token(
    tx: Tx, merchant_id: MerchantId, push_token: str, registered_before: datetime | None
) -> None:
    """Forget a dead push token, unless it was registered again since."""
    mine = (pass_device.c.merchant_id == merchant_id) & (
        pass_device.c.push_token == push_token
    )
    if registered_before is not None:
        mine &= pass_device.c.registered_at <= registered_before
    rows = tx.execute(pass_device.delete().where(mine).returning(pass_device.c.pass_id))
    for row in rows.all():
        held = load_pass(tx, PassId(row.pass_id))
        if held is not None:
            _settle_installed(tx, held)


def changed_passes(
    tx: Tx, device_id: str, merchant_ids: list[MerchantId], since: int | None
) -> list[PassId] | None:
    """A device's passes of these merchants, changed at or after `since` (seconds).

    None when the device has none at all.
    """
    rows = tx.execute(
        select(held_pass.c.id, held_pass.c.changed_at)
        .join(
            pass_device,
            (pass_device.c.merchant_id == held_pass.c.merchant_id)
            & (pass_device.c.pass_id == held_pass.c.id),
        )
        .where(
            pass_device.c.device_id == device_id,
            pass_device.c.merchant_id.in_(merchant_ids),
        )
        .order_by(held_pass.c.id)
    ).all()
    if not rows:
        return None
    return [PassId(r.id) for r in rows if since is None or r.changed_at >= since]


def set_installed(tx: Tx, held: HeldPass, *, installed: bool) -> None:
    """Is the pass on any device?"""
    mine = (held_pass.c.merchant_id == held.merchant_id) & (held_pass.c.id == held.id)
    tx.execute(held_pass.update().where(mine).values(installed=installed))


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _settle_installed(tx: Tx, held: HeldPass) -> None:
    tokens = _push_tokens(tx, held.merchant_id, held.id)
    set_installed(tx, held, installed=bool(tokens))


def _drop_oldest_devices(tx: Tx, held: HeldPass) -> None:
    mine = (pass_device.c.merchant_id == held.merchant_id) & (
        pass_device.c.pass_id == held.id
    )
    keep = (
        select(pass_device.c.device_id)
        .where(mine)
        .order_by(pass_device.c.registered_at.desc(), pass_device.c.device_id)
        .limit(MAX_DEVICES)
    )
    tx.execute(pass_device.delete().where(mine, pass_device.c.device_id.not_in(keep)))


def _device(held: HeldPass, device_id: str) -> Any:
    return (
        (pass_device.c.merchant_id == held.merchant_id)
        & (pass_device.c.pass_id == held.id)
        & (pass_device.c.device_id == device_id)
    )


def _push_tokens(tx: Tx, merchant_id: str, pass_id: str) -> tuple[str, ...]:
    rows = tx.execute(
        select(func.max(pass_device.c.push_token))
        .where(
            pass_device.c.merchant_id == merchant_id, pass_device.c.pass_id == pass_id
        )
        .group_by(pass_device.c.push_token)
    )
    return tuple(row[0] for row in rows)


def _pass(tx: Tx, row: Row[Any]) -> HeldPass:
    return HeldPass(
        id=PassId(row.id),
        merchant_id=MerchantId(row.merchant_id),
        card_id=CardId(row.card_id),
        issuer=row.issuer,
        changed_at=row.changed_at,
        installed=row.installed,
        replaced_at=row.replaced_at,
        fetched=row.fetched,
        push_tokens=_push_tokens(tx, row.merchant_id, row.id),
    )
