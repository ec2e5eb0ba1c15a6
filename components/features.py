"""Feature names and the tensor contract that every component shares.

An example on disk is one picture, as a `tf.train.Example` in a gzip-compressed TFRecord:

| feature    | type  | content                                                              |
|------------|-------|----------------------------------------------------------------------|
| `image`    | bytes | the encoded picture: JPEG, PNG or GIF; other formats became PNG      |
| `label`    | bytes | class name, UTF-8; empty in the split `unlabelled`                   |
| `image_id` | bytes | SHA-256 of the original file's bytes, 64 hexadecimal digits          |
| `split`    | bytes | `train`, `validation` or `test`; `unlabelled` beside them            |
| `path`     | bytes | where the picture came from, relative to the data source, UTF-8      |
| `view`     | int64 | 0 on disk: the picture as it is; v > 0 asks for its v-th augmentation |

Beside these it has the facts of the picture, `width` to `colourfulness`, which
`components.example_gen.inspection.facts` describes (whole numbers are int64, others float, `format`
is bytes), and each further column of a manifest, UTF-8 text: see `column_feature`.

The Transform graph turns a batch of them into `image_xf` (float32 [batch, size, size, 3] in the
backbone's value range) and `label_xf` (int64 [batch], index into the vocabulary `labels`).
"""

import re

IMAGE = "image"
LABEL = "label"
IMAGE_ID = "image_id"
SPLIT = "split"
PATH = "path"
VIEW = "view"

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
SPLITS = (TRAIN, VALIDATION, TEST)
# Beside these where a recipe has unlabelled pictures; their label is empty.
UNLABELLED = "unlabelled"

# Folder beside the splits, with files of the test split just as the source has them.
ORIGINALS = "originals"

# Beside the splits, and in the evidence of a version: a row per picture, with its facts.
PICTURES_FILE = "pictures.parquet"
# Beside the splits too: counts per class and split, and a line per file that was set aside.
SUMMARY_FILE, QUARANTINE_FILE = OVERVIEW_FILES = ("summary.json", "quarantine.jsonl")
# Of the Evaluator, beside its rows and in the evidence of a version.
METRICS_FILE = "metrics.json"
# Of the Trainer, in the evidence of a version too: what it learnt of how sure the model may be.
CALIBRATION_FILE = "calibration.json"
GROUP = "group"  # column: the same for copies of one picture

LABEL_VOCABULARY = "labels"

# The TFRecord compression of every example file, in the words of tf.data.TFRecordDataset.
COMPRESSION = "GZIP"

# Signatures and tensors of the exported SavedModel (see components/trainer/export.py).
SERVING_SIGNATURE = "serving_default"
EXAMPLES_SIGNATURE = "from_examples"
TRANSFORM_SIGNATURE = "transform_features"
EXPLAIN_SIGNATURE = "explain"  # where the network has feature maps
IMAGE_BYTES = "image_bytes"
EXAMPLES = "examples"
PREDICTED_LABEL = "label"
PROBABILITY = "probability"
PROBABILITIES = "probabilities"
CLASSES = "classes"
# Beside these where `serving.abstain` and `serving.label_set` ask for them.
UNSURE = "unsure"
IN_LABEL_SET = "in_label_set"
HEAT_MAP = "heat_map"


def transformed_name(name: str) -> str:
    """Name of a feature after Transform."""
    return f"{name}_xf"


def column_feature(column: str) -> str:
    """Name of the feature that holds a manifest's further column."""
    return "column_" + re.sub(r"\W", "_", column, flags=re.ASCII)
