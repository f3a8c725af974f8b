"""Picture files, opened with care: a small file can unpack to gigabytes."""

import io
import stat
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from recognizer.errors import PhotoError
from recognizer.observation import Image
from recognizer.picture_header import too_large

__all__ = ["clean_jpeg", "decode_picture", "jpeg_of_image", "read_picture_file", "shrunk_jpeg"]

# Pillow only warns between 90 and 180 megapixels.
warnings.filterwarnings("error", category=PillowImage.DecompressionBombWarning)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SCALED = ("L", "RGB", "RGBA", "CMYK", "YCbCr")
"""Modes whose pixels can be averaged as they are."""

KEPT_SIDE_PX = 1600
QUALITY = 88


def read_picture_file(path: Path, max_bytes: int) -> bytes:
    """The file's bytes. Raises PhotoError for one that cannot be read or is larger than `max_bytes`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError(f"{path} is no file; give a picture")
        size = status.st_size
        if size > max_bytes:
            raise too_large(str(path), size, max_bytes)
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PhotoError(f"{str(path)!r} is no file name ({error})") from error


def decode_picture(
    content: bytes,
    name: str,
    max_pixels: int,
    longest_side_px: int | None = None,
    formats: tuple[str, ...] = FORMATS,
) -> Image:
    """Decode upright, scaled down to `longest_side_px` where that is given and less.

    `formats`: the types that are decoded, as Pillow calls them. TIFF and BMP can set aside more memory than their
    pixels take: leave them out for files of strangers. The size that the file gives is checked before anything is decoded. Raises PhotoError, naming `name`, for what is no picture, is
    damaged, or has more than `max_pixels` pixels.
    """
    try:
        with PillowImage.open(io.BytesIO(content), formats=formats) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise PhotoError(
                    f"{name} has {width}×{height} pixels; give a picture of at most {max_pixels / 1e6:.0f} megapixels"
                )
            if longest_side_px is not None:
                picture.draft(
                    "RGB", (longest_side_px, longest_side_px)
                )  # a JPEG unpacks smaller, four times faster
                # Small first: each copy of a picture as it came can take 160 MB.
                small = (
                    picture
                    if picture.mode in SCALED
                    else picture.convert("L" if picture.mode == "1" else "RGB")
                )
                small.thumbnail((longest_side_px, longest_side_px))
                small.getexif().update(picture.getexif())
                upright = ImageOps.exif_transpose(small).convert("RGB")
            else:
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except UnidentifiedImageError as error:
        raise PhotoError(f"{name} is no picture; give a JPEG, PNG, WebP, BMP or TIFF file") from error
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise PhotoError(
            f"{name} has too many pixels; give a picture of at most {max_pixels / 1e6:.0f} megapixels"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoError(f"{name} is damaged ({error}); give another picture") from error
    return cv2.cvtColor(np.asarray(upright, np.uint8), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def clean_jpeg(content: bytes, name: str, max_pixels: int) -> bytes:
    """The picture anew: a JPEG file, upright, of at most 1600 pixels a side, and with nothing in it but the picture.

    Where and with what it was taken is left behind. Raises PhotoError as `decode_picture` does.
    """
    return jpeg_of_image(decode_picture(content, name, max_pixels, KEPT_SIDE_PX))


def jpeg_of_image(image: Image) -> bytes:
    """As a JPEG file without metadata; the same image gives the same bytes."""
    encoded, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not encoded:
        raise PhotoError(f"an image of shape {image.shape} cannot be made a JPEG")
    return jpeg.tobytes()


def shrunk_jpeg(jpeg: bytes, longest_side_px: int) -> bytes:
    """A kept photograph at a smaller size; as it is where it is smaller already. Raises PhotoError."""
    image = decode_picture(jpeg, "the photograph", KEPT_SIDE_PX * KEPT_SIDE_PX, longest_side_px)
    return jpeg_of_image(image)
