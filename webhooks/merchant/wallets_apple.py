"""What the forms for Apple Wallet do: ask for a certificate, enter, try, end it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from core.actions.channels import APPLE_KEY, apple_credentials
from core.actions.passes import load_blank
from core.actions.programs import programs_with_counts
from core.actions.signin import Session
from core.actions.wallet_setup import (
    APPLE_REQUEST,
    apple_request,
    connect_apple,
    request_apple,
)
from core.clock import Clock
from core.database import Tx
from core.errors import Invalid, NotFound, Unsealable
from core.rules.face import CardFace
from core.rules.types import MerchantId
from core.vault import Vault
from passes.apple.files import LONGEST_PASSWORD, AtHand, Uploads, read_uploads
from passes.apple.request import CONTENT_TYPE, ENDING, make_key, make_request
from webhooks.forms import text_of, upload_of
from webhooks.keys import APPLE, CLOCK, DB, VAULT
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

_HERE = f"{WALLETS}/apple"
# Files with passwords are opened one after the other: each may take a core for seconds.
_DOOR = web.AppKey("unlocking", asyncio.Semaphore)


def set_up_unlocking(app: web.Application) -> None:
    """Give the app what keeps many uploads from taking the whole machine."""
    app[_DOOR] = asyncio.Semaphore(1)


@routes.post(f"{_HERE}/request")
async def make_apple_request(request: web.Request) -> web.Response:
    """Make the key and the request, unless there is one and no other is wanted."""
    session, parts = require_session(request, "owner"), request.config_dict
    take_try(request, session.merchant.id)
    anew = text_of(await request.post(), "do") == "anew"
    key_pem = await asyncio.to_thread(make_key)
    await parts[DB].write(
        request_apple,
        session.merchant.id,
        key_pem,
        parts[VAULT],
        session.staff.id,
        parts[CLOCK].now(),
        anew=anew,
    )
    return back_with("requested", "apple")


@routes.get(f"{_HERE}/request")
async def give_apple_request(request: web.Request) -> web.Response:
    """The request as a file, to upload at Apple."""
    session, parts = require_session(request, "owner"), request.config_dict
    asked = await parts[DB].read(apple_request, session.merchant.id)
    if asked is None:
        raise NotFound("request")
    place = (session.merchant.id, APPLE_REQUEST)
    try:
        key_pem = parts[VAULT].open(asked.sealed_key, *place)
    except Unsealable:
        # The page offers to make another one.
        raise NotFound("request") from None
    name = f"stampcard {session.merchant.key}"
    body = await asyncio.to_thread(make_request, key_pem, name)
    file = f'attachment; filename="{session.merchant.key}.{ENDING}"'
    headers = {"Content-Disposition": file}
    return web.Response(body=body, content_type=CONTENT_TYPE, headers=headers)


@routes.post(_HERE)
async def enter_apple(request: web.Request) -> web.Response:
    """Check what was uploaded, keep it, and try it out at once."""
    session, parts = require_session(request, "owner"), request.config_dict
    take_try(request, session.merchant.id)
    fields, now = await request.post(), parts[CLOCK].now()
    try:
        uploads = _uploads(fields)
        at_hand = await parts[DB].read(_at_hand, session.merchant.id, parts[VAULT])
        async with request.config_dict[_DOOR]:
            given = await read_uploads(uploads, at_hand, now)
        await parts[DB].write(
            connect_apple,
            session.merchant.id,
            given,
            parts[VAULT],
            session.staff.id,
            now,
            is_sure=text_of(fields, "sure") == "yes",
        )
    except Invalid as error:
        return await refused_page(request, "apple", error)
    await _try_out(request, session)
    return back_with("kept", "apple")


@routes.post(f"{_HERE}/test")
async def try_apple(request: web.Request) -> web.Response:
    """Sign a pass, and ask APNs whether it knows the certificate."""
    session = require_session(request, "owner", "manager")
    take_try(request, session.merchant.id)
    await _try_out(request, session)
    return back_with("tested", "apple")


@routes.post(f"{_HERE}/remove")
async def remove_apple(request: web.Request) -> web.Response:
    """Forget certificate and key; the form has asked whether that is meant."""
    return await disconnect(request, "apple")


async def _try_out(request: web.Request, session: Session) -> None:
    parts, merchant_id = request.config_dict, session.merchant.id
    if not await parts[APPLE].configured(merchant_id):
        raise NotFound("channel")
    face = await parts[DB].read(_specimen, merchant_id, parts[CLOCK])
    found = await parts[APPLE].try_out(merchant_id, face, parts[CLOCK].now())
    await note_trial(request, "apple", found)


def _uploads(fields: Mapping[str, Any]) -> Uploads:
    password = fields.get("password", "")
    if not isinstance(password, str) or len(password) > LONGEST_PASSWORD:
        raise Invalid({"password": ("wallets.invalid.password", {})})
    return Uploads(
        certificate=upload_of(fields, "certificate"),
        key=upload_of(fields, "key"),
        wwdr=upload_of(fields, "wwdr"),
        password=password,
    )


def _at_hand(tx: Tx, merchant_id: MerchantId, vault: Vault) -> AtHand:
    asked, entered = apple_request(tx, merchant_id), apple_credentials(tx, merchant_id)
    sealed = [(asked.sealed_key, APPLE_REQUEST)] if asked else []
    sealed += [(entered.sealed_key, APPLE_KEY)] if entered else []
    keys = []
    for text, place in sealed:
        try:
            keys.append(vault.open(text, merchant_id, place))
        except Unsealable:
            # Of a master key that is lost: whoever uploads brings the key anew.
            continue
    return AtHand(keys=tuple(keys), wwdr_pem=entered.wwdr_pem if entered else "")


def _specimen(tx: Tx, merchant_id: MerchantId, clock: Clock) -> CardFace | None:
    """A card of nobody, of the first program."""
    for program, _ in programs_with_counts(tx, merchant_id):
        return load_blank(tx, merchant_id, program.id, clock.now())
    return None
