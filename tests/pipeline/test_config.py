"""Recipes: what they say, what overrides do, and how mistakes are told."""

import pytest

from pipeline.config import Recipe, RecipeError, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_with_graft_loads(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_overrides_reach_nested_keys_and_keep_their_types():
    recipe = load_recipe(
        "digits", ["training.unfrozen.epochs=3", "data.source=/a b/c", "head.dropout=0"]
    )
    assert recipe.training.unfrozen.epochs == 3
    assert recipe.training.frozen == load_recipe("digits").training.frozen
    assert recipe.data.source == "/a b/c" and recipe.head.dropout == 0.0


PHASES = "training={phases: [{name: head, epochs: 2}, {name: top, fine_tune_at: 130}]}"


def test_overrides_reach_a_phase_of_a_list_by_its_name():
    recipe = load_recipe("digits", [PHASES, "training.phases.top.epochs=7"])
    assert {name: phase.epochs for name, phase in recipe.training.phases.items()} == {
        "head": 2,
        "top": 7,
    }


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.phases.hed.epochs=3", "the list holds no hed; it holds head, top"),
        ("training.phases.top=3", "phases is a list, not a block"),
        ("training.phases.top.epocs=3", "training.phases.1.epocs: unknown key (did you mean `ep"),
        ("training.frozen.epochs=3", "training: frozen and phases cannot both be given"),
    ],
)
def test_a_mistake_in_a_list_of_phases_is_told(override, says):
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", [PHASES, override])
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_file_of_the_users_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nbackbone: {alpha: 0.35, weights: glyphs}\n")
    recipe = load_recipe(str(path))
    assert recipe.name == "mine" and recipe.backbone.alpha == 0.35


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (
            "training.unfrozen.epocs=3",
            "training.unfrozen.epocs: unknown key (did you mean `epochs`?)",
        ),
        ("trainig.seed=3", "trainig: unknown key (did you mean `training`?)"),
        ("augmentation.xyzzy=1", "augmentation.xyzzy: unknown key. Known: horizontal_flip, "),
        (
            "training.frozen.epochs=-1",
            "training.frozen.epochs: input should be greater than or equal",
        ),
        (
            "training.frozen.learning_rate=0",
            "training.frozen.learning_rate: input should be greater",
        ),
        (
            "training.frozen.learning_rate=.nan",
            "training.frozen.learning_rate: input should be a finite",
        ),
        (
            "training.class_weights=foo",
            "training.class_weights: input should be 'none' or 'auto', no",
        ),
        (
            "training.class_weights={cats: -1}",
            "training.class_weights.cats: input should be greater than 0, not -1",
        ),
        ("training.frozen.optimizer=adm", "training.frozen.optimizer: input should be 'adam'"),
        (
            "training.device=tpu",
            "training.device: input should be 'auto', 'cpu' or 'gpu', not 'tpu'",
        ),
        (
            "augmentation.rotation=0.7",
            "augmentation.rotation: input should be less than or equal to 0.5",
        ),
        ("backbone.alpha=1", "glyphs` are for mobilenet_v2 with alpha 0.35, not mobilenet_v2"),
        ("data.split.train=0.9", "data.split: train + validation + test must be 1, not 1.2"),
        ("evaluation.thresholds.acuracy=0.9", "unknown metric acuracy, did you mean accuracy?"),
        ("name=My Model", "name: string should match pattern"),
        ("backbone.weights=none", "training.frozen.epochs to 0"),
        ("head=3", "head: input should be a valid dictionary"),
        ("name.x=3", "--set name.x=3: name is a value, not a block"),
        ("epochs", "--set epochs: write key=value"),
        ("a=[", "--set a=[: not YAML: expected the node content"),
    ],
)
def test_a_mistake_names_its_key_and_what_would_be_right(override, says):
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", [override])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_every_mistake_gets_a_line_of_its_own():
    with pytest.raises(RecipeError) as error:
        load_recipe("digits", ["head.dropout=2", "nam=x"])
    assert len(str(error.value).splitlines()) == 2


def test_unknown_recipes_and_broken_files(tmp_path):
    with pytest.raises(RecipeError, match=r"no recipe or file digit \(did you mean `digits`\?\)"):
        load_recipe("digit")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [")
    with pytest.raises(RecipeError, match=r"broken\.yaml: not YAML: .*line 1, column 8"):
        load_recipe(str(broken))
    broken.write_text("just text")
    with pytest.raises(RecipeError, match=r"broken\.yaml must be a mapping"):
        load_recipe(str(broken))
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(tmp_path))
    broken.write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(broken))


def test_pixels_are_what_the_network_expects_in_range_and_size():
    hub = load_recipe("cats_and_dogs_hub").transform
    assert (hub.value_range, hub.image_size) == ("unit", 224)
    inception = load_recipe("cats_and_dogs_inception", ["backbone.image_size=null"]).transform
    assert (inception.value_range, inception.image_size) == ("tf", 299)
