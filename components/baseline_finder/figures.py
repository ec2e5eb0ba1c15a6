"""What the BaselineFinder has to tell in a few words, for the line that it ends with."""


def describe(outputs: dict[str, list]) -> str:
    """The version that is served.

    Args:
        outputs: the node's output artifacts by key.
    """
    version = outputs["baseline"][0].get_string_custom_property("version")
    return f"served now: {version}" if version else "nothing is served yet"
