"""Parameters: what is written is read back, what does not fit is refused
with the value and the range.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from types import NoneType
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Meta
from bench.errors import ParameterError
from bench.params import (
    Param,
    Params,
    check_value,
    describe_type,
    parse_value,
    render_call,
    render_value,
    split_call,
    split_outside,
)
from bench.plugins.types import NotStatic, type_from_text, type_to_text

finite = st.floats(allow_nan=False, allow_infinity=False)
inner = finite.filter(lambda value: abs(value) < sys.float_info.max)
whole = st.integers(-(2**63), 2**63 - 1)
nasty = (
    st.text(st.sampled_from('ab01.,|[]()"\\=- '))
    | st.text()
    | st.sampled_from(["true", "None", "1", "nan", "-inf", "(1,2)", "1e3", ""])
)
PLAIN = {bool: st.booleans(), int: whole, float: finite, str: nasty}


def optional(pair):
    kind, values = pair
    return kind | None, values | st.none()


plain = st.sampled_from(sorted(PLAIN.items(), key=lambda item: item[0].__name__))
words = st.lists(nasty.filter(bool), min_size=1, max_size=4, unique=True).map(
    lambda items: (Literal[tuple(items)], st.sampled_from(items))
)
bounded = st.sampled_from(
    [
        (Annotated[float, Meta(ge=0, le=1)], st.floats(0, 1)),
        (Annotated[int, Meta(gt=0)], st.integers(1, 10**9)),
    ]
)
single = plain | words | bounded
typed = (
    single
    | single.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=4).map(tuple)))
    | plain.filter(lambda pair: pair[0] is not str).map(optional)
)
typed_values = typed.flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))


def same(one, other):
    return type(one) is type(other) and (one == other) and (repr(one) == repr(other))


# Values as text -------------------------------------------------------------------


@given(typed_values)
def test_a_rendered_value_is_parsed_back_to_itself(case):
    kind, value = case
    assert same(parse_value("m", "p", Param(kind), render_value(value)), value)


@given(nasty | st.none())
def test_a_text_or_none_is_told_from_none_the_word(value):
    assert same(parse_value("m", "p", Param(str | None), render_value(value)), value)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), typed_values, max_size=4
    ),
    st.from_regex(r"[a-z]+(-[a-z]+)?", fullmatch=True),
)
def test_a_rendered_call_is_split_and_parsed_back_whatever_its_values_hold(given_values, name):
    values = {key: value for key, (_, value) in given_values.items()}
    found, texts = split_call(render_call(name, values))
    assert found == name
    assert list(texts) == list(values)
    for key, (kind, value) in given_values.items():
        assert len(texts[key]) == 1
        assert same(parse_value(name, key, Param(kind), texts[key][0]), value)


@given(st.lists(finite | nasty, min_size=1, max_size=4))
def test_alternatives_are_split_at_bars_outside_quotes_and_brackets(values):
    name, texts = split_call(f"m[p={'|'.join(map(render_value, values))}]")
    assert (name, texts["p"]) == ("m", [render_value(value) for value in values])


@given(st.text(st.sampled_from('a,|"\\[]()')), st.sampled_from(",|"))
def test_splitting_loses_nothing(text, separator):
    assert separator.join(split_outside(text, separator)) == text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (float, ".7", 0.7),
        (float, "-.7", -0.7),
        (float, "+1", 1.0),
        (float, "1.", 1.0),
        (float, "1.e-3", 0.001),
        (float, "3", 3.0),
        (int, " 3 ", 3),
        (bool, "True", True),
        (bool, "FALSE", False),
        (float | None, "none", None),
        (float | None, "null", None),
        (str, "true", "true"),
        (str, "1", "1"),
        (str, "a b", "a b"),
        (Literal["sym", "asym"], "sym", "sym"),
        (Literal[1, 2], "2", 2),
        (tuple[int, ...], "(256,)", (256,)),
        (tuple[int, ...], "(256, 64)", (256, 64)),
        (tuple[int, ...], "[1,2]", (1, 2)),
        (tuple[int, ...], "()", ()),
        (tuple[float, ...], "(1,2)", (1.0, 2.0)),
        (tuple[str, ...], '("a,b","c")', ("a,b", "c")),
    ],
)
def test_texts_are_read_as_a_person_means_them(kind, text, value):
    assert same(parse_value("m", "p", Param(kind), text), value)


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (float, "nan", "finite number"),
        (float, "-inf", "finite number"),
        (float, "Infinity", "finite number"),
        (float, "1e999", "finite number"),
        (float, "much", "takes a number"),
        (int, "1.5", "whole number"),
        (int, "true", "whole number"),
        (float, "true", "takes a number"),
        (bool, "1", "truth value"),
        (bool, "yes", "truth value"),
        (Annotated[float, Meta(ge=0, le=1)], "1.5", "number at least 0 and at most 1"),
        (Annotated[int, Meta(gt=0)], "0", "whole number above 0"),
        (Literal["sym", "asym"], "pair", "word out of sym, asym"),
        (tuple[float, ...], "(1,nan)", "list of numbers"),
        (tuple[int, ...], "(1,true)", "list of whole numbers"),
        (tuple[int, ...], "3", "list of whole numbers"),
        (float, "", "takes a number"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_owner_name_and_what_fits(kind, text, words):
    with pytest.raises(ParameterError, match=re.escape(words)) as caught:
        parse_value("elr", "lam", Param(kind), text)
    assert str(caught.value).startswith("elr got lam=")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    ["m[", "m[a]", "m[a=1", "m[=1]", "m[a=]", "m[a=1,a=2]", "m[A=1]", "m[a=1]x", "m[,]", "m[a=1,]"],
)
def test_a_malformed_call_is_an_error_that_shows_it(text):
    with pytest.raises(ParameterError, match=re.escape(text[:2])):
        split_call(text)


@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans())
def test_no_figure_that_is_not_finite_gets_in(value, listed):
    with pytest.raises(ParameterError, match="finite"):
        check_value(
            "m",
            "p",
            Param(tuple[float, ...] if listed else float),
            (0.0, value) if listed else value,
        )


@given(st.integers(-(2**50), 2**50))
def test_a_whole_number_given_for_a_number_becomes_one(value):
    assert same(check_value("m", "p", Param(float), value), float(value))


@pytest.mark.parametrize(
    "kind", [int, float, int | None, tuple[float, ...], Annotated[int, Meta(ge=0)]]
)
def test_a_truth_value_is_no_number(kind):
    with pytest.raises(ParameterError):
        check_value("m", "p", Param(kind), (True,) if kind == tuple[float, ...] else True)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (float | None, "number or none"),
        (tuple[int, ...], "list of whole numbers"),
        (bool, "truth value (true or false)"),
        (Annotated[float, Meta(gt=0, lt=2.5)], "number above 0 and below 2.5"),
    ],
)
def test_types_are_said_in_words(kind, words):
    assert describe_type(kind) == words


# Records -----------------------------------------------------------------------------


class Elr(Params, frozen=True, kw_only=True):
    lam: Annotated[float, Meta(ge=0)] = 3
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.7
    widths: tuple[int, ...] = (256,)
    rate: float | None = None


def test_a_record_makes_its_values_canonical_on_construction():
    record = Elr(lam=1, rate=2)
    assert [
        same(one, other) for one, other in zip((record.lam, record.rate), (1.0, 2.0), strict=True)
    ] == [True, True]
    assert record == Elr(lam=1.0, rate=2.0)
    assert record.values() == {"lam": 1.0, "beta": 0.7, "widths": (256,), "rate": 2.0}
    assert same(Elr().lam, 3.0)


def test_a_record_is_frozen():
    with pytest.raises(AttributeError):
        Elr().lam = 2.0


@pytest.mark.parametrize(
    "values",
    [{"lam": -1}, {"beta": 1.0}, {"lam": "1"}, {"widths": 3}, {"lam": float("nan")}, {"lam": True}],
)
def test_a_record_refuses_what_does_not_fit_by_either_door(values):
    for door in (lambda: Elr(**values), lambda: Elr.make(values)):
        with pytest.raises(ParameterError, match=f"Elr got {next(iter(values))}="):
            door()


def test_an_unknown_name_is_an_error_with_near_matches_and_all_names():
    with pytest.raises(
        ParameterError, match=r"no parameter 'lamda'. Did you mean 'lam'\?.*lam, beta, widths, rate"
    ):
        Elr.make({"lamda": 1})


def test_a_parameter_without_a_default_must_be_given():
    class Needs(Params, frozen=True, kw_only=True):
        k: int

    assert Needs.make({"k": 2}).k == 2
    with pytest.raises(
        ParameterError, match=r"Needs needs a value for k; give it as Needs\[k=...\]"
    ):
        Needs.make({})


def test_fields_are_inherited_in_order_and_may_be_replaced():
    class Child(Elr, frozen=True, kw_only=True):
        more: bool = False
        lam: float = -1.0

    assert set(Child.schema()) == {"lam", "beta", "widths", "rate", "more"}
    assert Child().lam == -1.0
    assert Elr.schema()["lam"].default == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"lr": 0.1},
            "lr has no annotation, so it would silently be no parameter; write 'lr: float = 0.1'",
        ),
        ({"card": {}}, "card needs the annotation ClassVar"),
        ({"card": {}, "__annotations__": {"card": dict}}, "card would become a parameter"),
        ({"lr": "much", "__annotations__": {"lr": float}}, "bad default"),
        ({"lr": float("inf"), "__annotations__": {"lr": float}}, "bad default"),
        ({"lr": -1.0, "__annotations__": {"lr": Annotated[float, Meta(ge=0)]}}, "bad default"),
    ],
)
def test_a_slip_in_a_class_is_an_error_when_it_is_defined(body, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        type(Params)("Slip", (Params,), {"__module__": __name__, **body}, frozen=True, kw_only=True)


def test_class_variables_private_names_and_functions_are_no_parameters():
    class Fine(Params, frozen=True, kw_only=True):
        nets: ClassVar[int] = 2
        _secret: ClassVar[int] = 3
        lr: float = 0.1

        @property
        def double(self):
            return 2 * self.lr

        @staticmethod
        def help():
            return 1

    assert list(Fine.schema()) == ["lr"]


# Types as text --------------------------------------------------------------------------


@given(typed)
def test_a_type_written_as_text_is_read_back_to_itself(pair):
    assert type_from_text(type_to_text(pair[0])) == pair[0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("float", float),
        ("None", None),
        ("int | None", int | None),
        ("Optional[float]", float | None),
        ("typing.Literal['a', 'b']", Literal["a", "b"]),
        ("'float'", float),
        ("tuple[int, ...]", tuple[int, ...]),
        ("Annotated[float, Meta(ge=0, lt=1)]", Annotated[float, Meta(ge=0, lt=1)]),
        ("Annotated[float | None, msgspec.Meta(ge=-1)]", Annotated[float | None, Meta(ge=-1)]),
    ],
)
def test_annotations_are_read_without_importing(text, kind):
    assert type_from_text(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Path",
        "list[int]",
        "dict[str, int]",
        "tuple[int, int]",
        "__import__('os')",
        "Annotated[float, Other(1)]",
        "Literal[f()]",
        "1 + 1",
    ],
)
def test_an_annotation_of_another_kind_is_left_to_the_import(text):
    with pytest.raises((NotStatic, ValueError)):
        type_from_text(text)


def test_the_type_of_none_has_one_text():
    assert type_to_text(NoneType) == type_to_text(None) == "None"


def test_meta_takes_the_four_bounds_and_nothing_that_parameters_do_not_read():
    assert [inspect.signature(Meta).parameters[name].kind for name in ("ge", "gt", "le", "lt")] == [
        inspect.Parameter.KEYWORD_ONLY
    ] * 4
    assert len(inspect.signature(Meta).parameters) == 4
    with pytest.raises(TypeError, match="pattern"):
        Meta(pattern="a+")
    with pytest.raises(ValueError, match="gt"):
        Meta(ge=0, gt=0)


@pytest.mark.parametrize(
    "bound",
    [{"ge": math.inf}, {"le": math.nan}, {"gt": sys.float_info.max}, {"lt": -sys.float_info.max}],
    ids=str,
)
def test_a_bound_that_no_finite_number_keeps_is_refused(bound):
    (name,) = bound
    with pytest.raises(ValueError, match=name):
        Meta(**bound)


@given(
    st.fixed_dictionaries({}, optional={"ge": finite, "le": finite})
    | st.fixed_dictionaries({}, optional={"gt": inner, "lt": inner})
)
def test_the_bounds_of_meta_are_those_that_a_value_is_checked_against(bounds):
    param = Param(Annotated[float, Meta(**bounds)])
    for value in {0.0, *bounds.values()}:
        inside = (
            value >= bounds.get("ge", value)
            and value <= bounds.get("le", value)
            and ("gt" not in bounds or value > bounds["gt"])
            and ("lt" not in bounds or value < bounds["lt"])
        )
        if inside:
            assert check_value("m", "x", param, value) == value
        else:
            with pytest.raises(ParameterError):
                check_value("m", "x", param, value)
