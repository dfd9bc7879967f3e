"""Real identities, keys and packages for the tests of the container and the player; cheap Argon2id, true formats."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, replace
from pathlib import Path

from orvault.clock import US_PER_S, FakeClock
from orvault.container.activation import Activation
from orvault.container.keys import (
    Argon2idParams,
    PrivateKey,
    PublicKey,
    Recipient,
    generate_private_key,
    password_recipient,
)
from orvault.container.package import MediaInfo, PackageBuilder, PackageTerms
from orvault.container.segment import SealedSegment, SegmentMeta, SegmentSigner, seal_content
from orvault.container.trust import Identity, create_root, issue
from orvault.video.encoding import FRAGMENTED

MEDIA = Path(__file__).resolve().parents[1] / "media"
CLIP = MEDIA / "raise_left_side.mp4"
OTHER_CLIP = MEDIA / "raise_right_back.mp4"
PASSWORD = "correct horse battery"
CHEAP = Argon2idParams(memory_kib=8 * 1024, iterations=1, lanes=1)
CLOCK = FakeClock()
NOW_US = CLOCK.now_us()
DAY_US = 86_400 * US_PER_S
CHUNK_BYTES = 1 << 16
DIGEST = "ab" * 32


def hospital(name: str = "Seoul Hospital") -> tuple[Identity, Identity, Identity]:
    """Root, export server, node: the same for the same name, whichever way it is passed."""
    return _hospital(name)


@functools.cache
def _hospital(name: str) -> tuple[Identity, Identity, Identity]:
    # The certificates last long enough for the real clock too.
    root = create_root(f"{name} root", FakeClock(us=1_700_000_000 * US_PER_S), years=40)
    early = FakeClock(us=1_700_000_000 * US_PER_S)
    return (
        root,
        issue(root, f"{name} export", "export-server", early, 12_000),
        issue(root, "node-1", "node", early, 12_000),
    )


@functools.cache
def recipient_key() -> PrivateKey:
    return generate_private_key()


@functools.cache
def password_person(password: str = PASSWORD) -> Recipient:
    return password_recipient("Kim 김", password, CHEAP)


def segment_meta(sequence: int = 0, **changes: object) -> SegmentMeta:
    meta = SegmentMeta(
        segment_id=f"seg-{sequence}",
        node_id="node-1",
        case_id="case-1",
        camera_id="or1-ceiling",
        run_id="run-1",
        sequence=sequence,
        epoch=1,
        start_us=NOW_US + sequence * 2 * US_PER_S,
        end_us=NOW_US + (sequence + 1) * 2 * US_PER_S,
        codec="h264",
        width=1280,
        height=720,
        frames=30,
    )
    return replace(meta, **changes)  # type: ignore[arg-type]


def seal_segment(
    identity: Identity,
    meta: SegmentMeta,
    fragment: bytes,
    case_key: PublicKey,
    previous: str = "",
    chunk_bytes: int = CHUNK_BYTES,
) -> SealedSegment:
    """A segment as a camera and its node make it."""
    return SegmentSigner(identity).sign(seal_content(meta, fragment, case_key, chunk_bytes), previous)


def terms(**changes: object) -> PackageTerms:
    value = PackageTerms(
        package_id="pkg-1",
        request_id="req-1",
        case_id="case-1",
        purpose="court order\nSeoul Central 2026-1",
        legal_basis="court",
        recipients=("Kim 김", "Court"),
        terms_text="For the named purpose only.\nDestroy it afterwards.",
        masking="head, solid",
        watermark="OR Vault req-1 환자",
        not_before_us=NOW_US,
        not_after_us=NOW_US + 30 * DAY_US,
        issued_us=NOW_US,
    )
    return replace(value, **changes)  # type: ignore[arg-type]


@functools.cache
def fragmented(clip: Path) -> bytes:
    """A clip as a package has its video: written forwards, in fragments, none of its pictures coded again."""
    import av

    out = io.BytesIO()
    with av.open(str(clip)) as source, av.open(out, "w", format="mp4", options=FRAGMENTED) as target:
        video = source.streams.video[0]
        stream = target.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return out.getvalue()


@functools.cache
def clip_frames(path: Path) -> tuple[int, int, int, float]:
    """Frames, width, height, frames per second."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return frames, stream.width, stream.height, float(stream.average_rate or 0)


def media_info(camera_id: str, clip: Path, **changes: object) -> MediaInfo:
    frames, width, height, fps = clip_frames(clip)
    info = MediaInfo(
        camera_id=camera_id,
        title="Ceiling",
        width=width,
        height=height,
        fps=fps,
        frames=frames,
        start_us=NOW_US,
        end_us=NOW_US + round(frames / fps * US_PER_S),
        gaps=((NOW_US + 1, NOW_US + 2),),
        sources=({"segment_id": "seg-0", "digest": DIGEST},),
    )
    return replace(info, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Made:
    path: Path
    root_der: bytes
    data: bytes


def make_package(
    folder: Path,
    *,
    name: str = "test.orvault",
    clips: dict[str, Path] | None = None,
    recipients: tuple[Recipient, ...] | None = None,
    who: str = "Seoul Hospital",
    chunk_bytes: int = CHUNK_BYTES,
    infos: dict[str, dict[str, object]] | None = None,
    activation: Activation | None = None,
    **changes: object,
) -> Made:
    """A real package, built by the product's own builder."""
    root, server, _ = hospital(who)
    clips = clips or {"or1": CLIP, "or2": OTHER_CLIP}
    if recipients is None:
        recipients = (password_person(), Recipient("Court", recipient_key().public()))
    out = folder / name
    with PackageBuilder(folder, server, terms(**changes), chunk_bytes, activation) as builder:
        for camera_id, clip in clips.items():
            with builder.media_sink(camera_id) as sink:
                sink.write(fragmented(clip))
        described = [
            media_info(camera, clip, **(infos or {}).get(camera, {})) for camera, clip in clips.items()
        ]
        builder.finish(out, described, recipients)
    return Made(out, root.certificate_der, out.read_bytes())
