"""Rich menus in the database: whose are behind, and who sees one of their own."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select, true

from core.database import Tx
from core.rules.types import Language, MerchantId
from core.store.tables import customer, line_channel, merchant, outbox, program


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuWish:
    """What a channel's menu depends on, as one text, and the one last asked for."""

    merchant_id: MerchantId
    wanted: str
    asked: str


def menu_wishes(
    tx: Tx, revision: int, merchant_id: MerchantId | None = None
) -> list[MenuWish]:
    """One for each LINE channel whose merchant has an active program.

    The menu wears the look of the first one; a published version never changes, so
    its number stands for the look.
    """
    rows = tx.execute(
        select(
            line_channel.c.merchant_id,
            line_channel.c.channel_id,
            line_channel.c.menu_wanted,
            merchant.c.languages,
            program.c.id,
            program.c.version,
        )
        .join(merchant, merchant.c.id == line_channel.c.merchant_id)
        .join(program, program.c.merchant_id == line_channel.c.merchant_id)
        .where(
            program.c.state == "active",
            line_channel.c.merchant_id == merchant_id if merchant_id else true(),
        )
        .order_by(program.c.merchant_id, program.c.position, program.c.key)
    )
    found: dict[str, MenuWish] = {}
    for row in rows:
        facts = (revision, row.channel_id, row.id, row.version, *row.languages)
        wish = MenuWish(
            merchant_id=MerchantId(row.merchant_id),
            wanted=" ".join(str(fact) for fact in facts),
            asked=row.menu_wanted,
        )
        found.setdefault(row.merchant_id, wish)
    return list(found.values())


def friends_who_read(tx: Tx, merchant_id: MerchantId, language: Language) -> list[str]:
    """The LINE user ids of the merchant's friends with this language."""
    rows = tx.execute(
        select(customer.c.line_user_id)
        .where(
            customer.c.merchant_id == merchant_id,
            customer.c.language == language,
            customer.c.line_user_id.is_not(None),
            customer.c.followed_at.is_not(None),
            customer.c.erased_at.is_(None),
            or_(
                customer.c.unfollowed_at.is_(None),
                customer.c.unfollowed_at < customer.c.followed_at,
            ),
        )
        .order_by(customer.c.id)
    )
    return [row.line_user_id for row in rows]


def menu_waits(tx: Tx, merchant_id: MerchantId, topic: str) -> int | None:
    """How many tries of a menu that waits were in vain; None when none waits."""
    row = tx.execute(
        select(outbox.c.attempts).where(
            outbox.c.merchant_id == merchant_id,
            outbox.c.topic == topic,
            outbox.c.wanted > outbox.c.done,
        )
    ).first()
    return None if row is None else int(row.attempts)
