"""Reads a YAML file and remembers on which line each key stands, so that a refusal can name the place."""

from __future__ import annotations

from pathlib import Path

import yaml

from orvault.errors import ErrorKind, OrvaultError

MAX_BYTES = 1 << 20  # a settings file is a page or two; anything larger is a mistake
MOST_PARTS = (
    100_000  # with every reference (*NAME) written out: ten lines of them come to more than memory holds
)


class YamlPlaces:
    """Key path -> line number in the file."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    def line(self, location: tuple[int | str, ...]) -> str:
        """`:12` for the deepest part of the path that stands in the file, else nothing."""
        node, mark = self._root, None
        for part in location:
            step = _child(node, part)
            if step is None:
                break
            mark, node = step
        return "" if mark is None else f":{mark.line + 1}"


def read_yaml(path: Path) -> tuple[dict[str, object], YamlPlaces]:
    """The mapping in a YAML file, and where its keys stand.

    Errors: BAD_SETTINGS when it is absent, too large, also once its references are written out, no YAML, no mapping,
    or names a key twice.
    """
    try:
        text = path.read_bytes()[: MAX_BYTES + 1].decode("utf-8")
    except FileNotFoundError:
        advice = "Copy ray_config.yaml from the project, or name yours with --config."
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, "there is no such file.", where=str(path), advice=advice
        ) from None
    except OSError as error:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, f"cannot be read: {error.strerror}.", where=str(path)
        ) from None
    except UnicodeDecodeError:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, "this is not a text file (UTF-8).", where=str(path)
        ) from None
    if len(text) > MAX_BYTES:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"is larger than {MAX_BYTES} bytes.", where=str(path))
    root, document = _parsed(path, text)
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "expected `key: value` lines.", where=path.name)
    return document, YamlPlaces(root)


def _parsed(path: Path, text: str) -> tuple[yaml.Node | None, object]:
    """The file's parts with their places, and what they come to. Errors: BAD_SETTINGS."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if _parts(root, {}) > MOST_PARTS:
            message = f"comes to more than {MOST_PARTS} parts: it refers to its own again and again."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where=path.name)
        document = yaml.safe_load(text)
        _refuse_twice(path, root)
    except (RecursionError, ValueError):  # brackets without end, itself within itself, numbers without end
        message = "holds what no setting is: parts too deep, or a number too long."
        raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where=path.name) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path.name}:{mark.line + 1}" if mark else path.name
        said = getattr(error, "problem", None) or "cannot be understood"
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"not valid YAML: {said}.", where=place) from None
    return root, document


def _parts(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many parts a node comes to, with its references written out; RecursionError for one within itself."""
    if id(node) not in known:
        inside: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inside = node.value
        if isinstance(node, yaml.MappingNode):
            inside = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_parts(part, known) for part in inside)
    return known[id(node)]


def _child(node: yaml.Node | None, part: int | str) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _refuse_twice(path: Path, node: yaml.Node | None) -> None:
    """YAML lets the last of two equal keys win in silence; a half-edited file must not."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                place = f"{path.name}:{key.start_mark.line + 1}"
                raise OrvaultError(
                    ErrorKind.BAD_SETTINGS, f"the key {key.value!r} stands there twice.", where=place
                )
            seen.add(key.value)
            _refuse_twice(path, value)
