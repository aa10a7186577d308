"""Tries a merchant's Apple certificate out: signs a pass, and knocks at APNs' door.

The push goes to nobody: a token that no phone has. APNs looks at the certificate and
the topic first, so "no such token" says that both are good.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Literal

from cryptography.hazmat.primitives.serialization.pkcs7 import (
    load_der_pkcs7_certificates,
)

from core.config import Settings
from passes.apple.certificates import Signer, is_issued_by, is_pair
from passes.apple.push import (
    DeadToken,
    Delivered,
    Misconfigured,
    PushClient,
    PushOutcome,
    Retry,
)

# "late": no answer in time; "closed": hung up before an answer, as on a stranger;
# "away": no connection, or trouble of Apple's own; "": was not asked.
Answer = Literal["ok", "refused", "late", "closed", "away", ""]

NOBODY = "bad" + 61 * "0"
_SECONDS = 4.0
_LIVES = timedelta(minutes=1)
_REASON = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleTrial:
    """Does it sign, what does APNs say, and in whose words."""

    signs: bool
    push: Answer = ""
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Nothing is left to be done?"""
        return self.signs and self.push == "ok"


def is_sound(pkpass: bytes, signer: Signer) -> bool:
    """Is each file as the manifest says, and the signature by this very chain?"""
    with zipfile.ZipFile(BytesIO(pkpass)) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}
    signature = files.pop("signature")
    manifest = json.loads(files.pop("manifest.json"))
    # Apple's manifests are SHA-1, which proves nothing here but that nothing is amiss.
    sums = {
        n: hashlib.sha1(f, usedforsecurity=False).hexdigest() for n, f in files.items()
    }
    chain = load_der_pkcs7_certificates(signature)
    return (
        sums == manifest
        and {signer.certificate, signer.wwdr} <= set(chain)
        and is_pair(signer.certificate, signer.key)
        and is_issued_by(signer.certificate, signer.wwdr)
    )


async def knock(settings: Settings, signer: Signer, now: datetime) -> AppleTrial:
    """Push to nobody, on a line of its own: the one in use may be waiting after a
    failure.
    """
    client = PushClient(
        settings.apns_url,
        partial(signer.tls_context, settings.apns_ca_file),
        signer.pass_type_id,
        timeout=_SECONDS,
    )
    try:
        outcome = await client.push(NOBODY, expires_at=now + _LIVES)
    finally:
        await client.close()
    return _read(outcome)


def _read(outcome: PushOutcome) -> AppleTrial:
    match outcome:
        case Delivered() | DeadToken():
            return AppleTrial(signs=True, push="ok")
        case Misconfigured(reason=reason):
            return AppleTrial(signs=True, push="refused", reason=reason[:_REASON])
        case Retry(reason=reason):
            return AppleTrial(
                signs=True, push=_why_not(reason), reason=reason[:_REASON]
            )


def _why_not(reason: str) -> Answer:
    if reason.endswith("in time"):
        return "late"
    return "closed" if reason.endswith("closed by the server") else "away"
