"""At the till, a QR code puts the customer's card on the customer's phone."""

from __future__ import annotations

from core.actions.cards import load_card
from core.actions.join import open_card
from passes.qr import qr_svg
from tests.builders import build_shop
from tests.webhooks.rooms import Staff, serve_rooms


async def opened(db, shop, clock, key="till-wallet"):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=key,
        now=clock.now(),
    )
    return await db.read(load_card, shop.merchant.id, card_id, clock.now())


async def test_the_customers_camera_opens_this_very_card(
    db, settings, clock, shop, links
):
    view = await opened(db, shop, clock)
    async with serve_rooms(db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        path = f"/till/cards/{view.card.code}/wallet"
        assert path in await staff.get(f"/c/{view.card.code}")
        page = await staff.get(path)
        url = links.wallet(view.card.code)
        assert qr_svg(url) in page

        answer = await client.get(url.removeprefix(links.public_url))
        assert answer.status == 200
        assert view.customer.member_no in await answer.text()


async def test_only_this_shops_staff_gets_the_code(db, vault, settings, clock, shop):
    other = await build_shop(db, vault, clock.now(), key="other", api_key="sk_other_1")
    view = await opened(db, other, clock)
    async with serve_rooms(db, settings, clock) as client:
        path = f"/till/cards/{view.card.code}/wallet"
        nobody = await client.get(path, allow_redirects=False)
        assert nobody.status == 303
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        await staff.get(path, 404)
