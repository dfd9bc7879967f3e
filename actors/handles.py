"""The one meeting with Ray: starts actors, and calls them by name.

What an actor raises arrives as it was; an actor that does not answer is UNAVAILABLE. Callers use the typed faces
in facades.py.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, ParamSpec, cast

import ray
import tenacity
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util import list_named_actors

from actors.fingerprint import fingerprint
from actors.start_failures import start_failure, told
from orvault.errors import ErrorKind, OrvaultError, is_away

NAMESPACE = "orvault"
CALL_S = 15.0  # an actor of ours answers in milliseconds; a restarting one in a few seconds
START_S = 120.0  # loading models on a busy machine
FORGET_S = 1.0  # after a call that carried something clear
PASS_S = 0.05

log = logging.getLogger(__name__)
P = ParamSpec("P")


@dataclass(frozen=True)
class Placed:
    """Where an actor goes, in Ray's terms."""

    resources: Mapping[str, float]
    num_gpus: float = 0.0


@dataclass(frozen=True)
class Starting:
    """An actor on its way up."""

    name: str
    reference: Any
    note: str = ""  # what a person should know of an actor of that name that was there already

    def node_id(self) -> str:
        """Wait until it is up, asking again while Ray restarts it; the Ray node that it runs on.

        Errors: what its constructor raises; UNAVAILABLE when it does not come up.
        """
        since, reference, why = time.monotonic(), self.reference, None
        while True:
            try:
                reference = reference or submit(self.name, "__ray_call__", _node_id)
                return cast("str", wait(self.name, reference, START_S, since))
            except OrvaultError as error:
                if reference is None and why is not None:
                    raise why from None  # its name is free: Ray has given it up, and this is what ended it
                if not is_away(error) or time.monotonic() - since >= START_S:
                    raise
                reference, why = None, error
            time.sleep(PASS_S)


def start(
    name: str, actor: Callable[P, object], place: Placed, threads: int, /, *args: P.args, **kwargs: P.kwargs
) -> Starting:
    """Start a named, detached actor that Ray restarts for ever; does not wait until it is up.

    One that runs already (an `up` that was killed left it) is taken over if it was made of the same. Else it is
    replaced, unless it is a camera's that records (`idle`); `note` says so. Errors: UNAVAILABLE.
    """
    made_of = fingerprint(cast("type", actor), place, threads, args, kwargs)
    note = _make_room(name, made_of)
    remote: Any = ray.remote(_shell(cast("type", actor), name, threads, made_of))
    handle = remote.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        num_gpus=place.num_gpus,
        resources=dict(place.resources),
        max_restarts=-1,
        max_concurrency=threads,
    ).remote(*args, **kwargs)
    return Starting(name, handle.__ray_call__.remote(_node_id), note)


def _make_room(name: str, made_of: str) -> str:
    """End an actor of this name that is made of something else; what to tell of it, "" if nothing."""
    try:
        reference: Any = ray.get_actor(name, namespace=NAMESPACE).__ray_call__.remote(_standing)
    except ValueError:
        return ""
    try:
        its, idle = wait(name, reference, CALL_S)
    except OrvaultError as error:
        return f"It ran already and was left as it is, with the settings it was started with: {error.message}"
    if its == made_of:
        return ""
    if not idle:
        return "It records, under the settings it was started with; the new ones count from its next start."
    _end(name)
    return "It ran already, with other settings or of another version, and was replaced."


RECORDS = "camera:"  # how the names of the actors begin that may record (facades.camera_name)


def running() -> list[str]:
    """The names of all actors of the product in this cluster. Errors: UNAVAILABLE."""
    try:
        known = list_named_actors(all_namespaces=True)
    except RayError as error:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE, f"The cluster does not tell its actors ({type(error).__name__})."
        ) from None
    return sorted(each["name"] for each in known if each["namespace"] == NAMESPACE)


def retire(name: str) -> str:
    """End an actor that nobody needs any more, unless it records; what to tell of it, "" if that was all."""
    try:
        _, idle = call(name, "__ray_call__", _standing)
    except OrvaultError as error:
        if not is_away(error):
            raise
        if name.startswith(RECORDS):
            return "It is in the settings no more, and does not answer: it was left, for it may record."
        idle = True  # it is being restarted, or hangs: with its settings gone there is nothing to go on to
    if not idle:
        return "It is in the settings no more, and records: it was left. Start the site again when it has stopped."
    _end(name)
    return "It is in the settings no more, and was ended."


def records(name: str) -> bool:
    """Whether something is lost when this actor ends now; in doubt, yes."""
    try:
        return not call(name, "__ray_call__", _standing)[1]
    except OrvaultError as error:
        if not is_away(error):
            raise
        return True


def _standing(actor: Any) -> tuple[str, bool]:
    """What an actor is made of, and whether nothing is lost when it ends now."""
    idle = getattr(actor, "idle", None)
    return getattr(actor, "_made_of", ""), idle is None or idle()


