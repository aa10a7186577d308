"""Printed codes: on a poster in the shop, good until they are revoked. Whoever is there
may use one once a business day, whatever the card's own limit says.
"""

from __future__ import annotations

from datetime import datetime

from core.actions.history import actor_of
from core.actions.till import new_code, place_code
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.types import MerchantId, StaffId, TillCode
from core.store.journal import note
from core.store.merchants import list_shops
from core.store.till_codes import (
    add_till_code,
    end_till_code,
    find_till_code,
    printed_codes,
)

RADIUS = (50, 5000)  # metres


def make_printed_code(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    shop_key: str,
    program_key: str,
    stamps: int,
    radius_m: int | None,
    staff_id: StaffId | None,
    now: datetime,
) -> TillCode:
    """A code to print. With `radius_m`, only those who are so near may use it.

    Raises `NotFound` for the shop or program, `Invalid` for "stamps" and "radius_m",
    also where the shop's own place is not known.
    """
    shop_id, program_id = place_code(tx, merchant_id, shop_key, program_key, stamps)
    if radius_m is not None:
        least, most = RADIUS
        if not least <= radius_m <= most:
            raise Invalid({"radius_m": ("invalid.number", {"min": least, "max": most})})
        shop = next(s for s in list_shops(tx, merchant_id) if s.id == shop_id)
        if shop.latitude is None or shop.longitude is None:
            raise Invalid({"radius_m": ("invalid.no_place", {})})
    code = TillCode(
        code=new_code(),
        digits="",
        merchant_id=merchant_id,
        program_id=program_id,
        shop_id=shop_id,
        staff_id=None,
        stamps=stamps,
        expires_at=None,
        kind="printed",
        radius_m=radius_m,
    )
    add_till_code(tx, code, now)
    actor = actor_of(staff_id)
    note(tx, merchant_id, actor, "printed_code.made", shop_id, now, code=code.code)
    return code


def revoke_printed_code(
    tx: Tx, merchant_id: MerchantId, code: str, staff_id: StaffId | None, now: datetime
) -> None:
    """The poster is worth nothing from now on. Raises `NotFound("till code")`."""
    found = find_till_code(tx, merchant_id, code, lock=True)
    if found is None or found.kind != "printed":
        raise NotFound("till code")
    if found.is_over(now):
        return
    end_till_code(tx, found, now)
    actor = actor_of(staff_id)
    note(tx, merchant_id, actor, "printed_code.revoked", found.shop_id, now, code=code)


__all__ = ["make_printed_code", "printed_codes", "revoke_printed_code"]
