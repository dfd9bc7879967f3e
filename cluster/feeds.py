"""What the actors of cameras and triggers are told, taken from the settings; `roster` starts them with it."""

from __future__ import annotations

from dataclasses import replace

from actors.camera import CameraFeed
from actors.trigger import GesturePlan, TriggerPlan
from cluster.camera_settings import CameraSettings
from cluster.settings import Settings
from cluster.trigger_settings import GestureSettings, TriggerSettings
from orvault.custody.control import Confirmation

GESTURE_THREADS = 1  # a model run takes some 20 ms on one core, five times a second
SEGMENTS, ORDERS = "segments", "orders"  # folders below data


def camera_feed(camera: CameraSettings, settings: Settings) -> CameraFeed:
    """What the camera's recorder is told."""
    return CameraFeed(
        camera_id=camera.id,
        node_id=camera.node,
        source=camera.source,
        username=camera.username,
        password_file=camera.password_file,
        timeout_s=camera.timeout_s,
        orders=settings.data / ORDERS / camera.node,
        store=settings.data / SEGMENTS / camera.node,
        room=settings.storage.limits(),
        ca_file=camera.ca_file,
        pre_event_s=settings.control.pre_event_s,
    )


def live_feed(camera: CameraSettings, settings: Settings) -> CameraFeed:
    """The smaller stream where there is one: for people who look, and for gestures."""
    return replace(camera_feed(camera, settings), source=camera.sub_source or camera.source)


def trigger_plan(trigger: TriggerSettings, settings: Settings) -> TriggerPlan:
    """What the room's trigger actor is told of its pedal, gestures and lamp."""
    pedal, gesture, feedback = trigger.pedal, trigger.gesture, trigger.feedback
    policy = settings.control.policy()
    ripens = policy.stop_by_pedal is Confirmation.DWELL
    return TriggerPlan(
        room=trigger.room,
        pedal=None if pedal is None else pedal.wiring(),
        pedal_name="pedal" if pedal is None else pedal.name,
        gesture=None if gesture is None or not gesture.enabled else _gesture_plan(gesture, settings),
        feedback=None if feedback is None else feedback.plan(),
        dwell_us=policy.dwell_us if ripens else None,
    )


def _gesture_plan(gesture: GestureSettings, settings: Settings) -> GesturePlan:
    (camera,) = (camera for camera in settings.cameras if camera.id == gesture.camera)
    feed = live_feed(camera, settings)
    vision = settings.vision
    return GesturePlan(feed, gesture.rules(), vision.models, GESTURE_THREADS, gesture.pictures_per_s)
