"""What a SavedModel may hold: small ones that reach out, and sound ones that were tampered with."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.errors import UserError
from components.graph_check import forbidden_operations, require_computing
from components.operations import COMPUTING, SAVER, TABLE_FROM_FILE


class Vocabulary(tf.Module):
    """Sound: a variable, a table whose words are an asset, a loop and a branch."""

    def __init__(self, words: Path):
        super().__init__()
        self.weight = tf.Variable([[1.0]])
        initializer = tf.lookup.TextFileInitializer(
            str(words),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
    def serve(self, words):
        numbers = tf.map_fn(
            lambda word: self.table.lookup(word), words, fn_output_signature=tf.int64
        )
        weight = tf.cond(tf.size(words) > 1, lambda: self.weight, lambda: -self.weight)
        return {"number": tf.cast(numbers, tf.float32) * weight[0]}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    """The file of a sound SavedModel."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "words.txt").write_text("a\nb\n")
    module = Vocabulary(folder / "words.txt")
    tf.saved_model.save(module, str(folder / "model"), signatures=module.serve)
    again = tf.saved_model.load(str(folder / "model"))  # as Transform's graph is, in an export
    tf.saved_model.save(again, str(folder / "again"), signatures=again.serve)
    assert forbidden_operations(folder / "again") == []
    return (folder / "model" / "saved_model.pb").read_bytes()


