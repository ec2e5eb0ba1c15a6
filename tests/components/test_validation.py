"""Pydantic's errors in Graft's words."""

from typing import Literal

import pydantic
import pytest

from components.settings import LocalPath, Settings
from components.validation import explain, problems

pytestmark = pytest.mark.one_line


class Phase(Settings):
    epochs: int = pydantic.Field(1, ge=1)


class Recipe(Settings):
    name: str = ""
    phase: Phase | None = None
    phases: tuple[Phase, ...] = ()
    shares: dict[str, pydantic.confloat(le=1.0)] = {}
    steps: dict[str, Phase] = {}
    listed: tuple[int, ...] = pydantic.Field((), validation_alias="list")
    path: LocalPath = ""


def refused(model, values) -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(values)
    return caught.value


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"nmae": "x"}, "nmae: unknown key (did you mean `name`?)"),
        ({"zzz": 1}, "zzz: unknown key. Known: name, phase, phases, shares, steps, list, path"),
        ({"phase": {"epoch": 3}}, "phase.epoch: unknown key (did you mean `epochs`?)"),
        ({"phases": [{}, {"epoch": 3}]}, "phases.1.epoch: unknown key (did you mean `epochs`?)"),
        (
            {"steps": {"name": {"epoch": 3}}},
            "steps.name.epoch: unknown key (did you mean `epochs`?)",
        ),
        ({"lists": [1]}, "lists: unknown key (did you mean `list`?)"),
        (3, "input should be a valid dictionary or instance of Recipe, not 3"),
        ({"path": "~no-such/x"}, "path: there is no user no-such, whose folder `~` is"),
        ({"name": None}, "name: input should be a valid string, not null"),
        (
            {"phase": {"epochs": "x" * 90}},
            f"phase.epochs: input should be a valid integer, not '{'x' * 77} …",
        ),
        (
            {"phase": {"epochs": 0}},
            "phase.epochs: input should be greater than or equal to 1, not 0",
        ),
        ({"phase": {"epochs": True}}, "phase.epochs: input should be a valid integer, not true"),
        ({"shares": {1: 0.5}}, "shares.1: input should be a valid string, not 1"),
    ],
)
def test_the_key_what_is_wrong_and_what_would_be_right(values, told):
    error = refused(Recipe, values)
    assert explain(error, Recipe) == told
    assert [str(problem) for problem in problems(error, Recipe)] == [told]


def test_of_more_values_than_a_line_holds_the_nearest_is_named():
    class Many(Settings):
        kind: Literal[tuple(f"kind_{letter * 9}" for letter in "abcdefghijklmnop")]

    near = refused(Many, {"kind": "kindeeeeeeeee"})
    assert explain(near, Many) == (
        "kind: unknown value 'kindeeeeeeeee' (did you mean `kind_eeeeeeeee`?)"
    )
    assert explain(refused(Many, {"kind": "zzz"}), Many).startswith("kind: input should be 'kind_a")


def test_a_block_is_named_before_its_keys_and_is_no_key_of_the_model():
    error = refused(Recipe, {"phase": {"epoch": 3}})
    assert explain(error, Recipe, "training") == (
        "training.phase.epoch: unknown key (did you mean `epochs`?)"
    )


def test_a_block_that_is_named_as_a_key_of_the_model_does_not_lead_into_it():
    told = explain(refused(Recipe, {"zzz": 1}), Recipe, "phase")
    assert told == "phase.zzz: unknown key. Known: name, phase, phases, shares, steps, list, path"
    error = refused(Recipe, {"nmae": "x"})
    assert explain(error, Recipe, "phase") == "phase.nmae: unknown key (did you mean `name`?)"


@pytest.mark.parametrize(("number", "more"), [(20, None), (23, "and 3 more")])
def test_the_first_twenty_are_shown(number, more):
    error = refused(Recipe, {"phases": [{"epochs": 0}] * number})
    lines = explain(error, Recipe).splitlines()
    assert lines[19].startswith("phases.19.epochs: ") and lines[20:] == ([more] if more else [])
    assert len(problems(error, Recipe)) == number
