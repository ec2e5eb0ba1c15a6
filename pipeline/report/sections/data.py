"""The pictures that the run began with."""

import dataclasses
from typing import Any

from components import features
from components.errors import UserError
from components.example_gen.overview import FACTS, fact_ranges
from components.gates import WORDS
from pipeline.report.run_files import RunFiles

TITLE = "Data"
NEEDS = ("data_summary", "quarantine")
TEMPLATE = """
<p>{{ total|figure }} pictures of {{ source }}. {% if copies %}{{ copies|figure }}
{{ "is a copy of another" if copies == 1 else "are copies of others" }}
({{ identical|figure }} to the byte). Groups of copies in more than one class:
{{ contradicting|figure }}; in more than one split: {{ leaking|figure }}.
{% else %}None is a copy of another.{% endif %}</p>
{% macro table(rows, label) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ label }}">
<table><thead><tr><th>class</th>{% for split in splits %}<th class="n">{{ split }}</th>{% endfor %}
</tr></thead><tbody>
{% for one in rows %}<tr><td>{{ one.name }}</td>
{% for split in splits %}<td class="n">{{ one.pictures[split]|figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endmacro %}
{% if fewest %}<p>All {{ classes|length|figure }} classes, and the {{ fewest|length }} smallest:</p>
{{ table([all_classes] + fewest, "Pictures by split, and of the smallest classes") }}
<details><summary>Each of the {{ classes|length|figure }} classes</summary>
{{ table(classes, "Pictures by class and split") }}</details>
{% else %}{{ table(classes + [all_classes], "Pictures by class and split") }}{% endif %}
<h3>What the DataGate found</h3>
{% if findings %}
<div class="scroll" tabindex="0" role="region" aria-label="What the DataGate found">
<table><thead><tr><th>verdict</th><th>check</th><th>finding</th></tr></thead><tbody>
{% for one in findings %}<tr><td><span class="mark {{ one.verdict }}">{{ words[one.verdict] }}
</span></td><td>{{ one.name }}</td><td>{{ one.message }}</td></tr>
{% endfor %}</tbody></table></div>
{% else %}<p>It was not asked.</p>{% endif %}
{% if outliers %}<h3>Facts and outliers</h3>
<p>Far from the rest are pictures beyond three interquartile ranges (Tukey's outer fences).</p>
<div class="scroll" tabindex="0" role="region" aria-label="Facts and outliers">
<table><thead><tr><th>fact</th><th class="n">lowest</th><th class="n">median</th>
<th class="n">highest</th><th class="n">far</th><th>the farthest</th></tr></thead><tbody>
{% for one in outliers %}<tr><td>{{ one.fact }}</td><td class="n">{{ one.lowest|figure }}</td>
<td class="n">{{ one.median|figure }}</td><td class="n">{{ one.highest|figure }}</td>
<td class="n">{{ one.count|figure }}</td><td class="path">{{ one.farthest }}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
<h3>Set aside</h3>
{% if quarantine %}
<p>Files that could not be used: {{ set_aside|figure }}
{%- if set_aside > quarantine|length %}, the first {{ quarantine|length }} of them here{% endif %}.
</p>
<div class="scroll" tabindex="0" role="region" aria-label="Files set aside">
<table><thead><tr><th>file</th><th>why</th></tr></thead><tbody>
{% for one in quarantine %}<tr><td class="path">{{ one.path }}</td><td>{{ one.reason }}</td></tr>
{% endfor %}</tbody></table></div>
{% else %}<p>No file was set aside.</p>{% endif %}
"""
_MOST, _FEWEST, _LONGEST_TABLE = 100, 5, 20


def facts(files: RunFiles) -> dict[str, Any]:
    """Counts, copies, and the files that were set aside."""
    summary = files.data_summary
    counts = summary["counts"]
    splits = [split for split in features.SPLITS if split in counts]
    classes = [
        {"name": name, "pictures": {split: counts[split].get(name, 0) for split in splits}}
        for name in summary["classes"]
    ]
    by_size = sorted(classes, key=lambda one: sum(one["pictures"].values()))
    return {
        "source": files.recipe.data.source,
        "total": summary["total"],
        **summary["duplicates"],
        "splits": splits,
        "classes": classes,
        "all_classes": {
            "name": "all classes",
            "pictures": {split: sum(counts[split].values()) for split in splits},
        },
        "fewest": by_size[:_FEWEST] if len(classes) > _LONGEST_TABLE else [],
        "findings": [dataclasses.asdict(gate) for gate in files.data_gates],
        "words": WORDS,
        "outliers": _outliers(files),
        "set_aside": len(files.quarantine),
        "quarantine": files.quarantine[:_MOST],
    }


def _outliers(files: RunFiles) -> list[dict[str, Any]]:
    """Range and outliers of each fact; nothing where they were not measured."""
    try:
        pictures = files.pictures
    except UserError:
        return []
    if not set(FACTS) <= set(pictures):
        return []
    paths = pictures[features.PATH]
    return [
        {
            "fact": one.fact,
            "lowest": float(one.lowest),
            "median": one.median,
            "highest": float(one.highest),
            "count": len(one.outliers),
            "farthest": paths[one.outliers[0]] if one.outliers else "",
        }
        for one in fact_ranges(pictures)
    ]
