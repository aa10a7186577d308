"""What the forms for Google Wallet do: enter issuer and account, try them, end them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from core.actions.signin import Session
from core.actions.wallet_setup import connect_google
from core.errors import Invalid, NotFound
from core.rules.fields import Problems
from passes.google.files import read_account, read_issuer_id
from webhooks.forms import text_of, upload_of
from webhooks.keys import CLOCK, DB, GOOGLE, VAULT
from webhooks.merchant.paths import WALLETS
from webhooks.merchant.wallets import (
    back_with,
    disconnect,
    note_trial,
    refused_page,
    take_try,
)
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_HERE = f"{WALLETS}/google"
_LONGEST_TYPED = 40


@routes.post(_HERE)
async def enter_google(request: web.Request) -> web.Response:
    """Check what was entered, keep it, and try it out at once."""
    session, parts = require_session(request, "owner"), request.config_dict
    take_try(request, session.merchant.id)
    fields = await request.post()
    typed = text_of(fields, "issuer_id")[:_LONGEST_TYPED]
    try:
        issuer_id, account = await asyncio.to_thread(_read, typed, fields)
        await parts[DB].write(
            connect_google,
            session.merchant.id,
            issuer_id,
            account,
            parts[VAULT],
            session.staff.id,
            parts[CLOCK].now(),
            is_sure=text_of(fields, "sure") == "yes",
        )
    except Invalid as error:
        return await refused_page(request, "google", error, typed)
    await _try_out(request, session)
    return back_with("kept", "google")


@routes.post(f"{_HERE}/test")
async def try_google(request: web.Request) -> web.Response:
    """Ask Google whether it knows the account, and the issuer lets it in."""
    session = require_session(request, "owner", "manager")
    take_try(request, session.merchant.id)
    await _try_out(request, session)
    return back_with("tested", "google")


@routes.post(f"{_HERE}/remove")
async def remove_google(request: web.Request) -> web.Response:
    """Forget issuer and key; the form has asked whether that is meant."""
    return await disconnect(request, "google")


async def _try_out(request: web.Request, session: Session) -> None:
    parts, merchant_id = request.config_dict, session.merchant.id
    if not await parts[GOOGLE].configured(merchant_id):
        raise NotFound("channel")
    found = await parts[GOOGLE].try_out(merchant_id)
    await note_trial(request, "google", found)


def _read(typed: str, fields: Mapping[str, Any]) -> tuple[str, str | None]:
    """The issuer's id and the account's file. Raises `Invalid` with every problem."""
    problems: Problems = {}
    issuer_id, account = "", None
    try:
        issuer_id = read_issuer_id(typed)
    except Invalid as error:
        problems |= error.problems
    raw = upload_of(fields, "account")
    try:
        account = None if raw is None else read_account(raw)
    except Invalid as error:
        problems |= error.problems
    if problems:
        raise Invalid(problems)
    return issuer_id, account
