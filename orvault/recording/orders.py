"""Keeps the order that each camera is carrying out, so that a restarted camera goes on recording by itself.

An order holds a public key only: from it nothing can be opened. What orders mean is `recorder`'s part.

Layout: CAMERA.json in one folder.
"""

from __future__ import annotations

from pathlib import Path

from orvault.container import canonical
from orvault.container.canonical import is_identifier
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, part_of, storage_error
from orvault.recording.recorder import RecordingOrder

MAX_ORDER_BYTES = 16 * 1024


class OrderStore:
    """The orders in one folder; at most one per camera.

    `save`: 1. CAMERA.json.part written and synced; 2. renamed over CAMERA.json; 3. folder synced. A crash
    leaves the order of before or the new one.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk or RealDisk()

    def save(self, order: RecordingOrder) -> None:
        """Make an order durable, in place of the camera's order of before. Errors: STORAGE."""
        path = self._path(order.camera_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._disk.write(part_of(path), canonical.encode(order.to_json()))  # 1
            self._disk.replace(part_of(path), path)  # 2
            self._disk.sync(self._folder)  # 3
        except OSError as error:
            raise storage_error("The recording order could not be stored", path, error) from error

    def load(self, camera_id: str) -> RecordingOrder | None:
        """The camera's order, None if it has none. Errors: STORAGE; DAMAGED for a file that is no order."""
        path = self._path(camera_id)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_ORDER_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error("The recording order could not be read", path, error) from error
        value = canonical.decode(data, max_bytes=MAX_ORDER_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
        order = RecordingOrder.from_json(value, str(path))
        if order.camera_id != camera_id:
            raise OrvaultError(ErrorKind.DAMAGED, f"It is an order for {order.camera_id}.", where=str(path))
        return order

    def remove(self, camera_id: str, run_id: str) -> bool:
        """Forget the order for this run; False if the camera has another or none. Errors: those of `load`."""
        order = self.load(camera_id)
        if order is None or order.run_id != run_id:
            return False
        path = self._path(camera_id)
        try:
            self._disk.remove(path)
            self._disk.sync(self._folder)
        except OSError as error:
            raise storage_error("The recording order could not be removed", path, error) from error
        return True

    def _path(self, camera_id: str) -> Path:
        if not is_identifier(camera_id):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no camera's id.", where="recording order")
        return self._folder / f"{camera_id}.json"
