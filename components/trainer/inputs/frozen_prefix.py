"""The frozen prefix of a network: where to cut it so that nothing before the cut learns.

What the first half makes of a picture can then be computed once and kept (see `activation_cache`).
"""

from collections.abc import Set

import keras


def deepest_frozen_tensor(
    network: keras.Model, learning: Set[keras.layers.Layer]
) -> keras.KerasTensor:
    """The last tensor that everything flows through and that no learning layer has touched.

    Found from the graph: between two depths of it, the live tensors are those made above and still
    needed below. Where there is one alone, the network can be cut.

    Args:
        network: a functional model with one input and one output.
        learning: those of its layers that learn.

    Returns:
        A tensor of the network: its output if nothing learns, its input if nothing can be kept.
    """
    nodes_by_depth = network._nodes_by_depth
    depth_of = {
        id(tensor): depth
        for depth, nodes in nodes_by_depth.items()
        for node in nodes
        for tensor in node.output_tensors
    }
    # Depth counts from the output, so a tensor is needed down to the lowest depth of its consumers.
    needed_to = {id(network.output): -1}
    for depth, nodes in nodes_by_depth.items():
        for node in nodes:
            for tensor in node.input_tensors:
                needed_to[id(tensor)] = min(depth, needed_to.get(id(tensor), depth))
    tensors = {
        id(t): t for nodes in nodes_by_depth.values() for n in nodes for t in n.output_tensors
    }

    first = max(
        (
            depth
            for depth, nodes in nodes_by_depth.items()
            if any(node.operation in learning and node.operation.weights for node in nodes)
        ),
        default=-1,
    )
    for depth in range(first + 1, max(nodes_by_depth) + 1):
        live = [
            t for t, made_at in depth_of.items() if needed_to.get(t, made_at) < depth <= made_at
        ]
        if len(live) == 1:
            return tensors[live[0]]
    raise AssertionError("the input alone is live above every layer")
