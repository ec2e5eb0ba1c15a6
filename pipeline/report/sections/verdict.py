"""What was decided, what is served, and what each gate found."""

from typing import Any

from components.gates import WORDS, failed
from pipeline.report.run_files import RunFiles
from pipeline.run_history import RUNNING

TITLE = "Verdict"
NEEDS = ("gates", "served")
TEMPLATE = """
<p class="verdict {{ tone }}">{{ sentence }}</p>
{% for one in failures %}<p><b>{{ one.node }}</b>: {{ one.reason }}</p>
{% endfor %}
<dl>
  <dt>Served now</dt><dd>{{ served_now or "nothing" }}</dd>
  <dt>Served before</dt><dd>{{ served_before or "nothing" }}</dd>
  {% if roll_back %}<dt>To roll back</dt><dd><code>{{ roll_back }}</code></dd>{% endif %}
</dl>
{% if gates %}
<h3>Gates</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Gates">
<table class="gates">
  <thead><tr><th>verdict</th><th>gate</th><th class="n">value</th><th class="n">interval</th>
  <th class="n">bound</th><th>finding</th></tr></thead>
  <tbody>
  {% for gate in gates %}
  <tr><td><span class="mark {{ gate.verdict }}">{{ words[gate.verdict] }}</span></td>
  <td>{{ gate.name }}</td><td class="n">{{ gate.value|figure }}</td>
  <td class="n">{% if gate.interval %}{{ gate.interval[0]|figure }} … {{ gate.interval[1]|figure }}
  {% endif %}</td><td class="n">{{ gate.bound|figure }}</td><td>{{ gate.message }}</td></tr>
  {% endfor %}
  </tbody>
</table>
</div>
{% else %}<p>No gate was asked.</p>{% endif %}
"""
_FAIL, _PASS, _WARN = "fail", "pass", "warn"


def facts(files: RunFiles) -> dict[str, Any]:
    """The decision, the versions, and the rows of the gates, the worst first."""
    tone, sentence = _sentence(files)
    order = [_FAIL, _WARN, _PASS]
    gates = sorted(files.gates, key=lambda gate: order.index(gate.verdict))
    return {
        "tone": tone,
        "sentence": sentence,
        "failures": [
            {"node": node.node_id, "reason": node.failure}
            for node in files.run.nodes
            if node.failure
        ],
        "served_now": files.served[-1] if files.served else "",
        "served_before": files.served[0] if len(files.served) > 1 else "",
        "roll_back": files.command("versions", "rollback") if files.can_go_back else "",
        "gates": [gate.as_row() for gate in gates],
        "words": WORDS,
    }


def _sentence(files: RunFiles) -> tuple[str, str]:
    run = files.run
    bad = [node for node in run.nodes if node.state not in ("run", "cached")]
    if bad:
        nodes = ", ".join(f"{node.node_id} ({node.state})" for node in bad)
        if bad[-1].state == RUNNING:
            return _WARN, f"The run has not ended yet: {nodes}."
        return _FAIL, f"The run did not get to its end: {nodes}. It pushed nothing."
    if no := failed(files.gates):
        count = "A gate" if len(no) == 1 else f"{len(no)} gates"
        return _FAIL, f"Not served. {count} said no: {', '.join(gate.name for gate in no)}."
    if run.version:
        looks = sum(gate.verdict == _WARN for gate in files.gates)
        need = "needs" if looks == 1 else "need"
        note = f"; {looks} could not be answered or {need} a look" if looks else ""
        return _PASS, f"Served as version {run.version}: no gate said no{note}."
    return _WARN, "No gate said no, but nothing was pushed."
