"""The second look at a piece, asked for part by part while the rest of it is still rendered."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Mapping, Sequence

from actors.render_tools import Detection, Looking
from actors.second_looking import PART_BYTES, LookAnswer, LookOrder, together
from orvault.video.joining import Cutter, begins_90k
from orvault.vision.mask import Box, FramePlan, MaskPolicy

MOST_ASKED = (
    4  # parts that wait for their answer: pieces side by side must not heap up what nobody has looked at
)


class LooksAlong:
    """Watches one piece come out: `output` is what is written of it, `plans` those of its pictures by their times.

    Both grow while it is rendered; what was taken from `output` goes. `marked` are the places of its visible
    watermark. A part that is whole is asked about at once; before `answer` only the oldest is waited for, where many
    are under way. Errors: as for `Detection.look_again`; INTERNAL for an output that is no video.
    """

    def __init__(
        self,
        detection: Detection,
        policy: MaskPolicy,
        output: io.BytesIO,
        plans: Mapping[int, FramePlan],
        marked: Sequence[Box] = (),
    ) -> None:
        self._detection = detection
        self._policy = policy
        self._output = output
        self._plans = plans
        self._marked = tuple(marked)
        self._cutter = Cutter(PART_BYTES)
        self._asked: deque[Looking] = deque()
        self._answers: list[LookAnswer] = []

    def go_on(self) -> None:
        """Ask about what became whole since the last call."""
        fresh = self._output.getvalue()
        self._output.seek(0)
        self._output.truncate()
        for part in self._cutter.add(fresh):
            self._ask(part)

    def end(self) -> None:
        """Ask about the rest: the output is finished."""
        self.go_on()
        for part in self._cutter.end():
            self._ask(part)

    def answer(self) -> LookAnswer:
        """What was seen in all of it; waits."""
        while self._asked:
            self._take()
        return together(self._answers)

    def _take(self) -> None:
        self._answers.append(self._asked.popleft().result())

    def _ask(self, part: bytes) -> None:
        if len(self._asked) >= MOST_ASKED:
            self._take()
        begin_90k = begins_90k(part)
        # Of its own, since a call may be sent off while these grow.
        plans = {at: plan for at, plan in self._plans.items() if at >= begin_90k}
        self._asked.append(
            self._detection.look_again(LookOrder(part, plans, self._policy, marked=self._marked))
        )
