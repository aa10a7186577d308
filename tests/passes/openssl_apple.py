"""An Apple of openssl's: takes a certificate request, gives back what Apple would."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.passes.apple_chain import PASS_TYPE, TEAM, openssl
from tests.passes.every_pass import caught

_EXTENSIONS = """
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[pass]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, 1.2.840.113635.100.4.14
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
1.2.840.113635.100.6.1.16 = ASN1:UTF8String:{pass_type}
[mail]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = emailProtection
[other]
basicConstraints = critical, CA:FALSE
1.2.840.113635.100.6.1.16 = ASN1:UTF8String:pass.another.shop
"""
_WWDR = "/C=US/O=Apple lookalike/OU=G4/CN=Worldwide Developer Relations lookalike"


class OpensslApple:
    """Root and WWDR in a folder of their own; `answer` is what the portal does."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stampcard-apple-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        for name, subject, above in (
            ("root", "/CN=Root lookalike", None),
            ("wwdr", _WWDR, "root"),
        ):
            self._new_key(name)
            self._certify(name, self.folder / f"{name}.pub", subject, above, "ca", 900)
        self.root_pem = self.folder / "root.pem"
        caught.trust(self.root_pem.read_text())
        self.wwdr_der = self._der("wwdr")

    def answer(
        self,
        request: bytes,
        pass_type: str = PASS_TYPE,
        *,
        days: int = 395,
        kind: str = "pass",
        subject: str = "",
    ) -> bytes:
        """The certificate for a request's key, as the .cer file (DER)."""
        (self.folder / "asked.csr").write_bytes(request)
        self.run("req", "-in", "asked.csr", "-noout", "-pubkey", "-out", "asked.pub")
        subject = subject or (
            f"/UID={pass_type}/CN=Pass Type ID: {pass_type}/OU={TEAM}/O=Aozora/C=JP"
        )
        key = self.folder / "asked.pub"
        self._certify("asked", key, subject, "wwdr", kind, days, pass_type)
        return self._der("asked")

    def pair(self, name: str = "own", *, kind: str = "pass") -> tuple[bytes, bytes]:
        """A key made elsewhere (PEM) and its certificate (PEM)."""
        self._new_key(name)
        request = ("-new", "-key", f"{name}.key", "-subj", "/CN=x", "-out", "x.csr")
        self.run("req", *request)
        self.answer((self.folder / "x.csr").read_bytes(), kind=kind)
        return (
            (self.folder / f"{name}.key").read_bytes(),
            (self.folder / "asked.pem").read_bytes(),
        )

    def p12(self, key: bytes, certificate: bytes, *options: str) -> bytes:
        """Both, and the intermediate, in one file with the password "himitsu"."""
        (self.folder / "a.key").write_bytes(key)
        (self.folder / "a.pem").write_bytes(certificate)
        given = ("-inkey", "a.key", "-in", "a.pem", "-certfile", "wwdr.pem")
        out = ("-out", "a.p12", "-passout", "pass:himitsu")
        self.run("pkcs12", "-export", *given, *out, *options)
        return (self.folder / "a.p12").read_bytes()

    def locked(self, key: bytes, *options: str) -> bytes:
        """The key as PEM with the password "himitsu"."""
        (self.folder / "a.key").write_bytes(key)
        out = ("-out", "locked.key", "-passout", "pass:himitsu")
        self.run("pkcs8", "-topk8", "-in", "a.key", *out, *options)
        return (self.folder / "locked.key").read_bytes()

    def run(self, *arguments: str) -> bytes:
        """openssl in the folder."""
        found = openssl(*[self._there(each) for each in arguments])
        assert found.returncode == 0, found.stderr.decode()
        return found.stdout

    def _there(self, argument: str) -> str:
        is_file = argument.endswith((".pem", ".key", ".pub", ".csr", ".p12", ".cnf"))
        return str(self.folder / argument) if is_file else argument

    def _new_key(self, name: str) -> None:
        self.run("genrsa", "-out", f"{name}.key", "2048")
        self.run("rsa", "-in", f"{name}.key", "-pubout", "-out", f"{name}.pub")

    def _certify(
        self,
        name: str,
        key: Path,
        subject: str,
        above: str | None,
        kind: str,
        days: int,
        pass_type: str = PASS_TYPE,
    ) -> None:
        extensions = _EXTENSIONS.format(pass_type=pass_type)
        (self.folder / "e.cnf").write_text(extensions)
        signer = (
            ("-signkey", f"{name}.key")
            if above is None
            else ("-CA", f"{above}.pem", "-CAkey", f"{above}.key")
        )
        self.run(
            *("x509", "-new", "-force_pubkey", str(key), "-subj", subject, *signer),
            *("-extfile", "e.cnf", "-extensions", kind, "-days", str(days)),
            *("-out", f"{name}.pem"),
        )

    def _der(self, name: str) -> bytes:
        return self.run("x509", "-in", f"{name}.pem", "-outform", "DER")


@cache
def openssl_apple() -> OpensslApple:
    """One for all tests: making keys takes a while."""
    return OpensslApple()
