"""Codes of every kind: who may use them how often, and what guessing leads to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from core.actions.cards import load_entry
from core.actions.codes import MAX_SHOP_TRIES, MAX_TRIES
from core.actions.grant import grant_stamps
from core.actions.printed import (
    make_printed_code,
    printed_codes,
    revoke_printed_code,
)
from core.actions.receipts import (
    list_batches,
    make_receipts,
    receipt_codes,
    revoke_receipts,
)
from core.actions.till import current_window
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused
from core.rules.types import Limit, Why
from tests.actions.test_grant import ask
from tests.builders import build_shop, coffee


@pytest.fixture
async def shop(db, vault, clock):
    """A shop whose card has no limit of its own."""
    return await build_shop(db, vault, clock.now(), design=coffee(limit=Limit()))


class Counter:
    def __init__(self, db, shop, clock):
        self.db, self.shop, self.clock, self.keys = db, shop, clock, 0

    async def send(self, code, who=1, place=None):
        self.keys += 1
        asked = replace(ask(self.shop, code, f"k{self.keys}", who), place=place)
        return await self.db.write(grant_stamps, asked, self.clock.now())

    async def make(self, fn, **values):
        told = {
            "merchant_id": self.shop.merchant.id,
            "shop_key": "main",
            "program_key": "coffee",
            "stamps": 1,
            "now": self.clock.now(),
        }
        return await self.db.write(fn, **(told | values))

    async def window(self):
        return await self.make(current_window, staff_id=self.shop.owner.id)

    async def poster(self, radius_m=None):
        return await self.make(make_printed_code, radius_m=radius_m, staff_id=None)

    async def receipts(
        self, count=3, until=None, key="batch", stamps=2, name="レシート"
    ):
        values = {"count": count, "until": until, "key": key, "name": name}
        return await self.make(
            make_receipts, by=self.shop.owner, stamps=stamps, **values
        )


@pytest.fixture
def counter(db, shop, clock):
    return Counter(db, shop, clock)


# --- a till in auto mode ----------------------------------------------------------


async def test_a_window_shows_one_code_to_all_tills_and_another_after_30_seconds(
    counter, clock
):
    first = await counter.window()
    clock.move(seconds=29)
    assert first == await counter.window()
    clock.move(seconds=1)
    second = await counter.window()

    assert second.code != first.code
    assert second.digits != first.digits
    assert second.expires_at - first.expires_at == timedelta(seconds=30)


async def test_everybody_may_use_a_window_once(counter):
    code = await counter.window()

    assert isinstance(await counter.send(code, who=1), Granted)
    assert isinstance(await counter.send(code, who=2), Granted)
    again = await counter.send(code, who=1)

    assert Why.used_code == again.why


async def test_who_used_a_window_hears_from_when_the_next_one_counts(counter, clock):
    code = await counter.window()
    await counter.send(code)

    again = await counter.send(code)
    assert again.retry_at == code.expires_at - timedelta(seconds=30)
    clock.at = again.retry_at
    assert isinstance(await counter.send(await counter.window()), Granted)


async def test_a_photographed_window_is_worth_nothing_a_minute_later(counter, clock):
    code = await counter.window()
    clock.at = code.expires_at - timedelta(seconds=1)
    assert isinstance(await counter.send(code, who=1), Granted)
    clock.move(seconds=1)

    assert Refused(why=Why.expired_code) == await counter.send(code, who=2)


async def test_a_window_may_be_typed_as_six_digits(counter):
    code = await counter.window()

    assert isinstance(await counter.send(code.digits), Granted)


# --- a poster ---------------------------------------------------------------------


async def test_a_poster_is_good_once_a_business_day_whatever_the_card_allows(
    counter, clock
):
    code = await counter.poster()
    assert isinstance(await counter.send(code), Granted)
    clock.move(hours=3)

    again = await counter.send(code)

    assert again.why == Why.already_today
    clock.at = again.retry_at - timedelta(seconds=1)
    assert (await counter.send(code)).why == Why.already_today
    clock.at = again.retry_at
    assert isinstance(await counter.send(code), Granted)


async def test_a_poster_with_a_radius_asks_where_one_is(counter):
    code = await counter.poster(radius_m=200)
    near, far = (35.6805, 139.7605), (35.70, 139.76)

    assert Refused(why=Why.too_far) == await counter.send(code)
    assert Refused(why=Why.too_far) == await counter.send(code, place=far)
    assert isinstance(await counter.send(code, place=near), Granted)


async def test_a_revoked_poster_is_worth_nothing(counter, db, shop, clock):
    code = await counter.poster()
    assert [code] == await db.read(printed_codes, shop.merchant.id)

    revoked = (shop.merchant.id, code.code, shop.owner.id, clock.now())
    await db.write(revoke_printed_code, *revoked)

    assert Refused(why=Why.expired_code) == await counter.send(code)
    assert await db.read(printed_codes, shop.merchant.id) == []


async def test_a_radius_needs_a_place_and_sense(counter, db, shop, clock):
    with pytest.raises(Invalid, match="radius_m"):
        await counter.poster(radius_m=1)
    single = await shop.till_code(clock.now())
    with pytest.raises(NotFound):
        await db.write(
            revoke_printed_code, shop.merchant.id, single.code, None, clock.now()
        )


async def test_the_same_key_is_the_same_poster_and_asks_nothing_else(counter, db, shop):
    def made(**values):
        told = {"radius_m": None, "staff_id": None, "key": "tap"}
        return counter.make(make_printed_code, **(told | values))

    one, same = await asyncio.gather(made(), made())
    assert one == same
    assert await db.read(printed_codes, shop.merchant.id) == [one]
    for other in ({"stamps": 2}, {"radius_m": 100}):
        with pytest.raises(Invalid) as error:
            await made(**other)
        assert list(error.value.problems) == ["key"]


@pytest.mark.parametrize("kind", ["printed", "receipt", "line"])
async def test_the_history_tells_what_came_by_paper(counter, db, shop, kind):
    if kind == "receipt":
        batch = await counter.receipts(count=1)
        [code] = await db.read(receipt_codes, shop.merchant.id, batch.id)
    elif kind == "printed":
        code = await counter.poster()
    else:
        code = await counter.window()
    granted = await counter.send(code)
    entry = await db.read(load_entry, shop.merchant.id, granted.entry_id)
    assert (entry.kind, entry.how) == ("stamp", kind)


# --- receipts ---------------------------------------------------------------------


async def test_a_receipt_code_is_good_once_for_anybody(counter, db, shop):
    batch = await counter.receipts()
    codes = await db.read(receipt_codes, shop.merchant.id, batch.id)
    assert len({code.code for code in codes}) == batch.n_codes == 3

    first = await counter.send(codes[0], who=1)
    assert (first.stamps, batch.shop_id) == (2, shop.shop.id)
    assert Refused(why=Why.used_code) == await counter.send(codes[0], who=2)
    assert isinstance(await counter.send(codes[1], who=2), Granted)
    [listed] = await db.read(list_batches, shop.merchant.id)
    assert (listed.name, listed.n_used) == ("レシート", 2)


async def test_receipts_end_with_their_last_business_day(counter, db, shop, clock):
    batch = await counter.receipts(until=date(2026, 11, 24))
    code, other, _ = await db.read(receipt_codes, shop.merchant.id, batch.id)
    clock.at = batch.expires_at - timedelta(seconds=1)
    assert isinstance(await counter.send(code), Granted)
    clock.move(seconds=1)

    assert Refused(why=Why.expired_code) == await counter.send(other)


async def test_revoking_a_batch_leaves_what_was_given(counter, db, shop, clock):
    batch = await counter.receipts()
    used, unused, _ = await db.read(receipt_codes, shop.merchant.id, batch.id)
    await counter.send(used, who=1)

    ids = (shop.merchant.id, batch.id)
    revoked = await db.write(revoke_receipts, *ids, shop.owner, clock.now())

    assert (revoked.revoked_at, revoked.n_used) == (clock.now(), 1)
    assert Refused(why=Why.expired_code) == await counter.send(unused, who=2)
    assert Refused(why=Why.used_code) == await counter.send(used, who=2)


async def test_the_same_key_makes_one_batch(counter, db, shop):
    batch = await counter.receipts()

    assert batch == await counter.receipts()
    with pytest.raises(Invalid, match="key"):
        await counter.receipts(count=4)
    assert len(await db.read(list_batches, shop.merchant.id)) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"until": date(2026, 11, 22)}, "until"),
        ({"stamps": 51}, "stamps"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\x00b"}, "name"),
    ],
)
async def test_a_batch_that_makes_no_sense_is_refused(counter, wrong, field):
    with pytest.raises(Invalid, match=field):
        await counter.receipts(**wrong)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        (date(2026, 11, 22), "invalid.past"),
        (date(1, 1, 1), "invalid.past"),
        (date(2036, 11, 21), "invalid.until"),
        (date(9999, 12, 31), "invalid.until"),
    ],
)
async def test_receipts_end_within_ten_years_or_never(counter, until, why):
    with pytest.raises(Invalid) as error:
        await counter.receipts(until=until)
    assert error.value.problems["until"][0] == why


# --- guessing ---------------------------------------------------------------------


async def test_one_persons_guesses_stop_that_person_alone(counter, clock):
    for number in range(MAX_TRIES):
        assert Why.unknown_code == (await counter.send(f"9999999{number}")).why
    good = await counter.window()

    refused = await counter.send(good)

    assert refused.why == Why.too_many_tries
    assert isinstance(await counter.send(good, who=2), Granted)
    clock.at = refused.retry_at - timedelta(seconds=1)
    assert Why.too_many_tries == (await counter.send(await counter.window())).why
    clock.at = refused.retry_at
    assert isinstance(await counter.send(await counter.window()), Granted)


async def test_guessing_with_many_accounts_closes_the_digits_not_the_letters(
    counter, clock
):
    for number in range(MAX_SHOP_TRIES):
        who = 100 + number // (MAX_TRIES - 1)
        assert Why.unknown_code == (await counter.send("000000", who=who)).why
    good = await counter.window()

    refused = await counter.send(good.digits, who=1)

    assert refused.why == Why.too_many_tries
    assert isinstance(await counter.send(good.code, who=1), Granted)
    clock.at = refused.retry_at
    digits = (await counter.window()).digits
    assert isinstance(await counter.send(digits, who=1), Granted)
