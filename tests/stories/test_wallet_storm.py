"""Both wallets' platforms fail in every way while stamps and a new look go out: in the
end every pass shows the last state.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count, cycle

import pytest
from sqlalchemy import select

from core.actions.merchants import find_merchant
from core.actions.publish import find_program, publish, save_draft
from core.clock import Clock
from core.database import Database
from core.rules.types import Look
from core.store.tables import outbox
from jobs.demo.google_faults import Fault
from jobs.demo.world import MERCHANT
from tests.stories.conftest import until
from tests.stories.drills import drill
from tests.stories.processes import eventually
from tests.stories.test_outage import every_pass_failed_once, save_to_google

N_CARDS, N_CARDS_AT_FULL_SIZE = 8, 120
GOAL = 50
# By then each kind of failure has come.
MOST_ROUNDS = 12
# How long the platforms are away: also beyond the lease of what a process held when
# it was struck.
TEN_MINUTES = 600
BLUE = "rgb(17, 51, 85)"
OF_GOOGLE = ("cut", "lost", "expired", "500", "503", "hang", "429")
OF_APNS = ("down", "nobody", "rst", "hang")


class Moods:
    """One call in five goes wrong, at each platform in every way in turn."""

    def __init__(self, google) -> None:
        self.google = google
        self.is_calm = False
        self.seen: set[str] = set()
        # The second call of each goes wrong already: how many there are is not known,
        # since quick stamps are told together.
        self._calls = {OF_APNS: count(4), OF_GOOGLE: count(4)}
        self.all = {*OF_APNS, *OF_GOOGLE}
        self._ways = {OF_APNS: cycle(OF_APNS), OF_GOOGLE: cycle(OF_GOOGLE)}

    def of_apns(self) -> str:
        return self._one(OF_APNS) or ""

    def of_google(self) -> Fault | None:
        match self._one(OF_GOOGLE):
            case None:
                return None
            case "expired":
                # This call has been let in; the next one's token is no good.
                self.google.revoke_tokens()
                return None
            case "cut":
                return Fault(None, "", 1, "/", after_commit=False)
            case "lost":
                return Fault(None, "", 1, "/", after_commit=True)
            case "hang":
                return Fault(None, "", 1, "/", after_commit=True, hangs=True)
            case status:
                return Fault(
                    int(status), "rateLimitExceeded", 1, "/", after_commit=False
                )

    def _one(self, kinds: tuple[str, ...]) -> str | None:
        if self.is_calm or next(self._calls[kinds]) % 5:
            return None
        kind = next(self._ways[kinds])
        self.seen.add(kind)
        return kind


@pytest.fixture
async def shop(database_kind, story_database, tmp_path):
    """One process on SQLite, two on PostgreSQL."""
    processes = 1 if database_kind == "sqlite" else 2
    async with drill(
        tmp_path, story_database, goal=GOAL, processes=processes
    ) as opened:
        await asyncio.gather(*(service.start() for service in opened.services))
        yield opened


@pytest.mark.timeout(1800)
async def test_after_every_kind_of_failure_each_pass_shows_the_last_state(
    shop, at_full_size, tell
):
    google, apns, phone = shop.world.google, shop.world.apns, shop.world.phone
    n_cards = N_CARDS_AT_FULL_SIZE if at_full_size else N_CARDS
    cards = [await shop.open_card(f"客{n}") for n in range(n_cards)]
    apple, saved = {}, {}
    for card in cards:
        url = (await shop.api("GET", f"/cards/{card}"))["add_to_wallet_url"]
        apple[card] = await phone.add(f"{url}.pkpass")
        saved[card] = await save_to_google(shop, url)
    moods = Moods(google)
    google.faults.mood, apns.mood = moods.of_google, moods.of_apns

    counts: dict[str, int] = {}

    async def visit_all(n_stamps: int) -> None:
        """All at once, each with so many stamps as fast as they go."""
        await asyncio.gather(*(visit(card, n_stamps) for card in cards))

    async def visit(card: str, n_stamps: int) -> None:
        for _ in range(n_stamps):
            counts[card] = counts.get(card, 0) + 1
            await shop.stamp(card, f"{card}-{counts[card]}")

    await visit_all(3)
    await new_look(shop)
    await visit_all(2)
    for _ in range(MOST_ROUNDS):
        if moods.seen == moods.all:
            break
        await shop.settle(60)
        await visit_all(1)
    assert moods.seen == moods.all
    # Ten minutes of nothing at all, and every process dies of it.
    google.down = True
    port = int(apns.url.rsplit(":", 1)[1])
    await apns.stop()
    await visit_all(1)
    await eventually(lambda: shop.look(every_pass_failed_once), 60)
    await asyncio.gather(*(service.kill() for service in shop.services))
    n_tries = await shop.look(tries_of_passes)
    await asyncio.gather(*(each.start(later=TEN_MINUTES) for each in shop.services))
    # They are still away, and everything is tried again.
    await eventually(lambda: shop.look(lambda tx: tries_of_passes(tx) > n_tries), 60)
    google.down = False
    await apns.start(port)
    await visit_all(1)
    moods.is_calm = True
    before = asyncio.get_running_loop().time()
    await shop.settle(600 if at_full_size else 90)
    tell(
        f"storm of {n_cards} cards in both wallets: {len(apns.pushes)} pushes, "
        f"{len(google.calls)} calls of Google, "
        f"{asyncio.get_running_loop().time() - before:.0f} s to calm down"
    )

    def shown(card: str) -> tuple[str, str, str]:
        file, thing = phone.passes[apple[card]].file, google.objects[saved[card]]
        [count] = [field["value"] for field in file.fields("header", "ja")]
        colour = file.info["backgroundColor"]
        return count, colour, thing["loyaltyPoints"]["balance"]["string"]

    def last(card: str) -> tuple[str, str, str]:
        count = f"{counts[card]}/{GOAL}"
        return count, BLUE, count

    await until(lambda: all(shown(card) == last(card) for card in cards), 20)
    [look] = google.classes.values()
    assert look["hexBackgroundColor"] == "#113355"
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


def tries_of_passes(tx):
    """How often passes have failed since they were last told, all together."""
    passes = select(outbox).where(outbox.c.topic.startswith("pass:"))
    return sum(row.attempts for row in tx.execute(passes).all())
