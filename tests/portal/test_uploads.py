"""A small file that unpacks to gigabytes costs next to nothing: measured in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOMBED = """
import io, json, resource, struct, sys, zlib
from pathlib import Path
from db.database import make_database
from db.settings import Settings
from portal.app import create_app
from tests.portal.cast import ADMIN, class_of_two
from tests.portal.conftest import Browser

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

settings = Settings(home=Path(sys.argv[1]))
database = make_database(settings.resolved_database_url)
class_of_two(database)
app = create_app(settings, database)
browser = Browser(app.test_client())
browser.sign_in(ADMIN)

side = 27_000  # 2.2 GB unpacked
line = bytes(1 + side * 3)
# Zeros flushed whole can be repeated as they are packed: nobody waits for gigabytes to be packed.
packer = zlib.compressobj(6, zlib.DEFLATED, -15)
rows = packer.compress(line * 27) + packer.flush(zlib.Z_FULL_FLUSH)
checksum = struct.pack(">HH", len(line) * side % 65_521, 1)
rows = b"\\x78\\x9c" + rows * (side // 27) + b"\\x03\\x00" + checksum
header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
bomb = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(rows)) + chunk(b"IEND", b"")

# A WebP that says the same of itself: its library sets memory aside as soon as it is opened.
wide = (16_383).to_bytes(3, "little")
body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + wide + wide + b"VP8L" + struct.pack("<I", 6) + b"\\x2f" + bytes(5)
webp = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body

fields = {"student_no": "S-9", "name": "N", "course": "MATH-101", "consent": "form"}
token = browser.token("/registration")

def send(content):
    answer = browser.client.post(
        "/registration", data={**fields, "csrf_token": token, "photo": (io.BytesIO(content), "me.jpg")}
    )
    return answer.status_code, "pixels; give a picture of at most 40 megapixels" in answer.text

# What a portal holds anyway that has taken a picture before, a broken one.
send(b"\\x89PNG\\r\\n\\x1a\\n")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = [send(bomb), send(webp)]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"bytes": len(bomb), "answers": answers, "raised_mb": (after - before) / 1024}))
"""


def test_a_picture_that_unpacks_to_gigabytes_raises_memory_by_less_than_100_mb(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", BOMBED, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=120,
        check=True,
    )
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["bytes"] < 10_000_000
    assert found["answers"] == [[400, True], [400, True]]
    assert found["raised_mb"] < 100, found
