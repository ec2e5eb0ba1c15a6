"""Which settings a run may choose, and how they are called."""

import pytest

from components.errors import UserError
from pipeline.config import Recipe, load_recipe
from pipeline.kubeflow.compiler.parameters import exposed_settings


def parameters(recipe):
    return {p.name: p for p in exposed_settings(recipe, "digits", "/mnt/serving")}


def with_names(*keys):
    return load_recipe("digits", ["head.hidden=[8]", f"kubeflow.parameters=[{', '.join(keys)}]"])


def test_every_phase_has_its_epochs_in_the_form():
    found = parameters(load_recipe("digits"))
    assert {name: (p.type, p.default) for name, p in found.items()} == {
        "data_source": ("STRING", "digits"),
        "push_destination": ("STRING", "/mnt/serving"),
        "frozen_epochs": ("NUMBER_INTEGER", 8),
        "unfrozen_epochs": ("NUMBER_INTEGER", 12),
    }
    assert found["push_destination"].properties == (
        ("BaselineFinder", "push_destination"),
        ("Pusher", "push_destination"),
    )
    one = parameters(load_recipe("digits", ["training.unfrozen.epochs=0"]))
    assert "unfrozen_epochs" not in one


def test_phases_of_a_list_have_theirs_too():
    phases = [
        {"name": "head", "epochs": 1},
        {"name": "top-layers", "epochs": 2, "fine_tune_at": 100},
        {"name": "all", "epochs": 3, "fine_tune_at": "all"},
    ]
    found = parameters(Recipe(name="three", training={"phases": phases}))
    assert {name: p.setting_path for name, p in found.items() if name.endswith("_epochs")} == {
        "head_epochs": ["training", "phases", 0, "epochs"],
        "top_layers_epochs": ["training", "phases", 1, "epochs"],
        "all_epochs": ["training", "phases", 2, "epochs"],
    }


def test_a_recipe_may_add_settings_of_training_and_head():
    found = parameters(
        with_names("training.batch_size", "training.frozen.learning_rate", "head.dropout")
    )
    assert (found["batch_size"].type, found["batch_size"].default) == ("NUMBER_INTEGER", 32)
    assert found["frozen_learning_rate"].type == "NUMBER_DOUBLE"
    assert found["head_dropout"].default == 0.2
    assert found["frozen_learning_rate"].description == "training.frozen.learning_rate"


def test_of_a_key_that_is_there_twice_it_is_told_which_need_no_listing():
    always = "data_source, push_destination, frozen_epochs, unfrozen_epochs"
    says = rf"frozen_epochs \(training\.frozen\.epochs\) is there twice; without .* are {always}$"
    with pytest.raises(UserError, match=says):
        parameters(with_names("training.batch_size", "training.frozen.epochs"))


def test_phases_whose_names_a_form_cannot_tell_apart_are_told():
    phases = [{"name": name, "epochs": 1} for name in ("warm-up", "warm_up")]
    with pytest.raises(UserError, match=r"warm_up_epochs \(training\..*\) is there twice"):
        parameters(Recipe(name="two", training={"phases": phases}))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (
            "training.mixed_precision",
            "training.mixed_precision is true or false; a run parameter is a text or a number",
        ),
        ("training.frozen.batch_size", "training.frozen.batch_size is not set; a run parameter"),
        ("training.frozen", "training.frozen is a block or list"),
        ("training.batchsize", "there is no training.batchsize in this recipe; training has batch"),
        ("training.top.epochs", "there is no training.top.epochs in this recipe; training has"),
        ("head.hidden.first", "there is no head.hidden.first in this recipe; head.hidden has no"),
        ("augmentation.rotation", "augmentation.rotation is not below training or head: of the"),
        ("backbone.weights", "backbone.weights is not below training or head: of the rest, more"),
    ],
)
def test_what_cannot_be_a_parameter_is_told(key, says):
    recipe = with_names(key)
    with pytest.raises(ValueError) as error:
        exposed_settings(recipe, "digits", "/mnt/serving")
    assert says in str(error.value)
