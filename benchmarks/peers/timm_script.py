"""Transfer learning as users of timm write it: its network in a loop of PyTorch.

    python benchmarks/peers/timm_script.py PICTURES --epochs 10 --out results.json

PICTURES holds `train/` and `validation/`, each with one folder per class. The weights are random.
"""

import argparse
import json
import os
import time
from pathlib import Path

import timm
import torch
from torch.utils.data import DataLoader, random_split
from torchvision import transforms
from torchvision.datasets import ImageFolder

BATCH_SIZE = 32
IMAGE_SIZE = (160, 160)
LEARNING_RATE = 3e-4

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("pictures", type=Path)
parser.add_argument("--epochs", type=int, default=10, help="of each phase")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

torch.manual_seed(args.seed)

model = timm.create_model("mobilenetv2_100", num_classes=2, drop_rate=0.2)
config = timm.data.resolve_data_config({}, model=model)
to_tensor = [transforms.ToTensor(), transforms.Normalize(config["mean"], config["std"])]
resize = transforms.Resize(IMAGE_SIZE)
augmentation = [transforms.RandomHorizontalFlip(), transforms.RandomRotation(36)]

train = ImageFolder(
    args.pictures / "train", transforms.Compose([resize, *augmentation, *to_tensor])
)
validation = ImageFolder(args.pictures / "validation", transforms.Compose([resize, *to_tensor]))
validation, test = random_split(validation, [0.8, 0.2])

options = {"batch_size": BATCH_SIZE, "num_workers": os.cpu_count(), "persistent_workers": True}
train_loader = DataLoader(train, shuffle=True, **options)
validation_loader = DataLoader(validation, **options)
test_loader = DataLoader(test, **options)

criterion = torch.nn.CrossEntropyLoss()


def train_epoch(optimizer):
    """One epoch over the training pictures."""
    model.train()
    for images, labels in train_loader:
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.inference_mode()
def evaluate(loader):
    """The share of pictures that the model is right about."""
    model.eval()
    right = [model(images).argmax(1) == labels for images, labels in loader]
    return torch.cat(right).float().mean().item()


def fit(optimizer):
    """All epochs of a phase; the validation accuracy of each, and when it ended."""
    history = []
    for _ in range(args.epochs):
        train_epoch(optimizer)
        history.append(evaluate(validation_loader))
        ended.append(time.time())
    return history


ended = []
for parameter in model.parameters():
    parameter.requires_grad = False
for parameter in model.get_classifier().parameters():
    parameter.requires_grad = True
frozen = fit(torch.optim.Adam(model.get_classifier().parameters(), LEARNING_RATE))

# From the block on that is the eleventh in Keras, counted from 0.
last_layers = [*model.blocks[4][1:], *model.blocks[5:], model.conv_head, model.bn2]
for layer in last_layers:
    for parameter in layer.parameters():
        parameter.requires_grad = True
learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
unfrozen = fit(torch.optim.RMSprop(learning, LEARNING_RATE / 10))

results = {"frozen": frozen, "unfrozen": unfrozen, "test": evaluate(test_loader), "ended": ended}
args.out.write_text(json.dumps(results))
