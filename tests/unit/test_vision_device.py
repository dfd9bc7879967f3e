"""A card is used only where it finds what the processor finds; and what is looked at together is found as one by one.

No card is here. `Card` stands in at ONNX Runtime's border: it reckons on the processor, says that it is CUDA, and can
be made to err as cards do. All that is held against each other, and how, is the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from actors import shared_detector
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from orvault.video.codec import Image, decode_fragment
from orvault.vision.detection import SKIPPED, Detection, Kind
from orvault.vision.detector import DetectorProfile, EnsembleDetector
from orvault.vision.device_proof import differences, prove_alike, reference_pictures
from orvault.vision.looking import detect_fragment, detect_frames
from orvault.vision.open_batch import with_open_batch
from orvault.vision.second_look import SecondLook
from orvault.vision.session import CPU, CUDA, fallen_back, open_session
from tests.unit.vision_media import MODELS, encoded, pictures

CHEAP = DetectorProfile(turned_angles_deg=(90,))  # one turned look in place of seven
OUTPUTS = {"movenet": 1, "centerface": 4, "nanodet": 6, "yunet": 12}  # by which a session is known
OPENED = ["nanodet_g_person.onnx", "yunet_2023mar_dyn.onnx", "centerface.onnx"]
HEAD = Detection(Kind.HEAD, 100, 100, 200, 220, 0.7, "movenet")
NAN = float("nan")

Outs = list[npt.NDArray[Any]]
Err = Callable[[Outs], Outs]


class Card:
    """See the module. `err` changes what it answers; `strays` of its nodes are said to be on the processor."""

    def __init__(self, native: Any, err: Err | None, strays: int) -> None:
        self._native, self._err, self._strays = native, err, strays

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def get_provider_graph_assignment_info(self) -> list[Any]:
        parts = self._native.get_provider_graph_assignment_info()
        convolutions = [part for part in parts if part.get_nodes()[0].op_type == "Conv"]
        away = convolutions[: self._strays]
        return [
            SimpleNamespace(ep_name=CPU if part in away else CUDA, get_nodes=part.get_nodes) for part in parts
        ]

    def run(self, outputs: Any, feeds: Any) -> Outs:
        outs = self._native.run(outputs, feeds)
        return self._err(outs) if self._err else list(outs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a card in; the model that errs, and how."""

    def put_in(model: str = "", err: Err | None = None, *, strays: int = 0) -> None:
        real = ort.InferenceSession

        def opened(content: bytes, options: Any, providers: Any) -> Any:
            native = real(content, options, providers=[CPU])
            if providers[0][0] == CPU:
                return native
            errs = len(native.get_outputs()) == OUTPUTS.get(model)
            return Card(native, err if errs else None, strays if errs else 0)

        monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
        monkeypatch.setattr(ort, "InferenceSession", opened)

    return put_in


def refused(open_it: Callable[[], object]) -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        open_it()
    assert EXIT_CODES[caught.value.kind] == 23
    return caught.value


def test_every_model_finds_somebody_in_the_reference_pictures() -> None:
    found = EnsembleDetector(MODELS, "cpu", profile=CHEAP).proof(reference_pictures(2))
    sure = [{each.source for each in findings if not each.faint} for findings in found[:2]]
    assert all({"nanodet", "movenet", "yunet", "centerface", "yunet-turned"} <= sources for sources in sure)


def test_no_two_reference_pictures_are_alike() -> None:
    assert len({picture.tobytes() for picture in reference_pictures(8)}) == 8


def test_a_card_that_finds_the_same_is_used_with_batches(card: Callable[..., None]) -> None:
    card()
    assert open_session(MODELS / OPENED[0], "cuda").batch == 8
    detector = EnsembleDetector(MODELS, "cuda", profile=CHEAP, batch=3)
    assert (detector.provider, detector.batch) == (CUDA, 3)
    assert SecondLook(MODELS, "cuda").proof(reference_pictures(1))[0]


@pytest.mark.parametrize("model", OUTPUTS)
def test_a_card_that_errs_in_one_model_is_refused(card: Callable[..., None], model: str) -> None:
    card(model, lambda outs: [0 * out for out in outs])
    error = refused(lambda: EnsembleDetector(MODELS, "cuda", profile=CHEAP, batch=2))
    assert error.where == "detection" and "does not find what the processor finds" in error.message
    if model == "movenet":
        assert refused(lambda: SecondLook(MODELS, "auto")).where == "second look"


def test_a_card_that_mixes_up_the_pictures_of_a_batch_is_refused(card: Callable[..., None]) -> None:
    card("centerface", lambda outs: [out[::-1] for out in outs])
    assert refused(lambda: EnsembleDetector(MODELS, "cuda", profile=CHEAP, batch=2)).where == "detection"


def test_a_card_that_answers_for_fewer_pictures_than_it_was_shown_fails(card: Callable[..., None]) -> None:
    card("nanodet", lambda outs: [out[:1] for out in outs])
    with pytest.raises(OrvaultError, match="no answer of its own"):
        open_session(MODELS / OPENED[0], "cuda").run_each(None, [np.zeros((1, 3, 64, 64), np.float32)] * 2)


def test_a_model_that_is_in_part_on_the_processor_is_refused(card: Callable[..., None]) -> None:
    card("yunet", strays=2)
    error = refused(lambda: EnsembleDetector(MODELS, "cuda", profile=CHEAP))
    assert error.where == "yunet_2023mar_dyn.onnx" and f"2 of 53 steps fell back to {CPU}" in error.message


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this machine has one")
def test_live_views_try_a_card_that_was_refused_no_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = shared_detector.SharedDetector(shared_detector.VisionPlan(MODELS, "cuda", 1))
    first = refused(shared.opened)
    monkeypatch.setattr(shared_detector, "EnsembleDetector", lambda *_, **__: pytest.fail("tried again"))
    assert refused(shared.opened) is first


