"""The schema, twelfth part: on-line activation of packages."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String

from orvault.ledger.tables import DIGEST, ID, make_table, moment

package_shares = make_table(
    "package_shares",
    "The hospital's halves of packages' keys; owner: custody activation desk",
    Column("package_id", ID, primary_key=True, comment="whose key"),
    Column(
        "request_id", ID, ForeignKey("requests.id"), nullable=False, comment="the request it was made for"
    ),
    Column(
        "sealed",
        String(160),
        comment="the half: nonce and AES-256-GCM ciphertext (base64), bound to the package; NULL: deleted for good",
    ),
    Column(
        "proof_key",
        DIGEST,
        nullable=False,
        comment="what a holder of the recipients' half is known by (hex); opens nothing",
    ),
    Column("plays", Integer, comment="how often it may be activated; NULL: any number"),
    Column("used", Integer, nullable=False, server_default="0", comment="how often it was"),
    CheckConstraint("plays IS NULL OR used <= plays", "plays"),
    Index(None, "request_id"),
)

package_plays = make_table(
    "package_plays",
    "Activations that were counted; the same question again is not; owner: custody activation desk",
    Column(
        "package_id", ID, ForeignKey("package_shares.package_id"), primary_key=True, comment="what was opened"
    ),
    Column("request_digest", DIGEST, primary_key=True, comment="SHA-256 (hex) of the player's question"),
    moment("at_us", "when it was answered first"),
    moment("until_us", "end of what was lent; the same question is answered until then"),
    Column("plays_left", Integer, comment="as it was answered; NULL: any number"),
)
