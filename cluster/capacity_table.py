"""What `orvault check` shows of the disks: a table of the nodes, and a warning for each that keeps too little."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from cluster.capacity import NodeForecast, forecast, measured_rates, stored_bytes
from cluster.settings import Settings
from orvault.clock import Clock

GB = 10**9


def foretold(settings: Settings, clock: Clock) -> list[NodeForecast]:
    """The forecast from the site's ledger and the disks that can be reached from here. Errors: UNAVAILABLE."""
    from cluster import services
    from orvault.ledger.engine import open_ledger

    ledger = open_ledger(services.ledger_address(settings).resolve())
    rates, stored = measured_rates(ledger.uow, clock.now_us()), stored_bytes(ledger.uow)
    return forecast(settings, _stores(settings), rates, stored)


def assumed(settings: Settings) -> list[NodeForecast]:
    """The forecast for a site that has no ledger yet, or none that answers."""
    return forecast(settings, _stores(settings), {}, {})


def _stores(settings: Settings) -> dict[str, Path]:
    """Where the nodes' disks lie here; before the first recording, where they will, if this is the only machine."""
    from cluster.feeds import SEGMENTS

    folders = {node.name: settings.data / SEGMENTS / node.name for node in settings.nodes}
    if settings.cluster.address is not None:
        return {name: folder for name, folder in folders.items() if folder.is_dir()}
    return {
        name: next(place for place in (folder, *folder.parents) if place.exists())
        for name, folder in folders.items()
    }


def table(nodes: list[NodeForecast]) -> Table:
    """One row per node."""
    shown = Table("node", "cameras", "Mbit/s", "GB a day", "free", "days kept", "from")
    for node in nodes:
        shown.add_row(
            node.node,
            str(len(node.rates)),
            f"{sum(rate.mbit for rate in node.rates):.1f}",
            f"{node.bytes_per_day / GB:.1f}",
            "not here" if node.free is None else f"{node.free / GB:.1f} GB",
            "?" if node.days is None else f"{node.days:.0f}",
            _source(node),
        )
    return shown


def warnings(nodes: list[NodeForecast], floor_days: int) -> list[str]:
    """A sentence for each node that keeps less than it must."""
    return [
        f"{node.node}: its disk keeps recordings for about {node.days:.0f} days, and {floor_days} are required"
        f" (retention.floor_days). {_missing(node, floor_days)}"
        for node in nodes
        if node.days is not None and node.days < floor_days
    ]


def _missing(node: NodeForecast, floor_days: int) -> str:
    assert node.days is not None, "asked for nodes whose days are known"
    return f"It needs {(floor_days - node.days) * node.bytes_per_day / GB:.0f} GB more, or lower bit rates."


def _source(node: NodeForecast) -> str:
    assumed = [rate.camera_id for rate in node.rates if not rate.measured]
    if not assumed:
        return "what was recorded in the last 7 days"
    return "assumed bit rates" if len(assumed) == len(node.rates) else f"assumed for {', '.join(assumed)}"
