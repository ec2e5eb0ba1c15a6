"""The sections of the page, in their order.

Each is a module with `TITLE`; `NEEDS`, the properties of `RunFiles` without which it is left out;
`facts`, what it tells, as data; and `TEMPLATE`, which shows the facts by the page's macros.
"""

from pipeline.report.sections import (
    abstention,
    comparison,
    data,
    lineage,
    pictures,
    slices,
    test_split,
    time,
    training,
    verdict,
)

SECTIONS = (
    verdict,
    comparison,
    test_split,
    slices,
    abstention,
    pictures,
    training,
    time,
    data,
    lineage,
)
