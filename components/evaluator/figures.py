"""What the Evaluator has to tell in a few words, for the line that it ends with."""

from components.evaluator import results


def describe(outputs: dict[str, list]) -> str:
    """Accuracy on the test split, and how large that is.

    Args:
        outputs: the node's output artifacts by key.
    """
    metrics = results.read_metrics(outputs["evaluation"][0].uri).overall
    return f"test accuracy {metrics['accuracy']:.4f} of {metrics['example_count']:,.0f} pictures"
