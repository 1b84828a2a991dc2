"""What a fault that JSON schema found is about, in words for whoever wrote the file."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

_TYPE_NAMES = {
    "array": "a list",
    "object": "a table",
    "string": "text; put it in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "a number of {} or more",
    "exclusiveMinimum": "a number above {}",
    "maximum": "a number of {} or less",
    "exclusiveMaximum": "a number below {}",
    "minItems": "at least {} of them",
    "minLength": "some text",
}
_LONGEST = 60


def place_of(where: Iterable[str | int]) -> str:
    """The way to a place as people write it: `grade.cases[0].call`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return "".join(parts).removeprefix(".") or "the file"


def key_at_fault(fault: ValidationError) -> str | None:
    """The key of the table that a fault is about; None where it is about the whole of it."""
    if "propertyNames" in fault.absolute_schema_path:
        return str(fault.instance)
    if fault.validator != "additionalProperties":
        return None
    table: Any = fault.instance
    return next(str(key) for key in table if key not in _known_keys(fault))


def unknown_key(name: str, known: Iterable[str]) -> str:
    """What to say of a key that is none of those known."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key {name!r}; {hint}known keys are {', '.join(known)}"


def explain(fault: ValidationError) -> str:
    """What was found in a place, and what is expected there."""
    if fault.validator == "additionalProperties":
        return unknown_key(str(key_at_fault(fault)), _known_keys(fault))
    if fault.validator == "required":
        return f"{fault.message.removesuffix(' is a required property')} is missing"
    expected = _expected(fault)
    if fault.instance is None and "text" in expected:
        return 'is empty; a `#` starts a comment in YAML, so write "#t" with quotes'
    return f"found {_shown(fault.instance)}, expected {expected}"


def _expected(fault: ValidationError) -> str:
    """What the schema wants instead, in its own words where it has some."""
    schema, rule = fault.schema, str(fault.validator)
    wanted: Any = fault.validator_value
    if isinstance(schema, Mapping) and "expected" in schema:
        return str(schema["expected"])
    if rule == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return " or ".join(_TYPE_NAMES[name] for name in names)
    if rule == "enum":
        return f"one of {', '.join(map(str, wanted))}"
    return _BOUNDS.get(rule, f"what fits {rule} {{}}").format(wanted)


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _known_keys(fault: ValidationError) -> list[str]:
    schema = fault.schema
    return sorted(schema["properties"]) if isinstance(schema, Mapping) else []
