"""What a file was proven to hold."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Picture:
    """A file that was proven to be a picture.

    Attributes:
        stored: What to store: the file's bytes, or, where TensorFlow cannot decode the format, the
            same pixels as an upright RGB PNG.
        pixels: What the Transform graph decodes from that, uint8 [height, width, 3], or of a large
            JPEG 1/2, 1/4 or 1/8 of it; see `stored_orientation`.
        size: Width and height of all of it, as it is stored.
        format: The file's format: `JPEG`, `PNG`, `GIF`, `BMP`, `WEBP`, `TIFF` or
            `HEIF`.
        orientation: Exif orientation of the file, 1 to 8.
        mode: Pillow's name for the file's colour mode, as `RGB` or `CMYK`; empty if it knows none.
        is_converted: Whether `stored` is not the file itself.
    """

    stored: bytes
    pixels: np.ndarray
    size: tuple[int, int]
    format: str
    orientation: int
    mode: str = ""
    is_converted: bool = False

    @property
    def stored_orientation(self) -> int:
        """Exif orientation of the pixels."""
        return 1 if self.is_converted else self.orientation
