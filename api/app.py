"""Builds the HTTP API over custody: routes, problem documents, limits, and its own documentation page.

Rights and rules are custody's; bytes of packages are served by `media`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api import errors
from api.docs_page import add_docs
from api.examples import add_examples
from api.middleware import BodyLimit, SecurityHeaders
from api.paths import PREFIX
from api.routes import (
    accounts,
    activations,
    cases,
    control,
    deciding,
    directory,
    exports,
    granting,
    history,
    machines,
    papers,
    recordings,
    results,
    retention,
    scans,
    search,
    second_factors,
    viewing,
    watermarks,
)
from api.services import Services

__all__ = ["Services", "build_app", "start_api", "stop_api"]

_NAME = "api"
_AT_ONCE = 64  # requests that one replica works on; more wait in Serve's queue

_TAGS = [
    {
        "name": "Session",
        "description": "Sign in and out. Tokens live 15 minutes, unless the site says otherwise.",
    },
    {"name": "Accounts", "description": "People and machines that may sign in, each with one role."},
    {"name": "Cameras", "description": "Cameras and what they do now."},
    {"name": "Cases", "description": "Operations. A camera records only under an armed case."},
    {"name": "Rooms", "description": "Operating rooms: state, start and stop signals, reasons that are due."},
    {"name": "Recordings", "description": "What was recorded. Pictures leave by an export only."},
    {"name": "Search", "description": "Cases, recordings and events, page by page."},
    {
        "name": "Viewing",
        "description": "Live and stored pictures, masked unless a grant says more; four eyes on each grant.",
    },
    {"name": "Exports", "description": "Requests for a masked, watermarked, sealed copy; four eyes on each."},
    {
        "name": "Activation",
        "description": "What a player asks for before a package opens, without an account.",
    },
    {"name": "Retention", "description": "How long recordings are kept, legal holds, and their destruction."},
    {"name": "History", "description": "Every act, append-only."},
    {"name": "System", "description": "Whether the system answers."},
]
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:orvault:problem:basis-missing"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, in words for a person."},
        "where": {"type": "string", "description": "The field or object it is about."},
        "advice": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "expected": {"type": "string"}},
            },
        },
        "correlation_id": {"type": "string", "description": "The same number stands in the server's log."},
    },
}


def build_app(services: Services) -> FastAPI:
    """The API as an ASGI application; it keeps no state of its own, so any number of copies may run."""
    app = FastAPI(
        title="OR Vault",
        version=services.version,
        summary="Sealed recording and lawful export of operating-room video",
        openapi_url=f"{PREFIX}/openapi.json",
        openapi_tags=_TAGS,
        docs_url=None,  # FastAPI's page loads its scripts from the internet; see docs_page
        redoc_url=None,
        generate_unique_id_function=_name_of,
        separate_input_output_schemas=True,
    )
    app.state.services = services
    sections = (
        accounts,
        second_factors,
        machines,
        directory,
        recordings,
        viewing,
        granting,
        cases,
        control,
        search,
        exports,
        activations,
        scans,
        deciding,
        results,
        papers,
        watermarks,
        retention,
        history,
    )
    for routes in sections:
        app.include_router(routes.router, prefix=PREFIX)
    app.add_api_route("/healthz", history.show_health, include_in_schema=False)
    errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)
    _describe(app)
    add_docs(app)
    return app


def _name_of(route: APIRoute) -> str:
    return route.name


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to change the document


def _schema(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    add_examples(schemas)
    for operations in document["paths"].values():
        for operation in operations.values():
            _drop_default_422(operation["responses"])
    return document


def _drop_default_422(responses: dict[str, Any]) -> None:
    # FastAPI promises its own 422 wherever there are parameters; here those are 400s (see errors).
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]


def start_api(
    build: Callable[[], FastAPI],
    host: str,
    port: int,
    resources: Mapping[str, float],
    tls: tuple[Path, Path] | None = None,
) -> int:
    """Serve the app on the node that has `resources`, through Ray Serve; the port that it listens on.

    `build` runs in the replica: connections and secrets are opened there and never travel. Port 0 takes a free one.
    `tls` is (certificate chain, key) as PEM files; with it nothing but TLS is spoken.
    """
    from ray import serve  # heavy: of all processes that know the app, one serves it

    def build_here() -> FastAPI:  # Serve tells a builder from an app by its being a plain function
        _stay_on_loopback()
        return build()

    chosen = port or _free_port(host)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": host, "port": chosen} | _tls_options(tls),
        logging_config={"log_level": "WARNING", "enable_access_log": False},  # a URL may hold a case number
    )
    replica = serve.deployment(
        name=_NAME,
        max_ongoing_requests=_AT_ONCE,
        ray_actor_options={"num_cpus": 0, "resources": dict(resources)},
    )(serve.ingress(build_here)())
    serve.run(replica.bind(), name=_NAME, route_prefix="/")
    return chosen


def _stay_on_loopback() -> None:
    """Have this replica, before it is ready, listen for other replicas on this machine alone.

    Serve opens that port on every address and has no setting for it; the cluster's token would travel in the clear.
    """
    from ray.serve._private import replica

    def add_port(server: Any, _address: str) -> int:
        return int(server.add_insecure_port("127.0.0.1:0"))

    replica.add_port_to_grpc_server = add_port  # type: ignore[attr-defined] # imported there, called by this name


def _tls_options(tls: tuple[Path, Path] | None) -> dict[str, str]:
    # Serve offers no lowest version; the environment that Ray is started in sets it (cluster/environment.py).
    return {} if tls is None else {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])}


def stop_api() -> None:
    """End what `start_api` began."""
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.shutdown()  # type: ignore[no-untyped-call] # Ray's own lack


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])
