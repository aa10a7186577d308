"""Every picture of a card, drawn at most once, for passes and pages alike.

Finished pictures and drawn plates are kept, the ones used longest ago go first. Drawing
runs in a thread, and two requests for one design never draw it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal
from weakref import WeakValueDictionary

from PIL import Image

from core.rules.face import CardFace
from core.rules.glyphs import FALLBACK
from core.rules.types import MerchantId
from passes.art import Art, art_hash, picture_path
from passes.badges import (
    draw_icon,
    draw_logo,
    draw_primary_logo,
    draw_program_logo,
)
from passes.layout import TALL_ROWS, Canvas
from passes.plates import Plates, draw_plates
from passes.shelf import Shelf
from passes.uploads import open_icon

__all__ = ["Art", "Artwork", "LoadIcon", "PictureKind", "art_hash", "picture_path"]

PictureKind = Literal[
    "strip", "poster", "hero", "icon", "logo", "primary_logo", "program_logo"
]
LoadIcon = Callable[[MerchantId, str], Awaitable[bytes | None]]

SCALES = (1, 2, 3)

_HERO = Canvas(width=1032, height=336, margin_x=60, margin_y=36, most_rows=4)
_MOST_BYTES = 48 * 2**20
_MOST_PLATE_BYTES = 40 * 2**20  # six designs at all sizes

_BADGES: dict[PictureKind, Callable[[Art, Image.Image | None, int], bytes]] = {
    "icon": draw_icon,
    "logo": draw_logo,
    "primary_logo": draw_primary_logo,
    "program_logo": draw_program_logo,
}

_Key = tuple[Art, PictureKind, int, int]


class Artwork:
    """The pictures of all designs.

    `load_icon(merchant_id, digest)` gives a merchant's own icon as PNG, or None; a
    design whose icon is gone is drawn with the star.
    """

    def __init__(self, load_icon: LoadIcon, *, most_bytes: int = _MOST_BYTES) -> None:
        self._load_icon = load_icon
        self._pictures: Shelf[_Key, bytes] = Shelf(most_bytes, len)
        self._plates: Shelf[tuple[Art, PictureKind, int], Plates]
        self._plates = Shelf(_MOST_PLATE_BYTES, lambda plates: plates.n_bytes)
        self._locks: WeakValueDictionary[Art, asyncio.Lock] = WeakValueDictionary()

    async def strip(self, face: CardFace, scale: int) -> bytes:
        """Apple's strip with the card's stamps, 375 x 144 pt at `scale` 1-3."""
        return await self.draw(Art.of_face(face), "strip", _shown(face), scale)

    async def poster(self, face: CardFace, scale: int) -> bytes:
        """Apple's poster with the card's stamps, 358 x 448 pt at `scale` 1-3."""
        return await self.draw(Art.of_face(face), "poster", _shown(face), scale)

    async def hero(self, face: CardFace) -> bytes:
        """Google's hero picture with the card's stamps, 1032 x 336 px."""
        return await self.draw(Art.of_face(face), "hero", _shown(face))

    async def icon(self, face: CardFace, scale: int) -> bytes:
        """Apple's notification icon, 38 x 38 pt at `scale` 1-3."""
        return await self.draw(Art.of_face(face), "icon", scale=scale)

    async def logo(self, face: CardFace, scale: int) -> bytes:
        """Apple's logo, 50 x 50 pt at `scale` 1-3, transparent around."""
        return await self.draw(Art.of_face(face), "logo", scale=scale)

    async def primary_logo(self, face: CardFace, scale: int) -> bytes:
        """The logo on Apple's poster, 30 x 30 pt at `scale` 1-3, transparent around."""
        return await self.draw(Art.of_face(face), "primary_logo", scale=scale)

    async def program_logo(self, face: CardFace) -> bytes:
        """Google's program logo, 660 x 660 px, full bleed."""
        return await self.draw(Art.of_face(face), "program_logo")

    @property
    def kept_bytes(self) -> int:
        """How much the finished pictures on the shelf weigh."""
        return self._pictures.weight

    async def prepare(self, art: Art) -> None:
        """Draw everything that passes of a design can ask for, before they do."""
        for kind in ("icon", "logo", "primary_logo"):
            for scale in SCALES:
                await self.draw(art, kind, scale=scale)
        await self.draw(art, "program_logo")
        for balance in range(art.goal + 1):
            await self.draw(art, "hero", balance)
            for scale in SCALES:
                await self.draw(art, "strip", balance, scale)
                await self.draw(art, "poster", balance, scale)

    async def draw(
        self, art: Art, kind: PictureKind, balance: int = 0, scale: int = 1
    ) -> bytes:
        """One picture of a design as PNG, from the shelf where it is there already.

        Raises ValueError for a balance above the goal or a scale that is not 1-3.
        """
        if not 0 <= balance <= art.goal or scale not in SCALES:
            msg = f"no picture of {balance} of {art.goal} stamps at scale {scale}"
            raise ValueError(msg)
        key = (art, kind, scale, balance)
        if (kept := self._pictures.get(key)) is not None:
            return kept
        lock = self._locks.setdefault(art, asyncio.Lock())
        async with lock:
            # Whoever held the lock before may have drawn just this one.
            picture = self._pictures.get(key) or await self._make(key)
        if picture is None:
            star = replace(art, look=replace(art.look, icon=FALLBACK))
            return await self.draw(star, kind, balance, scale)
        self._pictures.put(key, picture)
        return picture

    async def _make(self, key: _Key) -> bytes | None:
        """Draw a picture; None where the merchant's own icon is gone."""
        art, kind, scale, balance = key
        plates = self._plates.get((art, kind, scale))
        if plates is None:
            icon = await self._open_icon(art)
            if icon is None and art.uploaded is not None:
                return None
            if kind in _BADGES:
                return await asyncio.to_thread(_BADGES[kind], art, icon, scale)
            canvas = _canvas(kind, scale)
            plates = await asyncio.to_thread(draw_plates, art, icon, canvas)
            self._plates.put((art, kind, scale), plates)
        return await asyncio.to_thread(plates.picture, balance)

    async def _open_icon(self, art: Art) -> Image.Image | None:
        if art.uploaded is None:
            return None
        content = await self._load_icon(art.merchant_id, art.uploaded)
        if content is None:
            return None
        return await asyncio.to_thread(open_icon, content, art.inks)


def _canvas(kind: PictureKind, scale: int) -> Canvas:
    if kind == "hero":
        return _HERO
    if kind == "strip":
        return Canvas(375 * scale, 144 * scale, 20 * scale, 12 * scale)
    # Full bleed: the logo and the count lie over its top, the fields and the barcode
    # over its bottom (WWDC26, session 209). How much they cover Apple does not say,
    # so the stamps keep to the upper two thirds.
    return Canvas(
        width=358 * scale,
        height=448 * scale,
        margin_x=20 * scale,
        margin_y=64 * scale,
        foot=84 * scale,
        rows=TALL_ROWS,
    )


def _shown(face: CardFace) -> int:
    return max(0, min(face.balance, face.goal))
