"""Makes the relative paths of the settings absolute: clips and models from their file on, all else from `data` on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from cluster.event_settings import EventTargetSettings
from cluster.export_settings import ExportSettings
from cluster.history_settings import HistorySettings, WitnessSettings

if TYPE_CHECKING:
    from cluster.camera_settings import CameraSettings
    from cluster.settings import Settings

# Relative to `data`; the token's library is a path of the system.
KEY_PATHS = (
    "root_certificate", "server_identity", "node_identities", "store", "anchor", "backup", "passphrase_file",
    "pin_file", "revocation_list",
)  # fmt: skip


def anchored(settings: Settings, base: Path) -> Settings:
    """The settings with every relative path made absolute; `base` is their file's folder."""
    data = base / settings.data
    keys = settings.keys.model_copy(
        update={
            name: None if value is None else data / value
            for name in KEY_PATHS
            for value in [getattr(settings.keys, name)]
        }
    )
    cameras = tuple(_anchored_camera(camera, base, data) for camera in settings.cameras)
    ledger = settings.ledger
    if ledger.url.startswith("sqlite:///") and not ledger.url.startswith("sqlite:////"):
        ledger = ledger.model_copy(
            update={"url": f"sqlite:///{data / ledger.url.removeprefix('sqlite:///')}"}
        )
    if ledger.password_file is not None:
        ledger = ledger.model_copy(update={"password_file": data / ledger.password_file})
    vision = settings.vision.model_copy(update={"models": base / settings.vision.models})
    cluster = settings.cluster.model_copy(update={"token_file": data / settings.cluster.token_file})
    api = settings.api
    if api.tls_certificate is not None and api.tls_key is not None:
        files = {"tls_certificate": data / api.tls_certificate, "tls_key": data / api.tls_key}
        api = api.model_copy(update=files)
    changes = {
        "api": api,
        "data": data,
        "cluster": cluster,
        "keys": keys,
        "cameras": cameras,
        "history": _anchored_history(settings.history, data),
        "mail": settings.mail.model_copy(update=_below(data, settings.mail, "password_file", "ca_file")),
        "directory": settings.directory.model_copy(
            update=_below(data, settings.directory, "client_secret_file", "ca_file")
        ),
        "export": _anchored_export(settings.export, data),
        "events": tuple(_anchored_target(target, data) for target in settings.events),
        "ledger": ledger,
        "vision": vision,
    }
    return settings.model_copy(update=changes)


def _anchored_camera(camera: CameraSettings, base: Path, data: Path) -> CameraSettings:
    changes: dict[str, object] = {
        name: f"file:{base / url.removeprefix('file:')}"
        for name, url in (("source", camera.source), ("sub_source", camera.sub_source))
        if url.startswith("file:")
    }
    return camera.model_copy(update=changes | _below(data, camera, "password_file", "ca_file"))


def _anchored_history(history: HistorySettings, data: Path) -> HistorySettings:
    witnesses = tuple(_anchored_witness(witness, data) for witness in history.witnesses)
    stamp = history.time_stamp
    if stamp is not None:
        stamp = stamp.model_copy(update={"ca_file": data / stamp.ca_file})
    changes = {"folder": data / history.folder, "witnesses": witnesses, "time_stamp": stamp}
    return history.model_copy(update=changes)


def _anchored_export(export: ExportSettings, data: Path) -> ExportSettings:
    activation = export.activation.model_copy(update=_below(data, export.activation, "ca_file"))
    return export.model_copy(update={"activation": activation})


def _anchored_witness(witness: WitnessSettings, data: Path) -> WitnessSettings:
    return witness.model_copy(update=_below(data, witness, "ca_file", "token_file"))


def _anchored_target(target: EventTargetSettings, data: Path) -> EventTargetSettings:
    return target.model_copy(update=_below(data, target, "ca_file", "secret_file"))


def _below(data: Path, part: BaseModel, *names: str) -> dict[str, Path]:
    """Those files that are named, below the data folder."""
    return {name: data / path for name in names if (path := getattr(part, name)) is not None}