@pytest.fixture
def tampered(sound, tmp_path):
    """`tampered(change)` gives what is found after a change of the sound graph."""

    def check(change) -> list[str]:
        model = saved_model_pb2.SavedModel.FromString(sound)
        change(model.meta_graphs[0])
        (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
        return forbidden_operations(tmp_path)

    return check


def function_with(graph, op):
    """The function that holds an operation, and its node."""
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if node.op == op:
                return function, node
    raise AssertionError(op)


def test_a_model_with_variables_and_a_vocabulary_is_sound(tampered):
    assert tampered(lambda graph: None) == []


def test_a_table_of_another_file_is_found(tampered):
    def constant_path(graph):
        function, node = function_with(graph, "InitializeTableFromTextFileV2")
        path = function.node_def.add(name="path", op="Const")
        path.attr["dtype"].type = tf.string.as_datatype_enum
        path.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/passwd"))
        node.input[1] = "path:output:0"

    def climbing_asset(graph):
        graph.asset_file_def[0].filename = "../../../etc/passwd"

    def captured_constant(graph):
        for node in graph.object_graph_def.nodes:
            if node.WhichOneof("kind") == "asset":
                node.constant.operation = "Const"

    def graph_constant(graph):
        graph.asset_file_def[0].tensor_info.name = "other:0"

    for change in (constant_path, climbing_asset, captured_constant, graph_constant):
        (found,) = tampered(change)
        assert found.startswith("InitializeTableFromTextFileV2 (in the function "), change
        assert found.endswith(", on a file that is no asset)")


def test_what_calls_itself_is_looked_at_once(tampered):
    def circles(graph):
        function, _ = function_with(graph, "If")
        node = function.node_def.add(name="again", op="StatefulPartitionedCall")
        node.attr["f"].func.name = function.signature.name
        served = graph.signature_def["serving_default"].outputs["number"].name.partition(":")[0]
        (node,) = (node for node in graph.graph_def.node if node.name == served)
        node.input.append(f"^{served}")

    assert tampered(circles) == []


def test_a_saver_that_a_signature_reaches_is_found(tampered):
    def output(graph):
        outputs = graph.signature_def["serving_default"].outputs
        outputs["number"].name = graph.saver_def.save_tensor_name

    def call(graph):
        saver, _ = function_with(graph, "SaveV2")
        function, _ = function_with(graph, "If")
        node = function.node_def.add(name="more", op="StatefulPartitionedCall")
        node.attr["f"].func.name = saver.signature.name

    def branches(graph):
        saver, _ = function_with(graph, "SaveV2")
        function, _ = function_with(graph, "If")
        node = function.node_def.add(name="more", op="Case")
        node.attr["branches"].list.func.add().name = saver.signature.name

    def disguise(graph):
        saver, _ = function_with(graph, "SaveV2")
        saver.signature.name = "Abs"
        function, _ = function_with(graph, "If")
        function.node_def.add(name="more", op="Abs")

    def another_signature(graph):
        outputs = graph.signature_def["another"].outputs
        outputs["number"].name = graph.saver_def.save_tensor_name

    def control(graph):
        served = graph.signature_def["serving_default"].outputs["number"].name.partition(":")[0]
        (node,) = (node for node in graph.graph_def.node if node.name == served)
        node.input.append(f"^{graph.saver_def.save_tensor_name.partition(':')[0]}")

    def concrete(graph):
        saver, _ = function_with(graph, "SaveV2")
        graph.object_graph_def.concrete_functions[saver.signature.name].SetInParent()

    def collection(graph):
        graph.collection_def["more"].node_list.value.append(graph.saver_def.save_tensor_name)

    def sparse(part):
        def change(graph):
            info = graph.signature_def["serving_default"].outputs["more"].coo_sparse
            setattr(info, part, graph.saver_def.save_tensor_name)

        return change

    def composite(graph):
        outer = graph.signature_def["serving_default"].outputs["more"].composite_tensor
        inner = outer.components.add().composite_tensor.components
        inner.add().name = graph.signature_def["serving_default"].outputs["number"].name
        inner.add().name = graph.saver_def.save_tensor_name

    parts = ("values_tensor_name", "indices_tensor_name", "dense_shape_tensor_name")
    changes = (output, another_signature, call, branches, disguise, control, concrete, collection)
    for change in (*changes, composite, *map(sparse, parts)):
        found = tampered(change)
        assert [line.partition(" ")[0] for line in found] == [
            "MergeV2Checkpoints",
            "SaveV2",
            "ShardedFilename",
        ], change
        assert all(line.endswith(", outside of the saver)") for line in found)


def test_a_saver_in_the_graph_itself_is_found_where_a_signature_reaches_it(tampered):
    def save(graph):
        graph.graph_def.node.add(name="words", op="Const")
        graph.graph_def.node.add(name="save", op="SaveV2", input=["words"])

    def and_answer(graph):
        save(graph)
        graph.graph_def.node.add(name="answer", op="Identity", input=["words", "^save"])
        graph.signature_def["another"].outputs["number"].name = "answer:0"

    assert tampered(save) == []
    assert tampered(and_answer) == ["SaveV2 (the node save, outside of the saver)"]


def test_an_operation_that_nobody_reaches_is_found_all_the_same(tampered):
    def add(graph):
        graph.graph_def.node.add(name="harmless", op="WriteFile")
        graph.graph_def.node.add(name="again", op="WriteFile")
        graph.graph_def.library.function.add().node_def.add(name="x", op="MadeByThem")

    assert tampered(add) == ["MadeByThem (the node x)", "WriteFile (the node harmless)"]


def test_every_graph_of_a_file_is_looked_at(sound, tmp_path):
    model = saved_model_pb2.SavedModel.FromString(sound)
    model.meta_graphs.add().graph_def.node.add(name="harmless", op="WriteFile")
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    assert forbidden_operations(tmp_path) == ["WriteFile (the node harmless)"]


def write_file(x):
    tf.io.write_file("/tmp/graft-was-here", "x")
    return x


def write_in_a_branch(x):
    return tf.cond(tf.size(x) > 0, lambda: write_file(x), lambda: x)


def read_file(x):
    return tf.strings.join([x[0], tf.io.read_file("/etc/passwd")])


def list_files(x):
    return tf.io.matching_files(x)


def read_lines(x):
    return tf.data.TextLineDataset(x).reduce("", lambda state, line: state + line)


def run_python(x):
    return tf.numpy_function(lambda y: y, [x], tf.string)


def run_eager_python(x):
    return tf.py_function(lambda y: y, [x], tf.string)


def print_to_a_file(x):
    tf.print(x, output_stream="file:///tmp/graft-was-here")
    return x


def restore(x):
    return tf.raw_ops.RestoreV2(
        prefix=x[0], tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0]


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (write_file, "WriteFile"),
        (write_in_a_branch, "WriteFile"),
        (read_file, "ReadFile"),
        (list_files, "MatchingFiles"),
        (read_lines, "TextLineDataset"),
        (run_python, "PyFunc"),
        (run_eager_python, "EagerPyFunc"),
        (print_to_a_file, "PrintV2"),
        (restore, "RestoreV2"),
    ],
)
def test_what_reaches_out_is_refused_by_name_before_it_is_loaded(
    function, operation, tmp_path, monkeypatch
):
    module = tf.Module()
    module.serve = tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(UserError, match=rf"^some\.key: {tmp_path} is refused .*{operation} \("):
        require_computing("some.key", tmp_path)


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")  # as wherever Graft runs
def test_what_is_no_saved_model_is_told(tmp_path):
    with pytest.raises(UserError, match=r"^some\.key: .* cannot be loaded \(.*No such file"):
        require_computing("some.key", tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(UserError, match="is damaged, or no SavedModel"):
        require_computing("some.key", tmp_path)


def test_the_list_names_no_operation_that_reads_or_writes():
    suspicious = ("File", "Dataset", "PyFunc", "Reader", "Print", "Summary", "Save", "Restore")
    assert [name for name in sorted(COMPUTING) if any(word in name for word in suspicious)] == []
    assert not COMPUTING & (SAVER | TABLE_FROM_FILE)
    # Of another version may be a few, as `DecodeWebP`.
    unknown = [name for name in COMPUTING if not hasattr(tf.raw_ops, name)]
    assert len(unknown) < 10, unknown
