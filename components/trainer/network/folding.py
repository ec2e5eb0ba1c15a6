"""Convolutions as they are trained and served: with BatchNorm folded in, and where asked in bf16.

BatchNorm in inference mode is one multiply-add per channel. Multiplied into the kernel of the
convolution before it, it costs next to nothing, and its gradients follow from the kernel's, while
on its own it reads and writes all activations several times per step.
"""

import keras
import tensorflow as tf

from components.trainer.settings.trainer import Precision


def folded(
    network: keras.Model, precision: Precision = "float32", folds: bool = True
) -> keras.Model:
    """The same function of the same variables, in fewer and cheaper operations.

    Args:
        network: a functional model whose BatchNorm is in inference mode.
        precision: what dense convolutions multiply in: `float32` or `bf16`. Weights, sums and all
            else are float32: depthwise convolutions, say, are slower in bf16 on a CPU.
        folds: whether BatchNorm may be folded; False where it learns its statistics.

    Returns:
        A model that shares the network's layers and variables; in float32 its answers differ by
        rounding. The network itself, where there is nothing to gain.
    """
    following = _normalizations(network) if folds else {}
    in_place_of = {
        id(layer): _Convolution(layer, following.get(id(layer)), precision)
        for layer in network.layers
        if _is_convolution(layer)
        and (id(layer) in following or (precision == "bf16" and not _is_depthwise(layer)))
    }
    if not in_place_of:
        return network
    gone = {id(normalization) for normalization in following.values()}

    def call(layer: keras.layers.Layer, inputs, *args, **kwargs):
        if id(layer) in gone:
            return inputs
        if id(layer) in in_place_of:
            return in_place_of[id(layer)](inputs)
        return layer(inputs, *args, **kwargs)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


class _Convolution(keras.layers.Layer):
    """A convolution and the BatchNorm behind it."""

    def __init__(
        self,
        convolution: keras.layers.Layer,
        normalization: keras.layers.BatchNormalization | None,
        precision: Precision,
    ):
        super().__init__()
        self.convolution = convolution
        self.normalization = normalization
        self._in_bf16 = precision == "bf16"

    def call(self, inputs):
        kernel, bias = self._weights()
        outputs = self._multiply(inputs, kernel)
        if bias is not None:
            outputs = tf.nn.bias_add(outputs, bias)
        return self.convolution.activation(outputs)

    def _weights(self) -> tuple[tf.Tensor, tf.Tensor | None]:
        """The kernel as the convolution has it, and the bias: float32 [channels]."""
        layer, norm = self.convolution, self.normalization
        kernel = tf.convert_to_tensor(layer.kernel)
        bias = tf.convert_to_tensor(layer.bias) if layer.use_bias else None
        if norm is None:
            return kernel, bias
        scale = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.scale:
            scale *= norm.gamma
        shift = -norm.moving_mean * scale
        if norm.center:
            shift += norm.beta
        if bias is not None:
            shift += bias * scale
        # A depthwise kernel has its channels in the last two dimensions.
        axes = kernel.shape[2:] if _is_depthwise(layer) else kernel.shape[3:]
        return kernel * tf.reshape(scale, axes), shift

    def _multiply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        layer = self.convolution
        if _is_depthwise(layer):
            return keras.ops.depthwise_conv(
                inputs, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate
            )
        if not self._in_bf16:
            return layer.convolution_op(inputs, kernel)
        convolve = _pointwise if _is_pointwise(layer) else layer.convolution_op
        outputs = convolve(tf.cast(inputs, tf.bfloat16), tf.cast(kernel, tf.bfloat16))
        return tf.cast(outputs, inputs.dtype)


def _pointwise(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A 1x1 convolution as one matrix product.

    As a convolution, its gradient with respect to a bf16 kernel is no faster than in float32.
    """
    _, height, width, channels = inputs.shape
    product = tf.matmul(tf.reshape(inputs, [-1, channels]), tf.reshape(kernel, [channels, -1]))
    return tf.reshape(product, [-1, height, width, kernel.shape[-1]])


def _normalizations(network: keras.Model) -> dict[int, keras.layers.BatchNormalization]:
    """The BatchNorm that alone takes what a convolution gives, by the `id` of the convolution."""
    consumers: dict[int, list] = {}
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            for tensor in node.input_tensors:
                consumers.setdefault(id(tensor), []).append(node.operation)
    outputs = {id(tensor) for tensor in network.outputs}
    found = {}
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            layer, (tensor, *_) = node.operation, node.output_tensors
            takers = consumers.get(id(tensor), [])
            if (
                _is_convolution(layer)
                and layer.activation is keras.activations.linear
                and id(tensor) not in outputs
                and len(takers) == 1
                and isinstance(takers[0], keras.layers.BatchNormalization)
                and takers[0].axis in (-1, 3)
            ):
                found[id(layer)] = takers[0]
    return found


def _is_convolution(layer: keras.layers.Layer) -> bool:
    """Whether it is one that is computed in float32 here, with its channels last."""
    return (
        type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        and layer.compute_dtype == "float32"
        and layer.data_format == "channels_last"
    )


def _is_depthwise(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.DepthwiseConv2D)


def _is_pointwise(layer: keras.layers.Layer) -> bool:
    return (
        not _is_depthwise(layer)
        and layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and layer.groups == 1
    )
