"""`graft schema`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from components import features
from components.errors import UserError
from components.files import write_atomically
from components.text import printable
from pipeline import node_ids, schema
from pipeline.commands.local_run import run_locally
from pipeline.config import Recipe, load_recipe
from pipeline.console import plain, say
from pipeline.preflight import Inspection
from pipeline.run_display import Display

# What names a picture has no domain, however few pictures there are.
_NAMES = (features.IMAGE_ID, features.PATH)


def infer_schema(
    config: str, overrides: list[str], output: Path | None, force: bool, verbose: bool, wait: bool
) -> int:
    """Writes or prints a schema that describes a recipe's pictures as they are.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        output: the file to write; None: it is printed.
        force: writes over a file.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0, 1 when a node failed, 70 after a bug of Graft.

    Raises:
        UserError: the recipe cannot be used, or the file is there already.
    """
    recipe = load_recipe(config, overrides)
    check_free(output, force)

    def work(console: Console, found: Inspection, display: Display) -> int:
        text = inferred_text(_statistics(recipe, display, found), found.source.classes)
        text = f"# What the pictures of {printable(recipe.data.source)} happen to be.\n{text}"
        if output:
            check_free(output, force)
            output.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(output, text)
            say(console, f"{output}: compare it with {schema.CURATED}, which is what a run uses")
        else:
            say(console, text)
        return 0

    title = f"{recipe.name}: schema of {recipe.data.source}"
    return run_locally(recipe, title, work, verbose=verbose, wait=wait)


def check_schema(
    config: str, overrides: list[str], file: Path | None, verbose: bool, wait: bool
) -> int:
    """Holds a recipe's pictures to a schema, and prints what is not as it says.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        file: the schema; None: the curated one.
        verbose: leaves the log on the terminal.
        wait: until another run of this recipe has ended.

    Returns:
        The exit code: 0, 1 when there are anomalies or a node failed, 70 after a bug of Graft.

    Raises:
        UserError: the recipe or the schema cannot be used.
    """
    recipe = load_recipe(config, overrides)
    file = file or schema.CURATED
    schema.read_schema(file)  # what is wrong with it is said before any work

    def work(console: Console, found: Inspection, display: Display) -> int:
        source = found.source
        text = schema.schema_text(source.classes, source.columns, file)
        anomalies = find_anomalies(_statistics(recipe, display, found), text)
        if not anomalies:
            say(console, f"No anomalies: the pictures are as {file} says")
            return 0
        title = f"Anomalies ({plain(file)})"
        table = Table("split", "feature", "what is wrong", title=title, title_justify="left")
        for row in anomalies:
            table.add_row(*map(plain, row))
        console.print(table)
        return 1

    title = f"{recipe.name}: {recipe.data.source} against {file}"
    return run_locally(recipe, title, work, verbose=verbose, wait=wait)


def check_free(output: Path | None, force: bool) -> None:
    """Refuses to write over a file.

    Raises:
        UserError: it is there, and nobody said that it may go, or it is a folder.
    """
    if output and output.is_dir():
        raise UserError(f"--output {printable(str(output))} is a folder: name a file")
    if output and output.exists() and not force:
        raise UserError(
            f"--output {printable(str(output))} is there already: name another file, or --force "
            "to write over it"
        )


def _statistics(recipe: Recipe, display: Display, found: Inspection) -> dict:
    """Statistics by split, each a `DatasetFeatureStatisticsList`."""
    import tensorflow_data_validation as tfdv

    from pipeline.local_runner import run_up_to

    outputs = run_up_to(node_ids.STATISTICS_GEN, recipe, display, found)
    (artifact,) = outputs[node_ids.STATISTICS_GEN]["statistics"]
    return {
        split: tfdv.load_stats_binary(str(Path(artifact.uri, f"Split-{split}", "FeatureStats.pb")))
        for split in features.SPLITS
    }


def inferred_text(statistics: Mapping, classes: Sequence[str]) -> str:
    """A schema that all splits conform to, with the ranges of numbers that they have.

    Args:
        statistics: by split.
        classes: of the data source.
    """
    import tensorflow_data_validation as tfdv
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    first, *others = statistics.values()
    inferred = tfdv.infer_schema(first)
    for other in others:
        inferred = tfdv.update_schema(inferred, other)
    ranges = _ranges(statistics.values())
    for feature in inferred.feature:
        if feature.name in _NAMES or feature.name == features.LABEL:
            _drop_domain(inferred, feature)
        elif feature.name in ranges and feature.WhichOneof("domain_info") is None:
            low, high = ranges[feature.name]
            if feature.type == schema_pb2.INT:
                feature.int_domain.min, feature.int_domain.max = int(low), int(high)
            else:
                feature.float_domain.min, feature.float_domain.max = low, high
        if feature.name == features.LABEL:
            feature.domain = schema.CLASSES
    inferred.string_domain.add(name=schema.CLASSES, value=classes)
    return text_format.MessageToString(inferred, as_utf8=True)


def _drop_domain(inferred, feature) -> None:
    """Takes a feature's list of values out of a schema."""
    feature.ClearField("domain_info")
    for domain in [domain for domain in inferred.string_domain if domain.name == feature.name]:
        inferred.string_domain.remove(domain)


def _ranges(statistics: Sequence) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each feature that is a number, over all splits."""
    ranges: dict[str, tuple[float, float]] = {}
    for split in statistics:
        for feature in split.datasets[0].features:
            if feature.HasField("num_stats"):
                name, numbers = feature.path.step[0], feature.num_stats
                low, high = ranges.get(name, (numbers.min, numbers.max))
                ranges[name] = (min(low, numbers.min), max(high, numbers.max))
    return ranges


def find_anomalies(statistics: Mapping, schema_text: str) -> list[tuple[str, str, str]]:
    """Holds statistics to a schema.

    Args:
        statistics: by split.
        schema_text: the schema.

    Returns:
        Split, feature, and what is wrong with it.
    """
    import tensorflow_data_validation as tfdv
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    expected = text_format.Parse(schema_text, schema_pb2.Schema())
    found = []
    for split, of_split in statistics.items():
        anomalies = tfdv.validate_statistics(of_split, expected)
        for name, info in sorted(anomalies.anomaly_info.items()):
            found += [(split, name, f"{r.short_description}: {r.description}") for r in info.reason]
        if anomalies.HasField("dataset_anomaly_info"):
            reasons = anomalies.dataset_anomaly_info.reason
            found += [(split, "", f"{r.short_description}: {r.description}") for r in reasons]
    return found
