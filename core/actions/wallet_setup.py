"""A merchant connects Apple Wallet or Google Wallet, or takes a connection back.

Whoever calls has checked what was entered. Keys are kept sealed, for the places
`APPLE_KEY`, `APPLE_REQUEST` and `GOOGLE_ACCOUNT`, and never leave here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from core.actions.channels import APPLE_KEY, GOOGLE_ACCOUNT
from core.database import Tx
from core.errors import Invalid, NotFound, Unsealable
from core.rules.types import IssuerName, MerchantId, StaffId
from core.store import wallets
from core.store.journal import note
from core.store.merchants import load_channel, lock_merchant, put_channel
from core.store.outbox import announce
from core.store.programs import list_programs
from core.vault import Vault, same

APPLE_REQUEST = "apple.request_key"
WALLETS: tuple[IssuerName, ...] = get_args(IssuerName)

# The log has room for so much of a name.
_SUBJECT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApple:
    """A Pass Type ID certificate that fits its key and its intermediate."""

    pass_type_id: str
    team_id: str
    certificate_pem: str
    key_pem: str = field(repr=False)
    wwdr_pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleRequest:
    """A certificate that Apple is being asked for, by its sealed key."""

    sealed_key: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTrial:
    """How the last test of a connection went."""

    found: Mapping[str, Any]
    at: datetime


def request_apple(
    tx: Tx,
    merchant_id: MerchantId,
    key_pem: str,
    vault: Vault,
    by: StaffId,
    now: datetime,
    *,
    anew: bool = False,
) -> None:
    """Keep a fresh key that Apple is asked for a certificate with.

    One that is there stays unless it is to be made `anew`: Apple may be about to answer
    it.
    """
    lock_merchant(tx, merchant_id)
    if wallets.load_request(tx, merchant_id) is not None and not anew:
        return
    sealed = vault.seal(key_pem, merchant_id, APPLE_REQUEST)
    wallets.put_request(tx, merchant_id, sealed, now)
    note(tx, merchant_id, f"staff:{by}", "apple.requested", merchant_id, now)


def apple_request(tx: Tx, merchant_id: MerchantId) -> AppleRequest | None:
    """The certificate that Apple is being asked for, or None."""
    row = wallets.load_request(tx, merchant_id)
    if row is None:
        return None
    return AppleRequest(sealed_key=row.sealed_key, made_at=row.made_at)


def connect_apple(
    tx: Tx,
    merchant_id: MerchantId,
    given: NewApple,
    vault: Vault,
    by: StaffId,
    now: datetime,
    *,
    is_sure: bool,
) -> None:
    """Keep the certificate. Raises `Invalid` for "sure" where passes are out there
    that a certificate of another pass type cannot change, unless `is_sure`.
    """
    lock_merchant(tx, merchant_id)
    row = load_channel(tx, merchant_id, "apple")
    if row is not None and row.pass_type_id != given.pass_type_id and not is_sure:
        _ask_if_sure(tx, merchant_id, "apple", row.pass_type_id, given.pass_type_id)
    values = {
        "pass_type_id": given.pass_type_id,
        "team_id": given.team_id,
        "certificate_pem": given.certificate_pem,
        "sealed_key": vault.seal(given.key_pem, merchant_id, APPLE_KEY),
        "wwdr_pem": given.wwdr_pem,
    }
    if row is None:
        act = "apple.connected"
    elif row.pass_type_id != given.pass_type_id:
        act = "apple.type_changed"
    elif row.certificate_pem != given.certificate_pem:
        act = "apple.renewed"
    else:
        act = "apple.checked"
    put_channel(tx, merchant_id, "apple", values, now)
    _forget_request(tx, merchant_id, given.key_pem, vault)
    wallets.put_trial(tx, merchant_id, "apple", None, now)
    start_wallet(tx, merchant_id, "apple", now, is_new=row is None)
    subject = given.pass_type_id[:_SUBJECT]
    note(tx, merchant_id, f"staff:{by}", act, subject, now)


def connect_google(
    tx: Tx,
    merchant_id: MerchantId,
    issuer_id: str,
    account: str | None,
    vault: Vault,
    by: StaffId,
    now: datetime,
    *,
    is_sure: bool,
) -> None:
    """Keep the issuer, and the service account (None: the one that is there).

    Raises `Invalid` for "account" where there is none, and for "sure" where passes of
    another issuer are out there, unless `is_sure`.
    """
    lock_merchant(tx, merchant_id)
    row = load_channel(tx, merchant_id, "google")
    if row is None and account is None:
        raise Invalid({"account": ("wallets.invalid.account_none", {})})
    if row is not None and row.issuer_id != issuer_id and not is_sure:
        _ask_if_sure(tx, merchant_id, "google", row.issuer_id, issuer_id)
    sealed = (
        row.sealed_service_account
        if account is None and row is not None
        else vault.seal(account or "", merchant_id, GOOGLE_ACCOUNT)
    )
    values = {"issuer_id": issuer_id, "sealed_service_account": sealed}
    put_channel(tx, merchant_id, "google", values, now)
    wallets.put_trial(tx, merchant_id, "google", None, now)
    is_new = row is None or row.issuer_id != issuer_id
    start_wallet(tx, merchant_id, "google", now, is_new=is_new)
    act = "google.connected" if row is None else "google.changed"
    note(tx, merchant_id, f"staff:{by}", act, issuer_id, now)


def disconnect_wallet(
    tx: Tx, merchant_id: MerchantId, wallet: IssuerName, by: StaffId, now: datetime
) -> None:
    """Forget a connection with its key; passes that are out there stay as they are."""
    lock_merchant(tx, merchant_id)
    if wallets.drop_credentials(tx, merchant_id, wallet):
        wallets.put_trial(tx, merchant_id, wallet, None, now)
        note(tx, merchant_id, f"staff:{by}", f"{wallet}.removed", merchant_id, now)


def start_wallet(
    tx: Tx, merchant_id: MerchantId, wallet: IssuerName, now: datetime, *, is_new: bool
) -> None:
    """A connection was entered: what waited for it goes on its way at once.

    With a new one also all that changed while there was none. Google is told of every
    look: whoever connects it has looks already that it was not told.
    """
    if wallet == "google":
        for program in list_programs(tx, merchant_id):
            announce(tx, merchant_id, f"class:{program.id}", now)
    if is_new:
        wallets.announce_installed(tx, merchant_id, wallet, now)
    wallets.wake_wallets(tx, merchant_id, now)


def keep_trial(
    tx: Tx,
    merchant_id: MerchantId,
    wallet: IssuerName,
    found: Mapping[str, Any],
    by: StaffId,
    now: datetime,
    *,
    is_good: bool,
) -> None:
    """Note how a test went; a good one starts what had come to a halt."""
    lock_merchant(tx, merchant_id)
    if load_channel(tx, merchant_id, wallet) is None:
        raise NotFound("channel")
    wallets.put_trial(tx, merchant_id, wallet, dict(found), now)
    if is_good:
        wallets.wake_wallets(tx, merchant_id, now)
    note(tx, merchant_id, f"staff:{by}", f"{wallet}.tested", merchant_id, now, **found)


def last_trial(tx: Tx, merchant_id: MerchantId, wallet: IssuerName) -> LastTrial | None:
    """How the last test of what is connected now went, or None."""
    kept = wallets.load_trial(tx, merchant_id, wallet)
    return None if kept is None else LastTrial(found=kept[0], at=kept[1])


def count_installed(tx: Tx, merchant_id: MerchantId, wallet: IssuerName) -> int:
    """How many of the merchant's passes are in somebody's wallet."""
    return wallets.count_installed(tx, merchant_id, wallet)


def _ask_if_sure(
    tx: Tx, merchant_id: MerchantId, wallet: IssuerName, old: str, new: str
) -> None:
    count = wallets.count_installed(tx, merchant_id, wallet)
    if count:
        blanks = {"n": count, "old": old, "new": new}
        raise Invalid({"sure": (f"wallets.invalid.sure_{wallet}", blanks)})


def _forget_request(
    tx: Tx, merchant_id: MerchantId, key_pem: str, vault: Vault
) -> None:
    row = wallets.load_request(tx, merchant_id)
    if row is None:
        return
    try:
        asked = vault.open(row.sealed_key, merchant_id, APPLE_REQUEST)
    except Unsealable:
        # Sealed with a master key that is lost: Apple's answer would not open either.
        asked = key_pem
    if same(asked, key_pem):
        wallets.drop_request(tx, merchant_id)
