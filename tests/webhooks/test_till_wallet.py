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
        url = links.handover(view.card.code)
        assert qr_svg(url) in page
        # The clock of the tests stands at 15:00 on 23 November in Tokyo.
        assert "11/23 15:10まで" in page

        answer = await client.get(url.removeprefix(links.public_url))
        assert answer.status == 200
        assert view.customer.member_no in await answer.text()
        # The customer goes on with a link of their own.
        own = links.wallet(view.card.code).removeprefix(links.public_url)
        assert answer.url.path == own


async def test_what_somebody_else_photographed_is_of_no_use_later(
    db, settings, clock, shop, links
):
    view = await opened(db, shop, clock)
    path = links.handover(view.card.code).removeprefix(links.public_url)
    async with serve_rooms(db, settings, clock) as client:
        clock.move(minutes=10)
        answer = await client.get(path, allow_redirects=False)
        assert answer.status == 303
        own = answer.headers["Location"]
        clock.move(seconds=1)
        for end in ("", ".pkpass", "/google", "/events", "/link", "/unlink"):
            late = await client.request(
                "POST" if end == "/link" else "GET", path + end, allow_redirects=False
            )
            assert late.status == 410, end
            assert "コードの有効時間が過ぎました" in await late.text()
        # The link of who was there in time is as good as any.
        clock.move(days=20)
        assert (await client.get(own)).status == 200


async def test_a_code_from_before_a_re_issue_leads_nowhere(
    db, settings, clock, shop, links
):
    view = await opened(db, shop, clock)
    path = links.handover(view.card.code).removeprefix(links.public_url)
    async with serve_rooms(db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        await staff.get(f"/till/cards/{view.card.code}/reissue")
        await staff.post(f"/till/cards/{view.card.code}/reissue", {})
        answer = await client.get(path, allow_redirects=False)
        assert answer.status == 410
        assert "再発行されました" in await answer.text()


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
