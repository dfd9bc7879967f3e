"""ONNX Runtime sessions over verified model files, with the execution provider said aloud.

A model whose bytes are not those of SHA256SUMS is never loaded: a tampered detector is a camera without a
mask. Whether a card finds what the processor finds is not asked here: who opens detectors has it proven
(device_proof.py).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.open_batch import with_open_batch

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
PROVIDERS = ("auto", "cpu", "cuda")
SUMS_FILE = "SHA256SUMS"
MAX_MODEL_BYTES = 512 * 1024 * 1024
DEVICE_BATCH = 8  # pictures in one run on a card: the looks at one fragment of two seconds
# The processor's precision, and no search for the fastest convolution at each new size of picture (the default).
_CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
# Where the reckoning is. Small work on shapes is left to the processor by ONNX Runtime on purpose.
_RECKONING = frozenset({"Conv", "ConvTranspose", "FusedConv", "Gemm", "MatMul"})

_log = logging.getLogger(__name__)
# ONNX Runtime's exceptions share no base class but Exception.
_ORT_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(e for e in vars(ort_errors).values() if isinstance(e, type) and issubclass(e, Exception)),
)


class Session:
    """One loaded model. `provider` is what ONNX Runtime really uses, not what was asked for.

    `batch` inputs at most go through it together: 1 where it was written down for one.
    """

    def __init__(self, name: str, native: Any, batch: int | None = None) -> None:
        self.name = name
        self._native = native
        # On a card that fails it would open itself again on the processor, with a line on stdout.
        native.disable_fallback()
        self.provider: str = native.get_providers()[0]
        first = native.get_inputs()[0]
        self.input: str = first.name
        batch = batch or (DEVICE_BATCH if self.provider == CUDA else 1)
        self.batch = 1 if first.shape[0] == 1 else batch

    def placed(self) -> Iterator[tuple[str, str]]:
        """For each node of the model the provider it was given to, and its operation."""
        for part in self._native.get_provider_graph_assignment_info():
            yield from ((part.ep_name, node.op_type) for node in part.get_nodes())

    def run(self, outputs: Sequence[str] | None, batch: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        """The named outputs (None: all, in the model's order) for one input; UNAVAILABLE if it fails."""
        try:
            return list(self._native.run(outputs, {self.input: batch}))
        except _ORT_ERRORS as error:
            raise OrvaultError(
                ErrorKind.UNAVAILABLE,
                f"The model failed on a picture ({type(error).__name__}).",
                where=self.name,
                advice="The picture is masked whole; look at the accelerator and its memory.",
            ) from error

    def run_each(
        self, outputs: Sequence[str] | None, inputs: Sequence[npt.NDArray[Any]]
    ) -> list[list[npt.NDArray[np.float32]]]:
        """As `run` for each of these inputs (1, ...); those of one shape go through the model together.

        UNAVAILABLE for all of them if it fails, or answers for another number of inputs.
        """
        found: list[list[npt.NDArray[np.float32]]] = []
        for alike in _alike(inputs, self.batch):
            out = self.run(outputs, np.concatenate(alike) if len(alike) > 1 else alike[0])
            if any(len(each) != len(alike) for each in out):
                message = f"The model gave no answer of its own for each of {len(alike)} pictures."
                raise OrvaultError(ErrorKind.UNAVAILABLE, message, where=self.name)
            found += [[each[at : at + 1] for each in out] for at in range(len(alike))]
        return found


def _alike(inputs: Sequence[npt.NDArray[Any]], most: int) -> list[list[npt.NDArray[Any]]]:
    """Neighbours of one shape, `most` at a time."""
    groups: list[list[npt.NDArray[Any]]] = []
    for each in inputs:
        if groups and len(groups[-1]) < most and groups[-1][0].shape == each.shape:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def open_session(
    path: Path, provider: str = "auto", *, threads: int = 1, batch: int | None = None
) -> Session:
    """Load one ONNX model, checked against the SHA256SUMS that lies beside it.

    `provider`: "cuda" (nothing else will do: PROVIDER_MISSING), "cpu", or "auto" (CUDA where it works, else
    the CPU, with a warning if CUDA was offered and did not start). `threads` is the number of CPU threads of
    one run, `batch` the most inputs in one; None: 1 on the CPU, DEVICE_BATCH on a card. BAD_MODEL: missing, not
    listed, altered, or not a model.
    """
    wanted = _providers(provider, path.name)
    content = verified_model(path)
    if batch != 1 and (batch or wanted[0] == CUDA):
        content = with_open_batch(path.name, content)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Pictures come in many sizes: memory planned for each of them would be taken, cleared and given back each time.
    options.enable_mem_pattern = wanted[0] == CUDA
    # Threads that spin while they wait take the core from the actor beside this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers = [(each, _CUDA_OPTIONS if each == CUDA else {}) for each in wanted]
    try:
        native = ort.InferenceSession(content, options, providers=providers)
    except _ORT_ERRORS as error:
        raise OrvaultError(
            ErrorKind.BAD_MODEL,
            f"The file is no usable ONNX model ({type(error).__name__}).",
            where=path.name,
        ) from error
    session = Session(path.name, native, batch)
    _check_obtained(session, provider, wanted)
    return session


def fallen_back(placed: Iterable[tuple[str, str]], device: str) -> str:
    """What of a model's reckoning is not on the device, in words; "" if all of it is. `placed`: as of a session."""
    reckoning = [provider for provider, operation in placed if operation in _RECKONING]
    elsewhere = [provider for provider in reckoning if provider != device]
    if not reckoning:
        return "onnxruntime does not say where the model runs"
    return f"{len(elsewhere)} of {len(reckoning)} steps fell back to {elsewhere[0]}" if elsewhere else ""


def _providers(provider: str, model: str) -> list[str]:
    if provider not in PROVIDERS:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"Unknown provider {provider!r}.",
            advice=f"Take one of {', '.join(PROVIDERS)}.",
        )
    offered = CUDA in ort.get_available_providers()
    if provider == "cuda" and not offered:
        raise no_cuda(model, "the installed onnxruntime has no CUDA provider")
    return [CUDA, CPU] if offered and provider != "cpu" else [CPU]


