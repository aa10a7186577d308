"""What a picture depends on: the design's looks and the count, nothing personal.

All cards of one design and count share one picture, and so one address, which never
changes what it shows: wallets and their makers' servers keep pictures for ever.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from core.rules.colours import SHAPE_CONTRAST, legible, mix, tint
from core.rules.face import CardFace
from core.rules.types import (
    Design,
    Look,
    MerchantId,
    Reward,
)

WebKind = Literal["hero", "logo", "strip"]

# The newest first. A change in how pictures look takes a new number, which gives them
# new addresses; the old ones stay known, as Google may fetch them again for months.
REVISIONS = (1,)

_PICTURE = "picture:"
_NAME = re.compile(r"(hero|logo|strip)-(0|[1-9]\d?)-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Art:
    """One design as its pictures need it; `rewards` are the counts that have one."""

    merchant_id: MerchantId
    look: Look
    goal: int
    rewards: frozenset[int]

    @classmethod
    def of_face(cls, face: CardFace) -> Art:
        """The art of a customer's card."""
        return cls(face.merchant_id, face.look, face.goal, _counts(face.rewards))

    @classmethod
    def of_design(cls, merchant_id: MerchantId, design: Design) -> Art:
        """The art of a design, published or not."""
        return cls(merchant_id, design.look, design.goal, _counts(design.rewards))

    @property
    def uploaded(self) -> str | None:
        """The digest of the merchant's own icon, or None for a built-in one."""
        icon = self.look.icon
        return icon.removeprefix(_PICTURE) if icon.startswith(_PICTURE) else None

    @property
    def inks(self) -> Inks:
        """The colours that it is drawn in."""
        paper = self.look.background.upper()
        ink = legible(self.look.foreground, paper)
        return Inks(
            paper=paper,
            ink=ink,
            quiet=tint(paper, ink, SHAPE_CONTRAST),
            wash=mix(paper, ink, 0.07),
            line=mix(ink, paper, 0.55),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inks:
    """Colours as #RRGGBB: `ink` reads on `paper` at 4.5 to 1, `quiet` at 3 to 1."""

    paper: str
    ink: str
    quiet: str
    wash: str
    line: str


def art_hash(art: Art, revision: int = REVISIONS[0]) -> str:
    """12 hexadecimal digits that change with everything that is drawn."""
    look = art.look
    colours = (look.background.upper(), look.foreground.upper())
    facts = [revision, *colours, look.icon, art.goal, sorted(art.rewards)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def picture_path(face: CardFace, kind: WebKind) -> str:
    """Where the picture of this design and count is served, from the site's root.

    "/pictures/<program>/<version>/<kind>-<balance>-<art hash>.png"; a logo has no
    count, its balance is 0.
    """
    balance = 0 if kind == "logo" else min(face.balance, face.goal)
    name = f"{kind}-{balance}-{art_hash(Art.of_face(face))}.png"
    return f"/pictures/{quote(face.program_id, safe='')}/{face.version}/{name}"


def read_picture_name(name: str) -> tuple[WebKind, int, str] | None:
    """The kind, balance and art hash of a name without ".png"; None if it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    kind: WebKind = (
        "hero" if found[1] == "hero" else "logo" if found[1] == "logo" else "strip"
    )
    return kind, int(found[2]), found[3]


def _counts(rewards: Iterable[Reward]) -> frozenset[int]:
    return frozenset(reward.at for reward in rewards)
