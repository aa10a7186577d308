"""What there is to print, as one look at the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.actions.channels import (
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.printed import printed_codes
from core.actions.publish import list_programs
from core.actions.receipts import ReceiptBatch, list_batches
from core.actions.shops import list_shops
from core.database import Tx
from core.errors import NotFound
from core.rules.types import (
    MerchantId,
    Program,
    ProgramId,
    Shop,
    ShopId,
    TillCode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """By which ways a customer can hold a card; `line_id` is "" without LINE."""

    line_id: str
    has_apple: bool
    has_google: bool

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways by name, LINE first."""
        has = {
            "line": bool(self.line_id),
            "apple": self.has_apple,
            "google": self.has_google,
        }
        return tuple(way for way, is_there in has.items() if is_there)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A merchant's cards, shops and codes on paper."""

    programs: list[Program]
    shops: list[Shop]
    connections: Connections
    printed: list[TillCode]
    batches: list[ReceiptBatch]

    @property
    def usable(self) -> list[Program]:
        """The cards that are not archived."""
        return [p for p in self.programs if p.state != "archived"]

    @property
    def placed(self) -> list[Shop]:
        """The shops whose place is known."""
        known = [s for s in self.shops if s.latitude is not None]
        return [s for s in known if s.longitude is not None]

    @property
    def printed_words(self) -> Iterator[str]:
        """The merchant's own words that may be printed, but the merchant's name."""
        for program in self.usable:
            yield program.design.name
            yield from (reward.name for reward in program.design.rewards)
        yield from (shop.name for shop in self.shops)

    def program(self, program_id: ProgramId) -> Program:
        """One card. Raises `NotFound("program")`."""
        for program in self.programs:
            if program.id == program_id:
                return program
        raise NotFound("program")

    def shop(self, shop_id: ShopId) -> Shop:
        """One shop. Raises `NotFound("shop")`."""
        for shop in self.shops:
            if shop.id == shop_id:
                return shop
        raise NotFound("shop")


def load_codes(tx: Tx, merchant_id: MerchantId) -> CodeList:
    """All of it."""
    return CodeList(
        programs=list_programs(tx, merchant_id),
        shops=list_shops(tx, merchant_id),
        connections=load_connections(tx, merchant_id),
        printed=printed_codes(tx, merchant_id),
        batches=list_batches(tx, merchant_id),
    )


def load_connections(tx: Tx, merchant_id: MerchantId) -> Connections:
    """What the merchant's customers can use."""
    channel = line_channel(tx, merchant_id)
    return Connections(
        line_id=channel.basic_id if channel else "",
        has_apple=apple_credentials(tx, merchant_id) is not None,
        has_google=google_credentials(tx, merchant_id) is not None,
    )
