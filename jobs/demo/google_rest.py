"""The Google stand-in's HTTP side: the token service and the REST API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.vault import new_token
from jobs.demo.google_faults import Faults
from jobs.demo.google_jwt import BadJwt, check_grant, open_jwt
from jobs.demo.google_shelf import ErrorAnswer, Json, Shelf

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BODY = web.RequestKey("body", dict[str, Any])
_TOKEN_LIVES = timedelta(seconds=3599)
_OK = 200
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the REST API as it came in, whatever became of it."""

    method: str
    path: str
    body: Json | None


class GoogleRest:
    """Serves a shelf. `uninvited` accounts get tokens but may not use the issuer.

    `fetch` gets a picture's bytes, or None where there is none; without it pictures
    are taken on trust. `changed` hears the id of what was written.
    """

    def __init__(
        self,
        shelf: Shelf,
        service_accounts: Mapping[str, RSAPublicKey],
        now: Callable[[], datetime],
        changed: Callable[[str], None],
    ) -> None:
        self.shelf = shelf
        self.service_accounts = dict(service_accounts)
        self.uninvited: set[str] = set()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.n_tokens = 0
        self.tokens: dict[str, tuple[str, datetime]] = {}
        self.pictures: dict[str, bytes] = {}
        self.session: aiohttp.ClientSession | None = None
        self._now = now
        self._changed = changed

    def routes(self) -> list[web.RouteDef]:
        """Where Google answers."""
        kinds = "/walletobjects/v1/{kind:loyaltyClass|loyaltyObject}"
        return [
            web.post("/token", self._give_token),
            web.post(kinds, self._insert),
            web.get("/walletobjects/v1/issuer/{name}", self._issuer),
            web.get("/walletobjects/v1/loyaltyObject", self._list),
            web.get(kinds + "/{name}", self._get),
            web.patch(kinds + "/{name}", self._patch),
            web.put(kinds + "/{name}", self._put),
        ]

    @web.middleware
    async def around(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Notes the call, asks who it is, plays ordered faults, words the errors."""
        if not request.path.startswith("/walletobjects/"):
            return await self.faults.play(request, handler)
        try:
            body = await _body(request)
            self.calls.append(Call(request.method, request.path, body))
            self._check_token(request)
            request[BODY] = body or {}
            return await self.faults.play(request, handler)
        except ErrorAnswer as error:
            return web.json_response(error.body(), status=error.status)

    async def _give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            claims = self._read_grant(form)
        except BadJwt as error:
            answer = {"error": "invalid_grant", "error_description": str(error)}
            return web.json_response(answer, status=400)
        token = "ya29." + new_token(24)
        self.tokens[token] = (claims["iss"], self._now() + _TOKEN_LIVES)
        self.n_tokens += 1
        seconds = int(_TOKEN_LIVES.total_seconds())
        return web.json_response(
            {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}
        )

    def _read_grant(self, form: Mapping[str, object]) -> Json:
        if form.get("grant_type") != GRANT:
            raise BadJwt("the grant type is not JWT-bearer")
        claims = open_jwt(str(form.get("assertion")), self.service_accounts)
        check_grant(claims, SCOPE, self._now())
        return claims

    async def _issuer(self, request: web.Request) -> web.Response:
        # 403 for who is not invited, 404 for no such issuer: so indico reads it.
        self.shelf.check_issuer(request.match_info["name"])
        return web.json_response(
            {"issuerId": request.match_info["name"], "name": "demo"}
        )

    async def _insert(self, request: web.Request) -> web.Response:
        await self._fetch_pictures(request[BODY])
        kind = request.match_info["kind"]
        return self._wrote(kind, self.shelf.insert(kind, request[BODY]))

    async def _patch(self, request: web.Request) -> web.Response:
        await self._fetch_pictures(request[BODY])
        kind, name = request.match_info["kind"], request.match_info["name"]
        return self._wrote(kind, self.shelf.patch(kind, name, request[BODY]))

    async def _put(self, request: web.Request) -> web.Response:
        await self._fetch_pictures(request[BODY])
        kind, name = request.match_info["kind"], request.match_info["name"]
        return self._wrote(kind, self.shelf.put(kind, name, request[BODY]))

    async def _get(self, request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["name"]
        return web.json_response(self.shelf.answer(kind, self.shelf.read(kind, name)))

    async def _list(self, request: web.Request) -> web.Response:
        # Paged by maxResults and token (reference: loyaltyobject/list).
        query = request.query
        found = self.shelf.list_objects(query.get("classId", ""))
        first, most = int(query.get("token", "0")), int(query.get("maxResults", "0"))
        after = first + (most or len(found))
        page = found[first:after]
        answer: Json = {
            "resources": [self.shelf.answer("loyaltyObject", each) for each in page],
            "pagination": {"resultsPerPage": len(page)},
        }
        if after < len(found):
            answer["pagination"]["nextPageToken"] = str(after)
        return web.json_response(answer)

    def _wrote(self, kind: str, kept: Json) -> web.Response:
        self._changed(kept["id"])
        return web.json_response(self.shelf.answer(kind, kept))

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        email, until = self.tokens.get(token, ("", self._now()))
        if scheme != "Bearer" or until <= self._now():
            msg = "Request had invalid authentication credentials."
            raise ErrorAnswer(401, "authError", msg)
        if email in self.uninvited:
            raise ErrorAnswer(403, "permissionDenied", "Permission denied.")

    async def _fetch_pictures(self, body: Json) -> None:
        # Google fetches at the write and keeps by address; one dead picture voids the
        # whole write (google-wallet/web-codelab#78).
        if self.session is None:
            return
        for url in _picture_urls(body):
            if url in self.pictures:
                continue
            try:
                async with self.session.get(url) as response:
                    content = await response.read()
                    is_picture = response.status == _OK and content.startswith(_PNG)
            except aiohttp.ClientError:
                content, is_picture = b"", False
            if not is_picture:
                raise ErrorAnswer(400, "invalidImage", f"Image cannot be loaded: {url}")
            self.pictures[url] = content


async def _body(request: web.Request) -> Json | None:
    if request.method == "GET":
        return None
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ErrorAnswer(400, "parseError", "Invalid JSON payload received.")
    return body


def _picture_urls(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("sourceUri"), Mapping):
            yield str(value["sourceUri"].get("uri", ""))
        for inner in value.values():
            yield from _picture_urls(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _picture_urls(inner)
