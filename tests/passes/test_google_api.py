"""Calls to Google: one token for many, the right meaning of each refusal, a pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from core.config import Settings
from core.errors import DeliveryError
from passes.google.account import ServiceAccount, load_account
from passes.google.api import CLASS, OBJECT, GoogleApi
from passes.google.pace import Pace
from passes.google.root_keys import RootKeys
from tests.conftest import ManualClock
from tests.jobs.google_world import GoogleWorld, google_world, service_account
from tests.passes.google_cards import a_class, a_face, an_object

A_CLASS = a_class(a_face())
THING = an_object(a_face())


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[GoogleWorld]:
    async with google_world(clock) as world:
        yield world


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def api(
    world: GoogleWorld, session: aiohttp.ClientSession, clock: ManualClock
) -> GoogleApi:
    return GoogleApi(session, Settings(**world.settings), clock.now)


@pytest.fixture
def account(world: GoogleWorld) -> ServiceAccount:
    return load_account(world.account)


async def _refusal(call: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await call
    return caught.value


async def test_outcomes_are_told_apart(api: GoogleApi, account: ServiceAccount) -> None:
    assert await api.insert(account, OBJECT, THING) == "missing"
    assert await api.insert(account, CLASS, A_CLASS) == "done"
    assert await api.insert(account, CLASS, A_CLASS) == "exists"
    assert await api.patch(account, OBJECT, THING["id"], {}) == "missing"
    assert await api.insert(account, OBJECT, THING) == "done"
    assert await api.patch(account, OBJECT, THING["id"], {}) == "done"
    assert await api.update(account, OBJECT, THING) == "done"
    found = await api.get(account, OBJECT, THING["id"])
    assert found is not None
    assert found["state"] == "active"
    assert await api.get(account, OBJECT, THING["id"] + "x") is None


async def test_many_calls_at_once_ask_for_one_token(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount
) -> None:
    await asyncio.gather(*(api.get(account, CLASS, A_CLASS["id"]) for _ in range(8)))

    assert world.stand_in.n_tokens == 1


async def test_a_token_is_renewed_five_minutes_early(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount, clock: ManualClock
) -> None:
    await api.get(account, CLASS, A_CLASS["id"])
    clock.move(minutes=54)
    await api.get(account, CLASS, A_CLASS["id"])
    assert world.stand_in.n_tokens == 1

    clock.move(minutes=1)
    await api.get(account, CLASS, A_CLASS["id"])
    assert world.stand_in.n_tokens == 2


async def test_a_revoked_token_is_replaced_once(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount
) -> None:
    await api.insert(account, CLASS, A_CLASS)
    world.stand_in.revoke_tokens()

    assert await api.get(account, CLASS, A_CLASS["id"]) is not None
    assert world.stand_in.n_tokens == 2


async def test_a_token_that_google_keeps_refusing_halts_the_connection(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount
) -> None:
    world.stand_in.fail_next(401, "authError", times=2)

    error = await _refusal(api.insert(account, CLASS, A_CLASS))
    assert (error.halts, error.permanent) == (True, False)


async def test_an_unknown_account_halts_the_connection(
    api: GoogleApi, world: GoogleWorld
) -> None:
    stranger = load_account(service_account("stranger")[0])

    error = await _refusal(api.insert(stranger, CLASS, A_CLASS))
    assert error.halts
    assert "invalid_grant" in str(error)
    assert world.stand_in.calls == []


@pytest.mark.parametrize(
    ("status", "reason", "permanent", "halts"),
    [
        (400, "invalid", True, False),
        (403, "permissionDenied", False, True),
        (403, "accessNotConfigured", False, True),
        (403, "quotaExceeded", False, False),
        (403, "rateLimitExceeded", False, False),
        (403, "userRateLimitExceeded", False, False),
        (408, "", False, False),
        (429, "", False, False),
        (500, "", False, False),
        (503, "", False, False),
        (412, "", True, False),
        (417, "", True, False),
        (None, "", False, False),
    ],
)
async def test_each_refusal_has_its_meaning(
    api: GoogleApi,
    world: GoogleWorld,
    account: ServiceAccount,
    status: int | None,
    reason: str,
    permanent: bool,
    halts: bool,
) -> None:
    # A cut connection is tried again by the client itself where that is safe.
    world.stand_in.fail_next(status, reason, times=3 if status is None else 1)

    error = await _refusal(api.insert(account, CLASS, A_CLASS))
    assert (error.permanent, error.halts) == (permanent, halts)


async def test_googles_words_are_in_the_error_and_the_token_is_not(
    api: GoogleApi, account: ServiceAccount
) -> None:
    error = await _refusal(api.insert(account, CLASS, A_CLASS | {"id": "coffee"}))

    assert "Invalid resource ID: coffee" in str(error)
    assert "ya29" not in str(error)


async def test_a_token_service_that_is_down_may_work_later(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount
) -> None:
    world.stand_in.fail_next(503, path="/token")

    error = await _refusal(api.insert(account, CLASS, A_CLASS))
    assert (error.permanent, error.halts) == (False, False)


async def test_an_update_without_a_ring_follows_one_that_may_not_ring(
    api: GoogleApi, world: GoogleWorld, account: ServiceAccount
) -> None:
    await api.insert(account, CLASS, A_CLASS)
    await api.insert(account, OBJECT, THING)
    world.stand_in.fail_next(403, "quotaExceeded")
    patch = {
        "loyaltyPoints": {"balance": {"string": "4/10"}},
        "notifyPreference": "NOTIFY_ON_UPDATE",
    }

    assert await api.patch(account, OBJECT, THING["id"], patch) == "done"
    first, second = world.stand_in.calls[-2:]
    assert first.body == patch
    assert second.body == {"loyaltyPoints": patch["loyaltyPoints"]}


async def _seconds(pace: Pace, count: int) -> float:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.gather(*(pace.take() for _ in range(count)))
    return loop.time() - before


async def test_a_burst_goes_at_once_and_the_rest_at_its_pace() -> None:
    pace = Pace(rate=100, burst=10)

    assert await _seconds(pace, 10) < 0.05
    assert await _seconds(pace, 10) > 0.08


async def test_at_leisure_goes_at_half_the_pace_and_after_everybody_else() -> None:
    pace, order = Pace(rate=100, burst=2), []

    async def take(who: str) -> None:
        await (pace.take_at_leisure() if who == "slow" else pace.take())
        order.append(who)

    await asyncio.gather(*(pace.take() for _ in range(2)))
    everybody = ["slow"] * 3 + ["quick"] * 6
    before = asyncio.get_running_loop().time()
    await asyncio.gather(*(take(who) for who in everybody))

    assert order == ["quick"] * 6 + ["slow"] * 3
    # Six at a hundred a second, then three at fifty.
    assert asyncio.get_running_loop().time() - before > 0.09


async def test_a_pace_that_was_too_fast_is_halved() -> None:
    pace = Pace(rate=100, burst=2)
    pace.slow_down()

    assert await _seconds(pace, 4) > 0.07


async def test_callback_keys_are_fetched_once_and_kept(
    world: GoogleWorld, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    roots = RootKeys(session, world.stand_in.callback_keys_url, clock.now)

    first = await asyncio.gather(*(roots.get() for _ in range(5)))
    assert all(len(keys) == 1 for keys in first)
    assert world.stand_in.n_key_requests == 1
    clock.move(hours=23)
    await roots.get()
    assert world.stand_in.n_key_requests == 1
    clock.move(hours=1)
    await roots.get()
    assert world.stand_in.n_key_requests == 2


async def test_old_callback_keys_serve_while_google_is_silent(
    world: GoogleWorld, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    roots = RootKeys(session, world.stand_in.callback_keys_url, clock.now)
    await roots.get()
    world.stand_in.down = True
    clock.move(days=2)
    assert len(await roots.get()) == 1

    clock.move(days=400)
    assert "not at hand" in str(await _refusal(roots.get()))


async def test_callback_keys_are_asked_for_once_a_minute_at_most(
    world: GoogleWorld, session: aiohttp.ClientSession, clock: ManualClock
) -> None:
    roots = RootKeys(session, world.stand_in.callback_keys_url, clock.now)
    world.stand_in.down = True
    await _refusal(roots.get())
    world.stand_in.down = False
    await _refusal(roots.get())
    assert world.stand_in.n_key_requests == 0

    clock.move(minutes=1)
    assert len(await roots.get()) == 1
