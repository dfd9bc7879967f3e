"""ray_config.yaml and the environment -> frozen, typed `Settings`.

Nothing here opens a socket or reads a secret: secrets stand in files of their own, and this names them.
An environment variable ORVAULT_API__PORT=8500 overrides `api: {port: ...}`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from cluster.access_settings import AccessSettings, RoomSettings, check_part
from cluster.camera_settings import CameraSettings, Frozen, Name, holds_secret
from cluster.control_settings import ControlSettings
from cluster.directory_settings import DirectorySettings
from cluster.event_settings import EventTargetSettings
from cluster.export_settings import ExportSettings
from cluster.history_settings import HistorySettings
from cluster.mail_settings import MailSettings
from cluster.masking_settings import MaskingSettings, VisionSettings
from cluster.settings_paths import anchored
from cluster.storage_settings import RetentionSettings, StorageSettings
from cluster.trigger_settings import TriggerSettings
from cluster.viewing_settings import ViewingSettings
from cluster.yaml_places import YamlPlaces, read_yaml
from orvault.container.keys import Kem
from orvault.errors import ErrorKind, OrvaultError
from orvault.expected import expected

Role = Literal["server", "client", "detection"]
Port = Annotated[int, Field(ge=0, le=65535)]
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


class NodeSettings(Frozen):
    """One machine of the cluster and what it may do."""

    name: Name = Field(description="The node's name; its certificate carries it.")
    roles: frozenset[Role] = Field(min_length=1, description="server: export, keys, API. client: cameras.")


class ClusterSettings(Frozen):
    """How Ray is started or joined."""

    address: str | None = Field(
        default=None, description="HOST:PORT of a running Ray head; empty starts one here."
    )
    object_store_mb: int = Field(default=256, ge=80, description="Shared memory for sealed bytes in flight.")
    num_cpus: int | None = Field(default=None, ge=1, description="Cores that Ray may plan with; empty: all.")
    token_file: Path = Field(default=Path("keys/ray.token"), description="The secret that every node shows.")
    keep_state: bool = Field(
        default=False,
        description="A head that comes back finds its nodes again (new in Ray). OPERATIONS says more.",
    )


class KeySettings(Frozen):
    """Where keys lie. None of these files is ever written to by a client node."""

    root_certificate: Path = Field(default=Path("keys/root.pem"), description="The hospital's root, public.")
    server_identity: Path = Field(
        default=Path("keys/server"), description="The export server's signing identity."
    )
    node_identities: Path = Field(default=Path("keys/nodes"), description="One folder per client node.")
    store: Path = Field(
        default=Path("keys/store"), description="Case private keys under the KEK; server only."
    )
    anchor: Path = Field(
        default=Path("keys/anchor"), description="Half of the KEK; never backed up. OPERATIONS says why."
    )
    backup: Path | None = Field(
        default=None, description="A copy of the store that follows every change; on another disk."
    )
    kek: Literal["passphrase", "pkcs11"] = Field(
        default="passphrase", description="What the store opens with; pkcs11: a key in a token."
    )
    token_module: Path | None = Field(default=None, description="The token's PKCS#11 library (kek: pkcs11).")
    token_label: str = Field(default="", max_length=32, description="The token's label (kek: pkcs11).")
    pin_file: Path | None = Field(default=None, description="Holds the token's PIN; empty: it asks.")
    revocation_list: Path = Field(
        default=Path("keys/revoked.pem"), description="Certificates the root has revoked, public."
    )
    passphrase_file: Path | None = Field(
        default=None, description="Unlocks the store at start; empty: it asks."
    )
    kem: Kem = Field(default=Kem.MLKEM768_X25519, description="How segment keys are sealed to a case.")


class LedgerSettings(Frozen):
    """The index of segments and the custody records."""

    url: str = Field(
        default="sqlite:///ledger.sqlite", description="sqlite:///PATH or mysql+pymysql://USER@HOST/DB."
    )
    password_file: Path | None = Field(default=None, description="The database account's password (MariaDB).")
    anchor_minutes: int = Field(
        default=1, ge=1, le=60, description="How often history takes down where runs stand."
    )

    @model_validator(mode="after")
    def _no_password_in_url(self) -> Self:
        before, _, after = self.url.rpartition("@")
        password = ":" in before.split("//", 1)[-1]
        if not self.url.startswith("sqlite") and (password or holds_secret(after)):
            raise ValueError("the address holds a password; put it into password_file, and write USER@HOST")
        return self


class ApiSettings(Frozen):
    """The HTTP API (Ray Serve) and the byte server."""

    host: str = Field(default="127.0.0.1", description="Address of both; beyond loopback only with TLS.")
    name: str = Field(default="", description="Host name in links and addresses; empty: the address itself.")
    port: Port = Field(default=8440, description="Port of the API; 0 takes a free one.")
    media_port: Port = Field(default=8441, description="Port of downloads; 0 takes a free one.")
    viewing_port: Port = Field(default=8442, description="Port of live and stored views; 0 takes a free one.")
    tls_certificate: Path | None = Field(default=None, description="PEM chain; with it both speak TLS only.")
    tls_key: Path | None = Field(default=None, description="PEM private key of the certificate, mode 600.")

    @model_validator(mode="after")
    def _tls_beyond_loopback(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.host not in LOOPBACK_HOSTS and self.tls_certificate is None:
            raise ValueError(
                f"{self.host} is beyond loopback, where nothing is served without TLS: "
                "set tls_certificate and tls_key, or host to 127.0.0.1"
            )
        return self


class Settings(BaseSettings):
    """Everything that a site configures."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="ORVAULT_", env_nested_delimiter="__", env_ignore_empty=True
    )

    site: str = Field(
        min_length=1, max_length=80, description="The hospital's name; stands in every package."
    )
    data: Path = Field(
        default=Path("var"), description="Segments, packages and the ledger; relative to this file."
    )
    nodes: tuple[NodeSettings, ...] = Field(min_length=1)
    cameras: tuple[CameraSettings, ...] = Field(min_length=1)
    rooms: tuple[RoomSettings, ...] = ()
    cluster: ClusterSettings = ClusterSettings()
    keys: KeySettings = KeySettings()
    ledger: LedgerSettings = LedgerSettings()
    history: HistorySettings = HistorySettings()
    vision: VisionSettings = VisionSettings()
    masking: MaskingSettings = MaskingSettings()
    api: ApiSettings = ApiSettings()
    export: ExportSettings = ExportSettings()
    storage: StorageSettings = StorageSettings()
    retention: RetentionSettings = RetentionSettings()
    control: ControlSettings = ControlSettings()
    viewing: ViewingSettings = ViewingSettings()
    triggers: tuple[TriggerSettings, ...] = ()
    events: tuple[EventTargetSettings, ...] = ()
    mail: MailSettings = MailSettings()
    directory: DirectorySettings = DirectorySettings()
    access: AccessSettings = AccessSettings()

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        _unique("nodes", [node.name for node in self.nodes])
        _unique("cameras", [camera.id for camera in self.cameras])
        _unique("rooms", [room.name for room in self.rooms])
        for part in self.viewing.live:
            check_part("viewing.live", part, self.places(), self.departments())
        _unique("triggers", [trigger.room for trigger in self.triggers])
        _unique("events", [target.name for target in self.events])
        _unique("history.witnesses", [witness.name for witness in self.history.witnesses])
        clients = [node.name for node in self.nodes if "client" in node.roles]
        for camera in self.cameras:
            if camera.node not in clients:
                known = ", ".join(clients) or "none"
                raise ValueError(f"camera {camera.id} names node {camera.node!r}; client nodes are: {known}")
        for role in ("server", "detection"):
            if not any(role in node.roles for node in self.nodes):
                raise ValueError(f"no node has the role {role!r}; give it to one under nodes")
        for trigger in self.triggers:
            trigger.home(self.places())
        known_cameras = {camera.id for camera in self.cameras}
        self.masking.check_cameras(known_cameras)
        for target in self.events:
            if unknown := sorted(set(target.channels) - known_cameras):
                raise ValueError(
                    f"events: {target.name} names cameras that are not there: {', '.join(unknown)}"
                )
        return self

    @model_validator(mode="after")
    def _directory_fits(self) -> Self:
        self.directory.check_site(self.places(), self.departments(), self.api.port)
        return self

    def warnings(self) -> list[str]:
        """What is in order and perhaps not meant, in words."""
        directory = self.directory
        return self.access.unlike(directory.second_factor_roles) if directory.issuer else []

    def departments(self) -> dict[str, str]:
        """The department of each room that has one."""
        return {room.name: room.department for room in self.rooms}

    def places(self) -> dict[str, tuple[str, str]]:
        """Room and node of each camera."""
        return {camera.id: (camera.room, camera.node) for camera in self.cameras}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file: what was set for one run wins."""
        return (env_settings, init_settings)


def load_settings(path: Path) -> Settings:
    """Read, check and anchor the settings; relative paths in them start at the file's folder.

    Errors: BAD_SETTINGS naming file, line, key and what was expected.
    """
    document, places = read_yaml(path)
    try:
        settings = Settings(**document)  # type: ignore[arg-type] # checked by pydantic, as every value of the file
    except SettingsError as error:  # of the environment: it names the setting, not its value
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"{error}.", where="environment") from None
    except ValidationError as error:
        raise _explain(path, places, error) from None
    return anchored(settings, path.resolve().parent)


def _unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} stands there twice")


def _explain(path: Path, places: YamlPlaces, error: ValidationError) -> OrvaultError:
    lines = []
    problems = error.errors(include_url=False, include_input=False)
    whole = {
        tuple(problem["loc"][:-2]) for problem in problems
    }  # of a list with a bad entry the library counts none
    for problem in problems:
        if problem["type"] == "too_short" and problem["loc"] in whole:
            continue
        key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        said = expected(problem["type"], problem.get("ctx", {}), problem["msg"])
        if problem["type"] == "extra_forbidden":
            said = "unknown key; known here: " + ", ".join(_known_keys(problem["loc"][:-1]))
        lines.append(f"{path.name}{places.line(problem['loc'])}: {key}: {said}")
    return OrvaultError(
        ErrorKind.BAD_SETTINGS, "\n".join(lines), advice="\nEvery setting is described in docs/OPERATIONS.md."
    )


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, str) and (inner := group_in(model.model_fields[part].annotation)) is not None:
            model = inner
    return sorted(model.model_fields)


def group_in(annotation: object) -> type[BaseModel] | None:
    """The group of settings that a field holds: one, one that may be left out, or several; else None."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((group for part in get_args(annotation) if (group := group_in(part)) is not None), None)
