"""What every wallet can do for a card, whether it pulls (Apple) or is told (Google)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from core.rules.face import CardFace
from core.rules.types import HeldPass, MerchantId


class PassIssuer(Protocol):
    """Puts a card into one kind of wallet and keeps it current there."""

    async def configured(self, merchant_id: MerchantId) -> bool:
        """Has this merchant connected this wallet?"""
        ...

    async def add_link(self, held: HeldPass, face: CardFace, now: datetime) -> str:
        """The URL that puts the pass on the phone. Raises `DeliveryError`."""
        ...

    async def refresh(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Bring the pass to the state of `face`. Raises `DeliveryError`, `NotConnected`
        where the merchant has ended the connection.

        `at_leisure` is for one of very many, which stand back for stamps.
        """
        ...

    async def void(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Take the pass out of use, as far as the platform can. Raises as `refresh`."""
        ...


class NullIssuer:
    """Serves merchants, and tests, without this wallet."""

    async def configured(self, merchant_id: MerchantId) -> bool:
        """Never."""
        del merchant_id
        return False

    async def add_link(self, held: HeldPass, face: CardFace, now: datetime) -> str:
        """There is none."""
        del held, face, now
        return ""

    async def refresh(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Nothing to bring up to date."""

    async def void(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Nothing to take back."""
