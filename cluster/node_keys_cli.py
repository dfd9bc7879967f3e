"""`orvault keys request-node | enrol-node | accept-node`: how a node comes by its key and certificate.

The key is made on the node and stays there: 1. `request-node` on the node, 2. `enrol-node --request` where the root
is, 3. `accept-node` on the node. Without a request `enrol-node` makes the key too: for sites of one machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from cluster.command import DEFAULT_CONFIG, ConfigOption, ready, settings_of
from cluster.console import errors_in_words, out
from cluster.root_access import RootFolderOption, opened_root, publish
from cluster.settings import Settings
from cluster.trust_files import day, put_certificate, put_identity, waiting_folder
from orvault.clock import SystemClock
from orvault.container.authority import Authority
from orvault.container.enrolment import read_certificate
from orvault.container.request import (
    REQUEST_FILE,
    NodeRequest,
    accept_certificate,
    make_request,
    read_request,
)
from orvault.container.trust import CERTIFICATE_FILE, CertificateRole, fingerprint, to_der
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped

NodeArgument = Annotated[str, typer.Argument(help="The node's name in the settings.")]


def request_node(name: NodeArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """On the node: make its key, which stays here, and a request to bring to the root."""
    with errors_in_words():
        settings = settings_of(config)
        _require_client(settings, name)
        folder = waiting_folder(settings, name)
        asked = make_request(folder, name)
        out.print(
            f"Bring {folder / REQUEST_FILE} to the root: `orvault keys enrol-node {name} --request FILE`."
        )
        out.print(f"Key of {name}, to compare there: [bold]{grouped(asked.key_digest)}[/]")
        out.print("What this node records with now stays in use until `orvault keys accept-node`.")


def enrol_node(
    name: NodeArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    root_folder: RootFolderOption = None,
    request: Annotated[
        Path | None,
        typer.Option(help="What `request-node` made; without it the key is made here.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the certificate is good for.")] = 398,
    renew: Annotated[bool, typer.Option("--renew", help="Replace a certificate that is there.")] = False,
) -> None:
    """Where the root is: issue a node's certificate, for the key that it made itself if there is a request."""
    with errors_in_words():
        settings = ready(config)
        _require_client(settings, name)
        folder = settings.keys.node_identities / name
        if (folder / CERTIFICATE_FILE).exists() and not renew:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "this node is enrolled.",
                where=str(folder),
                advice="--renew gives it a new certificate; old footage keeps the old one.",
            )
        asked = None if request is None else _confirmed(read_request(request, name))
        authority = opened_root(settings, root_folder)
        if asked is None:
            made = authority.issue(name, CertificateRole.NODE, days)
            put_identity(folder, made)
            certificate, advice = made.certificate, _bring_the_key(folder)
        else:
            certificate = authority.grant(asked, days)
            put_certificate(folder, certificate, authority.root.certificate)
            advice = _bring_the_certificate(folder, name)
        _say_enrolled(settings, authority, name, certificate)
        out.print(advice)


def accept_node(
    name: NodeArgument,
    certificate: Annotated[Path, typer.Argument(help="The certificate that `enrol-node` issued.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """On the node: put the certificate beside the key that it was asked with."""
    with errors_in_words():
        settings = settings_of(config)
        _require_client(settings, name)
        waiting = waiting_folder(settings, name)
        if not waiting.exists():
            raise OrvaultError(
                ErrorKind.KEY_MISSING,
                f"no certificate was asked for here for {name}.",
                where=str(waiting),
                advice=f"`orvault keys request-node {name}` is the first step.",
            )
        known = settings.keys.root_certificate
        roots = [read_certificate(known)] if known.exists() else []
        made, issuer = accept_certificate(waiting, certificate, name, roots, SystemClock().now_us())
        put_identity(settings.keys.node_identities / name, made)
        shutil.rmtree(waiting)  # its key stands in the identity now
        out.print(f"{name} seals with {grouped(made.fingerprint)} when it is started again.")
        out.print(f"It is good until {day(made.certificate.not_valid_after_utc)}.")
        if not roots:
            out.print("Compare the root's fingerprint with paper:")
            out.print(f"[bold]{grouped(issuer.fingerprint)}[/]")


def _confirmed(asked: NodeRequest) -> NodeRequest:
    """What a request cannot prove by itself: that nobody swapped it on its way."""
    out.print(f"Key of {asked.name}: [bold]{grouped(asked.key_digest)}[/]")
    if not typer.confirm("Does the node show the same?", err=True):
        raise OrvaultError(
            ErrorKind.UNTRUSTED,
            "this is not the node's key; nothing was issued.",
            where=asked.name,
            advice="Find out who exchanged the request on its way, then ask again on the node.",
        )
    return asked


def _say_enrolled(settings: Settings, authority: Authority, name: str, made: x509.Certificate) -> None:
    publish(settings, authority.renew_list())
    out.print(f"Node {name} is enrolled until {day(made.not_valid_after_utc)}.")
    out.print(f"Fingerprint: [bold]{grouped(fingerprint(to_der(made)))}[/]")


def _bring_the_key(folder: Path) -> str:
    return f"Bring {folder} to the node, then remove {folder / 'key.pem'} here."


def _bring_the_certificate(folder: Path, name: str) -> str:
    return f"Bring {folder / CERTIFICATE_FILE} to the node: `orvault keys accept-node {name} FILE`."


def _require_client(settings: Settings, name: str) -> None:
    known = [node.name for node in settings.nodes if "client" in node.roles]
    if name not in known:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"there is no client node {name!r}; known: {', '.join(known)}.",
            where="nodes",
            advice="Add it to the settings first.",
        )
