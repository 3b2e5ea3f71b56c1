#!/usr/bin/env python3
"""Writes ``types.py`` and ``operations.py`` from the schema that the extension module has of its operations.

``generate.py`` writes them; ``generate.py --check`` says whether they are as they should be.
"""

# Schemas are dictionaries of anything.
# pyright: basic
from __future__ import annotations

import keyword
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "python" / "mailu"
WIDTH = 120

Schema = dict[str, Any]

# Names that are taken.
RENAMED = {"Config": "Configuration", "Data": "RecordData", "ErrorKind": "ErrorKind"}

# Variants without a name of their own, by their keys.
VARIANTS = {
    ("address",): "AddressData",
    ("target",): "CnameData",
    ("exchange", "preference"): "MxData",
    ("port", "priority", "target", "weight"): "SrvData",
    ("flags", "tag", "value"): "CaaData",
    ("association", "matching", "selector", "usage"): "TlsaData",
    ("text",): "TxtData",
    ("directory", "error"): "FailedDeployment",
}

# These are written by hand, because they take a configuration and more.
BY_HAND = {"check_config", "render", "dns_records", "config_schema"}


def doc(text: str, indent: str = "") -> str:
    """A text as a docstring."""
    text = text.replace("`", "``").replace("\\", "\\\\")
    paragraphs = [
        textwrap.fill(
            " ".join(part.split()),
            WIDTH - 8,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in text.split("\n\n")
    ]
    return f'{indent}"""' + "\n\n".join(paragraphs).lstrip() + '"""'


class Types:
    """Writes the types of results."""

    def __init__(self, types: dict[str, Schema]) -> None:
        self.types = types
        self.written: dict[str, str] = {}
        self.late: list[str] = []

    def name(self, name: str) -> str:
        return RENAMED.get(name, name)

    def plain(self, schema: Schema) -> str | None:
        """The type of what is a text, a number or the like, and has no name in Python."""
        if "enum" in schema or "oneOf" in schema or "anyOf" in schema or "properties" in schema:
            return None
        if "const" in schema:
            return None
        kind = schema.get("type")
        return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}.get(str(kind))

    def expression(self, schema: Schema | bool, parent: str) -> str:
        """A type, as it stands in an annotation."""
        if schema is True:
            return "Any"
        assert isinstance(schema, dict), schema
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/types/")
            target = self.types[name]
            plain = self.plain(target)
            if plain is not None:
                return plain
            if set(target) - {"description"} == {"$ref"}:
                return self.expression(target, parent)
            self.define(self.name(name), target)
            return self.name(name)
        if "const" in schema:
            return f"Literal[{schema['const']!r}]".replace("'", '"')
        if "enum" in schema:
            values = [value for value in schema["enum"]]
            return "Literal[" + ", ".join(f'"{value}"' for value in values) + "]"
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.union(schema[key], parent)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(
                self.expression({**schema, "type": one}, parent) for one in sorted(kind, key=lambda one: one == "null")
            )
        if kind == "null":
            return "None"
        if kind == "array":
            if "prefixItems" in schema:
                items: list[str] = []
                for one in schema["prefixItems"]:
                    text = self.expression(one, parent)
                    if text not in items:
                        items.append(text)
                return f"list[{' | '.join(items)}]"
            return f"list[{self.expression(schema.get('items', True), parent)}]"
        if kind == "object":
            if "properties" in schema:
                name = VARIANTS.get(tuple(sorted(schema["properties"])), parent)
                self.define(name, schema)
                return name
            return f"dict[str, {self.expression(schema.get('additionalProperties', True), parent)}]"
        return self.plain(schema) or "Any"

    def union(self, variants: list[Schema], parent: str) -> str:
        literals = [one["const"] for one in variants if "const" in one]
        literals += [value for one in variants if "enum" in one for value in one["enum"]]
        rest = [one for one in variants if "const" not in one and "enum" not in one]
        parts: list[str] = []
        if literals:
            parts.append("Literal[" + ", ".join(f'"{value}"' for value in literals) + "]")
        for one in rest:
            # What tells the variants apart names them.
            tags = [value["const"] for value in one.get("properties", {}).values() if "const" in value]
            own = "".join(part.title() for part in tags[0].split("_")) + parent if tags else parent
            text = self.expression(one, own)
            if text not in parts:
                parts.append(text)
        parts.sort(key=lambda part: part == "None")
        return " | ".join(parts)

    def define(self, name: str, schema: Schema) -> None:
        """Writes down a type with a name."""
        if name in self.written:
            return
        self.written[name] = ""
        description = schema.get("description", "")
        if "properties" in schema:
            self.written[name] = self.table(name, schema)
            return
        text = self.expression({key: value for key, value in schema.items() if key != "description"}, name)
        if text.startswith("Literal[") and text.count("[") == 1 and " | " not in text:
            if len(text) > WIDTH - 30:
                values = text.removeprefix("Literal[").removesuffix("]").split(", ")
                text = "Literal[\n" + "".join(f"    {value},\n" for value in values) + "]"
            told = [
                f"{one['const']}: {one['description']}"
                for one in schema.get("oneOf", [])
                if "const" in one and "description" in one
            ]
            description += "\n\n" + " ".join(f"``{line.replace(': ', '``: ', 1)}" for line in told) if told else ""
            description = description.replace("``", "`")
        else:
            # Real ones, so that annotations can be evaluated: they stand behind all that they consist of.
            self.late.append(name)
        self.written[name] = f"{name}: TypeAlias = {text}\n" + (doc(description) if description else "")

    def table(self, name: str, schema: Schema) -> str:
        required = set(schema.get("required", ()))
        fields: dict[str, tuple[str, str]] = {}
        for key, one in schema["properties"].items():
            parent = name + "".join(part.title() for part in key.split("_"))
            about = one.get("description", "") if isinstance(one, dict) else ""
            fields[key] = (self.expression(one, parent), about)
        out = ""
        base = "TypedDict"
        odd = {key: kind for key, (kind, _) in fields.items() if keyword.iskeyword(key) or not key.isidentifier()}
        if odd:
            assert set(odd) <= required, (name, odd)
            base = f"_{name}Base"
            inner = ", ".join(f'"{key}": "{kind}"' for key, kind in odd.items())
            out += f'{base} = TypedDict("{base}", {{{inner}}})\n\n\n'
        normal = {key: value for key, value in fields.items() if key not in odd}
        must = {key: value for key, value in normal.items() if key in required}
        may = {key: value for key, value in normal.items() if key not in required}
        description = doc(schema.get("description") or "As it is.", "    ")

        def body(of: dict[str, tuple[str, str]]) -> str:
            lines = ""
            for key, (kind, about) in of.items():
                lines += f"    {key}: {kind}\n"
                if about:
                    lines += doc(about, "    ") + "\n"
            return lines

        if must and may:
            out += f"class _{name}Required({base}):\n{body(must)}\n\n"
            out += f"class {name}(_{name}Required, total=False):\n{description}\n\n{body(may)}"
        elif may:
            out += f"class {name}({base}, total=False):\n{description}\n\n{body(may)}"
        else:
            out += f"class {name}({base}):\n{description}\n\n{body(must)}"
        return out.rstrip("\n")


