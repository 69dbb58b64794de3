"""Policy documents: YAML or JSON in, a checked model out, and one canonical text with a digest to store.

YAML's surprises are taken out before a model sees the document: a key given twice is refused, 10:00 stays a text instead of
becoming the number 600, and a date stays a text until the model says that it is one.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from opsledger.errors import PolicyError

__all__ = ["canonical", "digest", "read", "restored"]

Document = TypeVar("Document", bound=BaseModel)


def read(kind: type[Document], text: str) -> Document:
    """Return the model that a YAML or JSON text holds. Raises PolicyError with the path to the first thing that is wrong."""
    try:
        given = _json(text) or yaml.load(text, Loader=_Loader)  # noqa: S506  # _Loader is the safe loader, made stricter
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyError("", f"the document is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(given, dict):
        raise PolicyError("", f"the document holds {'nothing' if given is None else type(given).__name__} where named sections belong.")
    try:
        plain = json.dumps(given)
    except (TypeError, ValueError) as error:
        raise PolicyError("", f"the document holds what JSON cannot: {error}.") from None
    return restored(kind, plain)


def restored(kind: type[Document], text: str) -> Document:
    """Return the model that a canonical text holds, as facts keep it: JSON, which is read a hundred times as fast as YAML."""
    try:
        return kind.model_validate_json(text, strict=True)  # as JSON, where a date is a text and true is no number
    except ValidationError as error:
        raise _first(error) from None


def canonical(model: BaseModel) -> str:
    """Return the one JSON text of a document: keys sorted, no spaces. Equal documents give equal texts."""
    return json.dumps(model.model_dump(mode="json", by_alias=True), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the SHA-256 of a canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _json(text: str) -> dict[str, Any] | None:
    """Return a document that is JSON, as canonical texts are; None for any that YAML shall read, or say what is wrong with."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: Any) -> dict[str, Any]:
    """Return an object whose keys stand once. Raises ValueError for others, and for words that are no numbers in JSON."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


class _Loader(yaml.SafeLoader):
    """Safe YAML without numbers in base sixty and without keys given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                line = node.value[i][0].start_mark.line + 1
                raise PolicyError(str(key), f"the key stands twice, again on line {line}; keep one of them.")
        return super().construct_mapping(node, deep)


def _without_base_sixty() -> None:
    sixty = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
    _Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in sixty]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
    _Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))


_without_base_sixty()
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: str(node.value))


def _first(error: ValidationError) -> PolicyError:
    first = error.errors(include_url=False, include_context=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    more = f" ({error.error_count() - 1} more after it)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return PolicyError(path, f"there is no such field; remove it or correct its name{more}.")
    return PolicyError(path, first["msg"].removeprefix("Value error, ") + f"{more}.")
