"""Test certificates, made on the spot: an Apple-like chain and TLS for loopback.

Nothing here is known to any phone: they serve the demo, the tests and drills only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# What Apple writes into a pass certificate: the pass type, and "may sign passes".
PASS_TYPE = ObjectIdentifier("1.2.840.113635.100.6.1.16")
PASS_SIGNING = ObjectIdentifier("1.2.840.113635.100.4.14")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleFiles:
    """Where the chain of a pass certificate lies; `key_pem` has no password."""

    root_pem: Path
    wwdr_pem: Path
    certificate_pem: Path
    key_pem: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where a server's certificate lies, and the authority that vouches for it."""

    ca_pem: Path
    cert_pem: Path
    key_pem: Path


def make_apple(
    folder: Path, pass_type_id: str, team_id: str, now: datetime, *, days: int = 395
) -> AppleFiles:
    """Root → WWDR G4 lookalike → pass certificate, as Apple issues them.

    The pass certificate starts a day before `now` and ends `days` after it (Apple's
    live about 13 months). Takes up to a second: call it in a thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = _authority(_root_name(), None, now, 3650 * _DAY)
    wwdr = _authority(_wwdr_name(), root, now, 1800 * _DAY)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = pass_type_id.encode()
    leaf = (
        _draft(_pass_name(pass_type_id, team_id), key, wwdr, now, days * _DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, PASS_SIGNING]),
            critical=False,
        )
        # An ASN.1 UTF8String: tag 0x0c, length, text.
        .add_extension(
            x509.UnrecognizedExtension(PASS_TYPE, bytes([0x0C, len(text)]) + text),
            critical=False,
        )
        .sign(wwdr.key, SHA256())
    )
    return AppleFiles(
        root_pem=_save(folder / "root.pem", root.certificate),
        wwdr_pem=_save(folder / "wwdr.pem", wwdr.certificate),
        certificate_pem=_save(folder / "pass.pem", leaf),
        key_pem=_save_key(folder / "pass.key", key),
    )


def make_tls(
    folder: Path, now: datetime, hosts: Sequence[str] = ("localhost", "127.0.0.1")
) -> TlsFiles:
    """An authority and a server certificate for `hosts` (names or addresses)."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = _authority(
        _name(CN="Stampcard demo authority"), None, now, 3650 * _DAY, small=True
    )
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        _draft(_name(CN=hosts[0]), key, authority, now, 395 * _DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([_host(host) for host in hosts]),
            critical=False,
        )
        .sign(authority.key, SHA256())
    )
    return TlsFiles(
        ca_pem=_save(folder / "ca.pem", authority.certificate),
        cert_pem=_save(folder / "tls.pem", leaf),
        key_pem=_save_key(folder / "tls.key", key),
    )


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: Key


def _authority(
    name: x509.Name,
    above: _Authority | None,
    now: datetime,
    life: timedelta,
    *,
    small: bool = False,
) -> _Authority:
    key: Key = (
        ec.generate_private_key(ec.SECP256R1())
        if small
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    depth = None if above is None else 0
    certificate = (
        _draft(name, key, above, now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(above.key if above else key, SHA256())
    )
    return _Authority(certificate, key)


def _draft(
    subject: x509.Name,
    key: Key,
    above: _Authority | None,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    signer = above.key if above else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + life)
        # Python 3.13 checks chains strictly: both identifiers must be there.
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _root_name() -> x509.Name:
    return _name(CN="Demo Root CA", O="Stampcard demo (not Apple)", C="JP")


def _wwdr_name() -> x509.Name:
    return _name(
        CN="Demo Worldwide Developer Relations Certification Authority",
        OU="G4",
        O="Stampcard demo (not Apple)",
        C="JP",
    )


def _pass_name(pass_type_id: str, team_id: str) -> x509.Name:
    return _name(
        UID=pass_type_id,
        CN=f"Pass Type ID: {pass_type_id}",
        OU=team_id,
        O="Stampcard demo",
        C="JP",
    )


def _name(**parts: str) -> x509.Name:
    oids = {
        "UID": NameOID.USER_ID,
        "CN": NameOID.COMMON_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "C": NameOID.COUNTRY_NAME,
    }
    return x509.Name([x509.NameAttribute(oids[k], v) for k, v in parts.items()])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _save(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def _save_key(path: Path, key: Key) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path
