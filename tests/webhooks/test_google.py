"""Google's callbacks over real HTTP, from the stand-in and from strangers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from core.actions.apply import apply_channel
from core.actions.cards import load_face
from core.actions.channels import GOOGLE_ACCOUNT
from core.actions.join import open_card
from core.actions.passes import hold_pass, load_pass
from core.config import Settings
from core.database import Database
from core.links import Links
from core.rules.types import HeldPass
from core.vault import Vault
from jobs.demo.google_callbacks import CallbackSigner
from jobs.demo.google_wallet import GoogleStandIn
from passes.google.issuer import GoogleIssuer
from passes.google.save_link import SAVE_URL
from tests.builders import BuiltShop, build_shop
from tests.conftest import ManualClock
from tests.jobs.google_world import google_world
from tests.passes.google_cards import ISSUER
from webhooks import google, keys

_FILE = Path(__file__).parent.parent / "data/google_callback_vectors.json"


@dataclass
class Scene:
    """A served shop with one card in Google Wallet."""

    db: Database
    shop: BuiltShop
    clock: ManualClock
    google: GoogleStandIn
    issuer: GoogleIssuer
    session: aiohttp.ClientSession
    held: HeldPass
    url: str

    @property
    def name(self) -> str:
        return f"{ISSUER}.c.{self.held.id}"

    @property
    def class_name(self) -> str:
        return f"{ISSUER}.p.{self.shop.program.id}"

    async def link(self) -> str:
        now = self.clock.now()
        face = await self.db.read(
            load_face, self.held.merchant_id, self.held.card_id, now
        )
        link = await self.issuer.add_link(self.held, face, now)
        return link.removeprefix(SAVE_URL)

    async def is_installed(self) -> bool:
        view = await self.db.read(load_pass, self.held.id, self.clock.now())
        assert view is not None
        return view.held.installed

    async def post(
        self, body: bytes | dict[str, Any], *, merchant: str = "aozora"
    ) -> tuple[int, str]:
        """Status and reason."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.url}/google/{merchant}"
        async with self.session.post(url, data=raw) as response:
            text = await response.text()
            return response.status, json.loads(text)["error"] if text else ""

    def signed(self, kind: str = "save", **ids: str) -> dict[str, Any]:
        """A callback as Google would sign it for our issuer."""
        class_id = ids.get("class_id", self.class_name)
        object_id = ids.get("object_id", self.name)
        now = self.clock.now()
        return self.google.signer.sign(kind, class_id, object_id, now)


@pytest.fixture
async def scene(
    db: Database,
    settings: Settings,
    vault: Vault,
    clock: ManualClock,
    shop: BuiltShop,
) -> AsyncIterator[Scene]:
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        google_world(clock, plain_http=True) as world,
        aiohttp.ClientSession() as session,
    ):
        settings = settings.model_copy(update={"public_url": url} | world.settings)
        issuer = GoogleIssuer(db, settings, vault, Links(vault, url), session, clock)
        held = await hold(shop, vault, world.account, clock)
        app = web.Application()
        app[keys.DB], app[keys.CLOCK], app[keys.GOOGLE] = db, clock, issuer
        app.add_routes(google.routes)
        async with TestServer(app, port=port):
            stand_in = world.stand_in
            yield Scene(db, shop, clock, stand_in, issuer, session, held, url)
            await issuer.close()


async def hold(
    shop: BuiltShop, vault: Vault, account: str, clock: ManualClock
) -> HeldPass:
    """Connect a merchant to Google, and hold a card's pass."""
    merchant_id, now = shop.merchant.id, clock.now()
    values = {
        "issuer_id": ISSUER,
        "sealed_service_account": vault.seal(account, merchant_id, GOOGLE_ACCOUNT),
    }
    await shop.db.write(apply_channel, merchant_id, "google", values, now)
    card_id = await shop.db.write(
        open_card, merchant_id=merchant_id, program_key="coffee", key="open", now=now
    )
    return await shop.db.write(hold_pass, merchant_id, card_id, "google", now)


async def test_saving_and_removing_a_pass_is_known_here(scene: Scene) -> None:
    assert not await scene.is_installed()
    await scene.google.save(await scene.link())
    assert scene.google.callback_answers == [200]
    assert await scene.is_installed()

    scene.clock.move(seconds=5)
    await scene.google.remove(scene.name)
    assert scene.google.callback_answers == [200, 200]
    assert not await scene.is_installed()


