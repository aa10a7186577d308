"""Both wallets' platforms fail in every way while stamps and a new look go out: in the
end every pass shows the last state.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count, cycle

import pytest

from core.actions.merchants import find_merchant
from core.actions.publish import find_program, publish, save_draft
from core.clock import Clock
from core.database import Database
from core.rules.types import Look
from jobs.demo.google_faults import Fault
from jobs.demo.world import MERCHANT
from tests.stories.conftest import until
from tests.stories.drills import drill
from tests.stories.processes import eventually
from tests.stories.test_outage import every_pass_failed_once, save_to_google

N_CARDS = 6
# Beyond the lease of what a process held when it was struck.
LEASE_OVER = 75
# What every pass shows in the end: Apple's count and colour, and Google's count.
LAST = {("7/10", "rgb(17, 51, 85)", "7/10")}
OF_GOOGLE = ("cut", "lost", "500", "503", "429")
OF_APNS = ("down", "nobody", "rst")


class Moods:
    """One call in five goes wrong, at each platform in every way in turn."""

    def __init__(self, google) -> None:
        self.google = google
        self.is_calm = False
        self.seen: set[str] = set()
        # The second call of each goes wrong already: how many there are is not known,
        # since quick stamps are told together.
        self._calls = {OF_APNS: count(4), OF_GOOGLE: count(4)}
        self._ways = {OF_APNS: cycle(OF_APNS), OF_GOOGLE: cycle(OF_GOOGLE)}

    def of_apns(self) -> str:
        return self._one(OF_APNS) or ""

    def of_google(self) -> Fault | None:
        kind = self._one(OF_GOOGLE)
        if kind is None:
            return None
        if kind == "lost":
            return Fault(None, "", 1, "/", after_commit=True)
        status = None if kind == "cut" else int(kind)
        if kind == "cut":
            self.google.revoke_tokens()
        return Fault(status, "rateLimitExceeded", 1, "/", after_commit=False)

    def _one(self, kinds: tuple[str, ...]) -> str | None:
        if self.is_calm or next(self._calls[kinds]) % 5:
            return None
        kind = next(self._ways[kinds])
        self.seen.add(kind)
        return kind


@pytest.fixture
async def shop(postgres, tmp_path):
    url = postgres.fresh(empty=True)
    async with drill(tmp_path, url, processes=2) as opened:
        await asyncio.gather(*(service.start() for service in opened.services))
        yield opened
    postgres.drop(url)


async def test_after_every_kind_of_failure_each_pass_shows_the_last_state(shop):
    google, apns, phone = shop.world.google, shop.world.apns, shop.world.phone
    cards = [await shop.open_card(f"客{n}") for n in range(N_CARDS)]
    apple, saved = {}, {}
    for card in cards:
        url = (await shop.api("GET", f"/cards/{card}"))["add_to_wallet_url"]
        apple[card] = await phone.add(f"{url}.pkpass")
        saved[card] = await save_to_google(shop, url)
    moods = Moods(google)
    google.faults.mood, apns.mood = moods.of_google, moods.of_apns

    async def visits(card: str, first: int, last: int) -> None:
        for number in range(first, last):
            # Two stamps within one second, and then the next two.
            await shop.stamp(card, f"{card}-{number}")

    await asyncio.gather(*(visits(card, 0, 3) for card in cards))
    await new_look(shop)
    await asyncio.gather(*(visits(card, 3, 5) for card in cards))
    # Ten minutes of nothing at all, and one of the workers dies of it.
    google.down = True
    port = int(apns.url.rsplit(":", 1)[1])
    await apns.stop()
    await asyncio.gather(*(visits(card, 5, 6) for card in cards))
    await eventually(lambda: shop.look(every_pass_failed_once))
    await shop.services[1].kill()
    google.down = False
    await apns.start(port)
    await shop.services[1].start(later=LEASE_OVER)
    await asyncio.gather(*(visits(card, 6, 7) for card in cards))
    moods.is_calm = True
    await shop.settle(60)

    def shown(card: str) -> tuple[str, str, str]:
        file, thing = phone.passes[apple[card]].file, google.objects[saved[card]]
        [count] = [field["value"] for field in file.fields("header", "ja")]
        colour = file.info["backgroundColor"]
        return count, colour, thing["loyaltyPoints"]["balance"]["string"]

    await until(lambda: {shown(card) for card in cards} == LAST, 20)
    [look] = google.classes.values()
    assert look["hexBackgroundColor"] == "#113355"
    assert moods.seen & set(OF_APNS)
    assert moods.seen & set(OF_GOOGLE)
    assert await shop.wrongs() == []


async def new_look(shop) -> None:
    """The merchant publishes blue cards in the middle of it all."""
    db, now = await Database.open(shop.world.settings), Clock().now()
    try:
        merchant_id = await db.read(find_merchant_id)
        program = await db.read(find_program, merchant_id, "coffee")
        blue = replace(program.design, look=Look(background="#113355"))
        await db.write(save_draft, merchant_id, program.id, blue, None, now)
        await db.write(publish, merchant_id, program.id, None, now)
    finally:
        await db.close()


def find_merchant_id(tx):
    return find_merchant(tx, MERCHANT).id
