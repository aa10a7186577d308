"""The buttons of the staff on the page of `webhooks.merchant.tills`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from aiohttp import web

from core.actions.pins import PinRefused
from core.actions.signin import Session
from core.actions.team import (
    Given,
    add_clerk,
    bring_back,
    give_pin,
    let_go,
    name_of,
    take_pin,
)
from core.errors import Invalid
from core.wording import say
from webhooks.forms import problems_in_words, read_fields, text_of
from webhooks.keys import CLOCK, DB, VAULT
from webhooks.merchant.tills import TILLS, Shown, Typed, back_with, tills_page
from webhooks.pages import language_of
from webhooks.sessions import require_session

routes = web.RouteTableDef()

# What a button does that needs nothing but the person, and what the page then says.
_BUTTONS: dict[str, tuple[Callable[..., None], str]] = {
    "unpin": (take_pin, "pin_removed"),
    "leave": (let_go, "left"),
    "back": (bring_back, "back"),
}


@routes.post(f"{TILLS}/staff")
async def add(request: web.Request) -> web.Response:
    """Add somebody with a name and a PIN, typed or made."""
    session = require_session(request, "owner", "manager")
    parts, fields = request.config_dict, await read_fields(request)
    name = text_of(fields, "name")
    typed = "" if text_of(fields, "do") == "make" else _typed(text_of(fields, "pin"))
    texts = {"name": name}
    try:
        given = await parts[DB].write(
            add_clerk,
            by=session.staff,
            name=name,
            typed=typed,
            mac_of=_mac_of(request, session),
            now=parts[CLOCK].now(),
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        return await _again(request, "clerk", problems, texts)
    return await _given(request, "clerk", given, "added", texts)


@routes.post(TILLS + "/staff/{staff:[0-9A-Z]{26}}")
async def change(request: web.Request) -> web.Response:
    """A button of one member of staff."""
    session = require_session(request, "owner", "manager")
    parts, fields = request.config_dict, await read_fields(request)
    staff_id, do = request.match_info["staff"], text_of(fields, "do")
    now = parts[CLOCK].now()
    try:
        if do in _BUTTONS:
            act, done = _BUTTONS[do]
            await parts[DB].write(act, by=session.staff, staff_id=staff_id, now=now)
            return back_with(done)
        if do not in {"pin", "make"}:
            raise web.HTTPBadRequest
        given = await parts[DB].write(
            give_pin,
            by=session.staff,
            staff_id=staff_id,
            typed="" if do == "make" else _typed(text_of(fields, "pin")),
            mac_of=_mac_of(request, session),
            now=now,
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        return await _again(request, staff_id, problems, {})
    return await _given(request, staff_id, given, "pin_saved", {})


async def _given(
    request: web.Request,
    form: str,
    given: Given | PinRefused,
    done: str,
    texts: dict[str, str],
) -> web.Response:
    if isinstance(given, Given):
        if given.pin is None:
            return back_with(done)
        shown = Shown(kind="pin", name=name_of(given.staff), value=given.pin)
        return await tills_page(request, shown=shown)
    language = language_of(request)
    words = say("tills.invalid.pin_taken", language)
    if given.retry_at is not None:
        left = given.retry_at - request.config_dict[CLOCK].now()
        seconds = math.ceil(left.total_seconds())
        words = say("tills.invalid.pin_wait", language, n=seconds)
    return await _again(request, form, {"pin": words}, texts)


async def _again(
    request: web.Request, form: str, problems: dict[str, str], texts: dict[str, str]
) -> web.Response:
    typed = Typed(form=form, problems=problems, texts=texts)
    return await tills_page(request, typed=typed)


def _typed(pin: str) -> str:
    # Nothing typed is no wish to have one made: that is a button of its own.
    return pin or "-"


def _mac_of(request: web.Request, session: Session) -> Callable[[str], str]:
    return partial(request.config_dict[VAULT].pin_mac, session.merchant.id)
