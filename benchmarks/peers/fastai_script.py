"""Transfer learning as users of fastai write it.

    python benchmarks/peers/fastai_script.py PICTURES --epochs 10 --out results.json

PICTURES holds `train/` and `validation/`, each with one folder per class. The weights are random.
"""

import argparse
import json
import os
import time
from pathlib import Path

from fastai.vision.all import (
    Callback,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    ResizeMethod,
    accuracy,
    aug_transforms,
    imagenet_stats,
    params,
    set_seed,
)
from torchvision.models import mobilenet_v2

BATCH_SIZE = 32
IMAGE_SIZE = 160
LEARNING_RATE = 3e-4

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("pictures", type=Path)
parser.add_argument("--epochs", type=int, default=10, help="of each phase")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

set_seed(args.seed)

dls = ImageDataLoaders.from_folder(
    args.pictures,
    train="train",
    valid="validation",
    item_tfms=Resize(IMAGE_SIZE, method=ResizeMethod.Squish),
    batch_tfms=[
        *aug_transforms(max_rotate=36, min_zoom=1, max_zoom=1, max_lighting=0, max_warp=0),
        Normalize.from_stats(*imagenet_stats),
    ],
    bs=BATCH_SIZE,
    num_workers=os.cpu_count(),
)


class Clock(Callback):
    """Notes when each epoch ended."""

    def after_epoch(self):
        ended.append(time.time())


def split(model):
    """What never learns, what learns unfrozen, and the head; block 11 of Keras is layer 12 here."""
    features = model.features
    return [params(features[:12]), params(features[12:]), params(model.classifier)]


ended = []
model = mobilenet_v2(num_classes=2)
learn = Learner(
    dls, model, splitter=split, train_bn=False, metrics=accuracy, cbs=Clock(), lr=LEARNING_RATE
)
learn.freeze()
learn.fit(args.epochs)
frozen = [values[-1] for values in learn.recorder.values]
learn.freeze_to(-2)
learn.fit(args.epochs, LEARNING_RATE / 10)
unfrozen = [values[-1] for values in learn.recorder.values]

# A fifth of the validation pictures, as the other scripts have it.
files = dls.valid.items[::5]
_, test = learn.validate(dl=dls.test_dl(files, with_labels=True))

results = {"frozen": frozen, "unfrozen": unfrozen, "test": test, "ended": ended}
args.out.write_text(json.dumps(results))
