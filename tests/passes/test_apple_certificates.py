"""Pass certificates: what fits together loads, what doesn't says everything at once."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
)

from core.errors import Invalid
from core.wording import keys, say
from passes.apple.certificates import Signer
from tests.passes.apple_chain import (
    NOW,
    PASS_TYPE,
    YEAR,
    chain,
    is_signed,
    load,
    openssl,
    pems,
    signer,
    tls,
)


def problems(**changes) -> dict[str, str]:
    """field → wording key of every problem."""
    with pytest.raises(Invalid) as found:
        load(**changes)
    for sentence, blanks in found.value.problems.values():
        assert "{" not in say(sentence, "ja", **blanks)
        assert "{" not in say(sentence, "en", **blanks)
    return {f: key for f, (key, _) in found.value.problems.items()}


def pem_of(key, encryption=None) -> str:
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    ).decode()


def test_a_chain_that_fits_loads_and_knows_its_days():
    found = load()
    assert found.pass_type_id == PASS_TYPE
    assert found.days_left(found.ends_at - timedelta(days=30)) == 30
    assert found.days_left(found.ends_at - timedelta(hours=1)) == 0
    assert found.days_left(found.ends_at + timedelta(hours=1)) == -1


def test_the_earlier_end_of_certificate_and_intermediate_counts():
    found = signer()
    assert found.ends_at == min(
        found.certificate.not_valid_after_utc, found.wwdr.not_valid_after_utc
    )


def test_another_certificates_key_is_told():
    other = pems(chain("other"))["key_pem"]
    assert problems(key_pem=other) == {"key": "apple.problem.key_other"}


def test_an_intermediate_of_the_same_name_but_another_key_is_told():
    # As Apple's G1 to G6, which differ in little but their keys.
    other = pems(chain("other"))["wwdr_pem"]
    own = x509.load_pem_x509_certificate(pems(chain())["wwdr_pem"].encode())
    assert x509.load_pem_x509_certificate(other.encode()).subject == own.subject
    with pytest.raises(Invalid) as found:
        load(wwdr_pem=other)
    sentence, blanks = found.value.problems["wwdr"]
    assert sentence == "apple.problem.wwdr_other"
    assert "G4" in str(blanks["issuer"])


def test_a_root_instead_of_the_intermediate_is_told():
    root = chain().root_pem.read_text()
    assert problems(wwdr_pem=root) == {"wwdr": "apple.problem.wwdr_other"}


def test_the_ids_must_be_the_certificates_own():
    assert problems(pass_type_id="pass.jp.other", team_id="ZZZZZ99999") == {
        "pass_type_id": "apple.problem.pass_type",
        "team_id": "apple.problem.team",
    }


def test_a_certificate_is_refused_before_and_after_its_time():
    start = signer().certificate.not_valid_before_utc
    end = signer().certificate.not_valid_after_utc
    for now, key in (
        (start - timedelta(seconds=1), "not_yet"),
        (end, "expired"),
    ):
        assert problems(now=now) == {"certificate": f"apple.problem.{key}"}
    assert load(now=end - timedelta(seconds=1))


def test_an_expired_intermediate_is_told():
    found = problems(now=NOW + 10 * YEAR)
    assert found["wwdr"] == "apple.problem.wwdr_expired"


def test_another_kind_of_certificate_is_told():
    found = problems(certificate_pem=tls().cert_pem.read_text())
    assert found["certificate"] == "apple.problem.pass_type_none"


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_pem_is_told_for_every_field_at_once(text):
    assert problems(certificate_pem=text, key_pem=text, wwdr_pem=text) == {
        "certificate": "apple.problem.not_pem",
        "key": "apple.problem.key_not_pem",
        "wwdr": "apple.problem.not_pem",
    }


def test_keys_with_a_password_and_of_other_kinds_are_told():
    key = load_pem_private_key(pems(chain())["key_pem"].encode(), None)
    locked = pem_of(key, BestAvailableEncryption(b"secret"))
    assert problems(key_pem=locked) == {"key": "apple.problem.key_password"}
    edwards = pem_of(ed25519.Ed25519PrivateKey.generate())
    assert problems(key_pem=edwards) == {"key": "apple.problem.key_kind"}
    curve = pem_of(ec.generate_private_key(ec.SECP256R1()))
    assert problems(key_pem=curve) == {"key": "apple.problem.key_other"}


def test_every_problem_that_has_a_sentence_can_happen():
    sentences = {k for k in keys("ja") if k.startswith("apple.problem.")}
    source = (Path(__file__).parents[2] / "passes/apple/certificates.py").read_text()
    assert {s for s in sentences if f'"{s}"' not in source} == set()


@pytest.mark.parametrize("tool", ["smime", "cms"])
@pytest.mark.parametrize("content", [b'{"a":"b"}', b"line\nline\r\nline\n", b""])
def test_openssl_accepts_the_signature_and_no_other_content(tmp_path, tool, content):
    signature = signer().sign(content)
    assert is_signed(tmp_path, content, signature, tool)
    assert not is_signed(tmp_path, content + b" ", signature, tool)


def test_the_signature_has_the_intermediate_and_the_time(tmp_path):
    signature = signer().sign(b"{}")
    found = pkcs7.load_der_pkcs7_certificates(signature)
    assert set(found) == {signer().certificate, signer().wwdr}
    (tmp_path / "s").write_bytes(signature)
    shown = openssl(
        *("cms", "-cmsout", "-print", "-inform", "DER", "-in", tmp_path / "s")
    )
    assert b"signingTime" in shown.stdout
    assert b"sha256" in shown.stdout
    assert b"eContent: <ABSENT>" in shown.stdout


def test_the_key_lies_on_no_disk_in_clear_and_in_no_repr(monkeypatch):
    seen: list[tuple[Path, bytes, int]] = []
    load_chain = ssl.SSLContext.load_cert_chain

    def spy(self, certfile, keyfile=None, password=None):
        mode = Path(certfile).stat().st_mode
        seen.append((Path(certfile), Path(certfile).read_bytes(), mode))
        load_chain(self, certfile, keyfile, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    signer().tls_context(tls().ca_pem)
    ((file, content, mode),) = seen
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert mode & 0o077 == 0
    assert not file.exists()
    assert "key" not in repr(signer())


def test_a_known_key_loads_without_the_slow_check():
    found = load(is_known=True)
    assert isinstance(found, Signer)
    other = pems(chain("other"))["key_pem"]
    assert problems(key_pem=other, is_known=True) == {"key": "apple.problem.key_other"}
