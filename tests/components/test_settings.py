"""What every block of a recipe has in common."""

from pathlib import Path
from typing import Literal

import pydantic
import pytest

from components.errors import UserError
from components.settings import LocalPath, Settings, refuse_password


class Block(Settings):
    number: float = 1.0
    count: int = pydantic.Field(1, ge=1)
    switch: bool = False
    choice: Literal[0.5, 1.0] = 1.0
    mixed: Literal["auto", 1] = "auto"
    bit: Literal[0, 1] = 0
    widths: tuple[pydantic.PositiveInt, ...] = ()
    maybe: int | None = None
    path: LocalPath = ""


class Outer(Settings):
    block: Block = Block()
    listed: tuple[int, ...] = pydantic.Field((), validation_alias="list")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("number", True),
        ("number", "1"),
        ("count", True),
        ("count", "3"),
        ("count", 3.0),
        ("switch", 1),
        ("switch", "no"),
        ("choice", True),
        ("mixed", True),
        ("bit", False),
        ("widths", [True]),
        ("maybe", True),
    ],
)
def test_true_is_no_number_and_a_number_no_switch(key, value):
    with pytest.raises(pydantic.ValidationError):
        Outer(block={key: value})


def test_a_switch_in_the_place_of_a_number_is_named_as_the_recipe_has_it():
    with pytest.raises(pydantic.ValidationError, match="must be a number, not true"):
        Block(choice=True)


def test_numbers_that_are_some_and_lists_for_tuples_are_taken():
    block = Block(number=2, count=3, switch=True, choice=1, widths=[4, 5], maybe=6)
    assert block.number == 2.0 and block.widths == (4, 5)
    assert Block.model_validate_json(block.model_dump_json()) == block


def test_the_home_of_the_user_is_what_a_tilde_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert Block(path="~/pictures").path == "/home/of/mine/pictures"
    assert Block(path="digits").path == "digits" and Block(path="a~b").path == "a~b"
    with pytest.raises(pydantic.ValidationError, match="no user nobody-of-this-name"):
        Block(path="~nobody-of-this-name/x")


@pytest.mark.parametrize(
    "address", ["https://me:hush@host/a.zip", "s3://hush@bucket/a", "git+ssh://me:hush@host/a"]
)
def test_an_address_with_a_password_is_refused_and_not_repeated(address):
    from components.validation import explain

    with pytest.raises(pydantic.ValidationError) as error:
        Block(path=address)
    told = explain(error.value, Block)
    assert "name or password before its host" in told and "hush" not in told
    for good in ("https://host/a@b.zip", "a@b", "s3://bucket/a@b"):
        assert Block(path=good).path == good


def test_an_address_with_a_password_names_the_key_that_has_it():
    assert refuse_password("s3://bucket/a", key="data.source") == "s3://bucket/a"
    with pytest.raises(UserError, match=r"^data\.source: the address has a name or password"):
        refuse_password("s3://hush@bucket/a", key="data.source")
    with pytest.raises(UserError, match=r"^the address has a name or password"):
        refuse_password("s3://hush@bucket/a")


def test_a_replaced_value_is_checked_and_the_rest_stays_as_it_was():
    outer = Outer.model_validate({"list": [1, 2]})
    assert outer.replaced(block=Block(count=7)).block.count == 7
    assert outer.replaced(block=Block()).listed == (1, 2)
    assert outer.model_fields_set == {"listed"}
    assert outer.block.replaced(count=2).model_fields_set == {"count"}
    with pytest.raises(pydantic.ValidationError):
        outer.block.replaced(count=0)
    with pytest.raises(pydantic.ValidationError):
        outer.replaced(blok=1)


def test_every_path_of_a_recipe_takes_a_tilde(monkeypatch):
    from pipeline.config import load_recipe

    monkeypatch.setenv("HOME", "/home/of/mine")
    overrides = [
        "workspace=~/w",
        "data.source=~/d",
        "data.split_ledger=~/s.parquet",
        "push.destination=~/p",
        "backbone.weights=~/b.h5",
        "distillation.teacher=~/t",
        "pseudo_labels.source=~/u",
    ]
    recipe = load_recipe("digits", overrides)
    home = Path("/home/of/mine")
    assert recipe.folder == home / "w/digits" and recipe.push_destination == home / "p"
    paths = (recipe.data.source, recipe.backbone.weights, recipe.distillation.teacher)
    assert paths == (f"{home}/d", f"{home}/b.h5", f"{home}/t")
    assert recipe.pseudo_labels.source == f"{home}/u"
    assert recipe.data.split_ledger == f"{home}/s.parquet"
