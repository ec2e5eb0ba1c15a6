"""What the BaselineFinder has to tell in a few words, for the line that it ends with."""


def describe(outputs: dict[str, list]) -> str:
    """The version that the new model is to be compared with.

    Args:
        outputs: the node's output artifacts by key.
    """
    version = outputs["baseline"][0].get_string_custom_property("version")
    return f"to compare with: version {version}" if version else "nothing to compare with"