def _end(name: str) -> None:
    """End an actor and wait until its name is free. Errors: UNAVAILABLE."""
    stop(name)
    deadline = time.monotonic() + CALL_S
    while time.monotonic() < deadline:
        try:
            ray.get_actor(name, namespace=NAMESPACE)
        except ValueError:
            return
        time.sleep(PASS_S)
    raise OrvaultError(ErrorKind.UNAVAILABLE, f"{name} does not end.")


def stop(name: str) -> None:
    """End an actor for good; one that is not there is no error."""
    try:
        ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=True)
    except ValueError:
        return


def _node_id(_actor: object) -> str:
    return ray.get_runtime_context().get_node_id()


def submit(name: str, method: str, *args: object) -> Any:
    """Begin a call; what `wait` takes. Errors: UNAVAILABLE."""
    try:
        actor = ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        raise OrvaultError(ErrorKind.UNAVAILABLE, f"{name} is not running.") from None
    return getattr(actor, method).remote(*args)


def wait(name: str, reference: Any, timeout_s: float, since: float | None = None) -> Any:
    """The answer to a call, at most `timeout_s` from now, or from `since` (`time.monotonic()`): calls that began
    together are waited for together. Errors: what the actor raised; UNAVAILABLE.
    """
    left_s = timeout_s if since is None else max(0.0, since + timeout_s - time.monotonic())
    try:
        return ray.get(reference, timeout=left_s)
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, OrvaultError) else error) from None
    except GetTimeoutError:
        raise OrvaultError(ErrorKind.UNAVAILABLE, f"{name} did not answer in {timeout_s:g} s.") from None
    except RayActorError as error:
        raise start_failure(name, str(error), error.actor_init_failed) from None
    except RayError as error:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE, f"{name} cannot be reached ({type(error).__name__})."
        ) from None


def _shell(actor: type, name: str, threads: int, made_of: str) -> type:
    """The class as Ray gets it, under its own name: what `__init__` raises is told apart.

    Ray gives an actor up for good when its constructor fails, and keeps only the error's text. So what can pass
    (a ledger that is away) is waited for, and anything else is put into that text in full.
    """

    def begin(self: Any, *args: object, **kwargs: object) -> None:
        threading.excepthook = _end_process
        self._made_of = made_of
        try:
            _patient(actor.__init__, self, *args, **kwargs)  # type: ignore[misc] # of this class, and no other's
        except OrvaultError as error:
            raise RuntimeError(told(error)) from None
        if clear:
            given = self._given = threading.Event()
            run = partial(_forget_for_ever, name, threads, given)
            threading.Thread(target=run, name="forget", daemon=True).start()

    clear: Sequence[str] = getattr(actor, "CLEAR_CALLS", ())
    body: dict[str, object] = {method: _noting(getattr(actor, method)) for method in clear}
    body |= {"__init__": begin, "__module__": actor.__module__, "pass_by": _pass_by}
    return type(actor.__name__, (actor,), body)


def _noting(method: Callable[..., object]) -> Callable[..., object]:
    """The method, and a note that it was given something clear."""

    @wraps(method)
    def call(self: Any, *args: object, **kwargs: object) -> object:
        try:
            return method(self, *args, **kwargs)
        finally:
            self._given.set()

    return call


def _pass_by(_actor: object) -> None:
    """A call that carries nothing, and lasts so long that its sisters go to the other threads."""
    time.sleep(PASS_S)


def _forget_for_ever(name: str, threads: int, given: threading.Event) -> None:
    """Have clear arguments forgotten soon after their call.

    Ray keeps what a thread of an actor was called with until the thread's next call (seen in 2.60): the pictures of
    the last calls would stay in memory for as long as nothing is recorded. So each thread is given an empty call.
    """
    while True:
        given.wait()
        given.clear()
        time.sleep(FORGET_S)
        try:
            for reference in [submit(name, "pass_by") for _ in range(threads)]:
                wait(name, reference, CALL_S)
        except OrvaultError as error:
            # It is ending, or so busy that all its threads are called anyway.
            log.debug("%s: its last arguments may still be in memory: %s", name, error)


def _end_process(failure: threading.ExceptHookArgs) -> None:
    """A thread of an actor that dies takes its process with it: Ray restarts that, and would not see the thread."""
    name = "?" if failure.thread is None else failure.thread.name
    log.critical("thread %s died", name, exc_info=failure.exc_value)
    logging.shutdown()
    os._exit(1)


_patient = tenacity.Retrying(
    wait=tenacity.wait_fixed(1.0), retry=tenacity.retry_if_exception(is_away), reraise=True
)


def call(name: str, method: str, *args: object, timeout_s: float = CALL_S) -> Any:
    """Call an actor's method and wait for its answer."""
    return wait(name, submit(name, method, *args), timeout_s)
