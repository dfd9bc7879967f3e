"""The quick mask: setting it, lifting it for minutes, and how it stands. What it covers, `decide_view` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.custody.access import Right, may, require
from orvault.custody.account import Account
from orvault.custody.desks.base import Desk, not_found
from orvault.custody.history import Act
from orvault.custody.ports import CameraInfo
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import clean_text
from orvault.custody.viewing import EVERYWHERE, MaskAct, check_minutes, lifted_until

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class MaskState:
    """The quick mask of one camera; `lifted_until_us` is None while it is on."""

    camera: CameraInfo
    lifted_until_us: int | None


class MaskDesk(Desk):
    """Who masked what, and who lifted it."""

    def set_mask(self, by: Account, camera_id: str | None = None, reason: str = "") -> Sequence[MaskState]:
        """Mask this camera for everybody, or all in reach; takes back what was lifted. Errors: NOT_FOUND."""
        require(by, Right.MASK_SET)
        words = clean_text(reason, "reason", longest=_LONGEST_REASON) if reason else ""
        return self._switch(by, Right.MASK_SET, camera_id, None, words)

    def lift_mask(self, by: Account, camera_id: str | None, minutes: int, reason: str) -> Sequence[MaskState]:
        """Lift the quick mask of this camera, or of all in reach, for so long; then it is on again by itself.

        Shows nothing to anybody who holds no right to see it. Errors: NOT_FOUND, BAD_REQUEST.
        """
        require(by, Right.MASK_LIFT)
        length_us = check_minutes(minutes, self._viewing)
        return self._switch(
            by,
            Right.MASK_LIFT,
            camera_id,
            self._clock.now_us() + length_us,
            clean_text(reason, "reason", longest=_LONGEST_REASON),
        )

    def masks(self, by: Account) -> Sequence[MaskState]:
        """The quick mask of every camera in reach."""
        require(by, Right.CAMERA_VIEW)
        with self._uow(read_only=True) as uow:
            return self._states(uow, by)

    def _switch(
        self, by: Account, right: Right, camera_id: str | None, until_us: int | None, reason: str
    ) -> Sequence[MaskState]:
        act = Act.MASK_SET if until_us is None else Act.MASK_LIFTED
        detail = {"reason": reason} | ({} if until_us is None else {"until_us": until_us})
        with self._uow() as uow:
            scopes = self._switched_scopes(uow, by, right, camera_id)
            now = self._clock.now_us()
            first = 1 + max((act.number for act in uow.masks.all()), default=0)
            for number, scope in enumerate(scopes, first):
                uow.masks.put(MaskAct(scope, number, until_us, now, by.actor, reason))
                subject = "site" if scope == EVERYWHERE else f"camera:{scope}"
                uow.history.append(now, by.actor, act, subject, detail)
            states = self._states(uow, by)
            uow.commit()
        self._viewers.switched()
        return states

    def _switched_scopes(
        self, uow: UnitOfWork, by: Account, right: Right, camera_id: str | None
    ) -> Sequence[str]:
        """What an act on the quick mask covers: the camera; without one everything, or as much as is in reach."""
        if camera_id is not None:
            if self._camera_for(uow, by, right, camera_id) is None:
                raise not_found("camera", camera_id, "camera_id")
            return [camera_id]
        if may(by, right, place=self._place()).allowed:
            return [EVERYWHERE]
        return [c.camera_id for c in uow.cameras.all() if self._reaches(by, right, c.room, c.camera_id)]

    def _states(self, uow: UnitOfWork, by: Account) -> list[MaskState]:
        acts, now_us, right = uow.masks.all(), self._clock.now_us(), Right.CAMERA_VIEW
        seen = [c for c in uow.cameras.all() if self._reaches(by, right, c.room, c.camera_id)]
        return [MaskState(each, lifted_until(acts, each.camera_id, now_us)) for each in seen]
