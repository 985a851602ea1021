"""Read a TOML configuration into its struct; errors name file, key, value, what is allowed."""

import re
import tomllib
import typing
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

_Config = TypeVar("_Config", bound=msgspec.Struct)
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_TYPES = {int: "an int", float: "a number", str: "a text"}
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")


class ConfigError(Exception):
    """The configuration cannot be used; the text says which file and key, and what is allowed."""


def load(path: Path, kind: type[_Config], check: Callable[[_Config], None]) -> _Config:
    """Read, type-check and value-check one file.

    Raises:
        ConfigError: The file is missing, not TOML, or holds a key or value that is not allowed.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    try:
        config = msgspec.convert(raw, kind)
        check(config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error), raw, kind)}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    return config


def _explain(message: str, raw: object, kind: type) -> str:
    """Turn msgspec's message into key, value and what is allowed."""
    match = _AT.fullmatch(message)
    assert match is not None
    what, path = match["what"], match["path"] or ""
    value, owner = _follow(raw, kind, path)
    prefix = f"{path}." if path else ""
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is not None:
        key = unknown["key"]
        given = value.get(key) if isinstance(value, dict) else None
        allowed = ", ".join(field.name for field in msgspec.structs.fields(owner))
        return f"{prefix}{key} = {given!r}: unknown key; allowed here: {allowed}"
    missing = _MISSING.fullmatch(what)
    if missing is not None:
        return f"{prefix}{missing['key']}: missing, and it has no default"
    if what.startswith("Invalid enum value"):
        return f"{path} = {value!r}; allowed: {', '.join(_choices(owner))}"
    return f"{path} = {value!r}: {what}"


def _choices(kind: Any) -> list[str]:  # noqa: ANN401 - any type
    """Return what a value may be that is one of some words, or else of a type."""
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return [repr(member.value) for member in kind]
        return [_TYPES.get(kind, kind.__name__)]
    if typing.get_origin(kind) is typing.Literal:
        return [repr(word) for word in typing.get_args(kind)]
    return [choice for part in typing.get_args(kind) for choice in _choices(part)]


def _follow(value: Any, kind: Any, path: str) -> tuple[Any, Any]:  # noqa: ANN401 - any TOML value
    """Return the value at a msgspec path, and the type declared for it."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]", path):
        if name:
            value = value.get(name) if isinstance(value, dict) else None
            kind = _declared(typing.get_type_hints(kind).get(name))
        else:
            number = int(index) if index.isdigit() else 0
            value = value[number] if isinstance(value, list) else None
            kind = typing.get_args(kind)[0]
    return value, kind


def _declared(kind: Any) -> Any:  # noqa: ANN401 - any type
    """Return the struct of an optional field."""
    arguments = [a for a in typing.get_args(kind) if a is not type(None)]
    return arguments[0] if type(None) in typing.get_args(kind) else kind
