"""Inputs that a package hands a step beside its execution properties, and what they are called.

The compiler writes them and the step's entrypoint takes them out again before TFX sees them.
"""

SETTING_PATHS = "setting_paths"
"""JSON: by run parameter, its `SettingPath` in the settings of the Trainer."""

RECIPE_PATHS = "recipe_paths"
"""JSON: by input that is a run parameter's value, its `SettingPath` in the recipe on record."""

SCHEMA_TEXT = "schema_text"
"""The schema as text, so that no file of it has to be in the image."""

MOUNT_PATHS = "mount_paths"
"""JSON: list of the folders at which the step's volumes are mounted."""

FILES_FINGERPRINT = "files_fingerprint"
"""Changes with the files that the Trainer reads beside its inputs, and so does its cache key."""

PROVENANCE = "provenance"
"""Execution property of the Pusher and of Report: JSON of `pipeline.provenance`."""

RECORDED = ("input_fingerprint", "ledger_fingerprint", "weights_fingerprint", "teacher_fingerprint")
"""What the Probe finds and the Pusher puts into the `inputs` of that JSON."""

NOTHING = "nothing"
"""The fingerprint of what there is not: an output parameter without text may get lost."""

ENVIRONMENT_DIGEST = "--environment_digest"
"""Option of a step's command: changes with its environment variables, and so does its cache key."""

MACHINE = "machine"
"""Given by the Trainer and put into that JSON by the Pusher: JSON of `this_machine` beside it."""

BLESSED = "blessed"
"""Given by the DataGate and taken by the DataVerdict: `yes`, or why nothing is to be trained."""

PUSHED = "pushed"
"""Given by the Pusher and taken by the Verdict: `yes`, or why the model is not served."""

DATA_SOURCE = "data_source"
"""Run parameter: where the pictures are."""

PUSH_DESTINATION = "push_destination"
"""Run parameter and execution property: folder of the served versions."""

SettingPath = list[str | int]
"""Keys and indices that lead to one value in JSON."""
