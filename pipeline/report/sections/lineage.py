"""Where the model comes from, and how to check that."""

from typing import Any

import yaml

from pipeline.report.run_files import RunFiles

TITLE = "Lineage"
NEEDS = ()
TEMPLATE = """
{% if digest or origin %}<h3>Version</h3>
<dl>{% if digest %}<dt>SHA-256 of the model</dt><dd class="path">{{ digest }}</dd>{% endif %}
{% for name, value in origin.items() %}<dt>{{ name }}</dt><dd class="path">{{ value }}</dd>
{% endfor %}</dl>{% endif %}
<h3>Commands</h3>
<ul>{% for command in commands %}<li><code>{{ command }}</code></li>{% endfor %}</ul>
<details><summary>Artifacts</summary><dl>
{% for name, path in artifacts.items() %}<dt>{{ name }}</dt><dd class="path">{{ path }}</dd>
{% endfor %}</dl></details>
<details><summary>{{ recipe_is }}</summary>
<pre tabindex="0">{% for line in recipe %}{{ line }}
{% endfor %}</pre></details>
"""


def facts(files: RunFiles) -> dict[str, Any]:
    """Folders, digests, versions, the recipe, and commands."""
    run, known = files.run, files.provenance
    recipe = known.get("recipe") or files.recipe.model_dump(mode="json")
    return {
        "digest": files.digest,
        "origin": _origin(known),
        "commands": files.commands,
        "artifacts": {f"{node}.{key}": str(path) for (node, key), path in run.artifacts.items()},
        "recipe_is": "Recipe of the version" if known else "Recipe as it was for this page",
        "recipe": yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).splitlines(),
    }


def _origin(known: dict[str, Any]) -> dict[str, str]:
    if not known:
        return {}
    git = known.get("git")
    revision = f"{git['revision']}{' (with changes)' if git['dirty'] else ''}" if git else "none"
    versions = {f"{name} version": version for name, version in known["versions"].items()}
    inputs = {name.replace("_", " "): value for name, value in known["inputs"].items() if value}
    digests = {"SHA-256 of the code": known["code"], "SHA-256 of the libraries": known["libraries"]}
    return {**versions, "Git revision": revision, **digests, **inputs}