def test_what_counts_as_fallen_back() -> None:
    small = [(CPU, "Shape"), (CPU, "Gather")]  # onnxruntime leaves those to the processor on purpose
    assert fallen_back([(CUDA, "Conv"), *small], CUDA) == ""
    assert fallen_back([(CUDA, "Conv"), (CPU, "MatMul")], CUDA).startswith("1 of 2 steps")
    assert "does not say" in fallen_back(small, CUDA)


def test_answers_that_cannot_be_read_are_a_card_that_failed() -> None:
    def unreadable(pictures: Sequence[Image]) -> list[list[Detection]]:
        return [[HEAD] for _ in np.zeros(3).reshape(len(pictures), 2)]  # three do not go into rows of two

    error = refused(lambda: prove_alike("x", 2, unreadable, lambda _: [[HEAD], [HEAD]]))
    assert "it failed on the reference pictures: cannot reshape" in error.message


def test_a_reference_in_which_nobody_is_found_proves_nothing() -> None:
    nobody: list[list[Detection]] = [[], []]
    assert "nobody" in refused(lambda: prove_alike("x", 2, lambda _: nobody, lambda _: nobody)).message
    somebody = [[HEAD], [HEAD]]
    prove_alike("x", 2, lambda _: somebody, lambda _: somebody)
    assert "1 answers" in refused(lambda: prove_alike("x", 2, lambda _: [[HEAD]], lambda _: somebody)).message


@pytest.mark.parametrize(
    "other",
    [
        [],
        [HEAD, replace(HEAD, x1=400, x2=500)],
        [replace(HEAD, x1=106, x2=206)],
        [replace(HEAD, y1=80)],
        [replace(HEAD, score=0.65)],
        [replace(HEAD, kind=Kind.FACE)],
        [replace(HEAD, source="yunet")],
        [replace(HEAD, x1=NAN)],
        [replace(HEAD, score=NAN)],
        [HEAD, replace(HEAD, y2=float("inf"), faint=True)],
    ],
)
def test_what_is_a_difference(other: list[Detection]) -> None:
    assert differences([HEAD], other)


def test_what_is_none() -> None:
    near = replace(HEAD, x1=102, x2=202, score=0.69)
    faint = replace(HEAD, x1=500, x2=600, faint=True)
    assert differences([HEAD], [near]) == differences([HEAD], [replace(HEAD, faint=True)]) == []
    assert (
        differences([HEAD, faint], [HEAD]) == differences([HEAD], [HEAD, faint]) == differences([], []) == []
    )


@pytest.mark.parametrize("name", OPENED)
def test_a_model_answers_for_several_pictures_as_for_each(name: str) -> None:
    cut = [each[None, :352, :640].transpose(0, 3, 1, 2) for each in reference_pictures(3)]
    several = [np.ascontiguousarray(each, np.float32) for each in cut]
    smaller = np.ascontiguousarray(several[0][:, :, :320])
    one, many = open_session(MODELS / name, "cpu"), open_session(MODELS / name, "cpu", batch=2)
    assert many.batch == 2
    inputs = [*several, smaller]
    for single, together in zip(one.run_each(None, inputs), many.run_each(None, inputs), strict=True):
        for a, b in zip(single, together, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_models_that_are_not_known_to_be_open_stay_closed() -> None:
    poses = open_session(MODELS / "movenet_multipose_lightning.onnx", "cpu", batch=8)
    assert poses.batch == 1
    assert with_open_batch("nanodet_g_person.onnx", b"a site's own model") == b"a site's own model"


def test_pictures_looked_at_together_show_what_they_show_one_by_one() -> None:
    fragment = encoded(pictures("crossing", 40, 30))
    singly = detect_fragment(fragment, EnsembleDetector(MODELS, "cpu", profile=CHEAP))
    together = detect_fragment(fragment, EnsembleDetector(MODELS, "cpu", profile=CHEAP, batch=4))
    assert sum(each is not SKIPPED for each in singly) >= 7
    for one, other in zip(singly, together, strict=True):
        if isinstance(one, list) and isinstance(other, list):
            assert [(d.kind, d.source, d.faint) for d in one] == [(d.kind, d.source, d.faint) for d in other]
            np.testing.assert_allclose([d.box for d in one], [d.box for d in other], atol=0.01)
            np.testing.assert_allclose([d.score for d in one], [d.score for d in other], atol=1e-4)
        else:
            assert one is other


def test_looks_that_fail_together_are_all_masked_whole() -> None:
    class Broken:
        batch = 4

        def look_each(self, looks: list[tuple[Any, int]]) -> list[list[Detection]]:
            if any(number % 8 >= 4 for _, number in looks):
                raise OrvaultError(ErrorKind.UNAVAILABLE, "no memory left on the card")
            return [[replace(HEAD, score=number / 100)] for _, number in looks]

        def look(self, bgr: Any, number: int) -> list[Detection]:
            raise AssertionError("one by one")

        detect = look

    every = DetectorProfile(every_s=0.01)
    frames = decode_fragment(encoded(pictures("crossing", 40, 10)))
    scores = [
        each[0].score if isinstance(each, list) else each for each in detect_frames(frames, Broken(), every)
    ]
    assert scores == [0.0, 0.01, 0.02, 0.03, None, None, None, None, 0.08, 0.09]
