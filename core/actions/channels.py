"""A merchant's connections to LINE, Apple and Google.

Secrets leave here sealed; whoever needs one opens it with the vault, for the merchant's
id and the place named beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from core.database import Tx
from core.errors import NotFound
from core.rules.types import Merchant, MerchantId
from core.store.merchants import (
    find_merchant,
    load_channel,
    load_merchant,
    merchants_without_basic_id,
    put_channel,
)

LINE_SECRET = "line.secret"  # noqa: S105 -- the name of a place, no secret
APPLE_KEY = "apple.key"
GOOGLE_ACCOUNT = "google.service_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChannel:
    """A Messaging API channel; secrets are sealed for the place `LINE_SECRET`.

    `name` is its account's, "" until LINE was asked. `setup` holds what was ticked and
    tested (`core.actions.line_setup`), `menu` what is up (`core.actions.menus`).
    `holds_replies`: may an answer wait for staff, while they are at a till?
    `previous_until` is the end of the secret before.
    """

    merchant: Merchant
    channel_id: str
    basic_id: str
    bot_user_id: str
    sealed_secret: str
    sealed_previous_secret: str | None
    name: str
    setup: Mapping[str, Any]
    menu: Mapping[str, Any]
    holds_replies: bool
    previous_until: datetime | None

    def has_previous(self, now: datetime) -> bool:
        """Does the secret before still count? Without an end, it was kept before
        ends were.
        """
        if self.sealed_previous_secret is None:
            return False
        return self.previous_until is None or now < self.previous_until

    @property
    def ticks(self) -> list[str]:
        """What the merchant has seen to at LINE; see `core.actions.line_setup`."""
        return list(self.setup.get("ticks", []))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleCredentials:
    """A Pass Type ID certificate; its key is sealed for the place `APPLE_KEY`."""

    merchant_id: MerchantId
    pass_type_id: str
    team_id: str
    certificate_pem: str
    sealed_key: str
    wwdr_pem: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleCredentials:
    """An issuer's service account (JSON text), sealed for `GOOGLE_ACCOUNT`."""

    merchant_id: MerchantId
    issuer_id: str
    sealed_service_account: str
    updated_at: datetime


def find_line_channel(tx: Tx, merchant_key: str) -> LineChannel:
    """The LINE channel of the merchant in a webhook's path. Raises `NotFound`."""
    merchant = find_merchant(tx, merchant_key)
    channel = merchant and line_channel(tx, merchant.id)
    if not channel:
        raise NotFound("merchant")
    return channel


def line_channel(tx: Tx, merchant_id: MerchantId) -> LineChannel | None:
    """The merchant's LINE channel, or None."""
    row = load_channel(tx, merchant_id, "line")
    return None if row is None else _line(load_merchant(tx, merchant_id), row)


def unidentified_channels(tx: Tx) -> list[LineChannel]:
    """The LINE channels whose own account nobody has named yet."""
    found = (line_channel(tx, m) for m in merchants_without_basic_id(tx))
    return [channel for channel in found if channel is not None]


def apple_credentials(tx: Tx, merchant_id: MerchantId) -> AppleCredentials | None:
    """The merchant's Apple certificate, or None."""
    row = load_channel(tx, merchant_id, "apple")
    if row is None:
        return None
    return AppleCredentials(
        merchant_id=merchant_id,
        pass_type_id=row.pass_type_id,
        team_id=row.team_id,
        certificate_pem=row.certificate_pem,
        sealed_key=row.sealed_key,
        wwdr_pem=row.wwdr_pem,
        updated_at=row.updated_at,
    )


def google_credentials(tx: Tx, merchant_id: MerchantId) -> GoogleCredentials | None:
    """The merchant's Google issuer, or None."""
    row = load_channel(tx, merchant_id, "google")
    if row is None:
        return None
    return GoogleCredentials(
        merchant_id=merchant_id,
        issuer_id=row.issuer_id,
        sealed_service_account=row.sealed_service_account,
        updated_at=row.updated_at,
    )


def update_line_identity(
    tx: Tx, merchant_id: MerchantId, bot_user_id: str, basic_id: str, now: datetime
) -> None:
    """Keep what LINE says of the channel's own account."""
    row = load_channel(tx, merchant_id, "line")
    if row is None:
        raise NotFound("merchant")
    values = {k: v for k, v in row._mapping.items() if k != "merchant_id"}
    values |= {"bot_user_id": bot_user_id, "basic_id": basic_id}
    put_channel(tx, merchant_id, "line", values, now)


def _line(merchant: Merchant, row: Row[Any]) -> LineChannel:
    return LineChannel(
        merchant=merchant,
        channel_id=row.channel_id,
        basic_id=row.basic_id,
        bot_user_id=row.bot_user_id,
        sealed_secret=row.sealed_secret,
        sealed_previous_secret=row.sealed_previous_secret,
        name=row.name,
        setup=row.setup or {},
        menu=row.menu or {},
        holds_replies=row.holds_replies,
        previous_until=row.previous_until,
    )
