"""Applies a merchant file: everything checked first, then written in one transaction.

Reaches no platform, and works beside a running service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.actions.apply import Applied, MerchantFile, apply_channel, apply_merchant
from core.actions.channels import (
    APPLE_KEY,
    GOOGLE_ACCOUNT,
    LINE_SECRET,
    line_channel,
)
from core.actions.line_setup import previous_secret
from core.actions.publish import list_programs
from core.actions.shops import list_shops
from core.config import Settings
from core.database import Database, Tx
from core.errors import DeliveryError, Invalid, Unsealable
from core.rules.types import MerchantId
from core.store.merchants import find_merchant
from core.vault import Vault, hash_password, hash_token, new_password, new_token
from core.wording import say
from jobs.merchant_file import BadFile, ReadFile, read_merchant_file
from passes.apple.certificates import load_signer
from passes.google.account import load_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the operator hands on: ids, addresses, and new secrets this once."""

    merchant_id: MerchantId
    merchant_key: str
    merchant_name: str
    line_webhook_url: str
    google_callback_url: str
    programs: Mapping[str, str]
    shops: Mapping[str, str]
    passwords: Mapping[str, str | None] = field(repr=False)
    api_keys: Mapping[str, str | None] = field(repr=False)
    notes: tuple[str, ...] = ()
    by_pin: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; `password` and `key` only where they were made just now."""
        return {
            "merchant": {
                "key": self.merchant_key,
                "id": self.merchant_id,
                "name": self.merchant_name,
            },
            "line_webhook_url": self.line_webhook_url,
            "google_callback_url": self.google_callback_url,
            "programs": [{"key": k, "id": i} for k, i in self.programs.items()],
            "shops": [{"key": k, "id": i} for k, i in self.shops.items()],
            "staff": [
                {"email": email, **({"password": password} if password else {})}
                for email, password in self.passwords.items()
            ]
            + [{"name": name} for name in self.by_pin],
            "api_keys": [
                {"name": name, **({"key": key} if key else {})}
                for name, key in self.api_keys.items()
            ],
            **({"notes": list(self.notes)} if self.notes else {}),
        }


async def apply_file(
    db: Database, vault: Vault, settings: Settings, file: Path, now: datetime
) -> Handed:
    """Create or update the merchant of `file`. `BadFile`: then nothing changed."""
    read = await asyncio.to_thread(read_merchant_file, file)
    problems = await asyncio.to_thread(_check_keys, read, now)
    if problems:
        raise BadFile(problems)
    # Only those of new logins and new keys are kept, and told.
    by_mail = [p for p in read.staff if p.email]
    passwords = {p.email: new_password() for p in by_mail if not p.password}
    keys = {name: f"sk_{new_token()}" for name in read.api_keys}
    checked = await asyncio.to_thread(_checked, read, passwords)
    try:
        applied = await db.write(_write, read, checked, keys, vault, now)
    except Invalid as error:
        raise BadFile(_in_words(error)) from None
    programs, shops = await db.read(_listed, applied.merchant_id)
    notes, gone = await db.read(_missing_ranks, read), applied.gone
    key = str(read.merchant["key"])
    return Handed(
        merchant_id=applied.merchant_id,
        merchant_key=key,
        merchant_name=str(read.merchant["name"]),
        line_webhook_url=f"{settings.public_url}/line/{key}",
        google_callback_url=f"{settings.public_url}/google/{key}",
        programs=programs,
        shops=shops,
        passwords={
            p.email: passwords.get(p.email) if p.email in applied.new_staff else None
            for p in by_mail
        },
        api_keys={n: k if n in applied.new_keys else None for n, k in keys.items()},
        notes=(*notes, *(f"staff {who}: was let go, and stays so" for who in gone)),
        by_pin=tuple(p.label for p in read.staff if not p.email),
    )


def _check_keys(read: ReadFile, now: datetime) -> list[str]:
    problems = []
    if read.apple is not None:
        try:
            load_signer(
                read.apple["certificate_pem"],
                read.apple["key_pem"],
                read.apple["wwdr_pem"],
                pass_type_id=read.apple["pass_type_id"],
                team_id=read.apple["team_id"],
                now=now,
            )
        except Invalid as error:
            problems += [f"apple.{line}" for line in _in_words(error)]
    if read.google is not None:
        try:
            load_account(read.google["service_account"])
        except DeliveryError as error:
            problems.append(f"google.service_account_file: {error}")
    return problems


def _in_words(error: Invalid) -> list[str]:
    return [
        f"{name}: {say(sentence, 'en', **blanks)}"
        for name, (sentence, blanks) in error.problems.items()
    ]


def _missing_ranks(tx: Tx, read: ReadFile) -> list[str]:
    # A file may name a rank-up card that is made later: worth a word, no refusal.
    known = {key for key, _ in read.programs}
    merchant = find_merchant(tx, str(read.merchant["key"]))
    if merchant is not None:
        known |= {program.key for program in list_programs(tx, merchant.id)}
    return [
        f"program {key}: next_program names no program yet: {design.next_program}"
        for key, design in read.programs
        if design.next_program and design.next_program not in known
    ]


def _checked(read: ReadFile, passwords: Mapping[str, str]) -> MerchantFile:
    staff = []
    for person in read.staff:
        entry: dict[str, Any] = {"role": person.role}
        if person.email:
            password = person.password or passwords[person.email]
            entry["email"] = person.email
            entry["password_hash"] = hash_password(password)
            entry["chosen"] = person.password is not None
        if person.name is not None:
            entry["name"] = person.name
        if person.pin is not None:
            entry["pin"] = person.pin
        staff.append(entry)
    return MerchantFile(
        merchant=read.merchant,
        shops=read.shops,
        programs=read.programs,
        staff=tuple(staff),
        api_keys=read.api_keys,
    )


def _write(
    tx: Tx,
    read: ReadFile,
    checked: MerchantFile,
    keys: Mapping[str, str],
    vault: Vault,
    now: datetime,
) -> Applied:
    hashes = {name: hash_token(key) for name, key in keys.items()}
    applied = apply_merchant(tx, checked, hashes, now, vault.pin_mac)
    merchant_id = applied.merchant_id
    if read.line is not None:
        values = _line_values(tx, merchant_id, read.line, vault, now)
        apply_channel(tx, merchant_id, "line", values, now)
    if read.apple is not None:
        values = {k: v for k, v in read.apple.items() if k != "key_pem"}
        values["sealed_key"] = vault.seal(read.apple["key_pem"], merchant_id, APPLE_KEY)
        apply_channel(tx, merchant_id, "apple", values, now)
    if read.google is not None:
        account = read.google["service_account"]
        values = {
            "issuer_id": read.google["issuer_id"],
            "sealed_service_account": vault.seal(account, merchant_id, GOOGLE_ACCOUNT),
        }
        apply_channel(tx, merchant_id, "google", values, now)
    return applied


def _line_values(
    tx: Tx,
    merchant_id: MerchantId,
    line: Mapping[str, str],
    vault: Vault,
    now: datetime,
) -> dict[str, Any]:
    values: dict[str, Any] = {k: v for k, v in line.items() if k != "secret"}
    values["sealed_secret"] = vault.seal(line["secret"], merchant_id, LINE_SECRET)
    values |= previous_secret(None, now)
    known = line_channel(tx, merchant_id)
    if known is None:
        return values
    if known.channel_id != line["channel_id"]:
        # Another account: what LINE said of the old one is looked up anew.
        fresh = {"bot_user_id": "", "basic_id": "", "name": "", "setup": None}
        return {**fresh, "menu": None, **values}
    if _opened(vault, known.sealed_secret, merchant_id) == line["secret"]:
        values["sealed_previous_secret"] = known.sealed_previous_secret
        values["previous_until"] = known.previous_until
    else:
        # What LINE signed with the old secret is on its way for a while.
        values |= previous_secret(known.sealed_secret, now)
    return values


def _opened(vault: Vault, sealed: str, merchant_id: MerchantId) -> str | None:
    try:
        return vault.open(sealed, merchant_id, LINE_SECRET)
    except Unsealable:
        # Sealed with a master key that is lost: the file brings the secret anew.
        return None


def _listed(tx: Tx, merchant_id: MerchantId) -> tuple[dict[str, str], dict[str, str]]:
    return (
        {program.key: program.id for program in list_programs(tx, merchant_id)},
        {shop.key: shop.id for shop in list_shops(tx, merchant_id)},
    )
