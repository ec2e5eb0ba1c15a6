"""Values of run parameters, as they are written after `--param`."""

from types import SimpleNamespace

import pytest

from components.errors import UserError
from pipeline.kubeflow.package.documents import RunParameter
from pipeline.kubeflow.package.run_arguments import parse_arguments

PACKAGE = SimpleNamespace(
    parameters=(
        RunParameter("epochs", "NUMBER_INTEGER", 0),
        RunParameter("rate", "NUMBER_DOUBLE", 0.0),
        RunParameter("source", "STRING", ""),
    )
)


def test_each_value_has_the_type_of_its_parameter_and_the_others_keep_their_defaults():
    assert parse_arguments(PACKAGE, []) == {}
    values = parse_arguments(PACKAGE, ["rate=3", "epochs=-2", "source=a=b"])
    assert values == {"rate": 3.0, "epochs": -2, "source": "a=b"}
    assert [type(value) for value in values.values()] == [float, int, str]
    assert parse_arguments(PACKAGE, ["source="]) == {"source": ""}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs=1.0", "--param epochs: it must be a whole number, such as 0, its default, not"),
        ("rate=inf", "--param rate: it must be a number, such as 0.0, its default, not 'inf'"),
        ("rate=-inf", "--param rate: it must be a number"),
        ("rate=fast", "--param rate: it must be a number, such as 0.0, its default, not 'fast'"),
        ("source=https://me:hush@host/a.zip", "--param source: the address has a name or password"),
        ("=1", "--param =1: write key=value, as in epochs=0"),
        ("sources=1", "--param sources: the package has no such parameter (did you mean `source`"),
    ],
)
def test_what_cannot_be_is_told(assignment, message):
    with pytest.raises(UserError) as error:
        parse_arguments(PACKAGE, [assignment])
    assert str(error.value).startswith(message)


def test_of_a_package_without_parameters_none_can_be_given():
    package = SimpleNamespace(parameters=())
    assert parse_arguments(package, []) == {}
    with pytest.raises(UserError, match=r"no such parameter\. It has: none$"):
        parse_arguments(package, ["epochs=3"])
    with pytest.raises(UserError, match="--param epochs: write key=value, as in seed=1"):
        parse_arguments(package, ["epochs"])


def test_a_parameter_is_given_once():
    with pytest.raises(UserError, match="--param source: it is given twice"):
        parse_arguments(PACKAGE, ["source=", "rate=1", "source=a"])


def test_those_without_default_must_be_given_all_of_them():
    needed = (RunParameter("a", "STRING", None), RunParameter("b", "NUMBER_INTEGER", None))
    package = SimpleNamespace(parameters=(*needed, *PACKAGE.parameters))
    with pytest.raises(UserError, match=r"the package has no default for a, b$"):
        parse_arguments(package, [])
    with pytest.raises(UserError, match=r"the package has no default for b$"):
        parse_arguments(package, ["a="])
    with pytest.raises(UserError, match=r"b: it must be a whole number, not 'x'$"):
        parse_arguments(package, ["a=", "b=x"])
    assert parse_arguments(package, ["a=", "b=0"]) == {"a": "", "b": 0}
