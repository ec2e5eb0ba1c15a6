"""The pictures that the run began with."""

from typing import Any

from components import features
from pipeline.report.run_files import RunFiles

TITLE = "Data"
NEEDS = ("data_summary", "quarantine")
TEMPLATE = """
<p>{{ total|figure }} pictures of {{ source }}. {% if copies %}{{ copies|figure }} are copies of
others ({{ identical|figure }} to the byte); {{ contradicting|figure }} groups of copies are in more
than one class, {{ leaking|figure }} in more than one split.{% else %}None is a copy of another.
{% endif %}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Pictures by class and split">
<table><thead><tr><th>class</th>{% for split in splits %}<th class="n">{{ split }}</th>{% endfor %}
</tr></thead><tbody>
{% for one in classes %}<tr><td>{{ one.name }}</td>
{% for split in splits %}<td class="n">{{ one.pictures[split]|figure }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
<h3>Set aside</h3>
{% if quarantine %}
<p>{{ set_aside|figure }} files could not be used{% if set_aside > quarantine|length %}; the first
{{ quarantine|length }}:{% else %}:{% endif %}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Files set aside">
<table><thead><tr><th>file</th><th>why</th></tr></thead><tbody>
{% for one in quarantine %}<tr><td class="path">{{ one.path }}</td><td>{{ one.reason }}</td></tr>
{% endfor %}</tbody></table></div>
{% else %}<p>No file was set aside.</p>{% endif %}
"""
_MOST = 100


def facts(files: RunFiles) -> dict[str, Any]:
    """Counts, copies, and the files that were set aside."""
    summary = files.data_summary
    counts = summary["counts"]
    splits = [split for split in features.SPLITS if split in counts]
    return {
        "source": files.recipe.data.source,
        "total": summary["total"],
        **summary["duplicates"],
        "splits": splits,
        "classes": [
            {"name": name, "pictures": {split: counts[split].get(name, 0) for split in splits}}
            for name in summary["classes"]
        ],
        "set_aside": len(files.quarantine),
        "quarantine": files.quarantine[:_MOST],
    }
