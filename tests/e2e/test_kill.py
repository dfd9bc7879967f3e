"""Kill anything while it records: what was durable stays, the run goes on by itself, and what is missing is told."""

from __future__ import annotations

import time
from itertools import pairwise

from cluster.client import ApiClient
from orvault.clock import from_iso
from orvault.container.segment import read_header, segment_digest
from tests.e2e.site import Site, armed_case, eventually, settled

JOINT_US = 500_000  # the recorder calls a gap what is longer (orvault/recording/recorder.py)


def segments_of(site: Site, case_id: str) -> list[bytes]:
    return [
        path.read_bytes() for path in sorted((site.data / "segments").rglob(f"{case_id}/ceiling/*/*.seg"))
    ]


def test_killing_encryption_and_camera_loses_nothing_durable(site: Site, asker: ApiClient) -> None:
    case_id = armed_case(asker, "E2E-KILL")
    asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": ["ceiling"]})
    eventually(lambda: len(segments_of(site, case_id)) >= 2, 30)
    kept = segments_of(site, case_id)

    site.kill("ray::EncryptionActor")
    before = len(segments_of(site, case_id))
    eventually(lambda: len(segments_of(site, case_id)) >= before + 2, 60)

    site.kill("ray::CameraActor", many=True)
    before = len(segments_of(site, case_id))
    eventually(lambda: len(segments_of(site, case_id)) >= before + 2, 60)
    time.sleep(1)
    asker.post(f"/cases/{case_id}/close")
    eventually(lambda: settled(asker, case_id, 1), 30)

    data = segments_of(site, case_id)
    assert data[: len(kept)] == kept, "a durable segment was lost or changed"
    headers = [read_header(piece) for piece in data]
    assert [header.meta.sequence for header in headers] == list(range(len(data)))
    for (piece, _), (_, after) in pairwise(zip(data, headers, strict=True)):
        assert after.previous == segment_digest(piece)

    (run,) = asker.get("/recordings", case_id=case_id)
    assert run["segments"] == len(data)
    assert run["missing_segments"] == 0
    told = [(from_iso(gap["from"]), from_iso(gap["to"])) for gap in run["gaps"]]
    for first, second in pairwise(header.meta for header in headers):
        if second.start_us - first.end_us > JOINT_US:
            assert (first.end_us, second.start_us) in told, "a hole in the recording that nobody is told of"