HEAD = '''"""The data that goes in and comes out. Keys are those of ``mailu --json``.

Written by ``generate.py`` from the library's schema.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Union

Config: TypeAlias = Union[str, Mapping[str, object]]
"""The text of ``mailu.toml``, or a mapping of the same keys. A key whose value is ``None`` is not set."""

StrPath: TypeAlias = Union[str, os.PathLike[str]]
"""A path."""

Value: TypeAlias = Union[str, int, bool, Sequence[Union[str, int, bool]]]
"""A value as it would be typed: ``"10GB"``, ``5``, ``True``, ``[25, 465]``."""

RecordType: TypeAlias = Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT"]
"""The type of a DNS record."""

'''

TAIL = '''

Progress: TypeAlias = Callable[[Event], object]
"""Hears what happens while an operation runs, in the thread that called it. What it raises stops the operation."""
'''


def option(schema: Schema, required: bool) -> tuple[str, str]:
    """The type of an option, and its default."""
    kind = schema.get("type")
    is_list = kind == "array"
    if schema.get("x-config"):
        text = "Config"
    elif schema.get("x-path"):
        text = "StrPath"
    elif "enum" in schema or "oneOf" in schema or "anyOf" in schema:
        variants = schema.get("oneOf") or schema.get("anyOf") or [schema]
        values: list[str] = []
        for one in variants:
            if one.get("x-config"):
                return "Config | None", "None"
            for inner in one.get("oneOf", [one]):
                values += [inner["const"]] if "const" in inner else list(inner.get("enum", ()))
        text = "Literal[" + ", ".join(f'"{value}"' for value in values) + "]" if values else "Config"
    elif is_list:
        text = "Sequence[str]"
    elif kind == "object":
        of = schema.get("additionalProperties")
        if of is True:
            text = "Mapping[str, object]"
        else:
            text = "Mapping[str, str]" if isinstance(of, dict) and of.get("type") == "string" else "Mapping[str, Value]"
    else:
        kinds = [str(one) for one in (kind if isinstance(kind, list) else [kind]) if one != "null"]
        assert len(kinds) == 1, schema
        text = {"string": "str", "integer": "int", "boolean": "bool"}[kinds[0]]
    if required:
        return text, ""
    if text == "bool":
        return text, "False"
    if is_list:
        return text, "()"
    return f"{text} | None", "None"


