"""Printed codes: on a poster in the shop, good until they are revoked. Whoever is there
may use one once a business day, whatever the card's own limit says.
"""

from __future__ import annotations

from datetime import datetime

from core.actions.history import actor_of
from core.actions.once import check_question
from core.actions.till import new_code, place_code
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.types import MerchantId, ShopId, StaffId, TillCode
from core.store.answers import first_answer, keep_answer
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
    key: str | None = None,
) -> TillCode:
    """A code to print. With `radius_m`, only those who are so near may use it; the same
    `key` gets the same code again.

    Raises `NotFound` for the shop or program, `Invalid` for "stamps" and "radius_m",
    also where the shop's own place is not known, and for a "key" that asked for
    something else before.
    """
    asked = [shop_key, program_key, stamps, radius_m]
    first = key and first_answer(tx, merchant_id, key, now)
    if first:
        check_question(first, asked)
        known = find_till_code(tx, merchant_id, first["code"])
        if known is not None:
            return known
    shop_id, program_id = place_code(tx, merchant_id, shop_key, program_key, stamps)
    _check_radius(tx, merchant_id, shop_id, radius_m)
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
    if key:
        keep_answer(tx, merchant_id, key, {"code": code.code, "asked": asked})
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


def _check_radius(
    tx: Tx, merchant_id: MerchantId, shop_id: ShopId, radius_m: int | None
) -> None:
    if radius_m is None:
        return
    least, most = RADIUS
    if not least <= radius_m <= most:
        raise Invalid({"radius_m": ("invalid.number", {"min": least, "max": most})})
    shop = next(s for s in list_shops(tx, merchant_id) if s.id == shop_id)
    if shop.latitude is None or shop.longitude is None:
        raise Invalid({"radius_m": ("invalid.no_place", {})})


__all__ = ["make_printed_code", "printed_codes", "revoke_printed_code"]
