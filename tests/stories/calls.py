"""What the people of a crowd do, each as a call that can go to another process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.redeem import redeem_voucher
from core.actions.undo import undo_grant
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.types import CardId, Entry, EntryId, Staff, VoucherId, Why
from tests.builders import BuiltShop, person


@dataclass(frozen=True, slots=True)
class Call:
    """An action to be done in a transaction of its own."""

    action: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
        return cls(action, args, tuple(kwargs.items()))

    def run(self, tx: Any) -> Any:
        """Do it."""
        return self.action(tx, *self.args, **dict(self.kwargs))


def by_api(
    shop: BuiltShop, card_id: CardId, key: str, now: datetime, stamps: int = 1
) -> Call:
    """Stamps for a card, as a POS asks for them."""
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=key,
        how="api",
        card_id=card_id,
        stamps=stamps,
        shop_id=shop.shop.id,
    )
    return Call.of(grant_stamps, ask, now)


def by_code(shop: BuiltShop, code: str, who: int, key: str, now: datetime) -> Call:
    """A code that 客<who> sends in the chat."""
    ask = StampAsk(
        merchant_id=shop.merchant.id,
        key=key,
        how="line",
        code=code,
        person=person(who, name=f"客{who}"),
    )
    return Call.of(grant_stamps, ask, now)


def redeeming(
    shop: BuiltShop,
    voucher_id: VoucherId,
    key: str,
    now: datetime,
    by: Staff | None = None,
) -> Call:
    """A voucher that is used at the till, or by a machine."""
    return Call.of(
        redeem_voucher,
        merchant_id=shop.merchant.id,
        voucher_id=voucher_id,
        by=by,
        key=key,
        now=now,
        shop_id=shop.shop.id,
    )


def undoing(shop: BuiltShop, entry_id: EntryId, key: str, now: datetime) -> Call:
    """A grant that a machine takes back."""
    return Call.of(
        undo_grant,
        merchant_id=shop.merchant.id,
        entry_id=entry_id,
        by=None,
        reason="間違い",
        key=key,
        now=now,
    )


async def new_card(shop: BuiltShop, now: datetime) -> CardId:
    """A card without stamps."""
    (card_id,) = await shop.db.write(follow, shop.merchant.id, person(), "f", now)
    return CardId(card_id)


async def full_card(shop: BuiltShop, now: datetime) -> Granted:
    """A card that ten stamps at once have filled: what granted them."""
    card_id = await new_card(shop, now)
    granted = await shop.db.write(by_api(shop, card_id, "fill", now, stamps=10).run)
    assert isinstance(granted, Granted)
    return granted


def granted_of(outcomes: Sequence[Any]) -> list[Granted]:
    """Those that got their stamps."""
    return [o for o in outcomes if isinstance(o, Granted)]


def reasons(outcomes: Sequence[Any]) -> Counter[Why]:
    """How many were refused, for each reason."""
    return Counter(o.why for o in outcomes if isinstance(o, Refused))


def kinds(entries: Sequence[Entry]) -> list[str]:
    """What a card's entries are, in alphabetical order."""
    return sorted(entry.kind for entry in entries)
