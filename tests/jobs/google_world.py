"""A Google stand-in with an account, for tests of whatever talks to Google."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.clock import Clock
from jobs.demo.google_wallet import GoogleStandIn, make_service_account
from tests.google_schema import check
from tests.passes.google_cards import ISSUER


@cache
def service_account(name: str = "stampcard") -> tuple[str, RSAPublicKey]:
    """One key for all tests: making one takes a while."""
    return make_service_account(name)


@dataclass(frozen=True)
class GoogleWorld:
    """The stand-in, and the account that may use it."""

    stand_in: GoogleStandIn
    account: str

    @property
    def email(self) -> str:
        return str(json.loads(self.account)["client_email"])

    @property
    def settings(self) -> dict[str, Any]:
        """What makes our code talk to it."""
        return {
            "google_wallet_url": self.stand_in.url,
            "google_token_url": self.stand_in.token_url,
            "google_callback_keys_url": self.stand_in.callback_keys_url,
        }


@asynccontextmanager
async def google_world(
    clock: Clock | None = None, *, plain_http: bool = False, **how: Any
) -> AsyncIterator[GoogleWorld]:
    """A running stand-in that checks every body against Google's schema."""
    text, key = service_account()
    stand_in = GoogleStandIn(
        ISSUER,
        {json.loads(text)["client_email"]: key},
        partial(check, plain_http=plain_http),
        clock=clock,
        **how,
    )
    await stand_in.start()
    try:
        yield GoogleWorld(stand_in, text)
    finally:
        await stand_in.stop()
