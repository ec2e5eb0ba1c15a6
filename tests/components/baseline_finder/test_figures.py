"""The line that the BaselineFinder ends with."""

from tfx.types import standard_artifacts

from components.baseline_finder import figures


def test_the_version_that_is_served():
    baseline = standard_artifacts.Model()
    assert figures.describe({"baseline": [baseline]}) == "nothing to compare with"
    baseline.set_string_custom_property("version", "7")
    assert figures.describe({"baseline": [baseline]}) == "to compare with: version 7"
