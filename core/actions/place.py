"""Where somebody is: what a printed code with a radius asks of who sent it.

That they were asked is nothing of its own to be kept: it is their last attempt that was
refused for being too far. So any process knows it, and so does who asks after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.database import Tx
from core.rules.codes import Coordinates, metres_between
from core.rules.types import MerchantId, Why
from core.store.attempts import last_refused_code
from core.store.customers import find_customer
from core.store.merchants import list_shops
from core.store.till_codes import find_till_code

# Long enough to find the button and walk in, short enough that a code from a photo of
# this morning is not finished on the way home.
ASK_LIVES = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAsked:
    """The code that is good only near a shop; `at` is where the shop is (degrees)."""

    code: str
    shop_name: str
    radius_m: int
    at: Coordinates

    def metres_from(self, place: Coordinates) -> int:
        """How far the shop is from there."""
        return round(metres_between(place, self.at))


def place_asked(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, now: datetime
) -> PlaceAsked | None:
    """What this person was asked to say their place for, in the last five minutes.

    None where they were not, and where the shop has no place to be near to.
    """
    customer = find_customer(tx, merchant_id, line_user_id=line_user_id)
    if customer is None:
        return None
    since = now - ASK_LIVES
    text = last_refused_code(tx, merchant_id, customer.id, Why.too_far, since, now)
    code = find_till_code(tx, merchant_id, text) if text else None
    if code is None or code.radius_m is None:
        return None
    shops = list_shops(tx, merchant_id)
    shop = next((each for each in shops if each.id == code.shop_id), None)
    if shop is None or shop.latitude is None or shop.longitude is None:
        return None
    return PlaceAsked(
        code=code.code,
        shop_name=shop.name,
        radius_m=code.radius_m,
        at=(shop.latitude, shop.longitude),
    )
