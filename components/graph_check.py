"""Whether a SavedModel can do more than compute. Reads its graph, and loads nothing.

`operations` says what is allowed. Two kinds are allowed in their places alone: what saves and
restores variables in the saver's own functions, and a table's file where it is an asset.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from components.errors import UserError
from components.operations import COMPUTING, SAVER, TABLE_FROM_FILE
from components.served_versions import SAVED_MODEL_FILE
from components.text import one_line

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_VARIABLE_USES = ("AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp")


def require_computing(key: str, folder: str | os.PathLike) -> None:
    """Refuses, before it is loaded, a SavedModel that can read or write files or run Python.

    Args:
        key: the setting that names it, for messages.
        folder: of the SavedModel.

    Raises:
        UserError: it has such an operation, or cannot be read.
    """
    try:
        found = forbidden_operations(folder)
    except (OSError, UserError) as error:
        raise UserError(f"{key}: {folder} cannot be loaded ({one_line(error)})") from error
    if found:
        raise UserError(
            f"{key}: {folder} is refused before it is loaded: {told(found)}. Only what computes is "
            "allowed: export the model without them"
        )


def told(found: Iterable[str]) -> str:
    """What `forbidden_operations` found, for a message."""
    return one_line(f"its graph can reach out by {', '.join(found)}")


def forbidden_operations(folder: str | os.PathLike) -> list[str]:
    """The operations of a SavedModel that are not allowed where they are, each with its place.

    Raises:
        OSError: there is no such file.
        UserError: the file is no SavedModel.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(folder, SAVED_MODEL_FILE)
    content = path.read_bytes()
    saved_model = saved_model_pb2.SavedModel()
    try:
        read = saved_model.MergeFromString(content)
        if read < len(content):  # of which protobuf 3 only warns
            raise DecodeError(f"it ends after {read} bytes of {len(content)}")
    except Exception as error:  # DecodeError, and in protobuf 3 also SystemError
        raise UserError(f"{path} is damaged, or no SavedModel ({one_line(error)})") from error
    found: dict[str, str] = {}
    for meta_graph in saved_model.meta_graphs:
        for operation, place in _Graph(meta_graph).forbidden():
            found.setdefault(operation, place)
    return [f"{operation} ({place})" for operation, place in sorted(found.items())]


