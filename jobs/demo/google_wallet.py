"""A stand-in for Google Wallet on loopback: token service, REST API, save links,
callbacks and their keys. `stampcard demo` and the tests use the same one.

It shares no code with `passes.google`: it follows Google's documents, and in the tests
Google's own client library works against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core.clock import Clock
from jobs.demo.bell import Bell
from jobs.demo.google_callbacks import CallbackSigner
from jobs.demo.google_faults import Faults
from jobs.demo.google_jwt import BadJwt, make_service_account, open_jwt
from jobs.demo.google_rest import Call, GoogleRest
from jobs.demo.google_shelf import Check, ErrorAnswer, Json, Shelf

__all__ = ["Call", "GoogleStandIn", "SaveRefused", "make_service_account"]

# Google names this as the longest JWT that browsers carry safely.
LONGEST_JWT = 1800
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class SaveRefused(Exception):
    """What a person would see as "Something went wrong"."""


class GoogleStandIn:
    """One issuer. `service_accounts` are public keys by the accounts' e-mail.

    `check(kind, body)` names what is wrong with a class or object as it would be kept.
    `calls` has every request of the REST API, `callback_answers` the status of each
    callback (0: nobody answered), `repeats` is how often a callback comes again.
    With `fetches_pictures`, pictures must be there, and are kept by address.
    """

    def __init__(
        self,
        issuer_id: str,
        service_accounts: Mapping[str, RSAPublicKey],
        check: Check | None = None,
        *,
        clock: Clock | None = None,
        fetches_pictures: bool = False,
    ) -> None:
        self.url = ""
        self.bell = Bell()
        self.on_change: Callable[[str], None] | None = None
        self.signer = CallbackSigner()
        self.repeats = 0
        self.callback_answers: list[int] = []
        self.n_key_requests = 0
        self._clock = clock or Clock()
        self._shelf = Shelf(issuer_id, check, self._now)
        self._rest = GoogleRest(self._shelf, service_accounts, self._now, self._changed)
        self._fetches_pictures = fetches_pictures
        self._owners: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def classes(self) -> dict[str, Json]:
        """What is kept of each class, by id."""
        return self._shelf.classes

    @property
    def objects(self) -> dict[str, Json]:
        """What is kept of each object, by id."""
        return self._shelf.objects

    @property
    def rings(self) -> list[tuple[str, datetime]]:
        """Every notification of a changed balance: object id and time."""
        return self._shelf.rings

    @property
    def calls(self) -> list[Call]:
        """Every request of the REST API, also those that were refused."""
        return self._rest.calls

    @property
    def n_tokens(self) -> int:
        """How many access tokens were given out."""
        return self._rest.n_tokens

    @property
    def pictures(self) -> dict[str, bytes]:
        """The pictures that were fetched, by address."""
        return self._rest.pictures

    @property
    def token_url(self) -> str:
        """For STAMPCARD_GOOGLE_TOKEN_URL."""
        return f"{self.url}/token"

    @property
    def callback_keys_url(self) -> str:
        """For STAMPCARD_GOOGLE_CALLBACK_KEYS_URL."""
        return f"{self.url}/gp/m/issuer/keys"

    @property
    def latency(self) -> float:
        """Seconds before each answer of the REST API."""
        return self._rest.faults.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._rest.faults.latency = seconds

    @property
    def down(self) -> bool:
        """While True, every connection is cut."""
        return self._rest.faults.down

    @down.setter
    def down(self, is_down: bool) -> None:
        self._rest.faults.down = is_down

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; `url` is known afterwards."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        if self._fetches_pictures:
            self._rest.session = self._session
        app = web.Application(middlewares=[self._rest.around])
        app.add_routes(self._rest.routes())
        app.router.add_get("/gp/m/issuer/keys", self._give_keys)
        app.router.add_get("/gp/v/save/{jwt}", self._save_page)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the door and every open connection."""
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def fail_next(self, status: int | None, reason: str = "", **how: Any) -> None:
        """Order failures: see `google_faults.Faults.fail_next`."""
        self._rest.faults.fail_next(status, reason, **how)

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self._rest.faults

    def revoke_tokens(self) -> None:
        """Every access token given out so far answers 401 from now on."""
        self._rest.tokens.clear()

    def uninvite(self, email: str) -> None:
        """The account keeps getting tokens but may no longer use the issuer (403)."""
        self._rest.uninvited.add(email)

    async def save(self, jwt: str, user: str = "me") -> str:
        """A person taps a save link: the object's id, or SaveRefused.

        The callback has been answered, or not, when this returns.
        """
        thing = self._read_save_jwt(jwt)
        name = str(thing.get("id", ""))
        try:
            # A JWT never changes an object that is there.
            if name not in self.objects:
                self._shelf.insert("loyaltyObject", thing)
            kept = self._shelf.read("loyaltyObject", name)
        except ErrorAnswer as error:
            raise SaveRefused(error.message) from None
        status = "multipleDevicesAndHoldersAllowedStatus"
        is_shared = self.classes[kept["classId"]].get(status) == "MULTIPLE_HOLDERS"
        if self._owners.setdefault(name, user) != user and not is_shared:
            raise SaveRefused("The pass is saved in another account.")
        kept["hasUsers"] = True
        self._changed(name)
        await self._call_back("save", kept)
        return name

    async def remove(self, object_id: str) -> None:
        """The person deletes the pass from the phone; the object lives on."""
        kept = self.objects[object_id]
        kept["hasUsers"] = False
        self._changed(object_id)
        await self._call_back("del", kept)

    def _now(self) -> datetime:
        # A drill moves the service's clock, not Google's.
        return self._clock.now() - self._clock.offset

    def _read_save_jwt(self, jwt: str) -> Json:
        if len(jwt) > LONGEST_JWT:
            raise SaveRefused("The link is too long.")
        try:
            claims = open_jwt(jwt, self._rest.service_accounts)
        except BadJwt as error:
            raise SaveRefused(str(error)) from None
        made = claims.get("iat")
        is_ours = (
            claims.get("aud") == "google"
            and claims.get("typ") == "savetowallet"
            and isinstance(made, int)
            and isinstance(claims.get("origins"), list)
        )
        payload = claims.get("payload")
        things = payload.get("loyaltyObjects") if isinstance(payload, dict) else None
        if not is_ours or not isinstance(things, list) or len(things) != 1:
            raise SaveRefused("Not a save link with one loyalty object.")
        thing = things[0]
        if not isinstance(thing, dict):
            raise SaveRefused("Not a loyalty object.")
        return thing

    async def _call_back(self, kind: str, kept: Json) -> None:
        options = self.classes[kept["classId"]].get("callbackOptions") or {}
        url = options.get("url")
        if not url or self._session is None:
            return
        body = self.signer.sign(kind, kept["classId"], kept["id"], self._now())
        for _ in range(1 + self.repeats):
            try:
                async with self._session.post(url, json=body) as response:
                    self.callback_answers.append(response.status)
            except (aiohttp.ClientError, TimeoutError):
                self.callback_answers.append(0)

    async def _give_keys(self, _request: web.Request) -> web.Response:
        self.n_key_requests += 1
        return web.json_response(self.signer.root_keys(self._now()))

    async def _save_page(self, request: web.Request) -> web.Response:
        try:
            name = await self.save(request.match_info["jwt"])
        except SaveRefused as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"objectId": name})

    def _changed(self, name: str) -> None:
        self.bell.ring()
        if self.on_change is not None:
            self.on_change(name)
