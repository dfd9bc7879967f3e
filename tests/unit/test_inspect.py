"""`orvault inspect`: it shows what stands in clear, checks what needs no key, and loads no cluster for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from cluster.cli import app
from orvault.container.segment import read_header, segment_digest
from tests.vectors.world import FOLDER, flipped

PROJECT = Path(__file__).parents[2]
SEGMENT, PACKAGE = FOLDER / "segment/good-1.seg", FOLDER / "package/good.orvault"


def inspect(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def pem(folder: Path, name: str) -> Path:
    path = folder / f"{name}.pem"
    certificate = x509.load_der_x509_certificate((FOLDER / f"certificates/{name}.der").read_bytes())
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def test_a_segment_shows_its_header_its_place_in_the_chain_and_whom_it_opens_for(tmp_path: Path) -> None:
    told = json.loads(inspect(SEGMENT, "--json").stdout)
    header = read_header(SEGMENT.read_bytes())
    assert (told["case"], told["camera"], told["number"]) == ("case-1", "or1-ceiling", 1)
    assert told["digest"] == segment_digest(SEGMENT.read_bytes()) and told["previous"] == header.previous
    assert told["opens for"] == [f"{header.key_thumbprint} (mlkem768-x25519)"]
    assert "not who signed" in told["checked"] and told["found"] == "nothing wrong"
    signed = json.loads(inspect(SEGMENT, "--json", "--certificate", pem(tmp_path, "node")).stdout)
    assert "the signature" in signed["checked"] and signed["found"] == "nothing wrong"


def test_a_table_for_people_holds_the_same() -> None:
    result = inspect(SEGMENT)
    assert result.exit_code == 0
    for words in ("or1-ceiling", "h264 1280x720, 30 frames", "nothing wrong"):
        assert words in result.stdout


@pytest.mark.parametrize(("name", "code"), [("other-node", 16), ("forger-node", 16)])
def test_another_nodes_certificate_is_told(tmp_path: Path, name: str, code: int) -> None:
    result = inspect(SEGMENT, "--certificate", pem(tmp_path, name))
    assert result.exit_code == code and "Another node" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("segment/chunk.seg", 10, "ciphertext"),
        ("segment/appended.seg", 10, "appended"),
        ("segment/length.seg", 10, "claims to be"),
        ("package/flip-chunk.orvault", 10, "Chunk 2 of 3"),
        ("package/expired.orvault", 12, "could be opened"),
        ("package/none-text.orvault", 17, "not an OR Vault package"),
        ("package/forger-chain.orvault", 16, "not issued"),
        ("nothing.orvault", 18, "no such file"),
    ],
)
def test_what_is_wrong_is_told_with_its_exit_code(file: str, code: int, words: str) -> None:
    result = inspect(FOLDER / file)
    assert result.exit_code == code, result.output
    assert words in " ".join(result.output.split())


def test_a_segment_without_sidecar_is_shown_all_the_same(tmp_path: Path) -> None:
    alone = shutil.copy(SEGMENT, tmp_path / "alone.seg")
    assert "no sidecar" in json.loads(inspect(alone, "--json").stdout)["opens for"]


def test_a_package_shows_its_label_and_no_name_of_a_person(tmp_path: Path) -> None:
    result = inspect(PACKAGE, "--json", "--certificate", pem(tmp_path, "root"))
    told = json.loads(result.stdout)
    assert result.exit_code == 0 and told["package"] == "pkg-vector" and "the one given" in told["root"]
    assert len(told["opens for"]) == told["slots issued"] == 2 and len(told["cameras"]) == 2
    assert "Kim" not in result.stdout and "case-1" not in result.stdout
    assert "not known here" in json.loads(inspect(PACKAGE, "--json").stdout)["root"]


def test_a_cut_package_shows_what_is_left(tmp_path: Path) -> None:
    cut = tmp_path / "cut.orvault"
    cut.write_bytes(PACKAGE.read_bytes()[:-3000])
    result = inspect(cut, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 11 and told["package"] == "pkg-vector" and "ends after" in told["found"]


def test_what_a_file_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    data = SEGMENT.read_bytes()
    spoilt = tmp_path / "spoilt.seg"
    spoilt.write_bytes(flipped(data, data.index(b'"camera_id":"or1') + 14, 0x74))  # an escape in the id
    result = inspect(spoilt)
    assert result.exit_code == 10 and "\x1b" not in result.output


def test_it_loads_neither_ray_nor_a_database() -> None:
    code = (
        "import sys; from cluster.cli import app; app(['inspect', sys.argv[1]], standalone_mode=False);"
        "print([name for name in ('ray', 'sqlalchemy', 'fastapi') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(SEGMENT)], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip().splitlines()[-1] == "[]", run.stderr
