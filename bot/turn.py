"""One event in its surroundings: what a part of the conversation is given to answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.access import ChannelKey
from bot.events import LineEvent
from core.rules.types import Merchant, MerchantId


@dataclass(frozen=True, slots=True)
class Line:
    """A merchant's LINE channel, opened. `has_wallet`: can cards go into a wallet?"""

    merchant: Merchant
    key: ChannelKey
    has_wallet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One event in its surroundings. `asked_at` is when LINE handed it to us."""

    event: LineEvent
    line: Line
    asked_at: datetime

    @property
    def merchant_id(self) -> MerchantId:
        """Whose chat this is."""
        return self.line.merchant.id

    @property
    def key(self) -> str:
        """The idempotency key of what this event asks for."""
        return f"line:{self.event.id}"
