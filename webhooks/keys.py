"""The parts that handlers use, under typed keys; read as `request.config_dict[DB]`.

(`request.app[DB]` would be a KeyError inside a sub-application.)
"""

from __future__ import annotations

from aiohttp import web

from bot.line_api import LineApi
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.links import Links
from core.vault import Vault
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer

SETTINGS = web.AppKey("settings", Settings)
DB = web.AppKey("database", Database)
CLOCK = web.AppKey("clock", Clock)
VAULT = web.AppKey("vault", Vault)
LINKS = web.AppKey("links", Links)
ARTWORK = web.AppKey("artwork", Artwork)
APPLE = web.AppKey("apple", AppleIssuer)
GOOGLE = web.AppKey("google", GoogleIssuer)
LINE_API = web.AppKey("line_api", LineApi)
