"""Failures: their classes, what they carry, and that no input ends the process or shows a secret."""

from __future__ import annotations

import copy
import datetime
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_args

import mailu
import pytest
from mailu import errors
from support import MINIMAL

SECRET = "hunter2-do-not-show"
Call = Callable[..., Any]


def subclasses() -> dict[str, type[mailu.MailuError]]:
    return {cls.kind: cls for cls in mailu.MailuError.__subclasses__()}


def test_every_kind_has_its_class() -> None:
    kinds = mailu.error_kinds()
    assert len(kinds) == len(set(kinds)) == len(mailu.MailuError.__subclasses__())
    assert set(kinds) == set(subclasses())
    assert set(kinds) == set(get_args(mailu.ErrorKind))
    for cls in subclasses().values():
        assert getattr(mailu, cls.__name__) is cls


def test_every_kind_is_raised_as_its_class() -> None:
    for kind in mailu.error_kinds():
        error = errors.from_core(
            {
                "kind": kind,
                "code": "a.b",
                "message": "do a thing",
                "cause": "why",
                "hints": ["type this"],
                "findings": [],
            }
        )
        assert type(error) is subclasses()[kind]
        assert (error.kind, error.code, error.cause) == (kind, "a.b", "why")
        assert (str(error), error.hints) == ("do a thing", ["type this"])


def invalid() -> mailu.MailuError:
    with pytest.raises(mailu.InvalidInputError) as caught:
        mailu.render({**MINIMAL, "tls": {"mode": "taefik"}})
    return caught.value


def test_an_error_survives_copying_and_pickling() -> None:
    error = invalid()
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_a_traceback_shows_findings_and_hints() -> None:
    error = invalid()
    text = "".join(traceback.format_exception(error))
    assert "`tls.mode` = `taefik`: " in text
    for hint in error.findings[0].get("hints", []):
        assert hint in text