async def test_a_repeated_callback_is_answered_and_changes_nothing(
    scene: Scene,
) -> None:
    scene.google.repeats = 2
    await scene.google.save(await scene.link())

    assert scene.google.callback_answers == [200] * 3
    assert await scene.is_installed()


async def test_a_late_repeat_of_an_older_event_does_not_undo_a_newer_one(
    scene: Scene,
) -> None:
    saved = scene.signed("save")
    assert await scene.post(saved) == (200, "")
    scene.clock.move(seconds=5)
    assert await scene.post(scene.signed("del")) == (200, "")
    assert await scene.post(saved) == (200, "")

    assert not await scene.is_installed()


async def test_a_card_that_was_saved_lean_is_completed(scene: Scene) -> None:
    # The class is there; Google fails just while the card is made.
    await scene.link()
    scene.google.objects.clear()
    scene.google.fail_next(503)
    jwt = await scene.link()
    assert scene.google.objects == {}
    await scene.google.save(jwt)

    done = await scene.google.bell.until(
        lambda: scene.google.objects[scene.name].get("heroImage"), 5
    )
    assert "/hero-0-" in done["sourceUri"]["uri"]


async def test_what_google_did_not_sign_is_refused(scene: Scene) -> None:
    stranger = CallbackSigner()
    now = scene.clock.now()
    forged = stranger.sign("save", scene.class_name, scene.name, now)

    assert (await scene.post(forged))[0] == 400
    assert await scene.post(b"") == (400, "not a callback of Google Wallet")
    assert not await scene.is_installed()
    # However many knock with bad signatures, Google is asked for its keys once.
    assert scene.google.n_key_requests == 1


async def test_what_google_signed_for_others_is_refused(scene: Scene) -> None:
    for vector in json.loads(_FILE.read_text(encoding="utf-8")):
        assert (await scene.post(vector["body"]))[0] == 400
    other = "3388000000099999999"
    ids = {"class_id": f"{other}.p.1", "object_id": f"{other}.c.1"}
    assert (await scene.post(scene.signed(**ids)))[0] == 400


async def test_an_expired_callback_is_refused(scene: Scene) -> None:
    signed = scene.signed()
    scene.clock.move(hours=2)

    assert await scene.post(signed) == (400, "the message has expired")


@pytest.mark.parametrize(
    "ids",
    [
        {"object_id": f"{ISSUER}.c.unknown"},
        {"object_id": f"{ISSUER}.other-system-1"},
        {"class_id": f"{ISSUER}.p.another-program"},
    ],
)
async def test_a_pass_that_is_not_ours_is_not_found(
    scene: Scene, ids: dict[str, str]
) -> None:
    assert await scene.post(scene.signed(**ids)) == (404, "no such pass")
    assert not await scene.is_installed()


async def test_a_merchant_on_the_same_issuer_cannot_touch_anothers_pass(
    scene: Scene, vault: Vault
) -> None:
    now = scene.clock.now()
    other = await build_shop(scene.db, vault, now, key="midori", api_key="sk_other")
    # Google signs for the issuer, which both share: only the path tells them apart.
    values = {"issuer_id": ISSUER, "sealed_service_account": "v1.none"}
    await scene.db.write(apply_channel, other.merchant.id, "google", values, now)

    signed = scene.signed()
    assert await scene.post(signed, merchant="midori") == (404, "no such pass")
    assert not await scene.is_installed()
    assert await scene.post(signed) == (200, "")


async def test_merchants_that_are_unknown_or_without_google_hear_no_callbacks(
    scene: Scene, vault: Vault
) -> None:
    await build_shop(
        scene.db, vault, scene.clock.now(), key="midori", api_key="sk_other"
    )

    assert await scene.post(scene.signed(), merchant="nobody") == (
        404,
        "no such merchant",
    )
    status, _ = await scene.post(scene.signed(), merchant="midori")
    assert status == 400


async def test_a_body_too_long_is_refused(scene: Scene) -> None:
    assert await scene.post(b"x" * (google.MAX_BODY + 1)) == (413, "too long")


async def test_while_googles_keys_cannot_be_had_google_shall_try_again(
    scene: Scene,
) -> None:
    scene.google.down = True
    assert (await scene.post(scene.signed()))[0] == 503

    scene.google.down = False
    scene.clock.move(minutes=1)
    assert await scene.post(scene.signed()) == (200, "")
