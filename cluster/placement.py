"""Where each actor runs: a pure function of the settings and of what the nodes say they are.

Ray carries the decision out through custom resources: `orvault:node:NAME` and `orvault:role:ROLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orvault.errors import ErrorKind, OrvaultError

SHARE = 0.0001  # of a node's 1.0: far more actors fit than will ever run; it only ties an actor to its node


@dataclass(frozen=True)
class NodeFacts:
    """What one live node of the cluster says of itself."""

    node_id: str
    names: frozenset[str]
    roles: frozenset[str]
    gpus: float


@dataclass(frozen=True)
class Place:
    """Where one actor goes: the resources that tie it to a node, and its share of a GPU."""

    node_name: str
    resources: Mapping[str, float]
    num_gpus: float = 0.0


def node_resources(name: str, roles: Iterable[str]) -> dict[str, float]:
    """The custom resources that a node is started with."""
    return {f"orvault:node:{name}": 1.0} | {f"orvault:role:{role}": 1.0 for role in roles}


def facts_of(node_id: str, resources: Mapping[str, float]) -> NodeFacts:
    """Read a node's facts back from its Ray resources."""
    names = frozenset(
        key.removeprefix("orvault:node:") for key in resources if key.startswith("orvault:node:")
    )
    roles = frozenset(
        key.removeprefix("orvault:role:") for key in resources if key.startswith("orvault:role:")
    )
    return NodeFacts(node_id, names, roles, resources.get("GPU", 0.0))


def on_node(name: str, facts: Sequence[NodeFacts]) -> Place:
    """The place of an actor that belongs to one node (a camera, its encryption).

    Errors: NO_PLACE when no live node carries that name.
    """
    if not any(name in node.names for node in facts):
        present = ", ".join(sorted(n for node in facts for n in node.names)) or "none"
        raise OrvaultError(
            ErrorKind.NO_PLACE,
            f"node {name!r} is not in the cluster (present: {present}).",
            advice="Start it with `orvault node NAME`, or take it out of ray_config.yaml.",
        )
    return Place(name, {f"orvault:node:{name}": SHARE})


def on_server(facts: Sequence[NodeFacts]) -> Place:
    """The place of export, keys, index, API and media: the one node with the role `server`."""
    servers = _with_role("server", facts)
    if len(servers) > 1:
        raise OrvaultError(ErrorKind.NO_PLACE, "more than one node has the role 'server'; exactly one may.")
    return _place(servers[0], "server")


def for_detection(count: int, facts: Sequence[NodeFacts]) -> list[Place]:
    """Places of `count` detection actors: GPUs first, each shared evenly; else round the CPU nodes."""
    offering = _with_role("detection", facts)
    with_gpu = [node for node in offering if node.gpus >= 1]
    nodes = with_gpu or offering
    per_node = -(-count // len(nodes))
    places = []
    for index in range(count):
        node = nodes[index % len(nodes)]
        share = min(1.0, int(node.gpus) / per_node) if with_gpu else 0.0
        places.append(_place(node, "detection", share))
    return places


def _with_role(role: str, facts: Sequence[NodeFacts]) -> list[NodeFacts]:
    nodes = sorted(
        (node for node in facts if role in node.roles), key=lambda node: (sorted(node.names), node.node_id)
    )
    if not nodes:
        raise OrvaultError(ErrorKind.NO_PLACE, f"no live node has the role {role!r}.", where="nodes")
    return nodes


def _place(node: NodeFacts, role: str, num_gpus: float = 0.0) -> Place:
    # A node started for one name is tied by it; the local cluster carries several names on one machine.
    name = min(node.names) if node.names else ""
    key = f"orvault:node:{name}" if name else f"orvault:role:{role}"
    return Place(name, {key: SHARE}, num_gpus)
