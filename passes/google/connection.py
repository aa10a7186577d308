"""Which Google issuer a merchant uses, with its key loaded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from core.actions.channels import (
    GOOGLE_ACCOUNT,
    GoogleCredentials,
    google_credentials,
)
from core.database import Database
from core.errors import DeliveryError, NotConnected, Unsealable
from core.rules.types import MerchantId
from core.vault import Vault
from passes.google.account import ServiceAccount, load_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An issuer and the service account that may write for it."""

    issuer_id: str
    account: ServiceAccount


class Connections:
    """Every merchant's connection; a key is loaded once, and again when it changes."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._loaded: dict[MerchantId, tuple[GoogleCredentials, Connection]] = {}

    async def credentials(self, merchant_id: MerchantId) -> GoogleCredentials | None:
        """What the merchant entered, without opening the key; None: nothing."""
        return await self._db.read(google_credentials, merchant_id)

    async def of(self, merchant_id: MerchantId) -> Connection:
        """The merchant's connection. DeliveryError where there is none that works."""
        entered = await self.credentials(merchant_id)
        if entered is None:
            raise NotConnected("this merchant has no Google Wallet issuer")
        before = self._loaded.get(merchant_id)
        if before is not None and before[0] == entered:
            return before[1]
        connection = await asyncio.to_thread(self._load, entered)
        self._loaded[merchant_id] = (entered, connection)
        return connection

    def _load(self, entered: GoogleCredentials) -> Connection:
        try:
            text = self._vault.open(
                entered.sealed_service_account, entered.merchant_id, GOOGLE_ACCOUNT
            )
        except Unsealable as error:
            raise DeliveryError(str(error), permanent=True, halts=True) from None
        return Connection(issuer_id=entered.issuer_id, account=load_account(text))
