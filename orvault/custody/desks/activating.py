"""On-line activation: keeping the hospital's halves of packages' keys, and lending them to who proves to be meant.

Nobody signs in for it: the proof is the recipients' half. Source: docs/format/package-v1.md section 6, docs/adr/0037.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from orvault.container.activation import PROOF_BYTES, ActivationAnswer, ActivationRequest
from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.activation import PackageShare, Play
from orvault.custody.desks.base import NOBODY
from orvault.custody.desks.proving import origin_of
from orvault.custody.desks.renders import RenderDesk, held
from orvault.custody.desks.retention import check_not_destroyed
from orvault.custody.gate import Gate
from orvault.custody.history import Act
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import RequestState
from orvault.custody.throttle import ADDRESS, PAIR, Keys, Rule, check_wait
from orvault.errors import ErrorKind, OrvaultError

# Anybody may ask, and an answer or a refusal takes the ledger's one write lock, which starting and stopping wait for,
# too. So each has its gate: strangers, whatever their number, stand in no recipient's way, and no address in others'.
_BUSY = "Many packages are being activated at this moment."
_DOOR = Gate(8, 0, _BUSY, share=2)  # is it proven? Reads only
_RECIPIENTS, _STRANGERS = Gate(4, 0, _BUSY, share=2), Gate(1, 0, _BUSY)
# What a recipient did, or came too late for; any other error is the hospital's own, and counts against nobody.
_REFUSALS = frozenset(
    {
        ErrorKind.NOT_ACTIVATED,
        ErrorKind.EXPIRED,
        ErrorKind.NOT_YET_VALID,
        ErrorKind.DESTROYED,
        ErrorKind.BAD_REQUEST,
    }
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: from where, when (UTC microseconds), of which package, and what its failures count under."""

    request: ActivationRequest
    client: str
    at_us: int
    share: PackageShare | None
    proven: bool

    @property
    def rules(self) -> tuple[tuple[str, Rule], ...]:
        # Who has proven to hold the recipients' half waits for his own failures only: a stranger who knows the
        # package's name, or stands behind the same proxy, cannot keep him out.
        if self.proven:
            return ((Keys.of(self.request.package_id, self.client, "activation-proven").pair, PAIR),)
        keys = Keys.of(self.request.package_id, self.client, "activation")
        return tuple((key, rule) for key, rule in ((keys.pair, PAIR), (keys.address, ADDRESS)) if key)


