"""Checking PINs inside the write transaction, also by many at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.actions.pins import PinRefused, check_pin
from core.rules.types import Staff
from core.store.staff import update_staff
from core.store.tables import staff
from core.vault import Vault
from tests.builders import build_shop
from tests.webhooks.devices import PINS, give_pins


@pytest.fixture
async def check(db, shop, vault, clock):
    await give_pins(db, vault, shop.merchant.id)

    def run(pin, place="device:1", merchant_id=shop.merchant.id):
        return db.write(
            check_pin,
            merchant_id=merchant_id,
            pin_mac=vault.pin_mac(merchant_id, pin),
            place=place,
            now=clock.now(),
        )

    return run


async def test_a_pin_finds_the_one_person_who_has_it(check):
    found = await check(PINS["clerk"])
    assert isinstance(found, Staff)
    assert found.role == "clerk"
    assert await check("9753") == PinRefused(None)


async def test_what_is_kept_of_a_pin_needs_the_key_and_its_merchant(vault, shop):
    kept = vault.pin_mac(shop.merchant.id, "4071")
    assert len(kept) == 64
    assert "4071" not in kept
    assert kept == vault.pin_mac(shop.merchant.id, "4071")
    assert kept != vault.pin_mac("another merchant", "4071")
    assert kept != Vault("another key").pin_mac(shop.merchant.id, "4071")


async def test_the_same_pin_at_two_merchants_is_two_people(
    check, db, vault, clock, shop
):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_umi")
    await give_pins(db, vault, other.merchant.id)
    one = await check(PINS["owner"])
    two = await check(PINS["owner"], merchant_id=other.merchant.id)
    assert (one.merchant_id, two.merchant_id) == (shop.merchant.id, other.merchant.id)


@pytest.mark.parametrize("values", [{"role": "viewer"}, {"left": True}])
async def test_who_left_or_only_looks_has_no_pin_that_counts(
    check, db, shop, clock, values
):
    changes = {"left_at": clock.now()} if "left" in values else values

    def change(tx):
        found = tx.execute(staff.select().where(staff.c.role == "clerk")).one()
        update_staff(tx, shop.merchant.id, found.id, **changes)

    await db.write(change)
    assert await check(PINS["clerk"]) == PinRefused(None)


@pytest.mark.parametrize(("place", "free"), [("device:1", 5), ("phone:1", 4)])
async def test_of_fifty_guesses_at_once_hardly_any_is_looked_at(
    check, place, free, clock
):
    found = await asyncio.gather(*(check(f"97{n:02}", place) for n in range(50)))
    looked_at = [each for each in found if each.retry_at is None]
    assert len(looked_at) == free
    assert await check(PINS["clerk"], place) == found[-1]
    assert found[-1].retry_at > clock.now()


async def test_guesses_on_ever_new_phones_close_the_phones_and_no_till(check, clock):
    pins = (f"97{n:02}" for n in range(100))
    found = await asyncio.gather(
        *(check(pin, f"phone:{n}") for n, pin in enumerate(pins))
    )
    assert sum(each.retry_at is None for each in found) == 20
    until = clock.now() + timedelta(minutes=15)
    assert await check(PINS["clerk"], "phone:new") == PinRefused(until)
    assert isinstance(await check(PINS["clerk"], "device:1"), Staff)

    clock.move(minutes=15)
    assert isinstance(await check(PINS["clerk"], "phone:new"), Staff)


async def test_wrong_pins_are_forgiven_one_by_one(check, clock):
    for _ in range(5):
        assert await check("9753") == PinRefused(None)
    clock.move(minutes=20)
    for _ in range(2):
        assert await check("9753") == PinRefused(None)
    assert (await check("9753")).retry_at == clock.now() + timedelta(seconds=5)
