"""A reward confirmed by a PIN of staff on the customer's own phone."""

from __future__ import annotations

import asyncio
import re

import pytest
from sqlalchemy import select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.cards import ledger, load_card
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.redeem import load_voucher
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    load_redemption,
)
from core.actions.team import give_pin, switch_phone_pin
from core.rules.asking import StampAsk
from core.store.tables import journal, staff
from tests.webhooks.rooms import Staff, field, serve_rooms
from tests.webhooks.test_till import Events

HOST = "https://stamps.example.jp"
PIN = "739184"
WRONG = [f"60{n}7" for n in range(10, 60)]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
async def client(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as found:
        yield found


@pytest.fixture
async def clerk(db, shop, vault, clock):
    """The clerk's id; their PIN is `PIN`, and it is good on phones."""
    await db.write(switch_phone_pin, by=shop.owner, is_on=True, now=clock.now())
    return await pin_of(db, shop, vault, clock, "clerk", PIN)


async def pin_of(db, shop, vault, clock, role, pin):
    row = await db.read(
        lambda tx: tx.execute(select(staff).where(staff.c.role == role)).one()
    )
    await db.write(
        give_pin,
        by=shop.owner,
        staff_id=row.id,
        typed=pin,
        mac_of=lambda text: vault.pin_mac(shop.merchant.id, text),
        now=clock.now(),
    )
    return row.id


@pytest.fixture
async def view(db, shop, clock):
    """A card with a voucher."""
    merchant_id, now = shop.merchant.id, clock.now()
    card_id = await db.write(
        open_card, merchant_id=merchant_id, program_key="coffee", key="open", now=now
    )
    ask = StampAsk(
        merchant_id=merchant_id, key="s", how="till", card_id=card_id, stamps=10
    )
    await db.write(grant_stamps, ask, now)
    return await db.read(load_card, merchant_id, card_id, now)


async def ask(db, view, clock, key="use"):
    return await db.write(
        ask_redemption,
        merchant_id=view.card.merchant_id,
        voucher_id=view.face.vouchers[0].id,
        customer_id=view.customer.id,
        key=key,
        now=clock.now(),
    )


@pytest.fixture
async def asked(db, view, clock):
    return await ask(db, view, clock)


@pytest.fixture
def page(links, asked):
    return links.use(asked.merchant_id, asked.id).removeprefix(HOST)


async def read(client, path, status=200, **how):
    answer = await client.get(path, **how)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return text


async def type_pin(client, page, pin, *, key="", **how):
    """Send the form; where that leads to, and the answer."""
    form = {"pin": pin, "key": key or "k" * 12, "csrf": ""}
    answer = await client.post(f"{page}/staff", data=form, **how)
    return answer, await answer.text()


async def voucher(db, view):
    return await db.read(load_voucher, view.card.merchant_id, view.face.vouchers[0].id)


async def journal_rows(db):
    return await db.read(lambda tx: tx.execute(select(journal)).all())


# --- the right one --------------------------------------------------------------------


async def test_the_pin_confirms_as_that_member_of_staff(
    client, db, shop, page, asked, view, clerk, clock
):
    assert "スタッフの方へ" in await read(client, page)
    assert "For staff" in await read(client, page, headers=ENGLISH)
    pad = await read(client, f"{page}/staff")
    assert view.face.vouchers[0].name in pad
    assert 'autocomplete="off"' in pad
    assert 'type="password"' not in pad

    answer, text = await type_pin(client, page, PIN, key=field(pad, "key"))
    assert (answer.status, answer.url.path) == (200, page)
    assert "使用済み" in text
    assert "スタッフの方へ" not in text
    done = await db.read(load_redemption, asked.merchant_id, asked.id, clock.now())
    assert (done.state, done.staff_id) == ("done", clerk)
    (used, *_) = await db.read(ledger, asked.merchant_id, asked.card_id)
    assert (used.kind, used.staff_id, used.shop_id) == ("redeem", clerk, shop.shop.id)
    assert used.id == done.entry_id


async def test_wide_digits_and_spaces_are_the_same_pin(client, db, page, view, clerk):
    answer, _ = await type_pin(client, page, " ７３９ １８４ ")
    assert answer.status == 200
    assert (await voucher(db, view)).state == "redeemed"


async def test_the_open_page_turns_and_tells_when_it_was_taken_back(
    client, db, settings, clock, page, view, clerk
):
    async with (
        serve_rooms(db, settings, clock) as other,
        client.get(f"{page}/events") as answer,
    ):
        events = Events(answer)
        assert "スタッフにお見せください" in await events.next()
        await type_pin(client, page, PIN)
        assert "使用済み" in await events.next()

        till = Staff(other)
        await till.sign_in("clerk@aozora.jp")
        clock.move(minutes=9)
        path = f"/till/cards/{view.card.code}/vouchers/{view.face.vouchers[0].id}"
        await till.get(path)
        await till.post(f"{path}/back", {})
        html = await events.next()
        assert "使用を取り消しました" in html
        assert "特典はまた使えます" in html
    assert (await voucher(db, view)).state == "issued"
    assert "Taken back" in await read(client, page, headers=ENGLISH)


async def test_among_several_shops_the_phone_is_in_none(
    client, db, page, asked, clerk, clock
):
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲"},
        shops=({"key": "second", "name": "駅前店"},),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    await type_pin(client, page, PIN)
    (used, *_) = await db.read(ledger, asked.merchant_id, asked.card_id)
    assert (used.kind, used.shop_id) == ("redeem", None)


async def test_the_same_form_sent_twice_uses_it_once(
    client, db, page, asked, view, clerk
):
    both = await asyncio.gather(*(type_pin(client, page, PIN) for _ in range(4)))
    assert {answer.url.path for answer, _ in both} == {page}
    entries = await db.read(ledger, asked.merchant_id, asked.card_id)
    assert [entry.kind for entry in entries].count("redeem") == 1


# --- the wrong ones -------------------------------------------------------------------


async def test_five_wrong_ones_close_it_for_the_right_one_too(
    client, db, page, view, clerk, clock
):
    for pin in WRONG[:4]:
        answer, text = await type_pin(client, page, pin)
        assert answer.status == 403
        assert "暗証番号がちがいます" in text
    for pin in (WRONG[4], PIN):
        answer, text = await type_pin(client, page, pin)
        assert answer.status == 429
        assert "いまは暗証番号を受け付けられません" in text
        assert 'name="pin"' not in text
    clock.move(minutes=4)
    answer, _ = await type_pin(client, page, PIN)
    assert answer.status == 429
    assert (await voucher(db, view)).state == "issued"


async def test_guesses_all_at_once_are_counted_one_by_one(
    client, db, page, view, clerk
):
    tries = await asyncio.gather(*(type_pin(client, page, pin) for pin in WRONG[:12]))
    assert sorted(answer.status for answer, _ in tries) == [403] * 4 + [429] * 8
    assert (await type_pin(client, page, PIN))[0].status == 429
    assert (await voucher(db, view)).state == "issued"


async def test_the_till_still_confirms_what_a_phone_may_not(
    client, db, settings, clock, page, asked, view, clerk
):
    for pin in WRONG[:5]:
        await type_pin(client, page, pin)
    async with serve_rooms(db, settings, clock) as other:
        till = Staff(other)
        await till.sign_in("clerk@aozora.jp")
        await till.get("/till/")
        await till.post(f"/till/asked/{asked.id}/confirm", {})
    assert (await voucher(db, view)).state == "redeemed"
    assert "使用済み" in await read(client, page)


@pytest.mark.parametrize(
    "typed", ["", "123", "1234567", "７３９", "abcd", "7391e4", "-7391", "\x00"]
)
async def test_what_is_no_pin_is_no_guess(client, db, page, view, clerk, typed):
    for _ in range(6):
        answer, text = await type_pin(client, page, typed)
        assert answer.status == 400
        assert "4〜6けたの数字を入れてください" in text
    answer, _ = await type_pin(client, page, PIN)
    assert answer.status == 200
    assert (await voucher(db, view)).state == "redeemed"


async def test_nobody_reads_a_pin_in_the_log_or_the_journal(
    client, db, page, clerk, capsys
):
    await type_pin(client, page, WRONG[0])
    await type_pin(client, page, PIN)
    told = "".join(capsys.readouterr())
    assert "/v/{token" in told
    for pin in (PIN, WRONG[0]):
        assert pin not in told
        assert pin not in str(await journal_rows(db))


# --- when there is no pad -------------------------------------------------------------


async def test_without_the_merchants_wish_there_is_no_pad(
    client, db, page, view, shop, vault, clock
):
    await pin_of(db, shop, vault, clock, "clerk", PIN)
    assert "スタッフの方へ" not in await read(client, page)
    for answer, _ in (
        await type_pin(client, page, PIN),
        (await client.get(f"{page}/staff"), ""),
    ):
        assert (answer.status, answer.url.path) == (200, page)
    assert (await voucher(db, view)).state == "issued"


async def test_what_waits_no_more_takes_no_pin(
    client, db, page, view, asked, clerk, clock
):
    await db.write(
        cancel_redemption,
        merchant_id=asked.merchant_id,
        redemption_id=asked.id,
        now=clock.now(),
        customer_id=view.customer.id,
    )
    answer, text = await type_pin(client, page, PIN)
    assert answer.url.path == page
    assert "使うのをやめました" in text

    again = await ask(db, view, clock, "again")
    assert again.id != asked.id
    clock.move(minutes=5)
    answer, _ = await type_pin(client, page, PIN)
    assert (await voucher(db, view)).state == "issued"


async def test_a_link_that_is_not_ours_has_no_pad(client, page, clerk):
    await read(client, f"{page[:-2]}/staff", 404)
    assert (await type_pin(client, page[:-2], PIN))[0].status == 404


async def test_another_merchants_pin_is_nobodys(
    client, db, page, view, vault, clock, clerk
):
    from tests.builders import build_shop

    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    row = await db.read(
        lambda tx: tx.execute(
            select(staff).where(staff.c.email == "manager@yamato.jp")
        ).one()
    )
    await db.write(
        give_pin,
        by=other.owner,
        staff_id=row.id,
        typed="402915",
        mac_of=lambda text: vault.pin_mac(other.merchant.id, text),
        now=clock.now(),
    )
    answer, _ = await type_pin(client, page, "402915")
    assert answer.status == 403
    assert (await voucher(db, view)).state == "issued"


async def test_another_site_cannot_send_the_form(client, db, page, view, clerk):
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer, _ = await type_pin(client, page, PIN, headers=headers)
        assert answer.status == 403
    assert (await voucher(db, view)).state == "issued"


async def test_no_page_keeps_what_was_typed(client, page, clerk):
    _, text = await type_pin(client, page, WRONG[0])
    assert WRONG[0] not in text
    box = re.search(r"<input[^>]*name=\"pin\"[^>]*>", text)[0]
    assert "value=" not in box
