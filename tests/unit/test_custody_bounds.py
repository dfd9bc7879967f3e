"""What custody accepts at submit, the package and the watermark can hold: nothing fails after the rendering."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.watermarks import check_watermark
from orvault.container.canonical import Fields
from orvault.container.keys import Argon2idParams, Kem, Recipient, generate_private_key
from orvault.container.label import MAX_PASSWORD_SLOTS
from orvault.container.manifest import PackageTerms
from orvault.custody.basis import BasisKind, Consent, LegalBasis, Subject
from orvault.custody.desks.base import WatermarkCheck
from orvault.custody.request import Wish
from orvault.custody.service import CustodyService
from orvault.custody.terms import (
    MAX_RECIPIENTS,
    Masking,
    Redaction,
    Style,
    check_recipients,
)
from orvault.custody.watermark import TEMPLATE_CHARACTERS, Position
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.watermark import TextWatermark
from tests.fakes import World, cheap_passwords

KEY = generate_private_key(Kem.X25519).public()
ODD = "\u200d\u200c\u00ad\u2066\u202e\u0301\ufeff\U000e0041\u1100\u1161\uac00\u0958\ufdfa\U0001f468"


def person(name: str, password: bool = False) -> Recipient:
    return Recipient(name, KEY, bytes(16), Argon2idParams()) if password else Recipient(name, KEY)


def texts(longest: int) -> st.SearchStrategy[str]:
    """Any text, above all those that reach the bound or hold what few expect."""
    characters = st.characters() | st.sampled_from(ODD)
    filled = st.tuples(st.text(characters, max_size=3), st.sampled_from("a가é")).map(
        lambda pair: pair[0] + pair[1] * (longest - len(pair[0]))
    )
    return filled | st.text(characters, max_size=longest)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    names = draw(st.lists(texts(80), min_size=0, max_size=MAX_RECIPIENTS + 1))
    consents = tuple(Consent(Subject.STAFF, draw(texts(80)), draw(texts(120)), "ab" * 32) for _ in range(2))
    return Wish(
        "case-1",
        ("cam-1",),
        1,
        2,
        draw(texts(500)),
        LegalBasis(draw(st.sampled_from(BasisKind)), draw(texts(120)), draw(texts(120)), consents),
        tuple(person(name, draw(st.booleans())) for name in names),
        Redaction(
            draw(st.sampled_from(Masking)),
            draw(st.sampled_from(Style)),
            draw(texts(TEMPLATE_CHARACTERS)),
            draw(st.sampled_from(Position)),
        ),
        draw(texts(4000)),
    )


def longest(watermark: str) -> Wish:
    """Every field at its bound, with this watermark."""
    basis = LegalBasis(
        BasisKind.CONSENT,
        "d" * 120,
        "p" * 120,
        (Consent(Subject.PATIENT, "n" * 80, "d" * 120, "ab" * 32),) * 100,
    )
    people = tuple(person(f"{n:02d}" + "가" * 78, n < MAX_PASSWORD_SLOTS) for n in range(MAX_RECIPIENTS))
    redaction = Redaction(Masking.PICTURE, Style.MOSAIC, watermark, Position.CENTRE)
    return Wish("case-1", ("cam-1",), 1, 2, "x" * 500, basis, people, redaction, "t\n" * 2000)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(wishes())
@example(longest("W" * 64))
@example(longest("가" * 64))
@example(longest("a\u200db"))
def test_what_is_accepted_can_be_packed(wish: Wish) -> None:
    try:
        checked = wish.checked()
    except OrvaultError as error:
        assert error.kind is ErrorKind.BAD_REQUEST
        return
    redaction = checked.redaction
    terms = PackageTerms(
        package_id="pkg-1",
        request_id="req-1",
        case_id=checked.case_id,
        purpose=checked.purpose,
        legal_basis=checked.basis.summary(),
        recipients=tuple(recipient.name for recipient in checked.recipients),
        terms_text=checked.terms,
        masking=f"{redaction.masking}, {redaction.style}",
        watermark=redaction.watermark_summary(),
        not_before_us=1,
        not_after_us=2,
        issued_us=1,
    )
    assert PackageTerms.read(Fields(terms.to_json(), "terms")) == terms
    assert check_recipients(checked.recipients) == checked.recipients
    assert sum(each.password_salt is not None for each in checked.recipients) <= MAX_PASSWORD_SLOTS
    TextWatermark(redaction.watermark)


def test_the_longest_wish_is_one_that_is_accepted() -> None:
    assert len(longest("W" * 64).checked().recipients) == MAX_RECIPIENTS


def test_more_recipients_by_password_than_a_package_holds_are_refused_at_submit() -> None:
    people = [person(f"Court {n}", password=True) for n in range(MAX_PASSWORD_SLOTS + 1)]
    with pytest.raises(OrvaultError, match="17 recipients have a password") as caught:
        check_recipients(people)
    assert caught.value.kind is ErrorKind.BAD_REQUEST and caught.value.where == "recipients"
    assert len(check_recipients([*people[1:], person("by key")])) == 17


@pytest.mark.parametrize("text", ["W" * 64, "\U0001f600", "a\u200db"])
def test_a_watermark_that_cannot_be_drawn_is_refused_at_submit(world: World, text: str) -> None:
    asked: list[tuple[int, int]] = []

    def check(redaction: Redaction, image: bytes | None, width: int, height: int) -> None:
        asked.append((width, height))
        check_watermark(redaction, image, width // 3, height // 3)  # as if the camera's pictures were small

    custody = _custody(world, check)
    case = world.recorded_case()
    redaction = Redaction(Masking.HEAD, Style.SOLID, text, Position.CENTRE)
    with pytest.raises(OrvaultError) as caught:
        custody.submit_export(world.manager, world.wish(case, redaction=redaction))
    assert caught.value.kind is ErrorKind.BAD_REQUEST and "watermark" in caught.value.where
    assert custody.submit_export(world.manager, world.wish(case)).wish.redaction.watermark
    assert set(asked) == {(1280, 720)}
    assert "export-submitted" in world.acts() and world.acts().count("export-submitted") == 1


def _custody(world: World, check: WatermarkCheck) -> CustodyService:
    return CustodyService(
        world.ledger.uow,
        world.clock,
        world.recorders,
        world.case_keys,
        world.renderers,
        cheap_passwords(),
        check_watermark=check,
    )
