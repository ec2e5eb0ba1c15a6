"""Where the run's time went."""

from typing import Any

from components.errors import UserError
from pipeline import node_ids
from pipeline.report.run_files import RunFiles
from pipeline.run_history import NodeRecord

TITLE = "Time"
NEEDS = ("nodes",)
TEMPLATE = """
<p>{{ total|seconds }} in all nodes.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Time of the nodes">
<table><thead><tr><th>node</th><th>how</th><th class="n">time</th><th>share</th></tr></thead><tbody>
{% for node in nodes %}<tr><td>{{ node.node }}</td><td>{{ node.state }}</td>
<td class="n">{{ node.seconds|seconds }}</td>
<td><span class="bar" style="width: {{ "%.1f"|format(8 * node.share) }}rem"></span></td></tr>
{% for phase in node.phases %}<tr class="soft"><td>&nbsp; {{ phase.name }}</td><td></td>
<td class="n">{{ phase.seconds|seconds }}</td><td></td></tr>
{% endfor %}{% endfor %}</tbody></table></div>
"""
_REST = "features of frozen layers, export and more"


def facts(files: RunFiles) -> dict[str, Any]:
    """Seconds of each node, and within the Trainer of its phases and of the rest."""
    total = sum(node.seconds for node in files.nodes)
    return {
        "total": total,
        "nodes": [
            {
                "node": node.node_id,
                "state": node.state,
                "seconds": node.seconds,
                "share": node.seconds / total if total else 0.0,
                "phases": _phases(files, node) if node.node_id == node_ids.TRAINER else [],
            }
            for node in files.nodes
        ],
    }


def _phases(files: RunFiles, trainer: NodeRecord) -> list[dict[str, Any]]:
    try:
        phases = files.training.phases
    except UserError:
        return []
    rest = trainer.seconds - sum(phase.seconds for phase in phases)
    told = [{"name": phase.name, "seconds": phase.seconds} for phase in phases]
    # One from the cache has looked for them and no more.
    return [*told, {"name": _REST, "seconds": rest}] if rest > 0 else told
