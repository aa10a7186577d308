"""A certificate that Apple refuses: the merchant's queue stops, is red, and goes on."""

from __future__ import annotations

import pytest

from core.actions.outbox import why_halted
from core.store.outbox import announce
from jobs.check_channels import check_channels
from jobs.parts import Parts
from jobs.pump import HALTED, SHARE
from tests.builders import build_shop
from tests.jobs.apple_town import apple_town
from tests.passes.apple_chain import chain, connect_apple
from tests.passes.test_apple_issuer import new_pass
from tests.webhooks.desk import at_desk

REFUSED = "APNs answered 403 BadCertificate"
N_PASSES = 40


@pytest.fixture
async def town(db, settings, vault, clock, unused_tcp_port):
    async with apple_town(db, settings, vault, clock, unused_tcp_port) as found:
        yield found


@pytest.fixture
async def passes(town):
    """A redesign's worth of passes, each on a phone and behind."""
    views = [
        await new_pass(town.shop, town.clock, f"a{n:02}", key=f"card-{n}")
        for n in range(N_PASSES)
    ]
    for view in views:
        topic = f"pass:{view.held.id}"
        await town.db.write(announce, town.shop.merchant.id, topic, town.clock.now())
    return [view.held for view in views]


async def colours(town, settings, vault):
    """What `stampcard check` says of each Apple connection."""
    parts = Parts(settings=settings, db=town.db, vault=vault)
    found = await check_channels(parts, town.clock.now())
    return {f.name: (f.state, f.text) for f in found if f.name.startswith("apple")}


async def test_after_the_first_refusal_the_others_are_not_tried(town, passes):
    town.apns.mood = lambda: "forb"
    await town.pump.drain()
    tried = len(town.apns.pushes)
    # Those that were under way together.
    assert 0 < tried <= SHARE
    # A quarter of an hour later a few ask again, not all.
    town.clock.move(seconds=HALTED.total_seconds())
    await town.pump.drain()
    assert tried < len(town.apns.pushes) <= tried + SHARE

    town.apns.mood = str
    town.clock.move(seconds=HALTED.total_seconds())
    await town.pump.drain()
    for held in passes:
        row = await town.waiting(held)
        assert (row.done, row.error, row.dead) == (row.wanted, "", False)
    view = await new_pass(town.shop, town.clock, key="card-0")
    assert view.held.push_tokens == ("a00",)


async def test_it_is_red_for_the_operator_and_on_the_settings_page(
    town, passes, settings, vault
):
    merchant_id = town.shop.merchant.id
    await build_shop(town.db, vault, town.clock.now(), key="midori", api_key="sk_2")
    assert (await colours(town, settings, vault))["apple aozora"][0] == "green"
    town.apns.mood = lambda: "forb"
    await town.pump.drain()

    assert await town.db.read(why_halted, merchant_id, "apple") == REFUSED
    assert await town.db.read(why_halted, merchant_id, "google") is None
    assert await colours(town, settings, vault) == {
        "apple aozora": ("red", f"pushes stand still: {REFUSED}")
    }
    async with at_desk(town.db, settings, town.clock) as desk:
        await desk.sign_in("owner@aozora.jp")
        assert "Appleが証明書を受け付けません" in desk.page
        town.apns.mood = str
        town.clock.move(minutes=16)
        await town.pump.drain()
        await desk.get("/merchant/")
        assert "Appleが証明書を受け付けません" not in desk.page
    assert (await colours(town, settings, vault))["apple aozora"][0] == "green"


async def test_a_mended_certificate_starts_it_again_at_once(town, passes, vault):
    town.apns.mood = lambda: "forb"
    await town.pump.drain()
    town.apns.mood = str
    await town.pump.drain()
    assert (await town.waiting(passes[-1])).done == 0

    await connect_apple(town.shop, vault, town.clock.move(seconds=1), chain())
    await town.pump.drain()
    assert {push.token for push in town.apns.pushes if push.status == 200} == {
        f"a{n:02}" for n in range(N_PASSES)
    }
    assert await town.db.read(why_halted, town.shop.merchant.id, "apple") is None


async def test_another_merchants_queue_goes_on(town, passes, vault):
    other = await build_shop(
        town.db, vault, town.clock.now(), key="midori", api_key="sk_2"
    )
    await connect_apple(other, vault, town.clock.now())
    theirs = await new_pass(other, town.clock, "b01", key="theirs")
    town.apns.mood = lambda: "forb"
    await town.pump.drain()
    town.apns.mood = str
    topic = f"pass:{theirs.held.id}"
    await town.db.write(announce, other.merchant.id, topic, town.clock.now())
    await town.pump.drain()
    assert [p.token for p in town.apns.pushes if p.status == 200] == ["b01"]


async def test_without_any_certificate_nothing_is_sent_nor_given_up(town, vault):
    other = await build_shop(
        town.db, vault, town.clock.now(), key="midori", api_key="sk_2"
    )
    theirs = await new_pass(other, town.clock, "b01", key="theirs")
    topic = f"pass:{theirs.held.id}"
    await town.db.write(announce, other.merchant.id, topic, town.clock.now())
    await town.pump.drain()
    assert town.apns.pushes == []
    assert not (await town.waiting(theirs.held)).dead

    await connect_apple(other, vault, town.clock.move(seconds=1))
    await town.pump.drain()
    assert [push.token for push in town.apns.pushes] == ["b01"]
