"""Signed links: a URL part that we made, for one purpose, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from itsdangerous import (
    BadSignature,
    TimestampSigner,
    URLSafeSerializer,
    URLSafeTimedSerializer,
)

from core.clock import Clock
from core.vault import Vault


def line_url(basic_id: str, code: str) -> str:
    """The link that fills `STAMP <code>` into the shop's chat; "" without a channel.

    LINE takes the text after a bare question mark, without a key
    (https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/).
    """
    return chat_url(basic_id, f"STAMP {code}")


def chat_url(basic_id: str, text: str) -> str:
    """The link that fills `text` into the shop's chat; "" without a channel."""
    if not basic_id:
        return ""
    return f"https://line.me/R/oaMessage/{quote(basic_id)}/?{quote(text)}"


def share_url(text: str) -> str:
    """The link that lets somebody send `text` to a friend in LINE."""
    return f"https://line.me/R/share?text={quote(text, safe='')}"


def friend_url(basic_id: str) -> str:
    """The link that adds the shop as a friend in LINE; "" without a channel."""
    return f"https://line.me/R/ti/p/{quote(basic_id)}" if basic_id else ""


class Links:
    """Makes and reads the tokens in links such as /w/{token}."""

    def __init__(
        self, vault: Vault, public_url: str, clock: Clock | None = None
    ) -> None:
        self._vault = vault
        self._clock = clock or Clock()
        self._serializers: dict[str, URLSafeTimedSerializer] = {}
        self._lasting = URLSafeSerializer(vault.derive("link", "pass"), salt="pass")
        self.public_url = public_url

    def sign(self, purpose: str, value: str) -> str:
        """A URL-safe token that carries `value` for `purpose`."""
        return str(self._serializer(purpose).dumps(value))

    def read(
        self, purpose: str, token: str, *, lives: timedelta, now: datetime
    ) -> str | None:
        """The value of a token, or None when it is not ours or older than `lives`."""
        try:
            value, made = self._serializer(purpose).loads(token, return_timestamp=True)
        except BadSignature:
            return None
        age = now.astimezone(UTC) - made
        return value if age <= lives and isinstance(value, str) else None

    def wallet(self, value: str) -> str:
        """The whole add-to-wallet URL of a card (`value` is its code)."""
        return f"{self.public_url}/w/{self.sign('wallet', value)}"

    def holder(self, pass_id: str) -> str:
        """The URL on a pass itself: the card's page, for as long as there is the pass.

        The same each time, or every pass would change all the time.
        """
        token = str(self._lasting.dumps(pass_id))
        return f"{self.public_url}/w/{token}"

    def read_holder(self, token: str) -> str | None:
        """The id of the pass that a token of `holder` is on, or None."""
        try:
            value = self._lasting.loads(token)
        except BadSignature:
            return None
        return value if isinstance(value, str) else None

    def handover(self, code: str) -> str:
        """The URL that a till shows as a QR code: on to a card's page, for minutes."""
        return f"{self.public_url}/w/{self.sign('handover', code)}"

    def read_handover(self, token: str, lives: timedelta, now: datetime) -> str | None:
        """The code of the card that a token of `handover` leads to, or None."""
        return self.read("handover", token, lives=lives, now=now)

    def use(self, merchant_id: str, redemption_id: str) -> str:
        """The URL of the page that shows a voucher while it waits for staff."""
        token = self.sign("use", f"{merchant_id}.{redemption_id}")
        return f"{self.public_url}/v/{token}"

    def member(self, card_id: str) -> str:
        """The URL of the 会員証 page of whoever holds this card."""
        return f"{self.public_url}/m/{self.sign('member', card_id)}"

    def card(self, code: str) -> str:
        """The URL that a pass's barcode carries."""
        return f"{self.public_url}/c/{code}"

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        # Deriving a key costs more than signing with it.
        known = self._serializers.get(purpose)
        if known is None:
            known = self._serializers[purpose] = URLSafeTimedSerializer(
                self._vault.derive("link", purpose),
                salt=purpose,
                signer=_Signer,
                signer_kwargs={"clock": self._clock},
            )
        return known


class _Signer(TimestampSigner):
    """The library's own reads the wall clock."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Seconds since 1970, by our clock."""
        return int(self._clock.now().timestamp())
