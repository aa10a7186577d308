"""Checks of each merchant's connections, as far as that goes without calling anyone."""

from __future__ import annotations

import asyncio
from datetime import datetime

from core.actions.channels import (
    APPLE_KEY,
    GOOGLE_ACCOUNT,
    LINE_SECRET,
    AppleCredentials,
    GoogleCredentials,
    LineChannel,
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.merchants import list_merchants
from core.actions.outbox import why_halted
from core.database import Tx
from core.errors import DeliveryError, Invalid, Unsealable
from core.rules.types import Merchant
from core.vault import Vault
from jobs.findings import Finding, green, red, yellow
from jobs.parts import Parts
from passes.apple.certificates import load_signer
from passes.apple.facts import urgency
from passes.google.account import load_account

# As on the merchant's own page.
_TELL = {"good": green, "warn": yellow, "bad": red}

# The last is why Apple's queue stands still, if it does.
Channels = tuple[
    Merchant,
    LineChannel | None,
    AppleCredentials | None,
    GoogleCredentials | None,
    str | None,
]


async def check_channels(parts: Parts, now: datetime) -> list[Finding]:
    """Open every merchant's secrets, and count the days of Apple certificates."""
    merchants = await parts.db.read(_channels)
    return await asyncio.to_thread(_check, merchants, parts.vault, now)


def _channels(tx: Tx) -> list[Channels]:
    return [
        (
            merchant,
            line_channel(tx, merchant.id),
            apple_credentials(tx, merchant.id),
            google_credentials(tx, merchant.id),
            why_halted(tx, merchant.id, "apple"),
        )
        for merchant in list_merchants(tx)
    ]


def _check(merchants: list[Channels], vault: Vault, now: datetime) -> list[Finding]:
    found: list[Finding] = []
    for merchant, line, apple, google, halted in merchants:
        if line is not None:
            found.append(_line(f"line {merchant.key}", line, vault))
        if apple is not None:
            found.append(_apple(f"apple {merchant.key}", apple, vault, now, halted))
        if google is not None:
            found.append(_google(f"google {merchant.key}", google, vault))
    return found


def _line(name: str, line: LineChannel, vault: Vault) -> Finding:
    try:
        vault.open(line.sealed_secret, line.merchant.id, LINE_SECRET)
    except Unsealable as error:
        return red(name, str(error))
    reason = line.setup.get("test", {}).get("reason", "OK")
    if reason != "OK":
        return yellow(name, f"channel {line.channel_id}, webhook test: {reason}")
    if not line.bot_user_id:
        return yellow(name, f"channel {line.channel_id}, its account not looked up yet")
    return green(name, f"channel {line.channel_id}, {line.basic_id}")


def _apple(
    name: str,
    apple: AppleCredentials,
    vault: Vault,
    now: datetime,
    halted: str | None,
) -> Finding:
    try:
        signer = load_signer(
            apple.certificate_pem,
            vault.open(apple.sealed_key, apple.merchant_id, APPLE_KEY),
            apple.wwdr_pem,
            pass_type_id=apple.pass_type_id,
            team_id=apple.team_id,
            now=now,
            is_known=True,
        )
    except Unsealable as error:
        return red(name, str(error))
    except Invalid as error:
        return red(name, f"certificate: {error}")
    if halted is not None:
        return red(name, f"pushes stand still: {halted}")
    days = signer.days_left(now)
    text = f"{apple.pass_type_id}, {days} days left"
    return _TELL[urgency(days)](name, text)


def _google(name: str, google: GoogleCredentials, vault: Vault) -> Finding:
    try:
        account = load_account(
            vault.open(
                google.sealed_service_account, google.merchant_id, GOOGLE_ACCOUNT
            )
        )
    except (Unsealable, DeliveryError) as error:
        return red(name, str(error))
    return green(name, f"issuer {google.issuer_id}, {account.email}")
