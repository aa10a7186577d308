"""The page of all that is printed: join posters, codes on the wall, receipt codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from aiohttp import web

from core.actions.printed import RADIUS
from core.actions.receipts import MAX_CODES, MAX_NAME, ReceiptBatch
from core.actions.till import MAX_STAMPS
from core.errors import Invalid, NotFound
from core.vault import hash_token, new_token
from core.wording import say, say_day, say_last_day
from passes.paper.letters import unprintable
from webhooks.forms import Fields, problems_in_words, text_of
from webhooks.keys import CLOCK, DB, SETTINGS
from webhooks.merchant.code_list import CodeList, load_codes
from webhooks.merchant.paths import CODES
from webhooks.merchant.printing import FILES, grouped, join_poster, print_poster
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_DONE = {"printed", "revoked", "receipts", "batch_revoked"}
_SORRY = {"gone", "used_up", "no_line", "long"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed into one of the two forms that could not be kept, and why."""

    form: Literal["", "printed", "receipts"] = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def of(self, form: str) -> Mapping[str, str]:
        """What was typed into this form."""
        return self.texts if self.form == form else {}

    def wrong(self, form: str) -> Mapping[str, str]:
        """What is wrong in this form."""
        return self.problems if self.form == form else {}


@routes.get(CODES)
async def show_codes(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner", "manager")
    return await codes_page(request, Typed())


@routes.get(CODES + "/join/{program_key:[a-z0-9-]{1,32}}/" + FILES)
async def print_join(request: web.Request) -> web.Response:
    """A poster by which customers get their card."""
    session = require_session(request, "owner", "manager")
    parts, merchant = request.config_dict, session.merchant
    found = await parts[DB].read(load_codes, merchant.id)
    key, file = request.match_info["program_key"], request.match_info["file"]
    program = next((p for p in found.usable if p.key == key), None)
    if program is None:
        raise web.HTTPNotFound
    url = join_url(request, key)
    language = session.language
    poster = join_poster(merchant, program, url, found.connections, language)
    try:
        return await print_poster(poster, file, f"join-{key}")
    except ValueError:
        return back_with(sorry="long")


def join_url(request: web.Request, program_key: str) -> str:
    """Where a card is had."""
    merchant = require_session(request).merchant
    public = request.config_dict[SETTINGS].public_url
    return f"{public}/j/{merchant.key}/{program_key}"


def back_with(*, done: str = "", sorry: str = "") -> web.Response:
    """To the page, which says what was done or why nothing is printed."""
    query = f"done={done}" if done else f"sorry={sorry}"
    # The forms lead to themselves, for what is wrong in them; this is said above.
    location = f"{CODES}?{query}#main"
    return web.Response(status=303, headers={"Location": location})


def read_form(
    form: str, fields: Fields, names: Sequence[str]
) -> tuple[dict[str, str], str]:
    """What was typed, and the key under which it is done once.

    What was typed is in the key: the same form with other values is another wish.
    """
    texts = {name: text_of(fields, name) for name in names}
    for name in ("program", "shop"):
        # No key of ours, and PostgreSQL cannot even be asked for some letters.
        texts[name] = texts[name] if texts[name].isprintable() else ""
    asked = json.dumps([text_of(fields, "key") or new_token(12), *texts.values()])
    return texts, f"{form}:{hash_token(asked)}"


def typed_wrongly(
    request: web.Request,
    form: Literal["printed", "receipts"],
    texts: Mapping[str, str],
    error: Invalid | NotFound,
) -> Typed:
    """What was typed with what is wrong, for `codes_page`."""
    if isinstance(error, NotFound):
        # A card or shop that is gone since the page was opened, or another merchant's.
        error = Invalid({error.kind: (f"codes.invalid.{error.kind}", {})})
    problems = problems_in_words(error, language_of(request))
    return Typed(form=form, texts=texts, problems=problems)


async def codes_page(request: web.Request, typed: Typed) -> web.Response:
    """The page, with what could not be kept."""
    session, parts = require_session(request), request.config_dict
    found = await parts[DB].read(load_codes, session.merchant.id)
    now, is_plain = parts[CLOCK].now(), request.method == "GET"
    done = request.query.get("done", "") if is_plain else ""
    sorry = request.query.get("sorry", "") if is_plain else ""
    open_batches, over = _sorted(found, now)
    context = {
        "found": found,
        "cards": [(p.key, p.design.name) for p in found.usable],
        "shops": [(s.key, s.name) for s in found.shops],
        "open_batches": open_batches,
        "over_batches": over,
        "join": join_url(request, ""),
        "typed": typed,
        # A form that was refused wrote nothing, so any key is good for its next try.
        "key": new_token(12),
        "done": done if done in _DONE else "",
        "sorry": sorry if sorry in _SORRY else "",
        "missing": unprintable(session.merchant.name, *found.printed_words),
        "max_stamps": MAX_STAMPS,
        "max_codes": MAX_CODES,
        "max_name": MAX_NAME,
        "radius": RADIUS,
        "grouped": grouped,
        **_words(request, now),
    }
    status = 422 if typed.problems else 200
    return render(
        request, "merchant/codes.html", context, status=status, is_packed=True
    )


def _sorted(
    found: CodeList, now: datetime
) -> tuple[list[ReceiptBatch], list[ReceiptBatch]]:
    """The batches with codes that are still good, and the others; newest first."""
    good = [b for b in found.batches if _is_good(b, now)]
    return good, [b for b in found.batches if b not in good]


def _is_good(batch: ReceiptBatch, now: datetime) -> bool:
    is_over = batch.expires_at is not None and batch.expires_at <= now
    is_left = batch.n_used < batch.n_codes
    return batch.revoked_at is None and not is_over and is_left


def _words(request: web.Request, now: datetime) -> dict[str, object]:
    session, language = require_session(request), language_of(request)
    zone = session.merchant.timezone

    def until_of(batch: ReceiptBatch) -> str:
        if batch.expires_at is None:
            return say("codes.receipts.for_ever", language)
        day = say_last_day(batch.expires_at, zone, language)
        words = say("codes.receipts.until_day", language, day=day)
        is_over = batch.expires_at <= now
        return f"{words} · {say('codes.receipts.over', language)}" if is_over else words

    return {
        "until_of": until_of,
        "day_of": lambda at: say_day(at, zone, language),
    }
