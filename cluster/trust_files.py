"""Certificates and fingerprints as files and words: what `orvault keys` writes and shows; asks nobody anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cluster.settings import Settings
from orvault.clock import US_PER_S, utc_iso
from orvault.container.authority import Issued
from orvault.container.enrolment import EARLIER, read_certificate
from orvault.container.files import write_private
from orvault.container.trust import CERTIFICATE_FILE, Identity, fingerprint, to_der
from orvault.text import grouped

DAY_US = 86_400 * US_PER_S
SOON_DAYS = 60


def day(moment: datetime) -> str:
    """A date as tables show it, in UTC."""
    return f"{moment:%Y-%m-%d}"


def state_of(facts: Issued, now_us: int) -> str:
    """The state of a certificate in words, with the days that are left when they are few."""
    if facts.revoked_us is not None:
        return f"revoked from {utc_iso(facts.revoked_us)[:10]}"
    days = (facts.until_us - now_us) // DAY_US
    state = facts.state(now_us)
    return f"{state}, {days} days left" if state == "valid" and days <= SOON_DAYS else state


def paper(site: str, root: Issued) -> str:
    """A page to print: how a recipient makes sure that a package is the hospital's."""
    digits = grouped(root.fingerprint).split(" ")
    lines = [" ".join(digits[at : at + 4]) for at in range(0, len(digits), 4)]
    return "\n".join(
        [
            f"{site}: root certificate / 루트 인증서",
            "",
            "SHA-256:",
            *(f"    {line}" for line in lines),
            "",
            f"Valid until / 유효 기간: {utc_iso(root.until_us)[:10]}",
            "",
            "Compare these digits with what `orvault-player trust add root.pem` shows.",
            "If one differs, do not trust the file, and call the hospital.",
            "`orvault-player trust add root.pem` 실행 결과와 위의 값을 비교하십시오.",
            "하나라도 다르면 파일을 신뢰하지 말고 병원에 문의하십시오.",
            "",
        ]
    )


def put_identity(folder: Path, made: Identity) -> None:
    """Key and certificate in one step: a node must never hold one of the old and one of the new pair.

    Errors: STORAGE.
    """
    _put(folder, made.save, made.fingerprint)


def put_certificate(folder: Path, made: x509.Certificate, root: x509.Certificate) -> None:
    """The certificate of a node that keeps its key itself; a key that an earlier one had here is removed.

    Errors: STORAGE.
    """
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (made, root))
    _put(folder, lambda part: write_private(part / CERTIFICATE_FILE, pem), fingerprint(to_der(made)))


def waiting_folder(settings: Settings, name: str) -> Path:
    """On a node: the key that it made, until its certificate comes; not among the identities in use."""
    identities = settings.keys.node_identities
    return identities.with_name(f"{identities.name}.requested") / name


def _put(folder: Path, save: Callable[[Path], None], its_fingerprint: str) -> None:
    """1. the new folder is written beside the old one, with every earlier certificate; 2. the old one is moved away;
    3. the new one takes its name; 4. the old one, with its private key, is removed. After a crash between 2 and 3
    the next call puts it back first.
    """
    beside = folder.parent.with_name(f"{folder.parent.name}.renewing")  # not among the enrolled nodes
    part, old = beside / f"{folder.name}.part", beside / f"{folder.name}.old"
    if old.exists() and not folder.exists():
        old.rename(folder)  # a crash between 2 and 3: nothing of the old one may be lost
    if beside.exists():
        shutil.rmtree(beside)
    save(part)  # 1
    current = folder / CERTIFICATE_FILE
    if current.exists():
        for path in [*(folder / EARLIER).glob("*.pem"), current]:
            digest = fingerprint(read_certificate(path))
            if digest != its_fingerprint:
                write_private(part / EARLIER / f"{digest}.pem", path.read_bytes())
    if folder.exists():
        folder.rename(old)  # 2
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part.rename(folder)  # 3
    shutil.rmtree(beside)  # 4


def certificate_files(settings: Settings) -> list[Path]:
    """Every certificate that the server holds: root, server, nodes, and those that were renewed."""
    keys = settings.keys
    return [
        keys.root_certificate,
        keys.server_identity / CERTIFICATE_FILE,
        *sorted(keys.node_identities.glob(f"*/{CERTIFICATE_FILE}")),
        *sorted(keys.node_identities.glob(f"*/{EARLIER}/*.pem")),
    ]
