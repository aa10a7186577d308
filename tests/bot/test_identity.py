"""Who a channel is gets looked up where the merchant's file leaves it out."""

from __future__ import annotations

import pytest

from bot.identity import IdentityLookup
from bot.line_api import LineApi
from core.actions.apply import apply_channel
from core.actions.channels import LINE_SECRET, line_channel
from jobs.demo.line_platform import LineStandIn
from tests.builders import CHANNEL_SECRET


@pytest.fixture
async def line(clock):
    stand_in = LineStandIn(clock)
    await stand_in.start()
    stand_in.add_channel("1234567890", CHANNEL_SECRET, "@umineko", f"U{7:032x}")
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def lookup(db, vault, clock, settings, line, shop):
    values = {
        "channel_id": "1234567890",
        "sealed_secret": vault.seal(CHANNEL_SECRET, shop.merchant.id, LINE_SECRET),
        "sealed_previous_secret": None,
        "bot_user_id": "",
        "basic_id": "",
    }
    await db.write(apply_channel, shop.merchant.id, "line", values, clock.now())
    hosts = {"line_api_url": line.url, "line_data_api_url": line.url}
    api = LineApi(settings.model_copy(update=hosts))
    yield IdentityLookup(db, vault, api, clock)
    await api.close()


async def test_a_channel_learns_its_ids_from_line(lookup, db, shop):
    await lookup.look()

    channel = await db.read(line_channel, shop.merchant.id)
    assert (channel.basic_id, channel.bot_user_id) == ("@umineko", f"U{7:032x}")


async def test_a_line_that_is_down_is_not_asked_again_at_once(lookup, db, line, shop):
    line.down = True
    await lookup.look()
    line.down = False

    await lookup.look()

    assert (await db.read(line_channel, shop.merchant.id)).basic_id == ""
