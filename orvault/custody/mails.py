"""What people are told by e-mail: that a request waits for them, what became of one, that history is in danger.

Pure. Mails name a request's number and nothing else of it: no patient, no staff, no purpose, no footage. History is
the outbox, as for events (`notices`); sending is actors/mail.py's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from orvault.clock import utc_iso
from orvault.custody.history import Act, Entry

TARGET = "mail"  # under which the ledger keeps how far mails have come


class Audience(StrEnum):
    """Whom a mail is for; the settings hold their addresses."""

    OFFICERS = "officers"  # who decide
    MANAGERS = "managers"  # who ask and hand over


_OFFICERS, _MANAGERS = frozenset({Audience.OFFICERS}), frozenset({Audience.MANAGERS})
MAILED: Mapping[Act, tuple[frozenset[Audience], str, str]] = MappingProxyType(
    {
        Act.EXPORT_SUBMITTED: (_OFFICERS, "영상정보 요청이 접수되었습니다", "A request was submitted"),
        Act.BASIS_SATISFIED: (
            _OFFICERS,
            "요청의 법적 근거가 갖추어져 승인을 기다립니다",
            "A request is complete and waits for approval",
        ),
        Act.BASIS_BROKEN: (
            _OFFICERS | _MANAGERS,
            "동의가 철회되었거나 부족하여 요청이 중지되었습니다",
            "A request was stopped: a consent is lacking",
        ),
        Act.APPROVAL_GIVEN: (
            _OFFICERS,
            "요청에 추가 승인이 필요합니다",
            "A request needs another approval",
        ),
        Act.RENDER_HELD: (
            _OFFICERS,
            "완성된 영상이 검토를 기다립니다",
            "A package waits for a review",
        ),
        Act.ANSWERS_AWAITED: (
            _MANAGERS,
            "가린 영상이 참여자의 확인을 기다립니다",
            "A masked result waits for its participants to look at it and answer",
        ),
        Act.ANSWERS_DUE: (
            _OFFICERS | _MANAGERS,
            "참여자의 확인 기한이 다가왔거나 지났습니다",
            "A masked result's answers are due soon, or overdue",
        ),
        Act.RENDER_FINISHED: (_MANAGERS, "영상을 내려받을 수 있습니다", "A package is ready"),
        Act.RENDER_FAILED: (_MANAGERS, "영상 제작에 실패했습니다", "A package could not be made"),
        Act.EXPORT_REFUSED: (_MANAGERS, "요청이 거부되었습니다", "A request was refused"),
        Act.EXPORT_REVOKED: (_MANAGERS, "제공이 취소되었습니다", "A request was revoked"),
        Act.EXPORT_DUE: (
            _OFFICERS | _MANAGERS,
            "요청의 처리 기한이 다가왔거나 지났습니다",
            "A request is due soon, or overdue",
        ),
        Act.VIEWING_ASKED: (_OFFICERS, "영상 열람 요청이 접수되었습니다", "A request to view was made"),
        Act.VIEWING_GRANTED: (_MANAGERS, "영상 열람이 승인되었습니다", "A request to view was approved"),
        Act.VIEWING_REFUSED: (_MANAGERS, "영상 열람 요청이 거부되었습니다", "A request to view was refused"),
        Act.VIEWING_WITHDRAWN: (
            _OFFICERS | _MANAGERS,
            "영상 열람 요청 또는 승인이 철회되었습니다",
            "A request to view, or its grant, was withdrawn",
        ),
        Act.VIEWING_EXPIRED: (
            _MANAGERS,
            "영상 열람 기한이 끝났습니다",
            "The time of a request to view is over",
        ),
        Act.DESTRUCTION_NOTICED: (
            _OFFICERS | _MANAGERS,
            "보관 기간이 끝난 영상의 파기가 예고되었습니다",
            "A recording is due to be destroyed",
        ),
        Act.CASE_UNRECORDED: (
            _OFFICERS | _MANAGERS,
            "촬영 요청이 있었으나 녹화 없이 종료되었습니다",
            "A case was closed unrecorded although its recording was asked for",
        ),
        Act.CHECKPOINTS_STUCK: (
            _OFFICERS,
            "이력의 서명이 외부에 보관되지 않거나 서로 맞지 않습니다",
            "History's signatures are not kept elsewhere, or do not agree",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail; `number` is its entry's in history and the same at every repetition. `to`: further addresses."""

    number: int
    audiences: frozenset[Audience]
    subject: str
    body: str
    to: tuple[str, ...] = ()


def mail_of(entry: Entry, site: str, to: Sequence[str] = ()) -> Mail:
    """The mail that an entry of `MAILED` is; `to`: the participants' addresses, where it is for them."""
    audiences, korean, english = MAILED[Act(entry.act)]
    request_id = entry.subject.removeprefix("export:").removeprefix("viewing:")
    about = "요청 번호 / Request" if request_id != entry.subject else "대상 / About"
    lines = [
        f"{korean}.",
        f"{english}.",
        "",
        f"{about}: {request_id}",
        f"시각 / Time: {utc_iso(entry.at_us)}",
    ]
    due_us = json.loads(entry.detail).get("due_us")
    if isinstance(due_us, int):
        lines.append(f"기한 / Due: {utc_iso(due_us)}")
    return Mail(entry.seq, audiences, f"[{site}] {korean} / {english}", "\n".join(lines) + "\n", tuple(to))
