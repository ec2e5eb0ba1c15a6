"""From which files a table may be made: its asset, told by a variable or by a call."""

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from components.graph_check import forbidden_operations


@pytest.fixture
def by_variable(tmp_path):
    """`by_variable(change)` is what is found where a variable tells a table its asset's path."""

    def check(change=lambda graph: None, asset_file="words.txt") -> list[str]:
        model = saved_model_pb2.SavedModel()
        graph = model.meta_graphs.add()
        asset = graph.asset_file_def.add(filename=asset_file)
        asset.tensor_info.name = "path:0"
        for name, op, inputs in [
            ("path", "Const", []),
            ("variable", "VarHandleOp", []),
            ("assign", "AssignVariableOp", ["variable", "path"]),
            ("read", "ReadVariableOp", ["variable"]),
            ("table", "HashTableV2", []),
            ("initialize", "InitializeTableFromTextFileV2", ["table", "read"]),
        ]:
            graph.graph_def.node.add(name=name, op=op, input=inputs)
        change(graph.graph_def)
        (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
        return forbidden_operations(tmp_path)

    return check


def test_a_variable_that_holds_nothing_but_an_asset_is_sound(by_variable):
    assert by_variable() == []


@pytest.mark.parametrize("asset_file", ["../words.txt", "/etc/passwd", "a/../../words.txt"])
def test_a_variable_that_holds_an_asset_elsewhere_is_found(by_variable, asset_file):
    (found,) = by_variable(asset_file=asset_file)
    assert found.endswith(", on a file that is no asset)")


def test_a_variable_that_may_hold_another_path_is_found(by_variable):
    def another_value(graph):
        graph.node.add(name="other", op="Const")
        graph.node.add(name="more", op="AssignVariableOp", input=["variable", "other"])

    def no_value(graph):
        (assign,) = (node for node in graph.node if node.name == "assign")
        graph.node.remove(assign)

    def handed_on(graph):
        graph.node.add(name="handle", op="Identity", input=["variable"])

    def another_handle(graph):
        node = graph.node.add(name="twin", op="VarHandleOp")
        node.attr["shared_name"].s = b"variable"

    def handle_in_a_function(graph):
        node = graph.library.function.add().node_def.add(name="variable", op="VarHandleOp")
        node.attr["shared_name"].s = b"variable"

    def another_container(graph):
        node = graph.node.add(name="twin", op="VarHandleOp")
        node.attr["shared_name"].s = b"variable"
        node.attr["container"].s = b"elsewhere"

    def circle(graph):
        for name, other in (("there", "back"), ("back", "there")):
            graph.node.add(name=name, op="Identity", input=[other])
        (initialize,) = (node for node in graph.node if node.name == "initialize")
        initialize.input[1] = "there"

    changes = (another_value, no_value, handed_on, another_handle, handle_in_a_function, circle)
    for change in changes:
        (found,) = by_variable(change)
        assert found.startswith("InitializeTableFromTextFileV2 (the node initialize"), change
        assert found.endswith(", on a file that is no asset)")
    assert by_variable(another_container) == [], "that is another variable"


@pytest.fixture
def by_call(tmp_path):
    """`by_call(change)` is what is found where a table is told its asset's path by a call."""

    def check(change=lambda graph: None) -> list[str]:
        model = saved_model_pb2.SavedModel()
        graph = model.meta_graphs.add()
        graph.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
        for name, op, inputs in [
            ("number", "Const", []),
            ("path", "Const", []),
            ("call", "StatefulPartitionedCall", ["number", "path"]),
        ]:
            graph.graph_def.node.add(name=name, op=op, input=inputs)
        graph.graph_def.node[2].attr["f"].func.name = "make"
        function = graph.graph_def.library.function.add()
        function.signature.name = "make"
        for name in ("number", "file"):
            function.signature.input_arg.add(name=name)
        for name, op, inputs in [
            ("table", "HashTableV2", []),
            ("same", "Identity", ["file"]),
            ("initialize", "InitializeTableFromTextFileV2", ["table:0", "same:output:0"]),
        ]:
            function.node_def.add(name=name, op=op, input=inputs)
        change(graph)
        (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
        return forbidden_operations(tmp_path)

    return check


def capture(graph, asset=0, count=1):
    """Has the function capture its last arguments, all of them one asset."""
    graph.object_graph_def.nodes.add().asset.asset_file_def_index = asset
    bound = graph.object_graph_def.concrete_functions["make"].bound_inputs
    bound.extend([0] * count)


def test_a_function_that_is_told_nothing_but_an_asset_is_sound(by_call):
    assert by_call() == by_call(capture) == []
    assert by_call(lambda graph: capture(graph, count=2)) == []


def test_a_function_that_may_be_told_another_path_is_found(by_call):
    def another_argument(graph):
        graph.graph_def.node[2].input[1] = "number"

    def another_caller(graph):
        node = graph.graph_def.node.add(name="more", op="PartitionedCall")
        node.input.extend(["path", "number"])
        node.attr["f"].func.name = "make"

    def a_loop(graph):  # whose body is given other values from the second time on
        graph.graph_def.node[2].op = "While"

    def another_operation(graph):
        graph.graph_def.library.function[0].node_def[1].op = "StringUpper"

    def nothing_captured(graph):  # whoever loads the model calls it with any path
        capture(graph, count=0)

    def an_asset_that_is_not_there(graph):
        capture(graph, asset=1)

    def an_asset_elsewhere(graph):
        capture(graph)
        del graph.graph_def.node[2]
        graph.asset_file_def[0].filename = "../words.txt"

    def a_node_that_is_not_there(graph):
        graph.graph_def.node[2].input[1] = "nowhere"

    for change in (another_argument, another_caller, a_loop, another_operation, nothing_captured,
                   an_asset_that_is_not_there, an_asset_elsewhere,
                   a_node_that_is_not_there):  # fmt: skip
        found = by_call(change)
        assert found == [
            "InitializeTableFromTextFileV2 (in the function make, on a file that is no asset)"
        ], change
