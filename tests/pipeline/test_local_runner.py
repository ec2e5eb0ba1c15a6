"""Which nodes a partial run takes."""

from tfx.proto.orchestration import pipeline_pb2

from pipeline.local_runner import _with_upstream


def node(node_id: str, *upstream: str) -> pipeline_pb2.PipelineNode:
    node = pipeline_pb2.PipelineNode(upstream_nodes=upstream)
    node.node_info.id = node_id
    return node


def test_a_node_runs_with_all_that_it_needs_directly_or_not_and_nothing_else():
    nodes = [
        node("Baseline"),
        node("Examples"),
        node("Schema"),
        node("Statistics", "Examples"),
        node("Transform", "Statistics", "Schema"),
        node("Trainer", "Examples", "Transform"),
        node("Pusher", "Trainer", "Baseline"),
    ]
    taken = [n.node_info.id for n in _with_upstream(nodes, "Transform")]
    assert taken == ["Examples", "Schema", "Statistics", "Transform"]
