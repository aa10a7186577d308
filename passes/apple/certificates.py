"""A merchant's Pass Type ID certificate: is everything right with it, and its two uses.

It signs the passes, and it is what the merchant is known by at Apple's push service.
https://developer.apple.com/documentation/walletpasses/building-a-pass
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from core.errors import Invalid
from core.rules.fields import Problems
from passes.keys import BIGGEST_KEY

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# Binary: without it the manifest's line ends are rewritten before it is hashed.
_OPTIONS = [PKCS7Options.DetachedSignature, PKCS7Options.Binary]
# Apple's own: the pass type, and "may sign passes".
_PASS_TYPE = ObjectIdentifier("1.2.840.113635.100.6.1.16")
_PASS_SIGNING = ObjectIdentifier("1.2.840.113635.100.4.14")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Signer:
    """A pass certificate with its key, loaded once and checked."""

    pass_type_id: str
    team_id: str
    certificate: x509.Certificate
    wwdr: x509.Certificate
    key: Key

    @property
    def ends_at(self) -> datetime:
        """From when on it signs nothing more; installed passes stay."""
        return min(self.certificate.not_valid_after_utc, self.wwdr.not_valid_after_utc)

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; negative once it has."""
        return (self.ends_at - now).days

    def sign(self, manifest: bytes) -> bytes:
        """A detached CMS signature of `manifest` in DER, with intermediate and time.

        Takes one RSA signature of CPU, about 0.4 ms.
        """
        builder = (
            PKCS7SignatureBuilder()
            .set_data(manifest)
            .add_signer(self.certificate, self.key, SHA256())
            .add_certificate(self.wwdr)
        )
        return builder.sign(Encoding.DER, _OPTIONS)

    def tls_context(self, ca_file: Path | None) -> ssl.SSLContext:
        """TLS for HTTP/2 as this certificate; servers are checked by `ca_file`.

        None: the machine's own authorities (`SSL_CERT_FILE` moves them). Takes some
        50 ms: call it in a thread. Raises OSError for a file that cannot be read.
        """
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        # Python takes client keys from files only: this one never lies there in clear.
        password = secrets.token_bytes(32).hex()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "client.pem"
            file.touch(mode=0o600)
            file.write_bytes(self._client_pem(password))
            context.load_cert_chain(file, password=password)
        return context

    def _client_pem(self, password: str) -> bytes:
        return (
            self.certificate.public_bytes(Encoding.PEM)
            + self.wwdr.public_bytes(Encoding.PEM)
            + self.key.private_bytes(
                Encoding.PEM,
                PrivateFormat.PKCS8,
                BestAvailableEncryption(password.encode()),
            )
        )


def load_signer(
    certificate_pem: str,
    key_pem: str,
    wwdr_pem: str,
    *,
    pass_type_id: str,
    team_id: str,
    now: datetime,
    is_known: bool = False,
) -> Signer:
    """Check that the parts fit together and are in force, and load them.

    Raises `Invalid` with every problem at once, under the fields `certificate`, `key`,
    `wwdr`, `pass_type_id` and `team_id`. The check of a new RSA key takes 40 ms that
    stop every other thread; `is_known` leaves it out for a key that passed it before.
    """
    problems: Problems = {}
    certificate = _read_certificate("certificate", certificate_pem, problems)
    wwdr = _read_certificate("wwdr", wwdr_pem, problems)
    key = _read_key(key_pem, problems, is_known=is_known)
    if certificate is not None:
        problems |= wrong_purpose(certificate)
        problems |= _wrong_names(certificate, pass_type_id, team_id)
        problems |= wrong_dates(certificate, now)
        if key is not None and not is_pair(certificate, key):
            problems["key"] = ("apple.problem.key_other", {})
        if wwdr is not None:
            problems |= wrong_issuer(certificate, wwdr, now)
    if problems or certificate is None or wwdr is None or key is None:
        raise Invalid(problems)
    return Signer(
        pass_type_id=pass_type_id,
        team_id=team_id,
        certificate=certificate,
        wwdr=wwdr,
        key=key,
    )


def _read_certificate(
    field: str, pem: str, problems: Problems
) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        problems[field] = ("apple.problem.not_pem", {})
        return None