def operation(name: str, one: Schema, types: Types, host: bool) -> str:
    """A method, or a function."""
    request = one["request"]
    required = request.get("required", [])
    properties: dict[str, Schema] = request.get("properties", {})
    streams = one["item"] is not None and one["result"] == {"type": "null"}
    parent = "".join(part.title() for part in name.split("_")) + "Result"
    result = types.expression(one["result"], parent)
    # Also where it is only heard on the way, so that it has a type.
    item = types.expression(one["item"], parent) if one["item"] is not None else ""
    if streams:
        result = f"Stream[{item}]"
    result = result.replace("list[", "builtins.list[")
    indent = "    " if host else ""
    order = list(required)
    rest = [key for key in properties if key not in required]
    arguments = (["self"] if host else []) + [f"{key}: {option(properties[key], True)[0]}" for key in order]
    optional = [f"{key}: {kind} = {default}" for key in rest for kind, default in [option(properties[key], False)]]
    if host and not streams:
        optional.append("progress: Progress | None = None")
    if optional:
        arguments += ["*", *optional]
    lines = [f"{indent}def {name}("]
    lines += [f"{indent}    {argument}," for argument in arguments]
    lines += [f"{indent}) -> {result}:"]
    if not arguments:
        lines = [f"{indent}def {name}() -> {result}:"]
    text = request.get("description", "").replace("`", "``")
    about = doc(request.get("description", ""), indent + "    ")
    if properties:
        told = [
            textwrap.fill(
                f"{key}: " + properties[key].get("description", "").replace("`", "``"),
                WIDTH - 8,
                initial_indent=indent + "        ",
                subsequent_indent=indent + "            ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for key in order + rest
        ]
        about = about.removesuffix('"""') + f"\n\n{indent}    Args:\n" + "\n".join(told) + f'\n{indent}    """'
    assert text, name
    lines.append(about)
    pairs = [f'{indent}        "{key}": {key},' for key in order + rest]
    lines.append(f"{indent}    request: dict[str, object] = {{" + ("}" if not pairs else ""))
    if pairs:
        lines += [*pairs, f"{indent}    }}"]
    if streams:
        lines.append(f'{indent}    return Stream(self.root, "{name}", request)')
    else:
        call = f'perform(self.root, "{name}", request, progress)' if host else f'perform("/", "{name}", request, None)'
        lines.append(f"{indent}    return {call}" if result == "Any" else f'{indent}    return cast("{result}", {call})')
    return "\n".join(lines)


def generate(schema: Schema) -> dict[str, str]:
    """The files by name."""
    types = Types(schema["types"])
    functions = ""
    methods = ""
    for name, one in schema["operations"].items():
        if one["side"] == "host":
            methods += "\n" + operation(name, one, types, True) + "\n"
        elif name not in BY_HAND:
            functions += "\n\n" + operation(name, one, types, False) + "\n"
        else:
            types.expression(one["result"], name)
    types.expression(schema["event"], "Event")
    types.expression(schema["failure"], "Failure")
    names = sorted(types.written)
    early = [name for name in names if name not in types.late]
    written = "\n\n\n".join(types.written[name] for name in early + types.late)
    results = " ".join(re.findall(r"\) -> (.*):$", functions + methods, re.MULTILINE))
    used = [name for name in names if name in re.findall(r"\w+", results)]
    imports = sorted({*used, "Config", "Progress", "StrPath", "Value"})
    operations = f'''"""Every operation of the library. Written by ``generate.py`` from its schema."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from ._calls import Stream, perform
from .types import (
{"".join(f"    {name},{chr(10)}" for name in imports)})

ROOT = "{schema["root"]}"
"""Where AgencyStack lives, if nothing else is said."""


class Mailu:
    """The deployments of mail servers on this host, below a root.

    A method blocks until it is done. Other threads run meanwhile; Ctrl-C stops it where the same call continues.
    """

    def __init__(self, root: StrPath = ROOT) -> None:
        """Takes the directory where AgencyStack lives: deployments are below ``mailu`` there. Nothing is read yet."""
        self.root: str = os.fspath(root)

    def __repr__(self) -> str:
        return f"Mailu(root={{self.root!r}})"
{methods}{functions}'''
    return {"types.py": HEAD + written + TAIL, "operations.py": operations}


def main() -> int:
    sys.path.insert(0, str(PACKAGE.parent))
    from mailu._mailu import schema

    check = sys.argv[1:] == ["--check"]
    differs = False
    for name, text in generate(schema()).items():
        path = PACKAGE / name
        if check:
            if path.read_text("utf-8") != text:
                print(f"{path}: is not what the library's schema says; {sys.argv[0]} writes it", file=sys.stderr)
                differs = True
        else:
            path.write_text(text, "utf-8")
    return 1 if differs else 0


if __name__ == "__main__":
    raise SystemExit(main())