def _check_obtained(session: Session, provider: str, wanted: Sequence[str]) -> None:
    # onnxruntime-gpu falls back to the CPU without a word where driver, CUDA or cuDNN are missing.
    if session.provider != wanted[0]:
        if provider == "cuda":
            raise no_cuda(session.name, f"onnxruntime fell back to {session.provider}")
        _log.warning("%s: CUDA is installed but did not start; running on %s", session.name, session.provider)
    elif session.provider == CUDA and (why := fallen_back(session.placed(), CUDA)):
        raise no_cuda(session.name, why)


def no_cuda(where: str, why: str) -> OrvaultError:
    """The card cannot be used, or may not: PROVIDER_MISSING. `where`: the model, or what was tried."""
    return OrvaultError(
        ErrorKind.PROVIDER_MISSING,
        f'The provider "cuda" cannot be used: {why}.',
        where=where,
        advice='Read "Using a GPU" in docs/OPERATIONS.md, or set vision.provider to "cpu".',
    )


def verified_model(path: Path) -> bytes:
    """The bytes of a model file whose SHA-256 is the one in SHA256SUMS beside it; BAD_MODEL otherwise.

    The bytes that were checked are the bytes that are loaded: a file exchanged in between changes nothing.
    """
    expected = _sums(path.parent).get(path.name)
    if expected is None:
        raise _bad_model(path, f"The model is not listed in {SUMS_FILE}.")
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise _bad_model(path, f"The model is larger than {MAX_MODEL_BYTES >> 20} MiB.")
        content = path.read_bytes()
    except OSError as error:
        raise _bad_model(path, f"The model cannot be read ({error.strerror}).") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise _bad_model(path, f"The model is not the one of {SUMS_FILE}: it is damaged or was exchanged.")
    return content


def models_digest(folder: Path) -> str:
    """One SHA-256 (hexadecimal) of what SHA256SUMS of a folder says of its models, whatever the order of its lines.

    No model is loaded but with these sums. BAD_MODEL: the list cannot be read.
    """
    return hashlib.sha256(repr(sorted(_sums(folder).items())).encode()).hexdigest()


def _bad_model(path: Path, message: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_MODEL,
        message,
        where=path.name,
        advice="Install the models again from a trusted release.",
    )


def _sums(folder: Path) -> Mapping[str, str]:
    try:
        lines = (folder / SUMS_FILE).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_model(folder / SUMS_FILE, "The list of the models' sums cannot be read.") from error
    pairs = (line.split() for line in lines if line.strip())
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}