def _read_key(pem: str, problems: Problems, *, is_known: bool) -> Key | None:
    try:
        key = load_pem_private_key(
            pem.encode(), None, unsafe_skip_rsa_key_validation=is_known
        )
    except TypeError:
        problems["key"] = ("apple.problem.key_password", {})
        return None
    except (ValueError, UnsupportedAlgorithm):
        problems["key"] = ("apple.problem.key_not_pem", {})
        return None
    if isinstance(key, Key) and key.key_size <= BIGGEST_KEY:
        return key
    problems["key"] = ("apple.problem.key_kind", {})
    return None


def _wrong_names(
    certificate: x509.Certificate, pass_type_id: str, team_id: str
) -> Problems:
    problems: Problems = {}
    found_type, found_team = names_in(certificate)
    if found_type is None:
        problems["certificate"] = ("apple.problem.pass_type_none", {})
    elif found_type != pass_type_id:
        problems["pass_type_id"] = ("apple.problem.pass_type", {"found": found_type})
    if found_type is not None and found_team != team_id:
        problems["team_id"] = ("apple.problem.team", {"found": found_team})
    return problems


def names_in(certificate: x509.Certificate) -> tuple[str | None, str]:
    """The pass type id (None: it is no pass certificate) and the team id inside."""
    subject = certificate.subject
    # "Pass Type ID: pass.…", with NFC "Pass Type ID with NFC: pass.…".
    kind, _, common = _name(subject, NameOID.COMMON_NAME).partition(": ")
    found = _name(subject, NameOID.USER_ID) or common
    team = _name(subject, NameOID.ORGANIZATIONAL_UNIT_NAME)
    return (found if kind.startswith("Pass Type ID") and found else None), team


def wrong_purpose(certificate: x509.Certificate) -> Problems:
    """Is it one that signs passes, and those of the type that it names?

    Apple's mark names the pass type once more, as an ASN.1 string behind two bytes
    (tag, length). What a certificate says nothing of is not held against it.
    """
    found = {extension.oid: extension.value for extension in certificate.extensions}
    basic = found.get(x509.BasicConstraints.oid)
    usage = found.get(x509.KeyUsage.oid)
    purposes = found.get(x509.ExtendedKeyUsage.oid)
    is_wrong = (
        (isinstance(basic, x509.BasicConstraints) and basic.ca)
        or (isinstance(usage, x509.KeyUsage) and not usage.digital_signature)
        or (
            isinstance(purposes, x509.ExtendedKeyUsage)
            and _PASS_SIGNING not in purposes
            and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes
        )
    )
    if is_wrong:
        return {"certificate": ("apple.problem.purpose", {})}
    mark = found.get(_PASS_TYPE)
    named = mark.value[2:] if isinstance(mark, x509.UnrecognizedExtension) else None
    if named is not None and named != (names_in(certificate)[0] or "").encode():
        return {"certificate": ("apple.problem.mark", {})}
    return {}


def wrong_dates(certificate: x509.Certificate, now: datetime) -> Problems:
    """Is it in force?"""
    if certificate.not_valid_after_utc <= now:
        day = certificate.not_valid_after_utc.date()
        return {"certificate": ("apple.problem.expired", {"day": day})}
    if certificate.not_valid_before_utc > now:
        day = certificate.not_valid_before_utc.date()
        return {"certificate": ("apple.problem.not_yet", {"day": day})}
    return {}


def wrong_issuer(
    certificate: x509.Certificate, wwdr: x509.Certificate, now: datetime
) -> Problems:
    """Did this intermediate issue it, and is that in force?"""
    # Apple has several intermediates of one name (G1 to G6): only the signature tells
    # which one issued this certificate, never a file's name.
    if not is_issued_by(certificate, wwdr):
        names = issuer_of(certificate)
        return {"wwdr": ("apple.problem.wwdr_other", {"issuer": names})}
    if wwdr.not_valid_after_utc <= now:
        day = wwdr.not_valid_after_utc.date()
        return {"wwdr": ("apple.problem.wwdr_expired", {"day": day})}
    return {}


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Does its signature say so? Names alone prove nothing."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def issuer_of(certificate: x509.Certificate) -> str:
    """The name of the intermediate that is wanted, with its generation."""
    parts = (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
    names = (_name(certificate.issuer, part) for part in parts)
    return " ".join(filter(None, names))


def is_pair(certificate: x509.Certificate, key: Key) -> bool:
    """Is it the certificate's key?"""
    encoding, form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    own = key.public_key().public_bytes(encoding, form)
    return own == certificate.public_key().public_bytes(encoding, form)


def _name(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    return next((str(part.value) for part in name.get_attributes_for_oid(oid)), "")
