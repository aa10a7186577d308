"""What goes wrong in the API, as RFC 9457 problems with a stable `code`.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aiohttp import web

from core.wording import say
from webhooks.pages import language_of

CONTENT_TYPE = "application/problem+json"

# Every code that a call of the API can end with, and its status.
STATUS: Mapping[str, int] = {
    "malformed_json": 400,
    "bad_idempotency_key": 400,
    "unauthorized": 401,
    "no_such_card": 404,
    "no_such_program": 404,
    "no_such_shop": 404,
    "no_such_till_code": 404,
    "no_such_entry": 404,
    "no_such_voucher": 404,
    "not_found": 404,
    "program_closed": 409,
    "already_used": 409,
    "card_stopped": 409,
    "expired_voucher": 409,
    "too_late": 409,
    "unused_voucher": 409,
    "void_voucher": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid": 422,
    "amount_not_configured": 422,
    "idempotency_key_reused": 422,
}


class Problem(web.HTTPException):
    """A call that ends here: `code` is one of `STATUS`, its title in two languages.

    `errors` says for each wrong field where (a JSON pointer) and what.
    """

    def __init__(
        self,
        request: web.Request,
        code: str,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.status_code = STATUS[code]
        language = language_of(request)
        body: dict[str, object] = {
            "type": f"urn:stampcard:problem:{code}",
            "title": say(f"api.problem.{code}", language),
            "status": self.status_code,
            "code": code,
        }
        if errors:
            body["errors"] = [dict(error) for error in errors]
        headers = {"Content-Language": language, "Cache-Control": "no-store"}
        if code == "unauthorized":
            headers["WWW-Authenticate"] = 'Bearer realm="stampcard"'
        super().__init__(
            headers=headers,
            text=json.dumps(body, ensure_ascii=False),
            content_type=CONTENT_TYPE,
        )
        self.code = code
