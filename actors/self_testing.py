"""The self-test of the second look, on one camera's own pictures: is a mask seen that is left out on purpose?

It needs nothing of the rendering, and runs beside it; which pictures it takes follows from the footage alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actors.following import Finder, Opened
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.second_looking import LookOrder, TrialOrder, picks
from orvault.vision.mask import FramePlan, MaskPolicy
from orvault.vision.second_look import Trial

MOST_TRIALS = 5  # pieces in which the second look is tried, until it saw the mask that was left out


@dataclass(frozen=True)
class SelfTest:
    """Tries piece after piece, the first of its segments with a head that one box alone covers. What came of it is
    kept in `work` under `name` and `key`.
    """

    finder: Finder
    opened: Opened
    tools: RenderTools
    policy: MaskPolicy
    spans: Sequence[tuple[int, int]]
    work: RenderWork
    name: str
    key: bytes

    def outcome(self, planned: Iterable[Sequence[FramePlan]]) -> Trial:
        """SEEN if any was, MISSED if none of those tried was; `planned` holds the plans of each segment's pictures.

        Waits. Errors: as for `Detection.look_again`, `Finder.again` and `opened`.
        """
        kept = self.work.get(self.name, self.key)
        if kept is not None:
            return Trial(kept.decode())
        outcome = self._tried(planned)
        self.work.put(self.name, self.key, outcome.value.encode())
        return outcome

    def _tried(self, planned: Iterable[Sequence[FramePlan]]) -> Trial:
        tried, over = 0, 0
        for segment, plans in enumerate(planned):
            picked = picks(self.finder.again(segment), plans) if segment >= over else ()
            if not picked:
                continue
            over = next(end for _, end in self.spans if segment < end)  # no other of this piece
            trial = self._try(segment, picked)
            tried += trial is not Trial.NOBODY
            if trial is Trial.SEEN or tried == MOST_TRIALS:
                return trial
        return Trial.MISSED if tried else Trial.NOBODY

    def _try(self, segment: int, picked: tuple[tuple[int, FramePlan, int], ...]) -> Trial:
        ((_, fragment),) = self.opened(segment, segment + 1)
        trial = TrialOrder(fragment, picked, self.tools.crf, self.tools.preset)
        return self.tools.detection.look_again(LookOrder(b"", {}, self.policy, trial)).result().trial
