"""A network of three layers in the place of MobileNetV2, for tests of what happens around one.

What is tested with it must not depend on what a network can learn. A process of its own calls
`install()`, by `runpy.run_path` where this file cannot be imported; in pytest's process the fixture
`tiny_network` puts MobileNetV2 back.
"""

CONSTRUCTOR = "MobileNetV2"


def build(input_shape, include_top, weights, alpha=1.0):
    """Stands in for a constructor of `keras.applications`.

    Args:
        input_shape: (height, width, 3).
        include_top: False.
        weights: any; they are random, and the same each time.
        alpha: ignored.

    Returns:
        A model with the layers `pixels`, `edges`, `edges_BN` and `edges_relu`.
    """
    import keras

    assert not include_top
    pixels = keras.Input(input_shape, name="pixels")
    initializer = keras.initializers.GlorotUniform(seed=7)
    x = keras.layers.Conv2D(
        8, 5, strides=4, kernel_initializer=initializer, use_bias=False, name="edges"
    )(pixels)
    x = keras.layers.BatchNormalization(name="edges_BN")(x)
    x = keras.layers.ReLU(name="edges_relu")(x)
    return keras.Model(pixels, x)


def install() -> None:
    """Replaces MobileNetV2 in this process, for good."""
    import keras

    setattr(keras.applications, CONSTRUCTOR, build)
