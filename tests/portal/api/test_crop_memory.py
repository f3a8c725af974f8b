"""A small crop that unpacks to gigabytes costs next to nothing: measured in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BOMBED = """
import base64, io, json, resource, struct, sys, zlib
from pathlib import Path
from PIL import Image
from db.accounts import find_user
from db.database import make_database
from db.settings import Settings
from db.tokens import add_token
from portal.app import create_app
from portal.bearer import hash_token, new_token
from tests.portal.api.conftest import Program
from tests.portal.cast import STAFF, class_of_two

settings = Settings(home=Path(sys.argv[1]))
database = make_database(settings.resolved_database_url)
class_of_two(database)
token = new_token()
with database.writing() as writing:
    add_token(writing, "Room 7", hash_token(token), ["observations"], find_user(writing, STAFF))
agent = Program(create_app(settings, database).test_client(), token)

# 64 by 64 pixels, in one tile of 268 MB.
side = 16_384
packer, tile, line = zlib.compressobj(6), bytearray(), bytes(side)
for _ in range(side):
    tile += packer.compress(line)
tile += packer.flush()
tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side), (324, 0), (325, len(tile))]
start = 8 + 2 + 12 * len(tags) + 4
entries = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 324 else value) for tag, value in tags)
tiff = b"II*\\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(tile)

def send(content):
    crop = {"image": base64.b64encode(content).decode(), "box": [0, 0, 60, 60]}
    face = {"track": "t", "tile": [0, 0, 9, 9], "box": [1, 1, 5, 5], "crop": crop}
    at = "2026-03-02T08:01:00Z"
    look = {"uid": "a", "began_at": at, "taken_at": at, "trigger": "headcount", "headcount": 1, "faces": [face]}
    answer = agent.post("/sessions/1/observations", look)
    return answer.status_code, answer.json["errors"][0]["detail"]

small = io.BytesIO()
Image.new("RGB", (64, 64)).save(small, "TIFF")
# What a portal holds anyway that has taken in a crop before, a broken one.
send(small.getvalue()[:200])
send(bytes(len(tiff)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = [send(tiff), send(small.getvalue())]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"bytes": len(tiff), "answers": answers, "raised_mb": (after - before) / 1024}))
"""


def test_a_crop_that_unpacks_to_gigabytes_raises_memory_by_less_than_50_mb(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BOMBED, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["bytes"] < 500_000
    assert found["answers"] == [[422, "it is no JPEG file; give one"]] * 2
    assert found["raised_mb"] < 50, found
