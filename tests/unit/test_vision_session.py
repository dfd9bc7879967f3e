from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.detector import EnsembleDetector, open_session
from orvault.vision.session import CPU, CUDA, models_digest
from tests.unit.vision_media import MODELS

YUNET = "yunet_2023mar_dyn.onnx"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    shutil.copytree(MODELS, tmp_path / "models")
    return tmp_path / "models"


def refused(path: Path, provider: str = "cpu") -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        open_session(path, provider)
    return caught.value


def test_a_model_opens_and_says_what_it_runs_on() -> None:
    session = open_session(MODELS / YUNET, "cpu")
    assert session.provider == CPU
    (out,) = session.run(["cls_8"], np.zeros((1, 3, 64, 96), np.float32))
    assert out.shape == (1, 8 * 12, 1)


def test_every_model_of_the_list_is_there_and_unaltered() -> None:
    listed = dict(reversed(line.split()) for line in (MODELS / "SHA256SUMS").read_text().splitlines())
    assert set(listed) == {path.name for path in MODELS.glob("*.onnx")}
    for name, digest in listed.items():
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == digest


def test_a_tampered_model_is_never_loaded(models: Path) -> None:
    content = bytearray((models / YUNET).read_bytes())
    content[len(content) // 2] ^= 1
    (models / YUNET).write_bytes(content)
    error = refused(models / YUNET)
    assert error.kind is ErrorKind.BAD_MODEL
    assert "exchanged" in error.message
    with pytest.raises(OrvaultError) as caught:
        EnsembleDetector(models, "cpu")
    assert (caught.value.kind, caught.value.where) == (ErrorKind.BAD_MODEL, YUNET)


def test_other_models_have_another_digest_and_the_order_of_their_list_does_not_count(models: Path) -> None:
    sums, before = models / "SHA256SUMS", models_digest(models)
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(reversed(lines)))
    assert models_digest(models) == before
    sums.write_text("".join(lines).replace(lines[0][:4], "0000" if lines[0][:4] != "0000" else "1111", 1))
    assert models_digest(models) != before
    sums.unlink()
    with pytest.raises(OrvaultError) as caught:
        models_digest(models)
    assert caught.value.kind is ErrorKind.BAD_MODEL


def test_a_model_that_is_missing_unlisted_or_no_model_is_refused(models: Path) -> None:
    (models / YUNET).rename(models / "other.onnx")
    assert refused(models / YUNET).kind is ErrorKind.BAD_MODEL
    assert "not listed" in refused(models / "other.onnx").message
    (models / "text.onnx").write_bytes(b"no model")
    with (models / "SHA256SUMS").open("a") as sums:
        sums.write(f"{hashlib.sha256(b'no model').hexdigest()}  text.onnx\n")
    assert "no usable ONNX model" in refused(models / "text.onnx").message
    (models / "SHA256SUMS").unlink()
    assert refused(models / "text.onnx").kind is ErrorKind.BAD_MODEL


def test_cuda_is_used_when_asked_for_or_it_is_an_error() -> None:
    # Where a GPU build with a working driver runs this test, the session must really be on it.
    try:
        session = open_session(MODELS / YUNET, "cuda")
    except OrvaultError as error:
        assert error.kind is ErrorKind.PROVIDER_MISSING
        assert "cuda" in error.message
    else:
        assert session.provider == CUDA


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this onnxruntime offers CUDA")
def test_cuda_is_refused_by_the_cpu_build() -> None:
    assert refused(MODELS / YUNET, "cuda").kind is ErrorKind.PROVIDER_MISSING
    assert open_session(MODELS / YUNET, "auto").provider == CPU


def test_a_silent_fall_back_is_found_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What onnxruntime-gpu does without a driver: CUDA is offered, and the session is on the CPU.
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    native = ort.InferenceSession
    monkeypatch.setattr(
        ort, "InferenceSession", lambda model, options, providers: native(model, options, [CPU])
    )
    error = refused(MODELS / YUNET, "cuda")
    assert error.kind is ErrorKind.PROVIDER_MISSING
    assert "fell back" in error.message
    assert open_session(MODELS / YUNET, "auto").provider == CPU
    assert "did not start" in caplog.text


def test_an_unknown_provider_is_a_bad_setting() -> None:
    assert refused(MODELS / YUNET, "tpu").kind is ErrorKind.BAD_SETTINGS


def test_a_model_that_fails_says_so() -> None:
    session = open_session(MODELS / YUNET, "cpu")
    with pytest.raises(OrvaultError) as caught:
        session.run(["cls_8"], np.zeros((1, 5, 64, 96), np.float32))
    assert (caught.value.kind, caught.value.where) == (ErrorKind.UNAVAILABLE, YUNET)
