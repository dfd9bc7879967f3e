"""What a site decides about exports: how many approve, whether participants look first, what each role may choose.

What the law decides is not here: `basis`, `steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orvault.custody.account import Role
from orvault.custody.activation import ActivationPolicy
from orvault.custody.request import Approval, Wish
from orvault.custody.terms import DAY_US, MAX_RECIPIENTS, Masking, Style, Validity
from orvault.errors import ErrorKind, OrvaultError


class Asked(Protocol):
    """What any request asks for, to export or to view."""

    @property
    def clear(self) -> bool:
        """Whether people can be recognised in it."""
        ...


class Decided(Protocol):
    """Any request that accounts approve."""

    @property
    def wish(self) -> Asked: ...
    @property
    def approvals(self) -> tuple[Approval, ...]:
        """Those that count now."""
        ...


@dataclass(frozen=True, slots=True)
class RolePolicy:
    """What accounts of a role may choose in a request. `watermark_fields` must stand in the watermark's text."""

    masking: frozenset[Masking] = frozenset(Masking)
    styles: frozenset[Style] = frozenset(Style)
    watermark_fields: frozenset[str] = frozenset()
    longest_days: int = 366
    most_recipients: int = MAX_RECIPIENTS
    unmasked: bool = True

    def broken_rules(self, wish: Wish, validity: Validity) -> Mapping[str, str]:
        """The names of the rules that this wish breaks, each with what is allowed."""
        redaction = wish.redaction
        lacking = {each for each in self.watermark_fields if f"{{{each}}}" not in redaction.watermark}
        fields = ", ".join(f"{{{each}}}" for each in sorted(self.watermark_fields))
        rules = {
            "masking": (redaction.masking in self.masking, _listed(self.masking)),
            "styles": (redaction.style in self.styles, _listed(self.styles)),
            "watermark_fields": (not lacking, f"a text with {fields}"),
            "longest_days": (
                validity.until_us - validity.from_us <= self.longest_days * DAY_US,
                f"at most {self.longest_days} days",
            ),
            "most_recipients": (
                len(wish.recipients) <= self.most_recipients,
                f"at most {self.most_recipients} recipients",
            ),
            "unmasked": (self.unmasked or not wish.clear, "a copy in which everybody is masked"),
        }
        return {name: allowed for name, (kept, allowed) in rules.items() if not kept}


@dataclass(frozen=True, slots=True)
class ExportPolicy:
    """A site's rules for requests, to view too; a role without its own may choose all that the product offers."""

    approvers: int = 1
    participants_review: bool = False
    answer_days: int = 10
    reminder_days: tuple[int, ...] = (3, 1)
    roles: Mapping[Role, RolePolicy] = field(default_factory=dict)
    activation: ActivationPolicy = field(default_factory=ActivationPolicy)

    def approvals_needed(self, wish: Asked) -> int:
        """How many accounts have to approve; always two where people can be recognised."""
        return 2 if wish.clear else self.approvers

    def check_unmasked(self, role: Role, wish: Asked) -> None:
        """FORBIDDEN where people can be recognised in it and the site's rules do not let this role ask for that."""
        if wish.clear and not self.roles.get(role, RolePolicy()).unmasked:
            raise OrvaultError(
                ErrorKind.FORBIDDEN,
                f"The site's rules for {role.value} do not allow pictures in which people can be recognised.",
                where=f"export.roles.{role.value}.unmasked",
                advice="Ask for masked pictures, or have an account ask whose role may.",
            )

    def due_us(self, submitted_us: int) -> int:
        """Until when a request is to be answered."""
        return submitted_us + self.answer_days * DAY_US

    def remind_until_us(self, now_us: int) -> int:
        """Requests due until then may be reminded of now."""
        return now_us + max((0, *self.reminder_days)) * DAY_US

    def reminders_due(self, due_us: int | None, now_us: int) -> int:
        """How many reminders of a due date should have been given by now."""
        if due_us is None:
            return 0
        return sum(now_us >= due_us - days * DAY_US for days in {*self.reminder_days, 0})

    def check_choice(self, role: Role, wish: Wish, validity: Validity) -> None:
        """FORBIDDEN, naming each rule that the wish breaks and what it allows."""
        of_role = self.roles.get(role, RolePolicy()).broken_rules(wish, validity)
        of_site = self.activation.broken_rules(wish.activation)
        broken = {f"roles.{role.value}.{name}": allowed for name, allowed in of_role.items()}
        broken |= {f"activation.{name}": allowed for name, allowed in of_site.items()}
        if broken:
            rules = "; ".join(f"{name.rpartition('.')[2]} (allowed: {of})" for name, of in broken.items())
            raise OrvaultError(
                ErrorKind.FORBIDDEN,
                f"The site's rules for {role.value} do not allow this request: {rules}.",
                where=", ".join(f"export.{name}" for name in broken),
                advice="Choose what they allow, or have an account submit it whose role may.",
            )

    def missing_approvals(self, request: Decided) -> int:
        """How many accounts still have to approve."""
        return max(0, self.approvals_needed(request.wish) - len(request.approvals))


def _listed(words: frozenset[Masking] | frozenset[Style]) -> str:
    return ", ".join(sorted(word.value for word in words))
