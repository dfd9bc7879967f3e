"""Certificates and fingerprints as files and words: what `orvault keys` writes and shows; asks nobody anything."""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster.settings import Settings
from orvault.clock import US_PER_S, utc_iso
from orvault.container.authority import Issued
from orvault.container.enrolment import EARLIER, read_certificate
from orvault.container.files import write_private
from orvault.container.trust import CERTIFICATE_FILE, Identity, fingerprint

DAY_US = 86_400 * US_PER_S
SOON_DAYS = 60


def grouped(fingerprint_hex: str) -> str:
    """A fingerprint as it stands on paper: upper case, in groups of four."""
    upper = fingerprint_hex.upper()
    return " ".join(upper[at : at + 4] for at in range(0, len(upper), 4))


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

    1. the new folder is written beside the old one, with every earlier certificate; 2. the old one is moved away;
    3. the new one takes its name; 4. the old one, with its private key, is removed. After a crash between 2 and 3
    the next call puts it back first.
    """
    beside = folder.parent.with_name(f"{folder.parent.name}.renewing")  # not among the enrolled nodes
    part, old = beside / f"{folder.name}.part", beside / f"{folder.name}.old"
    if old.exists() and not folder.exists():
        old.rename(folder)  # a crash between 2 and 3: nothing of the old one may be lost
    if beside.exists():
        shutil.rmtree(beside)
    made.save(part)  # 1
    current = folder / CERTIFICATE_FILE
    if current.exists():
        earlier = [*(folder / EARLIER).glob("*.pem"), current]
        for path in earlier:
            write_private(part / EARLIER / f"{fingerprint(read_certificate(path))}.pem", path.read_bytes())
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
