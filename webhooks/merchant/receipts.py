"""Receipt codes: made in batches, printed as sheets or handed out as CSV, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from aiohttp import web

from core.actions.publish import load_program
from core.actions.receipts import (
    ReceiptBatch,
    load_batch,
    make_receipts,
    receipt_codes,
    revoke_receipts,
)
from core.actions.shops import list_shops
from core.database import Tx
from core.errors import Invalid, NotFound
from core.links import line_url
from core.rules.types import Language, MerchantId, Program, Shop, TillCode
from core.wording import say, say_last_day
from passes.paper.slips import Sheets, Slip, draw_sheets
from webhooks.csv_file import csv_response, csv_text
from webhooks.forms import whole_number
from webhooks.keys import CLOCK, DB
from webhooks.merchant.code_list import load_connections
from webhooks.merchant.codes import back_with, codes_page, read_form, typed_wrongly
from webhooks.merchant.paths import CODES
from webhooks.merchant.printing import download, grouped, in_print
from webhooks.pages import language_of
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_BATCH = CODES + "/receipts/{batch_id:[0-9A-Z]{26}}"
_FIELDS = ("name", "program", "shop", "stamps", "count", "until")
_COLUMNS = ("code", "url", "stamps", "card", "shop", "until", "state", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bundle:
    """A batch with all that is said of it."""

    batch: ReceiptBatch
    codes: list[TillCode]
    program: Program
    shop: Shop
    line_id: str


@routes.post(f"{CODES}/receipts")
async def make(request: web.Request) -> web.Response:
    """Make a batch. A double tap is one batch: the form carries a key."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    texts, key = read_form("receipts", await request.post(), _FIELDS)
    try:
        await parts[DB].write(
            make_receipts,
            merchant_id=session.merchant.id,
            shop_key=texts["shop"],
            program_key=texts["program"],
            # What is no number is out of every range.
            stamps=whole_number(texts["stamps"]) or 0,
            count=whole_number(texts["count"]) or 0,
            name=texts["name"],
            until=_day(texts["until"]),
            by=session.staff,
            key=key,
            now=parts[CLOCK].now(),
        )
    except (Invalid, NotFound) as error:
        typed = typed_wrongly(request, "receipts", texts, error)
        return await codes_page(request, typed)
    return back_with(done="receipts")


@routes.get(f"{_BATCH}/codes.csv")
async def list_codes(request: web.Request) -> web.Response:
    """Every code of a batch and what became of it, for a spreadsheet."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    bundle, now = await _load(request), parts[CLOCK].now()
    language, zone = language_of(request), session.merchant.timezone
    text = csv_text(
        [say(f"codes.csv.{column}", language) for column in _COLUMNS],
        (_row(bundle, code, zone, language, now) for code in bundle.codes),
    )
    return csv_response(text, f"receipts-{bundle.batch.id}.csv")


@routes.get(f"{_BATCH}/sheet.pdf")
async def print_sheet(request: web.Request) -> web.Response:
    """The codes that are still good, on sheets to cut apart."""
    require_session(request, "owner", "manager")
    bundle, now = await _load(request), request.config_dict[CLOCK].now()
    if not bundle.line_id:
        return back_with(sorry="no_line")
    good = [code for code in bundle.codes if _state(bundle, code, now) == "good"]
    if not good:
        return back_with(sorry=_why_none(bundle.batch))
    sheets = _sheets(request, bundle, good)
    content = await in_print(draw_sheets, sheets)
    # Drawing takes a while: what was revoked meanwhile must not be handed out.
    after = await _load(request)
    if after.batch.revoked_at is not None:
        return back_with(sorry="gone")
    return download(content, "application/pdf", f"receipts-{bundle.batch.id}.pdf")


@routes.post(f"{_BATCH}/revoke")
async def revoke(request: web.Request) -> web.Response:
    """End what is not used of a batch; the form has asked whether that is meant."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    await parts[DB].write(
        revoke_receipts,
        session.merchant.id,
        request.match_info["batch_id"],
        session.staff,
        parts[CLOCK].now(),
    )
    return back_with(done="batch_revoked")


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid({"until": ("codes.invalid.date", {})}) from None


async def _load(request: web.Request) -> _Bundle:
    merchant_id = require_session(request).merchant.id
    batch_id = request.match_info["batch_id"]
    return await request.config_dict[DB].read(_bundle, merchant_id, batch_id)


def _bundle(tx: Tx, merchant_id: MerchantId, batch_id: str) -> _Bundle:
    batch = load_batch(tx, merchant_id, batch_id)
    shops = list_shops(tx, merchant_id)
    return _Bundle(
        batch=batch,
        codes=receipt_codes(tx, merchant_id, batch_id),
        program=load_program(tx, merchant_id, batch.program_id),
        shop=next(shop for shop in shops if shop.id == batch.shop_id),
        line_id=load_connections(tx, merchant_id).line_id,
    )


def _state(bundle: _Bundle, code: TillCode, now: datetime) -> str:
    if code.claimed_at is not None:
        return "used"
    if bundle.batch.revoked_at is not None:
        return "revoked"
    return "over" if code.is_over(now) else "good"


def _why_none(batch: ReceiptBatch) -> str:
    return "gone" if batch.revoked_at is not None else "used_up"


def _row(
    bundle: _Bundle, code: TillCode, zone: str, language: Language, now: datetime
) -> Sequence[str | int]:
    return (
        # With its hyphen: Excel takes 1234567E for a number.
        grouped(code.code),
        line_url(bundle.line_id, code.code),
        code.stamps,
        bundle.program.design.name,
        bundle.shop.name,
        say_last_day(code.expires_at, zone, language)
        if code.expires_at and bundle.batch.expires_at
        else "",
        say(f"codes.csv_state.{_state(bundle, code, now)}", language),
        bundle.batch.name,
    )


def _sheets(request: web.Request, bundle: _Bundle, good: list[TillCode]) -> Sheets:
    merchant, language = require_session(request).merchant, language_of(request)
    ends_at = bundle.batch.expires_at
    until = ""
    if ends_at is not None:
        day = say_last_day(ends_at, merchant.timezone, language)
        until = say("codes.receipts.until_day", language, day=day)
    card, shop = bundle.program.design.name, bundle.shop.name
    edge = [bundle.batch.name, merchant.name, shop, card]
    return Sheets(
        language=language,
        name=" · ".join(part for part in edge if part),
        shop=f"{merchant.name} {shop}",
        worth=say("codes.poster.stamp_call", language, n=bundle.batch.stamps),
        until=until,
        how=say("codes.poster.slip_how", language),
        slips=[
            Slip(qr=line_url(bundle.line_id, code.code), letters=grouped(code.code))
            for code in good
        ],
    )
