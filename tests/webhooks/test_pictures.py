import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from PIL import Image

from core.actions.cards import load_face
from core.actions.join import open_card
from core.actions.pictures import keep_picture, load_picture
from core.actions.publish import publish, save_draft
from core.database import Database
from core.rules.face import CardFace
from core.rules.types import Look, MerchantId
from passes.art import WebKind, picture_path
from passes.artwork import Artwork
from passes.uploads import clean_picture
from tests.builders import BuiltShop, coffee
from tests.conftest import ManualClock
from webhooks.keys import ARTWORK, DB
from webhooks.pictures import routes

FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
async def client(
    db: Database, aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]]
) -> TestClient[Any, Any]:
    async def load_icon(merchant_id: MerchantId, digest: str) -> bytes | None:
        return await db.read(load_picture, merchant_id, digest)

    app = web.Application()
    app[DB] = db
    app[ARTWORK] = Artwork(load_icon)
    app.add_routes(routes)
    return await aiohttp_client(app)


@pytest.fixture
async def face(shop: BuiltShop, clock: ManualClock) -> CardFace:
    """The face of a fresh card: 0 of 10."""
    return await face_of_new_card(shop, clock)


async def face_of_new_card(shop: BuiltShop, clock: ManualClock) -> CardFace:
    card_id = await shop.db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=f"test-{clock.now()}",
        now=clock.now(),
    )
    return await shop.db.read(load_face, shop.merchant.id, card_id, clock.now())


@pytest.mark.parametrize(
    ("kind", "size"),
    [("hero", (1032, 336)), ("logo", (660, 660)), ("strip", (1125, 432))],
)
async def test_a_cards_pictures_are_public_and_kept_for_ever(
    client: TestClient[Any, Any], face: CardFace, kind: WebKind, size: tuple[int, int]
) -> None:
    answer = await client.get(picture_path(face, kind))
    assert answer.status == 200
    assert answer.content_type == "image/png"
    assert answer.headers["Cache-Control"] == FOREVER
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # Google's crawler has to fetch it, whatever our pages tell other robots.
    assert "X-Robots-Tag" not in answer.headers
    assert Image.open(io.BytesIO(await answer.read())).size == size


async def test_every_count_of_the_design_is_served(
    client: TestClient[Any, Any], face: CardFace
) -> None:
    bodies = set()
    for balance in range(11):
        address = picture_path(face, "hero").replace("hero-0-", f"hero-{balance}-")
        answer = await client.get(address)
        assert answer.status == 200
        bodies.add(await answer.read())
    assert len(bodies) == 11


async def test_a_browser_that_has_it_is_not_sent_it_again(
    client: TestClient[Any, Any], face: CardFace
) -> None:
    address = picture_path(face, "strip")
    first = await client.get(address)
    again = await client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert await again.read() == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == FOREVER
    other = await client.get(address, headers={"If-None-Match": '"another"'})
    assert other.status == 200


async def test_a_head_request_names_the_length(
    client: TestClient[Any, Any], face: CardFace
) -> None:
    answer = await client.head(picture_path(face, "hero"))
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) > 1000


async def test_what_no_card_names_is_not_found(
    client: TestClient[Any, Any], face: CardFace
) -> None:
    hero, logo = picture_path(face, "hero"), picture_path(face, "logo")
    digest = hero[-16:-4]
    odd = {
        "more stamps than the goal": hero.replace("hero-0-", "hero-11-"),
        "another number's form": hero.replace("hero-0-", "hero-00-"),
        "a negative count": hero.replace("hero-0-", "hero--1-"),
        "an unknown kind": hero.replace("hero-0-", "icon-0-"),
        "a counted logo": logo.replace("logo-0-", "logo-1-"),
        "another hash": hero.replace(digest, "0" * 12),
        "an upper-case hash": hero.replace(digest, "A" * 12),
        "a version to come": hero.replace("/1/", "/2/"),
        "version zero": hero.replace("/1/", "/0/"),
        "a huge version": hero.replace("/1/", f"/{10**30}/"),
        "another program": hero.replace(face.program_id, "nothing"),
        "a zero byte": hero.replace(face.program_id, "a%00b"),
        "a path that climbs": hero.replace(face.program_id, "..%2F.."),
        "another type": hero.replace(".png", ".svg"),
        "a line feed": hero.replace(".png", "%0A.png"),
    }
    assert (await client.get(hero)).status == 200
    for why, address in odd.items():
        assert address not in {hero, logo}, why
        assert (await client.get(address)).status == 404, why


async def test_a_redesign_has_new_addresses_and_the_old_ones_stay(
    client: TestClient[Any, Any],
    shop: BuiltShop,
    face: CardFace,
    clock: ManualClock,
) -> None:
    look = Look(background="#06C755", foreground="#FFFFFF", icon="heart")
    await republish(shop, clock, look)
    new = await shop.db.read(load_face, shop.merchant.id, face.card_id, clock.now())
    before = await client.get(picture_path(face, "hero"))
    after = await client.get(picture_path(new, "hero"))
    assert (before.status, after.status) == (200, 200)
    assert await before.read() != await after.read()


async def test_a_merchants_own_icon_comes_from_the_database(
    client: TestClient[Any, Any], shop: BuiltShop, clock: ManualClock
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (300, 300), (0, 200, 60)).save(stream, "PNG")
    digest = await shop.db.write(
        keep_picture, shop.merchant.id, clean_picture(stream.getvalue()), clock.now()
    )
    await republish(shop, clock, Look(icon=f"picture:{digest}"))
    face = await face_of_new_card(shop, clock)
    answer = await client.get(picture_path(face, "logo"))
    logo = Image.open(io.BytesIO(await answer.read())).convert("RGB")
    assert logo.getpixel((330, 330)) == (0, 200, 60)


async def republish(shop: BuiltShop, clock: ManualClock, look: Look) -> None:
    ids = (shop.merchant.id, shop.program.id)
    design = coffee(look=look)
    await shop.db.write(save_draft, *ids, design, shop.owner.id, clock.now())
    assert await shop.db.write(publish, *ids, shop.owner.id, clock.now()) == 2
