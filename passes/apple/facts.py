"""What there is to show of a merchant's certificate, without opening its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509

from passes.apple.certificates import issuer_of

SOON_DAYS = 30
URGENT_DAYS = 7

Urgency = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Who issued it, and until when it signs: the intermediate may end first."""

    issuer: str
    ends_at: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days; negative once it has ended."""
        return (self.ends_at - now).days

    def urgency(self, now: datetime) -> Urgency:
        """Is there time, is it time, or is it late?"""
        return urgency(self.days_left(now))


def urgency(days: int) -> Urgency:
    """How urgent so many days left are."""
    if days <= URGENT_DAYS:
        return "bad"
    return "warn" if days <= SOON_DAYS else "good"


def certificate_facts(certificate_pem: str, wwdr_pem: str) -> Facts | None:
    """Read from the certificates; None where they cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        wwdr = x509.load_pem_x509_certificate(wwdr_pem.encode())
        issuer = issuer_of(certificate)
    except ValueError:
        return None
    ends_at = min(certificate.not_valid_after_utc, wwdr.not_valid_after_utc)
    return Facts(issuer=issuer, ends_at=ends_at)
