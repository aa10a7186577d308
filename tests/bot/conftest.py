"""A shop on LINE, with everything running."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.config import Settings
from core.database import Database
from core.links import Links
from core.vault import Vault
from tests.bot.line_house import LineHouse
from tests.builders import BuiltShop
from tests.conftest import ManualClock


@pytest.fixture
async def house(
    settings: Settings,
    db: Database,
    shop: BuiltShop,
    clock: ManualClock,
    vault: Vault,
    links: Links,
) -> AsyncIterator[LineHouse]:
    """あおぞら珈琲 on a LINE of our own; the worker runs only when a test says so."""
    found = LineHouse(settings, db, shop, clock, vault, links)
    await found.start()
    yield found
    await found.stop()
