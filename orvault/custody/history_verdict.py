"""What a check of history found, and how it is told to a person; history_check.py finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orvault.clock import US_PER_S
from orvault.custody.text import show_time


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """Whether history stands as it was written; `broken_seq` is the first place known not to.

    `first_us`, `last_us`: when the first and the last entry that hold were written; None if there are none.
    `findings`: what is wrong, in words, the first 20. `kept`, `outside`: checkpoints that hold, in the ledger and
    elsewhere; `covered`: the entries that the largest outside covers. `remarks`: what could not be read.
    `uncovered_us`: when the first entry beyond those was written. `stamped`: the entries that the last time stamp
    covers, `stamped_us` what it says.
    """

    size: int
    broken_seq: int | None
    first_us: int | None = None
    last_us: int | None = None
    findings: tuple[str, ...] = ()
    kept: int = 0
    outside: int = 0
    covered: int = 0
    remarks: tuple[str, ...] = ()
    stamped: int = 0
    stamped_us: int = 0
    uncovered_us: int | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed, put in between, or differs from what was signed."""
        return self.broken_seq is None and not self.findings

    @property
    def words(self) -> str:
        """What was checked, from where to where, and what is wrong, for a person."""
        parts = [self._checked(), *self.findings]
        if not self.intact:
            return " ".join(
                [*parts, "Keep the ledger as it is, and compare it with the newest back-up from before."]
            )
        if self.kept:
            parts.append(f"{self.kept} signed checkpoints in the ledger agree with them.")
        if self.outside:
            parts.append(
                f"{self.outside} checkpoints kept elsewhere agree; the newest covers entries 0 to {self.covered - 1}."
            )
            parts.extend(self._uncovered())
        else:
            parts.append(
                "That nobody wrote all anew, hashes and all, shows only against a copy kept elsewhere: there is none."
            )
        if self.stamped:
            when = show_time(self.stamped_us)
            parts.append(
                f"An authority of time says that entries 0 to {self.stamped - 1} were there on {when}."
            )
        return " ".join([*parts, *self.remarks])

    def _uncovered(self) -> Iterator[str]:
        """What nobody elsewhere can vouch for: a minute's entries are usual, hours are not."""
        if self.uncovered_us is not None and self.last_us is not None:
            count, since = self.size - self.covered, show_time(self.uncovered_us)
            minutes = (self.last_us - self.uncovered_us) // (60 * US_PER_S)
            yield f"The last {count} entries, over {minutes} min since {since}, are not covered by any."

    def _checked(self) -> str:
        if self.first_us is None or self.last_us is None:
            return "No entry holds." if not self.intact else "History has no entry yet."
        upto = (self.size if self.broken_seq is None else self.broken_seq) - 1
        period = f"{show_time(self.first_us)} to {show_time(self.last_us)}"
        return f"Entries 0 to {upto} ({period}) stand in their places, and each has the hash of what it says."
