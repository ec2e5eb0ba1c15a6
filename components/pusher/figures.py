"""What the Pusher has to tell in a few words, for the line that it ends with."""


def describe(outputs: dict[str, list]) -> str:
    """The version that was pushed, or that is served already.

    Args:
        outputs: the node's output artifacts by key.
    """
    (artifact,) = outputs["pushed_model"]
    version = artifact.get_string_custom_property("pushed_version")
    if version:
        return f"version {version}"
    served_as = artifact.get_string_custom_property("already_served")
    return f"served already: {served_as}" if served_as else "not pushed"
