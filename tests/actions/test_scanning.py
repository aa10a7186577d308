"""A code that a pass makes opens its card once: for whoever scans it first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.actions.cards import load_card as load
from core.actions.erase import erase_customer, what_we_know
from core.actions.join import open_card
from core.actions.late import LateScan, send_scan, withdraw_scan
from core.actions.link import link_customers
from core.actions.passes import hold_pass
from core.actions.reissue import reissue_card
from core.actions.scanning import (
    Scan,
    Unread,
    barcode_key,
    cards_scanned,
    code_keys,
)
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused
from core.rules.pass_codes import PERIOD, code_before_value, value_at
from core.rules.scanned import read_scanned
from core.rules.types import Limit
from core.store.barcodes import drop_used_before
from core.store.tables import card as card_table
from core.store.tables import used_barcode
from core.vault import Vault
from tests.builders import build_shop, coffee

HALF_MINUTE = PERIOD


@pytest.fixture
async def shop(db, vault, clock):
    """Its card takes any number of stamps a day."""
    return await build_shop(
        db, vault, clock.now(), design=coffee(limit=Limit(), changing_code=True)
    )


class Phone:
    """A Google pass on a phone, which makes codes by itself."""

    def __init__(self, vault, held, number):
        self.held = held
        self._key = barcode_key(vault, held.id)
        self._number = number

    def shows(self, at):
        value = value_at(int(at.timestamp() // 30), self._key)
        return f"{code_before_value(self._number)}{value}"


@pytest.fixture
async def phone(db, vault, clock, shop):
    return await a_phone(db, vault, clock, shop, "one")


async def a_phone(db, vault, clock, shop, name):
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=name,
        now=clock.now(),
        name=name,
    )
    return await pass_of(db, vault, clock, shop, card_id)


async def pass_of(db, vault, clock, shop, card_id):
    where = (shop.merchant.id, card_id)
    held = await db.write(hold_pass, *where, "google", clock.now())
    view = await db.read(load, *where, clock.now())
    return Phone(vault, held, view.customer.member_no)


@pytest.fixture
def scan(db, vault, clock, shop):
    keys = code_keys(vault, timedelta())

    async def do(code, by="device:1", merchant_id=shop.merchant.id):
        asked = Scan(
            merchant_id=merchant_id, what=read_scanned(code), at=clock.now(), by=by
        )
        found = await db.write(cards_scanned, asked, keys, clock.now())
        return found if isinstance(found, Unread) else [card.id for card in found]

    return do


@pytest.fixture
def send(db, vault, clock, shop):
    keys = code_keys(vault, timedelta())

    async def do(code, age=timedelta(), key="a-key-of-a-page", by="device:1"):
        late = LateScan(
            merchant_id=shop.merchant.id, key=key, what=code, age=age, keys=keys, by=by
        )
        return await db.write(send_scan, late, clock.now())

    return do


async def uses(db):
    return await db.read(lambda tx: tx.execute(select(used_barcode)).all())


# --- at once ------------------------------------------------------------------------


async def test_it_opens_the_card_of_its_pass(phone, clock, scan):
    assert await scan(phone.shows(clock.now())) == [phone.held.card_id]


async def test_of_twenty_tills_at_the_same_moment_one_opens_the_card(
    db, phone, clock, scan
):
    code = phone.shows(clock.now())
    found = await asyncio.gather(*(scan(code, f"device:{n}") for n in range(20)))
    assert found.count([phone.held.card_id]) == 1
    assert found.count(Unread("used")) == 19
    assert len(await uses(db)) == 1


async def test_a_scanner_that_reads_twice_annoys_nobody(phone, clock, scan):
    code = phone.shows(clock.now())
    found = await asyncio.gather(*(scan(code, "device:1") for _ in range(5)))
    assert found == [[phone.held.card_id]] * 5
    assert await scan(code, "device:2") == Unread("used")
    assert await scan(code, "device:1") == [phone.held.card_id]


async def test_the_next_code_is_another_ones_to_scan(phone, clock, scan):
    assert await scan(phone.shows(clock.now()), "device:1") == [phone.held.card_id]
    clock.move(seconds=30)
    assert await scan(phone.shows(clock.now()), "device:2") == [phone.held.card_id]


@pytest.mark.parametrize("steps", [-3, -2, -1, 0, 1, 2, 3])
async def test_a_phone_may_be_half_a_minute_off(phone, clock, scan, steps):
    found = await scan(phone.shows(clock.now() + steps * HALF_MINUTE))
    near = abs(steps) <= 1
    assert found == ([phone.held.card_id] if near else Unread("changed"))


async def test_a_wrong_value_and_a_number_of_nobody_open_nothing(
    db, vault, phone, clock, scan, shop
):
    code = phone.shows(clock.now())
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert await scan(wrong) == Unread("changed")
    other = await a_phone(db, vault, clock, shop, "two")
    # The one's number with what the other's pass makes.
    mixed = code[:9] + other.shows(clock.now())[9:]
    assert await scan(mixed) == Unread("changed")
    assert await scan("T00000000123456") == []
    # Under another master key every pass has another secret.
    stranger = Phone(Vault("another key, also forty letters long ..."), phone.held, "")
    assert await scan(code[:9] + stranger.shows(clock.now())[1:]) == Unread("changed")
    assert await uses(db) == []


async def test_another_merchants_staff_open_nothing(db, vault, phone, clock, scan):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="another")
    code = phone.shows(clock.now())
    assert await scan(code, merchant_id=other.merchant.id) == []
    assert await scan(code) == [phone.held.card_id]


async def test_a_reissued_passs_code_says_that_it_was_replaced(
    db, vault, phone, clock, scan, shop
):
    lost = phone.shows(clock.now())
    view = await db.read(load, shop.merchant.id, phone.held.card_id, clock.now())
    await db.write(
        reissue_card,
        merchant_id=shop.merchant.id,
        code=view.card.code,
        by=shop.owner,
        key="reissue",
        now=clock.now(),
    )
    new = await pass_of(db, vault, clock, shop, phone.held.card_id)
    assert new.held.id != phone.held.id
    assert new.shows(clock.now()) != lost
    assert await scan(lost) == Unread("replaced")
    assert await scan(new.shows(clock.now())) == [phone.held.card_id]


async def test_a_linked_cards_pass_goes_on_by_either_number(
    db, vault, clock, scan, shop
):
    old = await a_phone(db, vault, clock, shop, "old")
    new = await a_phone(db, vault, clock, shop, "new")
    where, ids = shop.merchant.id, {}
    for name, each in (("old", old), ("new", new)):
        view = await db.read(load, where, each.held.card_id, clock.now())
        ids[name] = view.customer
    await db.write(
        link_customers,
        merchant_id=where,
        from_id=ids["old"].id,
        to_id=ids["new"].id,
        by=shop.owner,
        key="link",
        now=clock.now(),
    )
    # Until Google has told it, the phone shows the number that it had.
    assert await scan(old.shows(clock.now())) == [old.held.card_id]
    clock.move(seconds=30)
    told = Phone(vault, old.held, ids["new"].member_no)
    assert await scan(told.shows(clock.now())) == [old.held.card_id]
    assert await scan(new.shows(clock.now())) == [new.held.card_id]


async def test_who_left_is_found_by_no_code_and_leaves_none_behind(
    db, phone, clock, scan, shop
):
    code = phone.shows(clock.now())
    assert await scan(code)
    view = await db.read(load, shop.merchant.id, phone.held.card_id, clock.now())
    known = await db.read(what_we_know, shop.merchant.id, view.customer.id)
    [row] = known["used_barcode"]
    assert row["pass_id"] == phone.held.id
    assert "used_by" not in row
    await db.write(
        erase_customer,
        merchant_id=shop.merchant.id,
        customer_id=view.customer.id,
        by=None,
        reason_code="left",
        now=clock.now(),
    )
    assert await uses(db) == []
    assert await scan(code) == []
    clock.move(seconds=30)
    assert await scan(phone.shows(clock.now())) == []


async def test_what_was_scanned_is_forgotten_from_a_day_on(db, phone, clock, scan):
    await scan(phone.shows(clock.now()))
    clock.move(days=2)
    await scan(phone.shows(clock.now()))
    before = clock.now() - timedelta(days=2)
    assert await db.write(drop_used_before, before, 10) == 0
    clock.move(seconds=1)
    before = clock.now() - timedelta(days=2)
    assert await db.write(drop_used_before, before, 10) == 1
    assert len(await uses(db)) == 1


# --- without network ----------------------------------------------------------------


async def test_a_late_one_counts_as_of_its_scan_whatever_was_scanned_since(
    db, phone, clock, scan, send
):
    code = phone.shows(clock.now())
    clock.move(hours=3)
    # A newer one was used meanwhile; this one is no less good for it.
    assert await scan(phone.shows(clock.now()), "device:2") == [phone.held.card_id]
    with pytest.raises(Invalid) as error:
        await send(code)
    assert error.value.problems == {"what": ("barcode.late.changed", {})}
    for _ in range(2):
        assert isinstance(await send(code, timedelta(hours=3)), Granted)


async def test_a_code_that_was_kept_twice_is_one_stamp(phone, clock, send):
    code = phone.shows(clock.now())
    answers = await asyncio.gather(
        *(send(code, key=f"a-key-of-a-page-{n}") for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Granted) for answer in answers) == 1
    refused = [answer for answer in answers if isinstance(answer, Invalid)]
    assert len(refused) == 5
    assert refused[0].problems == {"what": ("barcode.late.used", {})}


async def test_who_opened_the_card_may_still_send_what_they_kept(
    phone, clock, scan, send
):
    code = phone.shows(clock.now())
    assert await scan(code, "device:1") == [phone.held.card_id]
    with pytest.raises(Invalid):
        await send(code, by="device:2", key="another-key")
    assert isinstance(await send(code, by="device:1"), Granted)
    # From now on it is given away.
    assert await scan(code, "device:1") == Unread("used")
    with pytest.raises(Invalid):
        await send(code, by="device:1", key="a-third-key")


async def test_a_late_one_from_before_the_reissue_counts(db, phone, clock, shop, send):
    code = phone.shows(clock.now())
    view = await db.read(load, shop.merchant.id, phone.held.card_id, clock.now())
    clock.move(minutes=10)
    await db.write(
        reissue_card,
        merchant_id=shop.merchant.id,
        code=view.card.code,
        by=shop.owner,
        key="reissue",
        now=clock.now(),
    )
    later = phone.shows(clock.now())
    with pytest.raises(Invalid) as error:
        await send(later, key="another-key")
    assert error.value.problems == {"what": ("reissue.late", {})}
    assert isinstance(await send(code, timedelta(minutes=10)), Granted)


async def test_a_late_one_that_is_withdrawn_is_never_given(
    db, vault, phone, clock, shop, send
):
    code = phone.shows(clock.now())
    late = LateScan(
        merchant_id=shop.merchant.id,
        key="a-key-of-a-page",
        what=code,
        age=timedelta(),
        keys=code_keys(vault, timedelta()),
        by="device:1",
    )
    undo = {"by": shop.owner, "reason": "x", "now": clock.now()}
    assert await db.write(withdraw_scan, late, **undo) is None
    assert isinstance(await send(code), Refused)
    assert await uses(db) == []
    with pytest.raises(NotFound):
        await send("T00000000123456", key="another-key")


async def test_a_drills_clock_moves_no_phone(db, vault, phone, clock, shop):
    ahead = timedelta(hours=36)
    asked = Scan(
        merchant_id=shop.merchant.id,
        what=read_scanned(phone.shows(clock.now())),
        at=clock.now() + ahead,
        by="device:1",
    )
    found = await db.write(cards_scanned, asked, code_keys(vault, ahead), clock.now())
    assert [card.id for card in found] == [phone.held.card_id]


async def test_no_secret_is_kept_anywhere(db, vault, phone, clock, scan):
    await scan(phone.shows(clock.now()))
    key = barcode_key(vault, phone.held.id)
    kept = await db.read(
        lambda tx: [
            str(row)
            for table in card_table.metadata.sorted_tables
            for row in tx.execute(select(table)).all()
        ]
    )
    assert kept
    assert len(key) == 20
    assert not any(key.hex() in row.lower() for row in kept)
