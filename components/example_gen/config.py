"""Settings of ImageExampleGen: where the pictures are and how they are split."""

from typing import Literal

import pydantic

from components.errors import UserError
from components.settings import Fraction, LocalPath, Settings


class SplitSettings(Settings):
    """Shares of the pictures per split; they add up to 1.

    A source that comes with `train/`, `validation/` and `test/` folders keeps its own splits. One
    that lacks `test/` gives up `test / (validation + test)` of its validation pictures for it; one
    that lacks `validation/` gives up `validation / (train + validation)` of its training pictures.
    One that has only `train/` is split like one without such folders.
    """

    train: Fraction = 0.8
    validation: Fraction = 0.1
    test: Fraction = 0.1

    @pydantic.model_validator(mode="after")
    def _check(self) -> "SplitSettings":
        total = self.train + self.validation + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        if not all((self.train, self.validation, self.test)):
            raise ValueError("train, validation and test must each be more than 0")
        return self


class TFRecordSettings(Settings):
    """Names of the features of the examples in a TFRecord source, as Graft's own have them."""

    image: str = pydantic.Field("image", min_length=1, description="bytes of an encoded picture")
    label: str = pydantic.Field(
        "label", min_length=1, description="class: text, or a number, which is taken as text"
    )
    split: str = pydantic.Field(
        "", description="train, validation or test; empty: pictures come without splits"
    )


class DataSettings(Settings):
    """The block `data` of a recipe."""

    source: LocalPath = pydantic.Field(
        "digits",
        min_length=1,
        description="`digits` (built in); a folder with one folder of pictures per class; a .zip, "
        ".tar or .tar.gz of such a folder, or its URL; a manifest (.csv, .tsv, .jsonl) with the "
        "columns path and label, and if you like split and more; a TFRecord of tf.Example, or a "
        "folder of them; s3:// or gs:// before any of these but the last",
    )
    sha256: str | None = pydantic.Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="of the file that `source` is the URL of: another one is refused",
    )
    tfrecord: TFRecordSettings = TFRecordSettings()
    split: SplitSettings = SplitSettings()
    min_per_class: int = pydantic.Field(
        3, ge=1, description="fewer usable pictures in a class stop the run"
    )
    split_ledger: LocalPath = pydantic.Field(
        "",
        description="Parquet file that remembers each picture's split, so that none ever moves and "
        "the shares are kept exactly; empty: splits are drawn by hash",
    )
    near_duplicates: bool = pydantic.Field(
        True,
        description="whether pictures that look the same are copies; if not, only equal files are",
    )
    contradicting_labels: Literal["stop", "keep"] = pydantic.Field(
        "stop", description="what to do about copies of a picture in two classes"
    )
    fixes: LocalPath = pydantic.Field(
        "",
        description="CSV file of `graft data relabel`: labels to change and pictures to leave out; "
        "empty: none",
    )
    missing_fixes: Literal["stop", "keep"] = pydantic.Field(
        "stop", description="what to do about fixes of pictures that are gone"
    )
    max_quarantined: Fraction = pydantic.Field(
        0.05, description="larger share of undecodable pictures stops the run"
    )
    max_pixels: int = pydantic.Field(
        50_000_000,
        ge=1,
        le=178_956_970,  # Pillow opens nothing larger
        description="width x height above which a picture is set aside undecoded",
    )

    def check_class(self, label: str, number: int, counted: str, source: str) -> None:
        """Refuses a class of fewer pictures than `min_per_class`.

        Args:
            label: its name.
            number: of its pictures.
            counted: which of them, as "usable picture(s)".
            source: names the source in the message.

        Raises:
            UserError: it is too small.
        """
        if number < self.min_per_class:
            raise UserError(
                f"class {label!r} in {source} has {number} {counted}, "
                f"data.min_per_class asks for at least {self.min_per_class}"
            )
