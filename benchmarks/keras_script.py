"""The plain Keras script that Graft is compared with: transfer learning as its users write it.

    python benchmarks/keras_script.py PICTURES --epochs 10 --out results.json

PICTURES holds `train/` and `validation/`, each with one folder per class (two classes).
"""

import argparse
import json
import time
from pathlib import Path

import keras
import tensorflow as tf

BATCH_SIZE = 32
IMAGE_SIZE = (160, 160)
FINE_TUNE_AT = 100
LEARNING_RATE = 3e-4

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("pictures", type=Path)
parser.add_argument("--weights", default="imagenet")
parser.add_argument("--epochs", type=int, default=10, help="of each phase")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

keras.utils.set_random_seed(args.seed)

train_dataset = keras.utils.image_dataset_from_directory(
    args.pictures / "train", shuffle=True, batch_size=BATCH_SIZE, image_size=IMAGE_SIZE
)
validation_dataset = keras.utils.image_dataset_from_directory(
    args.pictures / "validation", shuffle=True, batch_size=BATCH_SIZE, image_size=IMAGE_SIZE
)
validation_batches = validation_dataset.cardinality()
test_dataset = validation_dataset.take(validation_batches // 5)
validation_dataset = validation_dataset.skip(validation_batches // 5)

train_dataset = train_dataset.prefetch(tf.data.AUTOTUNE)
validation_dataset = validation_dataset.prefetch(tf.data.AUTOTUNE)
test_dataset = test_dataset.prefetch(tf.data.AUTOTUNE)

data_augmentation = keras.Sequential(
    [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)]
)
rescale = keras.layers.Rescaling(1.0 / 127.5, offset=-1)

base_model = keras.applications.MobileNetV2(
    input_shape=(*IMAGE_SIZE, 3), include_top=False, weights=args.weights
)
base_model.trainable = False

inputs = keras.Input(shape=(*IMAGE_SIZE, 3))
x = data_augmentation(inputs)
x = rescale(x)
x = base_model(x, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
outputs = keras.layers.Dense(1)(x)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=LEARNING_RATE),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0, name="accuracy")],
)
ended = []  # when each epoch did
clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(time.time()))
history = model.fit(
    train_dataset,
    epochs=args.epochs,
    validation_data=validation_dataset,
    callbacks=[clock],
    verbose=2,
)

base_model.trainable = True
for layer in base_model.layers[:FINE_TUNE_AT]:
    layer.trainable = False

model.compile(
    optimizer=keras.optimizers.RMSprop(learning_rate=LEARNING_RATE / 10),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0, name="accuracy")],
)
history_fine = model.fit(
    train_dataset,
    epochs=2 * args.epochs,
    initial_epoch=args.epochs,
    validation_data=validation_dataset,
    callbacks=[clock],
    verbose=2,
)

test_loss, test_accuracy = model.evaluate(test_dataset, verbose=2)

args.out.write_text(
    json.dumps(
        {
            "frozen": history.history["val_accuracy"],
            "unfrozen": history_fine.history["val_accuracy"],
            "test": test_accuracy,
            "ended": ended,
        }
    )
)
