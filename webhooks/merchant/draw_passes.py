"""Apple's and Google's passes, from what is really sent to them: for the preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from core.rules.colours import mix, readable_on
from core.rules.face import CardFace
from core.rules.types import HeldPass, Language, PassId
from passes.apple.pass_json import draw_pass
from passes.google.barcode import Rotation
from passes.google.objects import loyalty_class, loyalty_object
from webhooks.merchant.svg import box, clip, drawing, picture, qr, text_width, words

Json = dict[str, Any]
Pictures = Mapping[str, bytes]

_WIDTH = 375.0
_GAP = 18.0
_URL = "https://example.jp/c/SAMPLE000000"


def draw_apple(
    face: CardFace, pictures: Pictures, language: Language, label: str
) -> Markup:
    """The front of the Apple pass; `pictures` has its "logo" and "strip"."""
    content = draw_pass(
        face,
        serial="preview",
        auth_token="preview-token-of-16",  # noqa: S106 -- goes nowhere
        pass_type_id="pass.preview",  # noqa: S106 -- a name
        team_id="PREVIEW",
        public_url="https://example.jp",
        card_url=_URL,
    )
    strings = content.strings.get(language, {})
    info = content.info
    ink = _hex(info["foregroundColor"])
    front = info["storeCard"]

    def spoken(field: Json) -> tuple[str, str]:
        label, value = str(field["label"]), str(field["value"])
        return strings.get(label, label), strings.get(value, value)

    count_label, count = spoken(front["headerFields"][0])
    rows = [spoken(f) for f in front["secondaryFields"] + front["auxiliaryFields"]]
    name = clip(str(info["logoText"]), 18, _WIDTH - 74 - 90)
    return drawing(
        _WIDTH,
        468,
        label,
        box(0, 0, _WIDTH, 468, _hex(info["backgroundColor"]), radius=14),
        picture(14, 12, 42, 42, pictures["logo"]),
        words(66, 40, name, 18, ink, bold=True),
        words(_WIDTH - 16, 26, count_label, 11, ink, bold=True, anchor="end"),
        words(_WIDTH - 16, 50, count, 22, ink, anchor="end"),
        picture(0, 66, _WIDTH, 144, pictures["strip"]),
        _fields(rows, ink, 234),
        box(102, 282, 171, 174, "#FFFFFF", radius=8),
        qr(102 + (171 - 132) / 2, 292, 132, _URL),
        words(_WIDTH / 2, 446, face.member_no, 13, "#000000", anchor="middle"),
    )


def draw_google(
    face: CardFace, pictures: Pictures, language: Language, label: str
) -> Markup:
    """The front of the Google pass; `pictures` has its "program_logo" and "hero"."""
    kind, thing = _google(face)
    paper = str(kind["hexBackgroundColor"])
    ink = readable_on(paper)
    soft = mix(paper.upper(), ink, 0.78)
    texts = {text["id"]: text for text in thing["textModulesData"]}
    points, rewards = thing["loyaltyPoints"], thing["secondaryLoyaltyPoints"]
    ahead = _localised(texts["next"], "Body", language)
    dots = clip(_localised(texts["row"], "Body", language), 15, _WIDTH - 40)
    return drawing(
        _WIDTH,
        552,
        label,
        box(0, 0, _WIDTH, 552, paper, radius=24),
        Markup('<clipPath id="g-logo"><circle cx="40" cy="38" r="20"/></clipPath>'),
        Markup('<g clip-path="url(#g-logo)">{}</g>').format(
            picture(20, 18, 40, 40, pictures["program_logo"])
        ),
        words(72, 43, clip(kind["issuerName"], 15, 270), 15, ink),
        box(0, 74, _WIDTH, 1, mix(paper.upper(), ink, 0.18)),
        words(20, 112, clip(kind["programName"], 25, 335), 25, ink),
        words(20, 144, _localised(points, "Label", language), 12, soft),
        words(20, 167, points["balance"]["string"], 18, ink),
        words(355, 144, _localised(rewards, "Label", language), 12, soft, anchor="end"),
        words(355, 167, str(rewards["balance"]["int"]), 18, ink, anchor="end"),
        words(20, 194, _localised(texts["next"], "Header", language), 12, soft),
        words(20, 217, clip(ahead, 16, 335), 16, ink),
        words(_WIDTH / 2, 249, dots, 15, ink, anchor="middle"),
        box(108, 262, 159, 159, "#FFFFFF", radius=12),
        qr(120, 274, 135, _URL),
        Markup(
            '<clipPath id="g-card"><rect width="375" height="552" rx="24"/></clipPath>'
            '<g clip-path="url(#g-card)">{}</g>'
        ).format(picture(0, 430, _WIDTH, 122, pictures["hero"])),
    )


def _google(face: CardFace) -> tuple[Json, Json]:
    held = HeldPass(
        id=PassId("preview"),
        merchant_id=face.merchant_id,
        card_id=face.card_id,
        issuer="google",
        changed_at=0,
    )
    kind = loyalty_class(
        face, issuer_id="0", callback_url=_URL, logo_url=_URL, hero_url=_URL
    )
    thing = loyalty_object(
        face,
        held,
        issuer_id="0",
        card_url=_URL,
        hero_url=_URL,
        rotation=Rotation(url=_URL, key=b""),
    )
    return kind, thing


def _fields(rows: list[tuple[str, str]], ink: str, y: float) -> Markup:
    """Wallet shares one row among the fields; the last one stands at the right."""
    room = _WIDTH - 32
    widths = [max(text_width(t, 16), text_width(lb, 11)) for lb, t in rows]
    over = sum(widths) + _GAP * (len(rows) - 1) - room
    if over > 0:
        # The longest, the next reward, gives way.
        widest = max(range(len(rows)), key=lambda i: widths[i])
        widths[widest] -= over
    svg = Markup("")
    for index, (label, value) in enumerate(rows):
        is_last = index > 0 and index == len(rows) - 1
        x = _WIDTH - 16 if is_last else 16 + sum(widths[:index]) + _GAP * index
        anchor = "end" if is_last else "start"
        svg += words(x, y, label, 11, ink, bold=True, anchor=anchor)
        shown = clip(value, 16, widths[index])
        svg += words(x, y + 22, shown, 16, ink, anchor=anchor)
    return svg


def _localised(holder: Json, field: str, language: Language) -> str:
    plain = holder.get(field[0].lower() + field[1:], "")
    value = holder.get(f"localized{field}")
    for text in (value or {}).get("translatedValues", []):
        if text["language"] == language:
            return str(text["value"])
    return str((value or {}).get("defaultValue", {}).get("value", plain))


def _hex(rgb: str) -> str:
    numbers = rgb.removeprefix("rgb(").removesuffix(")").split(",")
    return "#" + "".join(f"{int(n):02X}" for n in numbers)
