"""A site's own secrets, each in a file below data/keys: what signs tokens and links, what seals the ledger's rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from actors.keys import read_secret
from orvault.custody.activation import ActivationKey
from orvault.custody.patients import PatientKey
from orvault.custody.second_factor import FactorKey
from orvault.errors import ErrorKind, OrvaultError

# names of files
TOKEN_SECRET, LINK_SECRET = "token-secret", "link-secret"
PATIENT_SECRET, FACTOR_SECRET = "patient-secret", "second-factor-secret"
ACTIVATION_SECRET = "activation-secret"  # noqa: S105 - a file's name


def secret(data: Path, name: str) -> bytes:
    """The bytes in one of these files. Errors: BAD_SETTINGS for one that is not hexadecimal."""
    path = data / "keys" / name
    try:
        return bytes.fromhex(read_secret(path))
    except ValueError:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "is not hexadecimal.", where=str(path)) from None


def patient_key(data: Path) -> PatientKey:
    """What patients' numbers are sealed with and found by."""
    return PatientKey(partial(secret, data, PATIENT_SECRET))  # read at its first use: older sites have none


def factor_key(data: Path) -> FactorKey:
    """What second factors are sealed with."""
    return FactorKey(partial(secret, data, FACTOR_SECRET))


def activation_key(data: Path) -> ActivationKey:
    """What the hospital's halves of packages' keys are sealed with."""
    return ActivationKey(partial(secret, data, ACTIVATION_SECRET))
