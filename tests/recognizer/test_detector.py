"""Photographs looked at side by side, as when two students hand theirs in at once."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from concurrent.futures import ThreadPoolExecutor
from demo.cast import CAST, portrait
from recognizer.photo import find_faces
images = [portrait(person, 160 + 40 * size) for person in CAST[:4] for size in range(6)]
alone = [find_faces(image) for image in images]
with ThreadPoolExecutor(6) as pool:
    assert list(pool.map(find_faces, images)) == alone
"""


def test_photographs_looked_at_side_by_side_show_the_same_faces() -> None:
    # In a program of its own: a detector shared by threads ends the one it runs in.
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=Path(__file__).parents[2], timeout=120)
    assert done.returncode == 0
