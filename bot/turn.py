"""One event in its surroundings: what a part of the conversation is given to answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.access import ChannelKey, channel_key
from bot.events import LineEvent
from core.actions.channels import (
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.telling import has_open_notices
from core.database import Tx
from core.rules.types import Merchant, MerchantId
from core.vault import Vault


@dataclass(frozen=True, slots=True)
class Line:
    """A merchant's LINE channel, opened. `has_wallet`: can cards go into a wallet?

    `has_news`: something waits that an answer to one of its customers may tell.
    """

    merchant: Merchant
    key: ChannelKey
    has_wallet: bool
    has_news: bool = False


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


def find_line(tx: Tx, vault: Vault, merchant_id: MerchantId) -> Line | None:
    """The merchant's LINE channel; None when they have left LINE. `Unsealable`."""
    channel = line_channel(tx, merchant_id)
    if channel is None:
        return None
    has_apple = apple_credentials(tx, merchant_id) is not None
    has_wallet = has_apple or google_credentials(tx, merchant_id) is not None
    has_news = has_open_notices(tx, merchant_id)
    return Line(channel.merchant, channel_key(channel, vault), has_wallet, has_news)
