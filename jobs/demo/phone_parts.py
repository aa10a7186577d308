"""What the phone page needs to know of the demo around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from core.clock import Clock
from jobs.demo.apple_phone import ApplePhone
from jobs.demo.line_platform import LineStandIn


class OpenCode(TypedDict):
    """A till code that waits to be scanned; `line_url` is what its QR code carries."""

    code: str
    line_url: str


class GoogleWallet(Protocol):
    """What the page uses of Google's stand-in."""

    on_change: Callable[[str], None] | None

    @property
    def classes(self) -> dict[str, dict[str, Any]]:
        """Every class by its id."""
        ...

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """Every object by its id."""
        ...

    async def save(self, jwt: str) -> str:
        """Put the pass of a save link on the phone; its object id."""
        ...


@dataclass(slots=True, kw_only=True)
class DemoParts:
    """The stand-ins, the customer, and where the shop's own pages are.

    `user_id` is the customer of the page, a person of `line`. `open_codes` lists the
    till codes that wait now. URLs are as the reader's browser reaches them.
    """

    clock: Clock
    line: LineStandIn
    channel_id: str
    user_id: str
    phone: ApplePhone
    google: GoogleWallet | None
    open_codes: Callable[[], Awaitable[list[OpenCode]]]
    shop_name: str
    service_url: str
    till_url: str
    settings_url: str
    staff_email: str
    staff_password: str
    staff_pin: str = ""
