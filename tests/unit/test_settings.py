"""Every bad setting is refused with its place and what was expected; a good file becomes frozen settings."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.services import ledger_address
from cluster.settings import Settings, load_settings
from orvault.container.activation import Activation
from orvault.container.note import COSIGNATURE, ED25519, NoteKey
from orvault.custody.activation import ActivationMode, ActivationPolicy
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.activation_server import make_authority

PROJECT = Path(__file__).parents[2]
GOOD = """\
site: Test Hospital
data: var
nodes:
  - name: server-1
    roles: [server, detection]
  - name: client-1
    roles: [client]
cameras:
  - id: cam-1
    title: One
    room: OR-1
    node: client-1
    source: rtsp://camera.example/stream
    username: viewer
    password_file: secrets/cam-1
"""


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "ray_config.yaml"
    path.write_text(text)
    return load_settings(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(OrvaultError) as error:
        load(tmp_path, text)
    assert error.value.kind is ErrorKind.BAD_SETTINGS
    return str(error.value)


def test_a_good_file_is_read_and_its_paths_start_at_its_folder(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert settings.data == tmp_path / "var"
    assert settings.keys.store == tmp_path / "var/keys/store"
    assert settings.ledger.url == f"sqlite:///{tmp_path}/var/ledger.sqlite"
    assert settings.cameras[0].password_file == tmp_path / "var/secrets/cam-1"


def test_the_time_recordings_are_kept_may_be_raised_and_never_lowered(tmp_path: Path) -> None:
    longer = load(tmp_path, GOOD + "retention: {floor_days: 60, approve: false}\n").retention  # type: ignore[attr-defined]
    assert longer.policy().keep_us == 60 * 86_400_000_000 and "by themselves, 7 days" in longer.words()
    words = refused(tmp_path, GOOD + "retention: {floor_days: 29}\n")
    assert "retention" in words and "30 days at least" in words and "never lowered" in words
    assert "below floor_days" in refused(tmp_path, GOOD + "retention: {floor_days: 91}\n")


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        load(tmp_path, GOOD).api.port = 1


def test_the_projects_own_file_is_good() -> None:
    assert load_settings(PROJECT / "ray_config.yaml").cameras


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: One", "titel: One", ["ray_config.yaml:10", "cameras.0.titel", "unknown key", "title"]),
        ("site: Test", "sight: x\nsite: Test", ["ray_config.yaml:1", "sight", "unknown key", "site"]),
        ("roles: [client]", "roles: [clinet]", ["ray_config.yaml:7", "nodes.1.roles", "'client'"]),
        ("node: client-1", "node: client-9", ["cam-1", "'client-9'", "client-1"]),
        ("rtsp://camera", "http://camera", ["ray_config.yaml:13", "cameras.0.source", "file:PATH"]),
        ("id: cam-1", "id: ../etc", ["ray_config.yaml:9", "cameras.0.id"]),
        ("data: var", "data: var\ndata: other", ["ray_config.yaml:3", "'data'", "twice"]),
        ("data: var", "data: [var", ["ray_config.yaml", "YAML"]),
        ("data: var", "api: {host: 0.0.0.0}", ["ray_config.yaml:2", "0.0.0.0", "TLS"]),
        ("data: var", "api: {port: 99999}", ["api.port", "65535"]),
        ("data: var", "vision: {provider: tpu}", ["vision.provider", "'cuda'"]),
        ("roles: [client]", "roles: []", ["nodes.1.roles: not empty"]),
        ("[server, detection]", "[detection]", ["no node has the role 'server'"]),
    ],
)
def test_a_bad_setting_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    assert old in GOOD
    message = refused(tmp_path, GOOD.replace(old, new))
    for part in expected:
        assert part in message


def test_credentials_in_a_camera_address_are_refused_and_not_repeated(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("rtsp://camera", "rtsp://viewer:hunter2@camera"))
    assert "password_file" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("key", ["source", "sub_source"])
@pytest.mark.parametrize(
    "address",
    [
        "rtsp://admin:hunter2/w@10.0.0.1/s",
        "rtsp://admin:a@hunter2@10.0.0.1/s",
        "rtsps://hunter2@10.0.0.1/s",
        "rtsp://10.0.0.1/s?user=admin&password=hunter2",
        "rtsp://10.0.0.1/s?PWD=hunter2",
    ],
)
def test_no_spelling_of_credentials_in_a_camera_address_passes(
    tmp_path: Path, key: str, address: str
) -> None:
    message = refused(
        tmp_path,
        GOOD.replace("    username", f"    {key}: {address}\n    username").replace(
            "    source: rtsp://camera.example/stream\n",
            "" if key == "source" else "    source: rtsp://c/s\n",
        ),
    )
    assert "password_file" in message and "hunter2" not in message


def test_a_clip_may_have_any_name(tmp_path: Path) -> None:
    clip = GOOD.replace("rtsp://camera.example/stream", "file:clips/a@b?password=c.mp4")
    assert load(tmp_path, clip).cameras[0].source.endswith("a@b?password=c.mp4")


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://vault:hunter2@db/vault",
        "mysql+pymysql://vault:hunter2/x@db/vault",
        "mysql+pymysql://vault:@hunter2@db/vault",
        "mysql+pymysql://vault@db/vault?passwd=hunter2",
    ],
)
def test_a_password_in_the_ledgers_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    message = refused(tmp_path, GOOD + f"ledger:\n  url: {url}\n")
    assert "password_file" in message and "hunter2" not in message


def test_the_ledgers_address_with_its_account_alone_is_good_and_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD + "ledger:\n  url: mysql+pymysql://vault@db:3306/vault\n")
    assert ledger_address(settings).url == "mysql+pymysql://vault@db:3306/vault"
    assert "vault@db" not in repr(ledger_address(settings))
    at = load(tmp_path, GOOD + "ledger:\n  url: sqlite:////srv/a:b@c/ledger.sqlite\n")
    assert at.ledger.url.endswith("a:b@c/ledger.sqlite")


def test_missing_file_and_other_content(tmp_path: Path) -> None:
    with pytest.raises(OrvaultError, match="no such file"):
        load_settings(tmp_path / "none.yaml")
    assert "key: value" in refused(tmp_path, "- a\n- b\n")
    assert "key: value" in refused(tmp_path, "")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path, words in ((tmp_path / "binary.yaml", "not a text file"), (tmp_path, "Is a directory")):
        with pytest.raises(OrvaultError, match=words):
            load_settings(path)


def test_a_list_with_a_bad_entry_is_not_called_empty_too(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("id: cam-1", 'id: ""'))
    assert "cameras.0.id" in message and "cameras: " not in message


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORVAULT_API__PORT", "8500")
    assert load(tmp_path, GOOD + "api:\n  port: 8440\n").api.port == 8500


def test_witnesses_are_named_once_with_their_own_keys_and_https(tmp_path: Path) -> None:
    key = NoteKey("w.example/1", COSIGNATURE, b"k" * 32).text
    logs = NoteKey("w.example/1", ED25519, b"k" * 32).text
    witness = "{{name: far, url: {url}, key: {key}, token_file: token}}"

    def load(*witnesses: str) -> Settings:
        path = tmp_path / "ray_config.yaml"
        path.write_text(GOOD + f"\nhistory: {{witnesses: [{', '.join(witnesses)}]}}\n")
        return load_settings(path)

    good = witness.format(url="https://w.example:8450", key=key)
    (place,) = [each for each in load(good).history.places() if each.name != "folder"]
    assert place.name == "witness:far" and load(good).history.witnesses[0].token_file.is_absolute()
    for bad in (
        [good, good],
        [witness.format(url="http://w.example", key=key)],
        [witness.format(url="https://w.example", key=logs)],
        [witness.format(url="https://w.example", key="nonsense")],
    ):
        with pytest.raises(OrvaultError) as caught:
            load(*bad)
        assert caught.value.kind is ErrorKind.BAD_SETTINGS


def test_activation_names_where_it_is_asked_for_and_who_certifies_that(tmp_path: Path) -> None:
    for wrong in (
        "{mode: always}",
        "{mode: offered, address: 'http://vault.test'}",
        "{hours: 0}",
        "{plays: 0}",
    ):
        assert "export.activation" in refused(tmp_path, GOOD + f"export: {{activation: {wrong}}}\n")
    never = load(tmp_path, GOOD)
    assert never.export.activation.place() is None  # type: ignore[attr-defined]
    ca, _, _ = make_authority(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/ca.pem").write_text(ssl.DER_cert_to_PEM_cert(ca))
    mode = "mode: always, address: 'https://vault.test:8443', ca_file: ca.pem, hours: 3, plays: 5"
    settings = load(tmp_path, GOOD + f"export: {{activation: {{{mode}}}}}\n").export  # type: ignore[attr-defined]
    assert settings.activation.place() == Activation("https://vault.test:8443", ca)
    assert settings.policy().activation == ActivationPolicy(ActivationMode.ALWAYS, 5, 3)
    (tmp_path / "var/ca.pem").write_text("no certificate")
    with pytest.raises(OrvaultError) as caught:
        settings.activation.place()
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


def _multiplied(of: str, into: str) -> str:
    """Ten levels, each ten times the one before."""
    levels = [f"a{n}: &a{n} {into.format(', '.join([f'*a{n - 1}'] * 10))}" for n in range(1, 10)]
    return "\n".join([f"a0: &a0 {of}", *levels]) + "\n"


@pytest.mark.parametrize(
    "more",
    [
        _multiplied("[x, x]", "[{}]"),
        _multiplied("{k: 1}", "{{<<: [{}]}}"),
        "x: &x [*x]\n",
        "x: " + "[" * 3000 + "]" * 3000 + "\n",
        "x: " + "1" * 5000 + "\n",
        "1: 2\n",
    ],
    ids=["lists", "merges", "itself", "deep", "long", "no name"],
)
def test_a_file_that_is_small_and_without_end_is_refused_at_once(tmp_path: Path, more: str) -> None:
    assert "ray_config.yaml" in refused(tmp_path, GOOD + more)


def test_no_password_of_a_mistyped_address_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = refused(tmp_path, f"{GOOD}directory: {{issuer: 'https://me:hush@login', client_id: a}}\n")
    assert "directory: issuer" in told and "hush" not in told
    monkeypatch.setenv("ORVAULT_CAMERAS", "[{'password': 'hush'")
    told = refused(tmp_path, GOOD)
    assert "cameras" in told and "hush" not in told
