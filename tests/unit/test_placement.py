"""Where actors go, decided from node facts alone."""

from __future__ import annotations

import pytest

from cluster.placement import NodeFacts, facts_of, for_detection, node_resources, on_node, on_server
from orvault.errors import ErrorKind, OrvaultError

SERVER = facts_of("n1", node_resources("export-server", ["server", "detection"]) | {"GPU": 1.0})
CLIENT = facts_of("n2", node_resources("or-client-1", ["client"]))


def test_facts_are_read_back_from_resources() -> None:
    assert CLIENT == NodeFacts("n2", frozenset({"or-client-1"}), frozenset({"client"}), 0.0)
    assert SERVER.gpus == 1.0


def test_a_camera_goes_to_its_own_node() -> None:
    assert list(on_node("or-client-1", [SERVER, CLIENT]).resources) == ["orvault:node:or-client-1"]


def test_a_node_that_is_away_is_named_with_what_to_do() -> None:
    with pytest.raises(OrvaultError) as error:
        on_node("or-client-7", [SERVER, CLIENT])
    assert error.value.kind is ErrorKind.NO_PLACE
    assert "or-client-7" in str(error.value)
    assert "orvault node" in str(error.value)


def test_the_server_is_the_one_node_with_that_role() -> None:
    assert on_server([CLIENT, SERVER]).node_name == "export-server"
    with pytest.raises(OrvaultError, match="server"):
        on_server([CLIENT])
    with pytest.raises(OrvaultError, match="more than one"):
        on_server([SERVER, SERVER])


def test_detection_shares_a_gpu_evenly() -> None:
    places = for_detection(2, [SERVER, CLIENT])
    assert [place.num_gpus for place in places] == [0.5, 0.5]


def test_detection_prefers_gpus_over_cpu_nodes() -> None:
    cpu = facts_of("n3", node_resources("cpu-node", ["detection"]))
    assert {place.node_name for place in for_detection(3, [cpu, SERVER])} == {"export-server"}


def test_detection_goes_round_cpu_nodes() -> None:
    nodes = [facts_of(f"n{i}", node_resources(f"cpu-{i}", ["detection"])) for i in range(2)]
    assert [place.node_name for place in for_detection(3, nodes)] == ["cpu-0", "cpu-1", "cpu-0"]
    assert all(place.num_gpus == 0 for place in for_detection(3, nodes))
