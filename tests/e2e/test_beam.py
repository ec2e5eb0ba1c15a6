"""Who does Beam's work does not matter to what comes out of it."""

from pipeline.beam_config import BeamSettings


def test_another_runner_takes_everything_from_the_cache(recipe, run, second):
    processes = BeamSettings(direct={"mode": "multi_processing", "workers": 2})
    assert run(recipe.model_copy(update={"beam": processes})).executed == {"Pusher"}
