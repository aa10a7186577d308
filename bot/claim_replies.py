"""What is said about stamps that somebody misses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.flex import Part
from bot.limits import sent_bytes
from bot.messages import (
    Message,
    Reader,
    button,
    plain_message,
    postback,
    text_message,
    with_quick,
)
from bot.wishes import claim_data
from core.rules.claiming import Attempt, Claim, ClaimView
from core.rules.face import CardFace
from core.rules.types import Why
from core.wording import say, say_day, say_time

_ATTEMPTS_SAID = 5
_CARDS_ASKED = 20
_WORDS_CARRIED = (200, 100, 40, 0)
_BUTTONS_BYTES = 27 * 1024
# Every reason for which a scan may have been refused has a short word.
_TRIED = frozenset(
    {
        Why.unknown_code,
        Why.expired_code,
        Why.used_code,
        Why.wrong_merchant,
        Why.already_today,
        Why.too_soon,
        Why.daily_cap,
        Why.too_far,
        Why.closed,
        Why.card_stopped,
        Why.program_paused,
        Why.too_many_tries,
        Why.expired_card,
        Why.below_minimum,
    }
)


def after_claim(view: ClaimView, reader: Reader) -> list[Message]:
    """The claim is with the shop, with these refused scans."""
    language = reader.language
    card = view.program.design.name
    lines = [say("chat.claim.kept", language, card=card)]
    tried = view.claim.refusals
    if tried:
        lines.append(say("chat.claim.tried", language))
        lines += [_attempt(each, reader) for each in tried[:_ATTEMPTS_SAID]]
        more = len(tried) - _ATTEMPTS_SAID
        if more > 0:
            lines.append(say("chat.claim.tried_more", language, n=more))
    else:
        lines.append(say("chat.claim.tried_none", language))
    lines.append(say("chat.claim.answer", language))
    return with_quick([text_message("\n".join(lines))], reader)


def ask_which_card(
    faces: Sequence[CardFace], text: str, reader: Reader
) -> list[Message]:
    """Several cards: about which of them is the claim?"""
    title = say("chat.claim.which", reader.language)
    lines = [say("chat.claim.which_detail", reader.language)]
    asked = faces[:_CARDS_ASKED]
    return plain_message(title, lines, _claim_buttons(asked, text, reader), reader)


def say_claims(views: Sequence[ClaimView], reader: Reader) -> str:
    """What became of somebody's claims, newest first; "" where there are none."""
    if not views:
        return ""
    lines = [say("chat.claim.title", reader.language)]
    lines += [_claim(view.claim, view.program.design.name, reader) for view in views]
    return "\n".join(lines)


def _claim_buttons(faces: Sequence[CardFace], text: str, reader: Reader) -> list[Part]:
    # Each carries the words: of many cards, fewer of them.
    buttons: list[Part] = []
    for length in _WORDS_CARRIED:
        buttons = [_claim_button(face, text[:length], reader) for face in faces]
        if sent_bytes(buttons) < _BUTTONS_BYTES:
            break
    return buttons


def _claim_button(face: CardFace, text: str, reader: Reader) -> Part:
    name = face.program_name
    spoken = say("chat.claim.spoken", reader.language, card=name)
    return button(postback(name, claim_data(face.card_id, text), spoken), "secondary")


def _claim(claim: Claim, card: str, reader: Reader) -> str:
    key = f"chat.claim.{claim.state}"
    if claim.state == "rejected" and not claim.answer:
        key = "chat.claim.rejected_silent"
    day = say_day(claim.made_at, reader.merchant.timezone, reader.language)
    return say(key, reader.language, day=day, card=card, answer=claim.answer)


def _attempt(attempt: Attempt, reader: Reader) -> str:
    language = reader.language
    why = attempt.why.value if attempt.why in _TRIED else "other"
    time = say_time(attempt.at, reader.merchant.timezone, language)
    why = say(f"chat.claim.why.{why}", language)
    return say("chat.claim.tried_line", language, time=time, why=why)
