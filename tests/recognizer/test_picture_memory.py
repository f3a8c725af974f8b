"""How much memory a picture of many pixels takes while it is opened: measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

# The picture is made in one process and opened in another: what making it took would hide what opening it takes.
MADE = """
import sys
from PIL import Image
Image.effect_mandelbrot((630, 630), (-2, -2, 2, 2), 20).convert(sys.argv[1]).resize((6300, 6300)).save(sys.argv[2])
"""
MEASURED = """
import resource, sys
from pathlib import Path
from PIL import Image
from recognizer.picture import decode_picture

content = Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = decode_picture(content, "the picture", 40_000_000, 1600)
assert image.shape == (1600, 1600, 3)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_picture_is_never_copied_at_its_full_size(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "big.png"
    subprocess.run([sys.executable, "-c", MADE, mode, str(path)], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], check=True, capture_output=True, text=True
    )
    # Pillow holds 4 bytes for a pixel of colours: 159 MB for this one, which no copy joins.
    assert float(ran.stdout) < 200
