"""YAML documents as other tools write them: numbers stay exact decimals, times stay texts, and each document names its kind."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from opsledger.errors import BadInput

__all__ = ["Part", "checked", "dumped", "loaded"]

Document = TypeVar("Document", bound=BaseModel)


class Part(BaseModel):
    """A part of a document, with its fields in camel case. Fields that the specification does not have are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Loader(yaml.SafeLoader):
    """Safe YAML with decimals for numbers with a fraction, and without dates."""


class _Dumper(yaml.SafeDumper):
    """Safe YAML that writes decimals as they are."""


_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: Decimal(str(node.value)))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: str(node.value))
_Dumper.add_representer(Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", _plain(value)))


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text if "." in text else f"{text}.0"


def loaded(text: str) -> list[dict[str, Any]]:
    """Return the documents of a YAML text, empty ones left out. Raises BadInput where it is none."""
    try:
        found = [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        raise BadInput("yaml.malformed", f"The text is not YAML: {' '.join(str(error).split())}.") from None
    for each in found:
        if not isinstance(each, dict):
            raise BadInput("yaml.document", f"A document holds {type(each).__name__} where named fields belong.")
    return found


def dumped(documents: Iterable[Any]) -> str:
    """Return documents as YAML, fields in their order."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)


def checked(kind: type[Document], document: Any, what: str) -> Document:
    """Return the model of a document. Raises BadInput with the path of the first field that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        says = "there is no such field" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{what}.invalid", f"{path}: {says}.") from None
