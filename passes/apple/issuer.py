"""Cards in Apple Wallet: phones are told that a pass changed, and fetch it from us."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from core.actions.passes import forget_push_token
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError
from core.ids import new_id
from core.links import Links
from core.rules.face import CardFace
from core.rules.types import HeldPass, MerchantId, PassId
from core.vault import Vault, same
from passes.apple.bundle import build_pkpass
from passes.apple.connection import Connections
from passes.apple.pass_json import draw_pass
from passes.apple.push import DeadToken, Delivered, Misconfigured, PushOutcome, Retry
from passes.apple.trial import AppleTrial, is_sound, knock
from passes.artwork import Artwork

CONTENT_TYPE = "application/vnd.apple.pkpass"

# A phone that was off over a weekend still hears of its last stamp.
_PUSH_LIVES = timedelta(hours=48)
_SCALES = {1: "", 2: "@2x", 3: "@3x"}

log = structlog.get_logger()


class AppleIssuer:
    """The Apple side of `passes.issuer.PassIssuer`, for every merchant."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        vault: Vault,
        links: Links,
        artwork: Artwork,
        clock: Clock,
    ) -> None:
        self._db = db
        self._settings = settings
        self._vault = vault
        self._links = links
        self._artwork = artwork
        self._clock = clock
        self._connections = Connections(db, settings, vault)

    async def configured(self, merchant_id: MerchantId) -> bool:
        """Has the merchant entered a certificate? Whether it works is not asked."""
        return await self._connections.credentials(merchant_id) is not None

    async def add_link(self, held: HeldPass, face: CardFace, now: datetime) -> str:
        """The URL of the pass's file. DeliveryError where it could not be signed."""
        await self._connections.of(held.merchant_id, now)
        return f"{self._links.wallet(face.code)}.pkpass"

    async def build(self, held: HeldPass, face: CardFace, now: datetime) -> bytes:
        """The signed .pkpass file. DeliveryError without a certificate that works."""
        connection = await self._connections.of(held.merchant_id, now)
        signer = connection.signer
        content = draw_pass(
            face,
            serial=held.id,
            auth_token=self._token(held.id),
            pass_type_id=signer.pass_type_id,
            team_id=signer.team_id,
            public_url=self._links.public_url,
            card_url=self._links.card(face.code),
            page_url=self._links.holder(held.id),
        )
        pictures = await self._pictures(face)
        return build_pkpass(content.info, pictures, content.strings, signer)

    async def refresh(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Push to every phone that holds the pass; forget those that are gone.

        Raises DeliveryError when one of them is to be tried again, or when nothing of
        this merchant's can be pushed (`halts`).
        """
        del face, at_leisure
        if not held.push_tokens:
            return
        connection = await self._connections.of(held.merchant_id, now)
        expires_at = now - self._clock.offset + _PUSH_LIVES
        outcomes = await asyncio.gather(
            *(connection.push.push(t, expires_at=expires_at) for t in held.push_tokens)
        )
        for token, outcome in zip(held.push_tokens, outcomes, strict=True):
            if isinstance(outcome, DeadToken):
                await self._forget(held, token, outcome)
        _raise_failures(outcomes)

    async def void(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Let the phones fetch the pass, whose face says that it is void."""
        await self.refresh(held, face, now, at_leisure=at_leisure)

    async def try_out(
        self, merchant_id: MerchantId, face: CardFace | None, now: datetime
    ) -> AppleTrial:
        """Sign a pass that nobody gets, and push to nobody. Takes seconds.

        Where the merchant has no card yet (`face`), it is a signature of nothing.
        """
        try:
            signer = (await self._connections.of(merchant_id, now)).signer
            if face is None:
                signer.sign(b"{}")
            elif not is_sound(await self._specimen(face, now), signer):
                return AppleTrial(signs=False, reason="the signed pass is not sound")
        except DeliveryError as error:
            return AppleTrial(signs=False, reason=str(error)[:160])
        return await knock(self._settings, signer, now - self._clock.offset)

    def is_token(self, pass_id: PassId, token: str) -> bool:
        """Is it the secret inside this pass, which only its holder knows?"""
        # What is not ASCII may not even be text.
        return token.isascii() and same(token, self._token(pass_id))

    async def close(self) -> None:
        """End the lines to APNs."""
        await self._connections.close()

    async def _specimen(self, face: CardFace, now: datetime) -> bytes:
        held = HeldPass(
            id=PassId(new_id(now)),
            merchant_id=face.merchant_id,
            card_id=face.card_id,
            issuer="apple",
            changed_at=int(now.timestamp()),
        )
        return await self.build(held, face, now)

    def _token(self, pass_id: PassId) -> str:
        return self._vault.token("apple-pass", pass_id)

    async def _pictures(self, face: CardFace) -> dict[str, bytes]:
        draw = {
            "icon": self._artwork.icon,
            "logo": self._artwork.logo,
            "strip": self._artwork.strip,
            "artwork": self._artwork.poster,
            "primaryLogo": self._artwork.primary_logo,
        }
        names = [(name, scale) for name in draw for scale in _SCALES]
        drawn = await asyncio.gather(*(draw[n](face, scale) for n, scale in names))
        return {
            f"{name}{_SCALES[scale]}.png": picture
            for (name, scale), picture in zip(names, drawn, strict=True)
        }

    async def _forget(self, held: HeldPass, token: str, dead: DeadToken) -> None:
        # Apple's clock is real; what we wrote down may be moved for a drill.
        since = dead.since and dead.since + self._clock.offset
        await self._db.write(forget_push_token, held.merchant_id, token, since)
        log.info("apple_push_token_dead", pass_id=held.id, reason=dead.reason)


def _raise_failures(outcomes: list[PushOutcome]) -> None:
    retries = []
    for outcome in outcomes:
        match outcome:
            case Misconfigured(reason=reason):
                raise DeliveryError(reason, permanent=True, halts=True)
            case Retry():
                retries.append(outcome)
            case Delivered() | DeadToken():
                pass
    if retries:
        waits = [retry.after for retry in retries if retry.after is not None]
        raise DeliveryError(retries[0].reason, retry_after=max(waits, default=None))
