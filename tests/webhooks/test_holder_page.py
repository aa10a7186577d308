"""The link on a pass leads to the card's page, for as long as there is a pass."""

from __future__ import annotations

import pytest

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.passes import hold_pass
from core.rules.asking import StampAsk
from core.store.tables import held_pass
from jobs.demo.pass_file import open_pass
from tests.passes.apple_chain import connect_apple
from tests.webhooks.rooms import serve_rooms


@pytest.fixture
async def holder(db, vault, settings, clock, shop):
    """A card of three stamps with its Apple pass, and somebody's browser."""
    await connect_apple(shop, vault, clock.now())
    merchant_id = shop.merchant.id
    card_id = await db.write(
        open_card,
        merchant_id=merchant_id,
        program_key="coffee",
        key="open",
        now=clock.now(),
    )
    ask = StampAsk(
        merchant_id=merchant_id, key="three", how="till", card_id=card_id, stamps=3
    )
    await db.write(grant_stamps, ask, clock.now())
    async with serve_rooms(db, settings, clock) as client:
        yield client, await db.read(load_card, merchant_id, card_id, clock.now())


async def page_of(client, links, view):
    """The link on the back of the pass, from the site's root."""
    url = links.wallet(view.card.id).removeprefix(links.public_url)
    info = open_pass(await (await client.get(f"{url}.pkpass")).read())
    [page] = [f["value"] for f in info.fields("back", "ja") if f["key"] == "page"]
    return page.removeprefix(links.public_url)


async def test_it_works_for_as_long_as_the_pass_does(db, clock, links, holder):
    client, view = holder
    page = await page_of(client, links, view)
    clock.move(days=400)

    answer = await client.get(page)
    assert answer.status == 200
    assert "<b>3</b>" in await answer.text()

    await db.write(lambda tx: tx.execute(held_pass.delete()))
    assert (await client.get(page)).status == 404


async def test_it_is_the_same_each_time_or_every_pass_would_change(
    clock, links, holder
):
    client, view = holder
    before = await page_of(client, links, view)
    clock.move(days=1)
    assert await page_of(client, links, view) == before


async def test_a_new_phone_gets_the_same_pass_by_it(db, clock, links, holder, shop):
    client, view = holder
    page = await page_of(client, links, view)
    clock.move(days=90)
    again = open_pass(await (await client.get(f"{page}.pkpass")).read())

    held = await db.write(
        hold_pass, shop.merchant.id, view.card.id, "apple", clock.now()
    )
    assert again.serial == held.id


async def test_nobody_can_make_one_up(links, holder):
    client, view = holder
    page = await page_of(client, links, view)
    for forged in (page[:-1], page + "A", f"/w/{view.card.id}", page.upper()):
        answer = await client.get(forged)
        assert answer.status == 404, forged
