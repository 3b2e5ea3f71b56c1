"""One list of operations, ``tests/api.json``: this package has all of them, with their options, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypedDict, get_type_hints

import mailu
import pytest
from support import PACKAGE, TESTS, read_json

# What is no operation: it tells the kinds of errors to whoever branches on them.
NO_OPERATION = {"error_kinds"}


class _ListedRequired(TypedDict):
    name: str
    side: str
    verbs: list[str]
    options: dict[str, str]


class Listed(_ListedRequired, total=False):
    only_here: dict[str, str]
    why_no_verb: str


LISTED: list[Listed] = read_json(TESTS / "api.json")["operations"]


def named(side: str) -> dict[str, Listed]:
    return {one["name"]: one for one in LISTED if one["side"] == side}


def functions(names: Iterable[str], of: object) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(of, name) for name in names}
    return {name: one for name, one in found.items() if inspect.isroutine(one)}


METHODS = functions((name for name in vars(mailu.Mailu) if not name.startswith("_")), mailu.Mailu)
FUNCTIONS = functions((name for name in mailu.__all__ if name not in NO_OPERATION), mailu)


def test_every_operation_is_here_and_nothing_else() -> None:
    assert len(LISTED) > 80
    assert set(METHODS) == set(named("host"))
    assert set(FUNCTIONS) == set(named("pure"))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_has_the_options_of_its_operation(name: str) -> None:
    listed = named("host")[name]
    parameters = inspect.signature(METHODS[name]).parameters
    options = set(parameters) - {"self", "progress"}
    assert options == {*listed["options"], *listed.get("only_here", {})}
    for one in parameters.values():
        assert one.kind is not one.VAR_KEYWORD
        # What is needed may stand without its name; all else has one.
        assert (one.default is one.empty) == (one.kind is not one.KEYWORD_ONLY), one
    hints = get_type_hints(METHODS[name])
    assert set(hints) == set(parameters) - {"self"} | {"return"}
    assert (METHODS[name].__doc__ or "").strip()


def test_the_written_files_are_what_the_schema_says() -> None:
    # In a name space of its own: it is a program.
    code = compile((PACKAGE / "generate.py").read_text("utf-8"), "generate.py", "exec")
    space: dict[str, Any] = {"__name__": "generate", "__file__": str(PACKAGE / "generate.py")}
    exec(code, space)
    from mailu._mailu import schema

    for name, text in space["generate"](schema()).items():
        path = PACKAGE / "python" / "mailu" / name
        assert path.read_text("utf-8") == text, f"{name}: `python mailu-py/generate.py` writes it"
