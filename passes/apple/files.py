"""What a merchant uploads of Apple's, in whatever kind of file it comes, put together.

A certificate (.cer, PEM, PKCS#12) finds its key among those that came with it, the one
that Apple was asked with, and the one in use; and the intermediate that issued it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from core.actions.wallet_setup import NewApple
from core.errors import Invalid
from core.rules.fields import Problems
from passes.apple.certificates import (
    is_issued_by,
    is_pair,
    issuer_of,
    names_in,
    wrong_dates,
    wrong_issuer,
    wrong_purpose,
)
from passes.apple.unlock import CannotOpen, unlock
from passes.keys import WrongKey, read_rsa_key

# A certificate with its chain has some 6 kB, a key 2.
MOST_BYTES = 64 * 1024
MOST_KEY_BYTES = 16 * 1024
LONGEST_PASSWORD = 200
SMALLEST_KEY = 2048

_MOST_BLOCKS = 20
# Each may take seconds to open.
_MOST_LOCKED = 2
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_PASS_TYPE = re.compile(r"pass\.[A-Za-z0-9.-]{1,250}")
_TEAM = re.compile(r"[A-Z0-9]{1,20}")
_SEQUENCE = b"\x30"  # how every DER file of these begins
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Uploads:
    """The files as they came, None where none was chosen."""

    certificate: bytes | None
    key: bytes | None = None
    wwdr: bytes | None = None
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AtHand:
    """What is there already: keys in the clear, and the intermediate in use."""

    keys: tuple[str, ...] = ()
    wwdr_pem: str = ""


@dataclass(slots=True, repr=False)
class _Contents:
    certificates: list[x509.Certificate] = field(default_factory=list)
    keys: list[rsa.RSAPrivateKey] = field(default_factory=list)
    key_pems: list[bytes] = field(default_factory=list)


async def read_uploads(given: Uploads, at_hand: AtHand, now: datetime) -> NewApple:
    """Everything checked against everything.

    Raises `Invalid` with every problem at once, under the fields "certificate", "key",
    "wwdr" and "password".
    """
    problems: Problems = {}
    if given.certificate is None:
        problems["certificate"] = ("wallets.invalid.certificate_none", {})
    main = await _open("certificate", given.certificate, given.password, problems)
    side = await _open("key", given.key, given.password, problems)
    wwdr = await _open("wwdr", given.wwdr, given.password, problems)
    side.keys = main.keys + side.keys
    side.key_pems = main.key_pems + side.key_pems
    return await asyncio.to_thread(
        _fit_together, main.certificates, side, wwdr, at_hand, now, problems
    )


async def _open(
    name: str, raw: bytes | None, password: str, problems: Problems
) -> _Contents:
    found = _Contents()
    if raw is None:
        return found
    most = MOST_BYTES if name == "certificate" else MOST_KEY_BYTES
    if not raw.strip():
        problems[name] = ("wallets.invalid.empty", {})
    elif len(raw) > most:
        problems[name] = ("wallets.invalid.large", {"kb": most // 1024})
    else:
        try:
            clear = await _unlocked(raw, password)
        except CannotOpen as error:
            about = name if error.trouble in {"broken", "slow"} else "password"
            words = f"not_{name}" if error.trouble == "broken" else error.trouble
            problems[about] = (f"wallets.invalid.{words}", {})
            return found
        await asyncio.to_thread(_take, name, clear, found, problems)
    return found


async def _unlocked(raw: bytes, password: str) -> bytes:
    """The same as PEM without a password. Raises CannotOpen."""
    blocks = list(_BLOCK.finditer(raw))[:_MOST_BLOCKS]
    if sum(b"ENCRYPTED" in block[0] for block in blocks) > _MOST_LOCKED:
        raise CannotOpen("broken")
    if blocks:
        parts = [
            await unlock(block[0], password) if b"ENCRYPTED" in block[0] else block[0]
            for block in blocks
        ]
        return b"\n".join(parts)
    if not raw.startswith(_SEQUENCE):
        raise CannotOpen("broken")
    try:
        return x509.load_der_x509_certificate(raw).public_bytes(Encoding.PEM)
    except _BROKEN:
        return await unlock(raw, password)


def _take(name: str, clear: bytes, found: _Contents, problems: Problems) -> None:
    for block in _BLOCK.finditer(clear):
        kind, pem = block[1], block[0]
        try:
            if kind == b"CERTIFICATE":
                found.certificates.append(_certificate(pem))
            elif kind.endswith(b"PRIVATE KEY"):
                found.keys.append(read_rsa_key(pem, smallest=SMALLEST_KEY))
                found.key_pems.append(pem)
            elif kind.endswith(b"CERTIFICATE REQUEST"):
                problems[name] = ("wallets.invalid.request", {})
        except WrongKey:
            problems[name] = ("apple.problem.key_kind", {})
        except _BROKEN:
            problems[name] = (f"wallets.invalid.not_{name}", {})
    wanted = found.key_pems if name == "key" else found.certificates
    if not wanted and name not in problems:
        problems[name] = (f"wallets.invalid.not_{name}", {})


def _certificate(pem: bytes) -> x509.Certificate:
    """Parsed to the end: what is broken inside shows here and not later."""
    found = x509.load_pem_x509_certificate(pem)
    found.public_key()
    _ = (found.subject, found.issuer, list(found.extensions), names_in(found))
    return found


def _fit_together(
    certificates: list[x509.Certificate],
    own: _Contents,
    wwdr: _Contents,
    at_hand: AtHand,
    now: datetime,
    problems: Problems,
) -> NewApple:
    certificate = _of_passes(certificates, own.keys)
    if certificate is None:
        if certificates:
            problems.setdefault("certificate", ("apple.problem.pass_type_none", {}))
        raise Invalid(problems)
    pass_type_id, team_id = names_in(certificate)
    if not _PASS_TYPE.fullmatch(pass_type_id or "") or not _TEAM.fullmatch(team_id):
        problems["certificate"] = ("apple.problem.pass_type_none", {})
    wrong = wrong_purpose(certificate) | wrong_dates(certificate, now)
    for name, problem in wrong.items():
        problems.setdefault(name, problem)
    key_pem = _key_of(certificate, own, at_hand, problems)
    others = [each for each in certificates if each is not certificate]
    issuer = _issuer_of(certificate, wwdr.certificates, others, at_hand, problems, now)
    if problems or issuer is None or key_pem is None or pass_type_id is None:
        raise Invalid(problems)
    return NewApple(
        pass_type_id=pass_type_id,
        team_id=team_id,
        certificate_pem=certificate.public_bytes(Encoding.PEM).decode(),
        key_pem=key_pem,
        wwdr_pem=issuer.public_bytes(Encoding.PEM).decode(),
    )


def _of_passes(
    certificates: list[x509.Certificate], keys: list[rsa.RSAPrivateKey]
) -> x509.Certificate | None:
    """The one that is for passes; of several that with its key, else the newest."""

    def order(each: x509.Certificate) -> tuple[bool, datetime]:
        has_key = any(is_pair(each, key) for key in keys)
        return has_key, each.not_valid_after_utc

    found = [each for each in certificates if names_in(each)[0] is not None]
    return max(found, key=order, default=None)


def _key_of(
    certificate: x509.Certificate,
    own: _Contents,
    at_hand: AtHand,
    problems: Problems,
) -> str | None:
    for key, pem in zip(own.keys, own.key_pems, strict=True):
        if is_pair(certificate, key):
            return pem.decode()
    if {"key", "password"} & problems.keys() or _is_about_key(problems):
        # Its key is what could not be read: no second word of it.
        return None
    if own.keys:
        problems["key"] = ("apple.problem.key_other", {})
        return None
    for text in at_hand.keys:
        known = load_pem_private_key(
            text.encode(), None, unsafe_skip_rsa_key_validation=True
        )
        if isinstance(known, rsa.RSAPrivateKey) and is_pair(certificate, known):
            return text
    problems["key"] = ("wallets.invalid.key_needed", {})
    return None


def _is_about_key(problems: Problems) -> bool:
    return problems.get("certificate", ("",))[0] == "apple.problem.key_kind"


def _issuer_of(
    certificate: x509.Certificate,
    given: list[x509.Certificate],
    others: list[x509.Certificate],
    at_hand: AtHand,
    problems: Problems,
    now: datetime,
) -> x509.Certificate | None:
    if "wwdr" in problems:
        return None
    known = [at_hand.wwdr_pem.encode()] if at_hand.wwdr_pem else []
    stored = [x509.load_pem_x509_certificate(pem) for pem in known]
    found = _first(certificate, given or [*others, *stored])
    if found is not None:
        problems |= wrong_issuer(certificate, found, now)
    elif given:
        problems |= wrong_issuer(certificate, given[0], now)
    else:
        blanks = {"issuer": issuer_of(certificate)}
        problems["wwdr"] = ("wallets.invalid.wwdr_needed", blanks)
    return found


def _first(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    return next((c for c in candidates if is_issued_by(certificate, c)), None)
