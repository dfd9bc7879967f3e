"""What custody is told of the site that it works for: what the site decides, and the secrets of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from orvault.custody.access import AccessPolicy
from orvault.custody.activation import NO_ACTIVATION, ActivationKey
from orvault.custody.control import ControlPolicy
from orvault.custody.evidence import Evidence
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.patients import NO_PATIENTS, PatientKey
from orvault.custody.retention import RetentionPolicy
from orvault.custody.second_factor import NO_FACTORS, FactorKey
from orvault.custody.viewing import ViewPolicy


@dataclass(frozen=True)
class Rules:
    """What a site decides for custody: how signals count, who views and reaches what, how long recordings are kept,
    what requests may ask for, and what history is held against (without `evidence`, nobody asks for that).
    """

    control: ControlPolicy = field(default_factory=ControlPolicy)
    viewing: ViewPolicy = field(default_factory=ViewPolicy)
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    exports: ExportPolicy = field(default_factory=ExportPolicy)
    evidence: Evidence | None = None
    access: AccessPolicy = field(default_factory=AccessPolicy)


@dataclass(frozen=True)
class Secrets:
    """The secrets that a process has; each process only those it needs.

    `patients`: who plans and finds cases. `factors`: who signs people in. `activation`: who makes packages, and who
    is asked for their activation.
    """

    patients: PatientKey = NO_PATIENTS
    factors: FactorKey = NO_FACTORS
    activation: ActivationKey = NO_ACTIVATION
