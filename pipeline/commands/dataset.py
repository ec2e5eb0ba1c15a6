"""The pictures of a recipe as a run reads them: made by its first nodes, or from the cache."""

import dataclasses
from pathlib import Path

from components import features
from pipeline import node_ids
from pipeline.config import Recipe
from pipeline.preflight import Inspection
from pipeline.run_result import Listener


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What ImageExampleGen and Transform made.

    Attributes:
        folder: of the Examples artifact.
        transform_graph: folder of the Transform graph.
    """

    folder: Path
    transform_graph: str

    def files(self, *splits: str) -> list[str]:
        """Example files of some splits, sorted."""
        folders = (self.folder / f"Split-{split}" for split in splits)
        return sorted(str(file) for folder in folders for file in folder.iterdir())

    def pictures(self):
        """The labelled rows of `pictures.parquet`, a pandas DataFrame."""
        import pyarrow.parquet as pq

        rows = pq.read_table(self.folder / features.PICTURES_FILE).to_pandas()
        return rows[rows[features.SPLIT] != features.UNLABELLED].reset_index(drop=True)


def read_dataset(recipe: Recipe, listener: Listener, found: Inspection) -> Dataset:
    """Runs the nodes up to Transform, or finds them in the cache.

    Args:
        recipe: whose pictures.
        listener: told about every node.
        found: of `preflight.inspect`.

    Raises:
        RunError: a node failed.
        UserError: the recipe asks for something that is not there; nothing has been run.
    """
    from pipeline.local_runner import run_up_to

    outputs = run_up_to(node_ids.TRANSFORM, recipe, listener, found)
    (examples,) = outputs[node_ids.IMAGE_EXAMPLE_GEN]["examples"]
    (graph,) = outputs[node_ids.TRANSFORM]["transform_graph"]
    return Dataset(Path(examples.uri), graph.uri)