@pytest.mark.parametrize("call", [mailu.check_config, mailu.render, mailu.dns_records])
@pytest.mark.parametrize("config", [None, 5, True, b"x = 1", [MINIMAL], object()])
def test_config_must_be_text_or_a_mapping(call: Call, config: object) -> None:
    with pytest.raises(TypeError, match="TOML text or a mapping") as caught:
        call(config)
    assert type(config).__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (b"x", TypeError, r'config\["ports"\]\["mail"\]\[1\] is of type bytes'),
        ({25}, TypeError, "is of type set"),
        (datetime.date(2026, 1, 1), TypeError, "is of type date"),
        ({1: 2}, TypeError, "a key of .* must be str, found int"),
        (float("nan"), ValueError, "is not a finite number"),
        (2**63, ValueError, "does not fit into 64 bits"),
        ("\ud800", ValueError, "is not valid Unicode"),
    ],
)
def test_config_values_must_be_plain(
    value: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mailu.check_config({**MINIMAL, "ports": {"mail": [25, value]}})


def test_any_mapping_will_do_and_none_is_not_set() -> None:
    empty: Mapping[str, str] = MappingProxyType({})
    config = MappingProxyType({**MINIMAL, "client": None, "tls": empty})
    assert mailu.render(config) == mailu.render(MINIMAL)
    assert mailu.render(config, secrets=empty, dkim_keys=None) == mailu.render(MINIMAL)


def test_arguments_have_their_names() -> None:
    render: Call = mailu.render
    with pytest.raises(TypeError, match="positional argument"):
        render()
    with pytest.raises(TypeError, match="positional argument"):
        render(MINIMAL, {})
    with pytest.raises(TypeError, match="dkimKeys"):
        render(MINIMAL, dkimKeys={})


@pytest.mark.parametrize("name", ["secrets", "dkim_keys"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (SECRET, "expected a mapping of str to str, found str"),
        ([SECRET], "found list"),
        ({"secret_key": SECRET.encode()}, '"secret_key" must be str, found bytes'),
        ({"secret_key": None}, '"secret_key" must be str, found NoneType'),
        ({5: SECRET}, "a key must be str, found int"),
    ],
)
def test_secrets_and_keys_must_be_mappings_of_text(
    name: str, value: object, message: str
) -> None:
    render: Call = mailu.render
    with pytest.raises(TypeError, match=message) as caught:
        render(MINIMAL, **{name: value})
    assert_silent(caught.value)


def assert_silent(error: BaseException) -> None:
    """Neither the message nor anything that the error carries shows the secret."""
    shown = [str(error), repr(error), repr(vars(error))]
    shown += traceback.format_exception_only(type(error), error)
    assert SECRET not in "".join(shown)


def test_an_unknown_secret_is_refused() -> None:
    with pytest.raises(mailu.InvalidInputError, match="nope") as caught:
        mailu.render(MINIMAL, secrets={"nope": SECRET})
    assert caught.value.code == "secret.unknown"
    assert "secret_key" in caught.value.hints[0]
    assert_silent(caught.value)


@pytest.mark.parametrize("call", [mailu.render, mailu.dns_records])
def test_an_unreadable_dkim_key_is_refused(call: Call) -> None:
    begin, end = (f"-----{word} PRIVATE KEY-----" for word in ("BEGIN", "END"))
    for pem in ("", SECRET, f"{begin}\n{SECRET}\n{end}\n"):
        with pytest.raises(mailu.CorruptError) as caught:
            call(MINIMAL, dkim_keys={"example.com": pem})
        assert caught.value.code == "dkim.unreadable"
        assert caught.value.cause
        assert_silent(caught.value)


@pytest.mark.parametrize("call", [mailu.render, mailu.dns_records])
def test_a_dkim_key_needs_an_email_domain(call: Call) -> None:
    with pytest.raises(mailu.InvalidInputError, match=r"example\.org") as caught:
        call(MINIMAL, dkim_keys={"example.org": SECRET})
    assert caught.value.code == "dkim.unknown_domain"
    assert_silent(caught.value)


def test_a_secret_is_in_no_error() -> None:
    secrets = {"secret_key": SECRET, "api_token": SECRET, "relay_password": SECRET}
    broken: list[mailu.Config] = [
        "mail_host = ",
        {**MINIMAL, "tls": {"mode": "taefik"}},
        {**MINIMAL, "env": {"SECRET_KEY": SECRET, "API_TOKEN": SECRET}},
    ]
    for config in broken:
        with pytest.raises(mailu.MailuError) as caught:
            mailu.render(config, secrets=secrets)
        assert_silent(caught.value)
    with pytest.raises(ValueError, match="not valid Unicode") as unicode:
        mailu.render(MINIMAL, secrets={"secret_key": SECRET + "\ud800"})
    assert_silent(unicode.value)


def test_a_huge_config_is_judged() -> None:
    text = "x" * 5_000_000
    assert mailu.check_config({**MINIMAL, "welcome": {"subject": text}})
    assert mailu.check_config(text)
    wrong = mailu.check_config({**MINIMAL, "email_domains": [0] * 50_000})
    assert len(wrong) == 50_000


Wrap = Callable[[object], object]
WRAPS: list[Wrap] = [lambda v: [v], lambda v: {"a": v}, lambda v: (v,)]


def nested(depth: int, wrap: Wrap) -> object:
    value: object = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_deep_config_is_refused(wrap: Wrap) -> None:
    for depth in (1, 31):
        (finding,) = mailu.check_config({**MINIMAL, "x": nested(depth, wrap)})
        assert finding["id"] == "config.unknown_key"
    for depth in (32, 5_000, 200_000):
        with pytest.raises(ValueError, match="levels deep"):
            mailu.check_config({**MINIMAL, "x": nested(depth, wrap)})


def test_a_cyclic_config_is_refused() -> None:
    config = dict(MINIMAL)
    config["x"] = config
    with pytest.raises(ValueError, match="levels deep"):
        mailu.check_config(config)
    shared = nested(31, lambda value: [value, value])
    with pytest.raises(ValueError, match="values"):
        mailu.check_config({**MINIMAL, "x": shared})


@pytest.mark.parametrize("text", ["a = " + "[" * 200_000, ".".join("a" * 200_000)])
def test_deep_text_is_judged(text: str) -> None:
    (finding,) = mailu.check_config(text)
    assert finding["id"] == "config.syntax"


def test_a_failing_mapping_passes_its_error_on() -> None:
    class Failing(dict[str, object]):
        def items(self) -> Any:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        mailu.check_config(Failing())


def test_small_stacks_and_many_threads() -> None:
    """macOS gives threads 512 KiB; and the core runs without the interpreter lock."""
    results: list[object] = []

    def work() -> None:
        for depth in (31, 100_000):
            try:
                results.append(
                    mailu.check_config({"x": nested(depth, lambda value: [value])})
                )
            except ValueError as error:
                results.append(error)
        results.append(mailu.render(MINIMAL))

    before = threading.stack_size(512 * 1024)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    for thread in threads:
        thread.join()
    assert len(results) == 24
