"""Canaille, a real OpenID provider, as a process of its own on loopback: one client, two people, one group.

`python -m tests.unit.canaille_server REDIRECT_URI` writes a line of JSON (its issuer) and serves until it is ended.
Its framework and its settings of the environment stay out of the tests' process; so does pytest-iam's own fixture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

CLIENT, CLIENT_SECRET = "orvault", "canaille-secret-7"
GROUP = "or-records"
MEMBER, STRANGER, PASSWORD = "kim.jiwon", "lee.minho", "directory-password-7"


@contextmanager
def running(redirect_uri: str) -> Iterator[str]:
    """The issuer of a provider that sends people back to this address, and is gone afterwards."""
    command = [sys.executable, "-m", "tests.unit.canaille_server", redirect_uri]
    environment = os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"}  # loopback has no TLS
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], env=environment, text=True
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line, f"Canaille ended with {server.wait(10)}"
            yield str(json.loads(line)["issuer"])
        finally:
            server.kill()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def _settings(address: str) -> dict[str, Any]:
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048, auto_kid=True)
    return {
        "SECRET_KEY": os.urandom(16).hex(),
        "WTF_CSRF_ENABLED": False,  # the tests' browser reads no forms
        "PREFERRED_URL_SCHEME": "http",
        "SERVER_NAME": address,
        "CANAILLE": {
            "DATABASE": "memory",
            "JAVASCRIPT": False,
            "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
            "LOGGING": {"version": 1, "disable_existing_loggers": False},
        },
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
    }


def _populate(redirect_uri: str) -> None:
    from canaille.app import models
    from canaille.backends import Backend

    people = [
        models.User(
            user_name=name,
            formatted_name=name.replace(".", " ").title(),
            display_name=name,
            family_name=name.split(".")[1],
            emails=[f"{name}@hospital.test"],
            password=PASSWORD,
        )
        for name in (MEMBER, STRANGER)
    ]
    client = models.Client(
        client_id=CLIENT,
        client_secret=CLIENT_SECRET,
        client_name="OR Vault",
        client_uri="http://127.0.0.1/",
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "groups"],
        token_endpoint_auth_method="client_secret_post",
    )
    for made in (*people, client):
        Backend.instance.save(made)
    client.audience = [client]
    Backend.instance.save(client)
    Backend.instance.save(models.Group(display_name=GROUP, members=[people[0]]))


def main() -> None:
    from canaille import create_app

    server = make_server("127.0.0.1", 0, None, handler_class=_Quiet)  # type: ignore[arg-type]
    address = f"127.0.0.1:{server.server_port}"
    app = create_app(config=_settings(address))
    with app.app_context():
        _populate(sys.argv[1])
    server.set_app(app)
    sys.stdout.write(json.dumps({"issuer": f"http://{address}"}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
