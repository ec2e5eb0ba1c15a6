"""The sections of the page, in their order.

Each is a module with `TITLE`; `NEEDS`, the properties of `RunFiles` without which it is left out;
`facts`, what it tells, as data; and `TEMPLATE`, which shows the facts by the page's macros.
"""

from pipeline.report.sections import (
    comparison,
    data,
    lineage,
    pictures,
    test_split,
    training,
    verdict,
)

SECTIONS = (verdict, comparison, test_split, training, pictures, data, lineage)