class ActivationDesk(RenderDesk):
    """Shares of packages' keys, from the rendering to the last play."""

    def keep_share(
        self, request_id: str, epoch: int, package_id: str, share: bytes, proof_key: bytes
    ) -> None:
        """Keep the hospital's half of the key of a package that is being made. CONFLICT as for progress."""
        with self._uow() as uow:
            request = held(uow, request_id, epoch)
            if (
                package_id not in {copy.package_id for copy in request.copies}
                or not request.wish.activation.wanted
            ):
                message = "This is no package of the request, or it asks for no activation."
                raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="package_id")
            sealed, plays = self._activation.seal(share, package_id), request.wish.activation.plays
            uow.activations.put(PackageShare(package_id, request_id, sealed, proof_key.hex(), plays))
            uow.commit()

    def check_activation(self) -> None:
        """BAD_SETTINGS where shares cannot be kept: hours of rendering must not end at a missing secret."""
        self._activation.check()

    def shares_of(self, by: Account, request_id: str) -> Sequence[PackageShare]:
        """What is kept and counted of a request's packages. NOT_FOUND also for one that the account may not see."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            self._visible(uow, by, request_id)
            return uow.activations.of_request(request_id)

    def activate(self, request: ActivationRequest, client: str = "") -> ActivationAnswer:
        """Lend the hospital's half to who has the recipients'; counted, and in history, before it is out.

        The same question again is answered as before, and not counted.
        Errors: NOT_ACTIVATED (no such package, or no proof: one answer; or revoked, no plays left, asked before and
        over), TOO_MANY_ATTEMPTS; with a proof NOT_YET_VALID, EXPIRED, DESTROYED, BAD_REQUEST (no key to answer to),
        and what is wrong here (BAD_SETTINGS, ALTERED), which is not counted as a failure.
        """
        place = Keys.of(request.package_id, client, "activation").address
        with _DOOR.place(*filter(None, [place])), self._uow(read_only=True) as uow:
            asked = _looked_at(uow, request, client, self._clock.now_us())  # who has to wait takes no lock
        gate = _RECIPIENTS if asked.proven else _STRANGERS
        with gate.place(request.package_id), self._uow() as uow:
            answer = self._lend(uow, _looked_at(uow, request, client, self._clock.now_us()))
            uow.commit()
        return answer

    def _lend(self, uow: UnitOfWork, asked: _Asked) -> ActivationAnswer:
        """The answer, once it is counted and told; a refusal is committed here."""
        share = asked.share
        if share is None or not asked.proven:
            _refuse(uow, asked, _no_proof())
        try:
            export = self._activatable(uow, share, asked.at_us)
            answer, play = self._answer(uow, export, share, asked)
        except OrvaultError as error:
            if error.kind not in _REFUSALS:
                raise
            _refuse(uow, asked, error)
        if play is not None:
            uow.activations.add_play(play)
            detail = {"package": share.package_id, "plays_left": play.plays_left, "until_us": play.until_us}
            told = detail | origin_of(asked.client)
            uow.history.append(asked.at_us, NOBODY, Act.PACKAGE_ACTIVATED, f"export:{share.request_id}", told)
        for key, _ in asked.rules:
            uow.sign_ins.clear_failures(key)
        return answer

    def _activatable(self, uow: UnitOfWork, share: PackageShare, now: int) -> ExportRequest:
        """The request, if its packages may be opened now; else why not."""
        export = uow.requests.get(share.request_id)
        assert export is not None, "a foreign key holds it"
        check_not_destroyed(uow, export.wish.case_id)
        if export.state is RequestState.EXPIRED or export.due_to_expire(now):
            raise OrvaultError(ErrorKind.EXPIRED, "The validity of this package is over.")
        if export.state not in {RequestState.READY, RequestState.DELIVERED}:
            raise OrvaultError(ErrorKind.NOT_ACTIVATED, "The hospital has taken this package back.")
        if now < export.validity.from_us:
            raise OrvaultError(ErrorKind.NOT_YET_VALID, "The package may not be opened yet.")
        return export

    def _answer(
        self, uow: UnitOfWork, export: ExportRequest, share: PackageShare, asked: _Asked
    ) -> tuple[ActivationAnswer, Play | None]:
        """The answer, and the play to count it as; None: it was counted."""
        digest, now = asked.request.digest, asked.at_us
        known = uow.activations.play(share.package_id, digest)
        if known is not None and now >= known.until_us:
            raise OrvaultError(ErrorKind.NOT_ACTIVATED, "This question was answered, and the answer is over.")
        if known is None and share.plays_left == 0:
            raise OrvaultError(
                ErrorKind.NOT_ACTIVATED,
                f"This package was opened as often as its hospital allowed ({share.plays}).",
                advice="Ask the hospital for another copy.",
            )
        if share.sealed is None:
            raise OrvaultError(ErrorKind.NOT_ACTIVATED, "The hospital has deleted what opens this package.")
        left = None if share.plays_left is None else share.plays_left - 1
        until_us = self._exports.activation.until_us(now, export.validity.until_us)
        play = known or Play(share.package_id, digest, now, until_us, left)
        opened = self._activation.open(share.sealed, share.package_id)
        answer = ActivationAnswer.make(asked.request, opened, play.until_us, play.plays_left)
        return answer, None if known is not None else play


def _looked_at(uow: UnitOfWork, request: ActivationRequest, client: str, now_us: int) -> _Asked:
    """The question with its package and whether it is proven; TOO_MANY_ATTEMPTS for who has to wait."""
    share = uow.activations.get(request.package_id)
    # Without a share the proof is held against a key that nobody knows: the answer takes as long.
    key = os.urandom(PROOF_BYTES) if share is None else bytes.fromhex(share.proof_key)
    asked = _Asked(request, client, now_us, share, request.is_proven(key))
    waits = [
        rule.free_us(uow.sign_ins.failures(counted, now_us - rule.reach_us)) for counted, rule in asked.rules
    ]
    check_wait(waits, now_us, "Too many activations from this computer were refused.")
    return asked


def _refuse(uow: UnitOfWork, asked: _Asked, error: OrvaultError) -> NoReturn:
    """Count and tell the refusal, and raise it. A name that no package has is not written down."""
    share = asked.share
    for key, _ in asked.rules:
        uow.sign_ins.add_failure(key, asked.at_us)
    known = {} if share is None else {"package": share.package_id}
    subject = "package:unknown" if share is None else f"export:{share.request_id}"
    detail = known | {"reason": error.message} | origin_of(asked.client)
    uow.history.append(asked.at_us, NOBODY, Act.ACTIVATION_REFUSED, subject, detail)
    uow.commit()
    raise error


def _no_proof() -> OrvaultError:
    return OrvaultError(
        ErrorKind.NOT_ACTIVATED,
        "There is no such package here, or the question was not asked by who can open it.",
        advice="Ask the hospital that gave you the package.",
    )
