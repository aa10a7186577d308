"""Which certificate a merchant signs with, loaded, and its line to APNs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from core.actions.channels import APPLE_KEY, AppleCredentials, apple_credentials
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError, Invalid, NotConnected, Unsealable
from core.rules.types import MerchantId
from core.vault import Vault
from passes.apple.certificates import Signer, load_signer
from passes.apple.push import PushClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A merchant's certificate at work."""

    entered: AppleCredentials
    signer: Signer
    push: PushClient


class Connections:
    """Every merchant's connection; loaded once, and again when it changes."""

    def __init__(self, db: Database, settings: Settings, vault: Vault) -> None:
        self._db = db
        self._settings = settings
        self._vault = vault
        self._open: dict[MerchantId, Connection] = {}
        self._loading = asyncio.Lock()

    async def credentials(self, merchant_id: MerchantId) -> AppleCredentials | None:
        """What the merchant entered, without opening the key; None: nothing."""
        return await self._db.read(apple_credentials, merchant_id)

    async def of(self, merchant_id: MerchantId, now: datetime) -> Connection:
        """The merchant's connection.

        Raises a DeliveryError that halts where there is none, or none that works now.
        """
        entered = await self.credentials(merchant_id)
        if entered is None:
            raise NotConnected("this merchant has no Apple Wallet certificate")
        found = self._open.get(merchant_id)
        if found is None or found.entered != entered:
            found = await self._load(entered, now)
        if found.signer.ends_at <= now:
            msg = "the Apple Wallet certificate has expired"
            raise DeliveryError(msg, permanent=True, halts=True)
        return found

    async def close(self) -> None:
        """End every line to APNs."""
        found, self._open = list(self._open.values()), {}
        await asyncio.gather(*(connection.push.close() for connection in found))

    async def _load(self, entered: AppleCredentials, now: datetime) -> Connection:
        async with self._loading:
            before = self._open.get(entered.merchant_id)
            if before is not None and before.entered == entered:
                return before
            signer = await asyncio.to_thread(self._signer, entered, now)
            found = Connection(
                entered=entered,
                signer=signer,
                push=PushClient(
                    self._settings.apns_url,
                    partial(signer.tls_context, self._settings.apns_ca_file),
                    signer.pass_type_id,
                ),
            )
            self._open[entered.merchant_id] = found
        if before is not None:
            await before.push.close()
        return found

    def _signer(self, entered: AppleCredentials, now: datetime) -> Signer:
        try:
            return load_signer(
                entered.certificate_pem,
                self._vault.open(entered.sealed_key, entered.merchant_id, APPLE_KEY),
                entered.wwdr_pem,
                pass_type_id=entered.pass_type_id,
                team_id=entered.team_id,
                now=now,
                is_known=True,
            )
        except (Invalid, Unsealable) as error:
            msg = f"the Apple Wallet certificate cannot be used: {error}"
            raise DeliveryError(msg, permanent=True, halts=True) from None
