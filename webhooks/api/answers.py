"""Core values in the API's JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from core.actions.cards import CardView
from core.actions.channels import LineChannel
from core.links import Links, line_url
from core.rules.face import CardFace
from core.rules.types import (
    Entry,
    Merchant,
    Shop,
    TillCode,
    Voucher,
)
from webhooks.api.models import (
    CardAnswer,
    CustomerAnswer,
    EntryAnswer,
    NextReward,
    TillCodeAnswer,
    VoucherAnswer,
)


def card_answer(view: CardView, merchant: Merchant, links: Links) -> CardAnswer:
    """A card as the API shows it."""
    face, person = view.face, view.customer
    return CardAnswer(
        id=face.card_id,
        program=face.program_key,
        version=face.version,
        state=face.state,
        balance=face.balance,
        goal=face.goal,
        cycle=face.cycle,
        total=face.total,
        remainder=view.card.remainder,
        next_card=view.card.next_card_id,
        expires_at=local(face.expires_at, merchant),
        next_reward=_next_reward(face),
        vouchers=[voucher_answer(voucher, merchant) for voucher in face.vouchers],
        member_no=face.member_no,
        customer=CustomerAnswer(
            id=person.id,
            name=person.name,
            language=person.language,
            line_user_id=person.line_user_id,
            external_id=view.card.external_id or person.external_id,
        ),
        add_to_wallet_url=links.wallet(face.code),
    )


def entry_answer(
    entry: Entry, merchant: Merchant, shops: Iterable[Shop]
) -> EntryAnswer:
    """A ledger entry as the API shows it, its shop by the key among `shops`."""
    shop = next((shop for shop in shops if shop.id == entry.shop_id), None)
    at = local(entry.at, merchant)
    assert at is not None
    return EntryAnswer(
        id=entry.id,
        card_id=entry.card_id,
        kind=entry.kind,
        stamps=entry.stamps,
        balance=entry.balance,
        how=entry.how,
        at=at,
        shop=None if shop is None else shop.key,
        staff_id=entry.staff_id,
        undoes=entry.undoes,
        reason=entry.reason,
        amount=entry.amount,
    )


def till_code_answer(
    code: TillCode, merchant: Merchant, channel: LineChannel | None
) -> TillCodeAnswer:
    """A fresh till code with everything to show it by."""
    expires_at = local(code.expires_at, merchant)
    assert expires_at is not None
    url = line_url(channel.basic_id if channel else "", code.code)
    return TillCodeAnswer(
        code=code.code,
        digits=code.digits,
        line_url=url,
        qr_text=url or code.code,
        expires_at=expires_at,
    )


def voucher_answer(voucher: Voucher, merchant: Merchant) -> VoucherAnswer:
    """A voucher as the API shows it."""
    issued_at = local(voucher.issued_at, merchant)
    assert issued_at is not None
    return VoucherAnswer(
        id=voucher.id,
        number=voucher.number,
        name=voucher.name,
        state=voucher.state,
        issued_at=issued_at,
        expires_at=local(voucher.expires_at, merchant),
    )


def local(at: datetime | None, merchant: Merchant) -> datetime | None:
    """The instant with the merchant's offset, to the millisecond."""
    if at is None:
        return None
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at.astimezone(ZoneInfo(merchant.timezone))


def _next_reward(face: CardFace) -> NextReward | None:
    ahead = face.next_reward
    if ahead is None:
        return None
    return NextReward(at=ahead.at, name=ahead.name, to_next=face.to_next)
