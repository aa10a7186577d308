"""A reissued channel secret: the old one is taken for a day, or until it is ended."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from core.actions.channels import line_channel
from jobs.apply_file import apply_file
from jobs.demo.line_events import envelope, signature
from tests.builders import BOT_USER_ID, CHANNEL_SECRET
from tests.webhooks.line_desk import CHANNEL, NEW_SECRET, PAGE, acts, at_line_desk

DAY = timedelta(hours=24)
FILE = f"""
[merchant]
key = "aozora"
name = "あおぞら珈琲"
contact = "info@example.jp"
[line]
channel_id = "{CHANNEL}"
channel_secret = "{NEW_SECRET}"
bot_user_id = "{BOT_USER_ID}"
basic_id = "@aozora"
"""


async def taken(at, secret) -> int:
    """What LINE hears of a webhook that is signed with this secret."""
    body = envelope(BOT_USER_ID, [])
    headers = {"x-line-signature": signature(secret, body)}
    answer = await at.desk.client.post("/line/aozora", data=body, headers=headers)
    return answer.status


async def reissue(at) -> None:
    at.channel.secret = NEW_SECRET
    at.line.forget_access_tokens()
    await at.connect(secret=NEW_SECRET)


def about_the_old_one(page) -> str:
    found = re.search(r'id="old-secret">(.*?)</div>', page, re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", found[1]) if found else ""


async def test_the_old_secret_is_taken_for_a_day_and_no_longer(
    db, settings, vault, clock, shop
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        assert about_the_old_one(at.desk.page) == ""
        await reissue(at)
        told = about_the_old_one(at.desk.page)
        # The clock of the tests stands at 15:00 in Tokyo.
        assert "前のシークレットは11/24 15:00まで使えます" in told

        # Checking once more gives it no more time.
        clock.move(hours=1)
        await at.connect(secret=NEW_SECRET)
        assert about_the_old_one(at.desk.page) == told

        clock.move(hours=22, minutes=59, seconds=59)
        assert [await taken(at, s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [200, 200]
        clock.move(seconds=1)
        assert [await taken(at, s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [401, 200]


async def test_the_old_secret_is_ended_at_once_by_a_button(
    db, settings, vault, clock, shop
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        await reissue(at)
        await at.press("/previous")
        assert "前のシークレットを終わりにしました" in at.desk.page
        assert about_the_old_one(at.desk.page) == ""
        assert [await taken(at, s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [401, 200]
        # Twice is once.
        await at.press("/previous")
        assert at.desk.status == 200
    assert (await acts(db)).count("line.previous_ended") == 1
    channel = await db.read(line_channel, shop.merchant.id)
    assert (channel.sealed_previous_secret, channel.previous_until) == (None, None)


async def test_a_secret_from_the_merchant_file_ends_the_old_one_too(
    db, settings, vault, clock, shop, tmp_path
):
    file = tmp_path / "shop.toml"
    file.write_text(FILE)
    applied = clock.now()
    await apply_file(db, vault, settings, file, applied)
    # The same file once more gives it no more time.
    await apply_file(db, vault, settings, file, clock.move(hours=3))
    channel = await db.read(line_channel, shop.merchant.id)
    assert channel.previous_until == applied + DAY
    assert channel.has_previous(applied + DAY - timedelta(seconds=1))
    assert not channel.has_previous(applied + DAY)


async def test_answers_wait_for_the_till_until_somebody_says_not_to(
    db, settings, vault, clock, shop
):
    async with at_line_desk(db, settings, vault, clock) as at:

        async def holds() -> bool:
            return (await db.read(line_channel, shop.merchant.id)).holds_replies

        assert await holds()
        assert 'value="not"' in at.desk.page
        await at.press("/holds", do="not")
        assert "すぐ返事をします" in at.desk.page
        assert not await holds()
        await at.press("/holds", do="hold")
        assert "確認を待って" in at.desk.page
        assert await holds()
        await at.press("/holds", do="hold")
        # A new secret leaves it as it is.
        await at.press("/holds", do="not")
        await reissue(at)
        assert not await holds()
    told = [act for act in await acts(db) if act.startswith("line.holds")]
    assert told == ["line.holds_not", "line.holds", "line.holds_not"]


@pytest.mark.parametrize("who", ["manager", "viewer", "clerk"])
async def test_only_the_owner_ends_secrets_and_holds_answers(
    db, settings, vault, clock, shop, who
):
    async with at_line_desk(db, settings, vault, clock, f"{who}@aozora.jp") as at:
        await at.desk.get("/merchant/")
        for path in ("/previous", "/holds"):
            await at.press(path)
            assert at.desk.status == 403


async def test_the_page_tells_of_the_old_secret_in_english_too(
    db, settings, vault, clock, shop
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        await reissue(at)
        form = {"csrf": at.desk.csrf, "language": "en", "next": PAGE}
        await at.desk.send("/merchant/language", form)
        assert "is taken until Nov 24, 15:00" in about_the_old_one(at.desk.page)
