"""The platforms' own badges stand on the card's page once the operator has them."""

from __future__ import annotations

import pytest

from core.actions.join import open_card
from tests.passes.apple_chain import connect_apple
from tests.webhooks.rooms import serve_rooms

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 1"/>'


@pytest.fixture
async def page(db, vault, clock, shop, links):
    await connect_apple(shop, vault, clock.now())
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    return links.wallet(card_id).removeprefix(links.public_url)


async def test_without_the_file_there_is_a_button_with_words(db, settings, clock, page):
    async with serve_rooms(db, settings, clock) as client:
        text = await (await client.get(page)).text()
        assert f'class="button main" rel="nofollow" href="{page}.pkpass"' in text
        assert "wallet-badge" not in text
        assert (await client.get("/badges/apple.ja.svg")).status == 404


async def test_with_the_file_there_is_the_badge_in_the_readers_language(
    db, settings, clock, page
):
    (settings.data_dir / "badges").mkdir()
    (settings.data_dir / "badges/apple.en.svg").write_bytes(SVG)
    async with serve_rooms(db, settings, clock) as client:
        english = {"Accept-Language": "en"}
        text = await (await client.get(page, headers=english)).text()
        assert f'class="wallet-badge" rel="nofollow" href="{page}.pkpass"' in text
        assert "/badges/apple.en.svg" in text
        # In Japanese there is no file: the words stay.
        assert "wallet-badge" not in await (await client.get(page)).text()

        answer = await client.get("/badges/apple.en.svg")
        assert (await answer.read(), answer.content_type) == (SVG, "image/svg+xml")


async def test_nothing_else_of_the_folder_is_served(db, settings, clock):
    (settings.data_dir / "badges").mkdir()
    (settings.data_dir / "badges/notes.txt").write_text("secret")
    (settings.data_dir / "badges/apple.ja.svg").write_bytes(SVG + b" " * 200_000)
    async with serve_rooms(db, settings, clock) as client:
        for path in (
            "/badges/notes.txt",
            "/badges/apple.ja.svg",
            "/badges/apple.fr.svg",
            "/badges/..%2fsecret.key.ja.svg",
        ):
            assert (await client.get(path)).status == 404, path
