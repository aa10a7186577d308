"""Editing one card design: the form, drafts, and what each of its buttons does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from core.actions.pictures import keep_picture, load_picture
from core.actions.publish import drop_draft, list_programs, load_program, save_draft
from core.errors import Invalid, NotFound
from core.rules.glyphs import GLYPHS, glyph_svg_path
from core.rules.publishing import (
    MAX_CAP,
    MAX_GOAL,
    MAX_MONTHS,
    MAX_REWARDS,
    REMIND_DAYS,
)
from core.rules.spending import MAX_DOUBLE_HOURS, MAX_PER
from core.rules.types import Design, Program, ProgramId
from passes.uploads import clean_picture
from webhooks.forms import Fields, problems_in_words, text_of, upload_of, whole_number
from webhooks.keys import CLOCK, DB
from webhooks.merchant.design_form import DesignForm, form_of_design, read_form
from webhooks.merchant.double_rows import DoubleRow
from webhooks.merchant.paths import CARD_PATH
from webhooks.merchant.preview import draw_preview
from webhooks.merchant.progress import how_far
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_DONE = ("saved", "dropped", "published", "kept")

# Background and foreground that read well together.
PALETTES = (
    ("#5A3A22", "#FFFFFF"),
    ("#2F4A3A", "#F4F1E6"),
    ("#1F3A5F", "#FFFFFF"),
    ("#7A1F2B", "#FFF3E6"),
    ("#222222", "#F2C14E"),
    ("#F6E7D8", "#5B2E1E"),
    ("#F7D9DF", "#7A2340"),
    ("#E3EEE6", "#1F4D3A"),
    ("#DCE9F5", "#17375E"),
    ("#F4F4F2", "#1D2327"),
)

# Where problems may be in the part of the form that is closed at first.
_MORE = {
    "stamp_per",
    "minimum",
    "double",
    "double_hours",
    "day_cap",
    "referral",
    "birthday",
}


@routes.get(CARD_PATH)
async def show_card(request: web.Request) -> web.Response:
    """The form with the draft, or with what is published where there is none."""
    require_session(request, "owner", "manager", "viewer")
    program = await _program(request)
    design = program.draft or program.design
    done = request.query.get("done", "")
    return await _form_page(request, program, form_of_design(design), design, done=done)


@routes.post(CARD_PATH)
async def change_card(request: web.Request) -> web.Response:
    """A button of the form: save, go on to publishing, or change the form itself."""
    session = require_session(request, "owner", "manager")
    parts, program = request.config_dict, await _program(request)
    fields = await request.post()
    do, _, detail = text_of(fields, "do").partition(":")
    if do == "drop":
        await parts[DB].write(
            drop_draft,
            session.merchant.id,
            program.id,
            session.staff.id,
            parts[CLOCK].now(),
        )
        return _back_to(program, "dropped")
    form = read_form(fields)
    try:
        form = _changed(await _with_upload(request, fields, form), do, detail)
        if do not in {"save", "publish"}:
            design = form.design_or(program.draft or program.design)
            return await _form_page(request, program, form, design)
        await _save(request, program, form.design())
    except Invalid as error:
        design = form.design_or(program.draft or program.design)
        problems = problems_in_words(error, language_of(request))
        return await _form_page(request, program, form, design, problems=problems)
    if do == "publish":
        location = f"/merchant/cards/{program.id}/publish"
        return web.Response(status=303, headers={"Location": location})
    return _back_to(program, "saved")


@routes.get("/merchant/pictures/{digest:[0-9a-f]{64}}.png")
async def show_upload(request: web.Request) -> web.Response:
    """A picture that this merchant uploaded."""
    session = require_session(request, "owner", "manager", "viewer")
    content = await request.config_dict[DB].read(
        load_picture, session.merchant.id, request.match_info["digest"]
    )
    if content is None:
        raise NotFound("picture")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return web.Response(body=content, content_type="image/png", headers=headers)


async def _program(request: web.Request) -> Program:
    session = require_session(request)
    program_id = ProgramId(request.match_info["program_id"])
    return await request.config_dict[DB].read(
        load_program, session.merchant.id, program_id
    )


def _changed(form: DesignForm, do: str, detail: str) -> DesignForm:
    number = whole_number(detail)
    if do == "add":
        return form.with_row()
    if do == "remove" and number is not None:
        return form.without_row(number)
    if do == "add_double":
        return form.with_double()
    if do == "remove_double" and number is not None:
        return form.without_double(number)
    if do == "palette" and number is not None and number < len(PALETTES):
        background, foreground = PALETTES[number]
        return form.with_texts(background=background, foreground=foreground)
    return form


async def _with_upload(
    request: web.Request, fields: Fields, form: DesignForm
) -> DesignForm:
    """The form, a chosen picture kept as its icon. Raises `Invalid` for the icon."""
    raw = await asyncio.to_thread(upload_of, fields, "icon_file")
    if not raw:
        return form
    picture = await asyncio.to_thread(clean_picture, raw)
    parts, session = request.config_dict, require_session(request)
    digest = await parts[DB].write(
        keep_picture, session.merchant.id, picture, parts[CLOCK].now()
    )
    return form.with_texts(icon=f"picture:{digest}")


async def _save(request: web.Request, program: Program, design: Design) -> None:
    parts, session = request.config_dict, require_session(request)
    now, me = parts[CLOCK].now(), session.staff.id
    where = (session.merchant.id, program.id)
    known = await parts[DB].read(list_programs, session.merchant.id)
    if design.next_program not in {None, *(p.key for p in known if p != program)}:
        raise Invalid({"next_program": ("merchant.card.unknown_program", {})})
    if design != program.design:
        await parts[DB].write(save_draft, *where, design, me, now)
    elif program.draft is not None:
        # Typed back to what is published: there is nothing left to publish.
        await parts[DB].write(drop_draft, *where, me, now)


async def _form_page(
    request: web.Request,
    program: Program,
    form: DesignForm,
    design: Design,
    *,
    problems: Mapping[str, str] | None = None,
    done: str = "",
) -> web.Response:
    session = require_session(request)
    wanted = do = ""
    if request.method == "POST":
        sent = await request.post()
        wanted, do = text_of(sent, "balance"), text_of(sent, "do")
    preview = await draw_preview(request, session.merchant, program, design, wanted)
    others = await request.config_dict[DB].read(list_programs, session.merchant.id)
    context: dict[str, Any] = {
        "program": program,
        "done": done if done in _DONE else "",
        "preview": preview,
        "progress": await how_far(request, program.id),
        "others": [p for p in others if p.id != program.id],
        "may_edit": session.staff.role in {"owner", "manager"},
        **form_context(form, problems or {}, do),
    }
    status = 200 if problems is None else 422
    return render(request, "merchant/card.html", context, status=status, is_packed=True)


def form_context(
    form: DesignForm, problems: Mapping[str, str], do: str
) -> dict[str, Any]:
    """The fields with their problems, choices and limits; `do` is what was pressed."""
    places = {name.split(".")[0] for name in problems}
    return {
        "form": form,
        "problems": problems,
        "is_more_open": "_double" in do or bool(_MORE & places),
        "glyphs": [(name, glyph_svg_path(name)) for name in GLYPHS],
        "palettes": PALETTES,
        "remind_choices": [str(day) for day in reversed(REMIND_DAYS)],
        "new_double": DoubleRow(),
        "max_per": MAX_PER,
        "max_doubles": MAX_DOUBLE_HOURS,
        "max_cap": MAX_CAP,
        "max_goal": MAX_GOAL,
        "max_months": MAX_MONTHS,
        "max_rewards": MAX_REWARDS - 1,
    }


def _back_to(program: Program, done: str) -> web.Response:
    location = f"/merchant/cards/{program.id}?done={done}"
    return web.Response(status=303, headers={"Location": location})
