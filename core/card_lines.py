"""What stands on the back of a card: the same lines on every wallet's pass. Pure."""

from __future__ import annotations

from core.rules.face import CardFace
from core.rules.types import Language, Voucher
from core.wording import say, say_last_day, say_time


def vouchers_lines(face: CardFace, language: Language) -> str:
    """The rewards that can be used now, a line each; "" for none."""
    return "\n".join(_voucher(face, voucher, language) for voucher in face.vouchers)


def rewards_lines(face: CardFace, language: Language) -> str:
    """What the card's stamps earn, a line each."""
    lines = (
        say("pass.reward", language, at=reward.at, name=reward.name)
        for reward in face.rewards
    )
    return "\n".join(lines)


def last_stamp_line(face: CardFace, language: Language) -> str:
    """When the last stamp was given; "" before the first."""
    if face.last_stamp_at is None:
        return ""
    return say_time(face.last_stamp_at, face.timezone, language)


def shops_lines(face: CardFace) -> str:
    """The names of the shops, a line each."""
    return "\n".join(shop.name for shop in face.shops)


def _voucher(face: CardFace, voucher: Voucher, language: Language) -> str:
    line = say("card.voucher", language, name=voucher.name, number=voucher.number)
    if voucher.expires_at is None:
        return line
    day = say_last_day(voucher.expires_at, face.timezone, language)
    return f"{line} {say('card.voucher_until', language, day=day)}"