class _Graph:
    """A graph with its library of functions; `None` stands for the graph itself as a scope."""

    def __init__(self, meta_graph):
        self._meta = meta_graph
        self._main = {node.name: node for node in meta_graph.graph_def.node}
        library = meta_graph.graph_def.library.function
        self._functions = {function.signature.name: function for function in library}
        self._calls = defaultdict(list)  # by function, (scope, node) of each call
        for scope, node in self._nodes():
            for name in self._called(node):
                self._calls[name].append((scope, node))
        self._assets = {
            asset.tensor_info.name
            for asset in meta_graph.asset_file_def
            if _is_inside(asset.filename)
        }

    def forbidden(self) -> Iterator[tuple[str, str]]:
        """Operations that are not allowed, and where they are."""
        functions, nodes = self._served()
        for scope, node in self._nodes():
            place = f"in the function {scope}" if scope else f"the node {node.name}"
            if node.op in SAVER:
                if scope in functions or (scope is None and node.name in nodes):
                    yield node.op, f"{place}, outside of the saver"
            elif node.op in TABLE_FROM_FILE:
                if not self._is_asset(scope, node.input[1], frozenset()):
                    yield node.op, f"{place}, on a file that is no asset"
            elif node.op not in COMPUTING:
                yield node.op, place

    def _nodes(self) -> Iterator[tuple[str | None, object]]:
        for node in self._main.values():
            yield None, node
        for name, function in self._functions.items():
            for node in function.node_def:
                yield name, node

    def _called(self, node) -> set[str]:
        """Names of the functions that a node may call, also one that hides an operation."""
        names = {node.op} & self._functions.keys()
        for value in node.attr.values():
            if value.HasField("func"):
                names.add(value.func.name)
            names.update(function.name for function in value.list.func)
        return names

    def _served(self) -> tuple[set[str], set[str]]:
        """Functions, and nodes of the graph itself, that asking or loading the model may run."""
        tensors = [
            name
            for signature in self._meta.signature_def.values()
            for info in signature.outputs.values()
            for name in _tensor_names(info)
        ]
        for collection in self._meta.collection_def.values():
            tensors += collection.node_list.value
        nodes: set[str] = set()
        waiting = [_node_name(tensor) for tensor in tensors]
        while waiting:
            name = waiting.pop()
            if name in self._main and name not in nodes:
                nodes.add(name)
                waiting += [_node_name(tensor) for tensor in self._main[name].input]
        functions: set[str] = set()
        calls = set(self._meta.object_graph_def.concrete_functions)
        for name in nodes:
            calls |= self._called(self._main[name])
        while calls:
            name = calls.pop()
            if name in self._functions and name not in functions:
                functions.add(name)
                for node in self._functions[name].node_def:
                    calls |= self._called(node)
        return functions, nodes

    def _is_asset(self, scope: str | None, tensor: str, seen: frozenset) -> bool:
        """Whether a tensor is the path of an asset, whoever calls the function that it is in."""
        if (scope, tensor) in seen:
            return False
        seen |= {(scope, tensor)}
        if scope is None:
            return self._is_asset_of_graph(tensor, seen)
        function = self._functions[scope]
        arguments = [argument.name for argument in function.signature.input_arg]
        if tensor in arguments:
            return self._is_asset_argument(scope, len(arguments), arguments.index(tensor), seen)
        for node in function.node_def:
            if node.name == _node_name(tensor):
                return node.op == "Identity" and self._is_asset(scope, node.input[0], seen)
        return False

    def _is_asset_argument(self, name: str, count: int, index: int, seen: frozenset) -> bool:
        for scope, node in self._calls[name]:
            if node.op not in (*_CALLS, name) or not self._is_asset(scope, node.input[index], seen):
                return False
        objects = self._meta.object_graph_def
        if name not in objects.concrete_functions:
            return True
        # What a function captured comes behind what it is called with.
        bound = objects.concrete_functions[name].bound_inputs
        captured = index - (count - len(bound))
        if captured < 0:
            return False
        node = objects.nodes[bound[captured]]
        assets = self._meta.asset_file_def
        return (
            node.WhichOneof("kind") == "asset"
            and node.asset.asset_file_def_index < len(assets)
            and _is_inside(assets[node.asset.asset_file_def_index].filename)
        )

    def _is_asset_of_graph(self, tensor: str, seen: frozenset) -> bool:
        if (tensor if ":" in tensor else f"{tensor}:0") in self._assets:
            return True
        node = self._main.get(_node_name(tensor))
        if node is None:
            return False
        if node.op == "Identity":
            return self._is_asset(None, node.input[0], seen)
        if node.op == "ReadVariableOp":
            return self._holds_asset(_node_name(node.input[0]), seen)
        return False

    def _holds_asset(self, handle: str, seen: frozenset) -> bool:
        """Whether a variable of the graph has nothing ever assigned to it but paths of assets."""
        shared = _variable_name(self._main[handle])
        handles = [
            (scope, node.name)
            for scope, node in self._nodes()
            if node.op == "VarHandleOp" and _variable_name(node) == shared
        ]
        uses = [
            node
            for node in self._main.values()
            if handle in (_node_name(tensor) for tensor in node.input)
        ]
        values = [node.input[1] for node in uses if node.op == "AssignVariableOp"]
        return (
            handles == [(None, handle)]
            and all(node.op in _VARIABLE_USES for node in uses)
            and bool(values)
            and all(self._is_asset(None, value, seen) for value in values)
        )


def _node_name(tensor: str) -> str:
    """The node that a tensor is an output of, or that it waits for."""
    return tensor.removeprefix("^").partition(":")[0]


def _variable_name(node) -> tuple[bytes, bytes]:
    return node.attr["container"].s, node.attr["shared_name"].s or node.name.encode()


def _tensor_names(info) -> list[str]:
    """Names of the tensors of a signature's output, which may be sparse or a composite."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = info.coo_sparse
        return [
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        ]
    if kind == "composite_tensor":
        return [name for part in info.composite_tensor.components for name in _tensor_names(part)]
    return [info.name]


def _is_inside(file_name: str) -> bool:
    """Whether the file of an asset lies in the SavedModel."""
    path = PurePosixPath(file_name)
    return not path.is_absolute() and ".." not in path.parts
