"""Arrows point one way; the command only groups."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_package_imports_what_stands_above_or_beside_it() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_importing_a_package_loads_no_model_and_opens_nothing() -> None:
    program = "import sys, db, recognizer, screen_agent, portal, demo, gridroll; print(sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"'dlib'", "'boto3'", "'pygame'"} & set(ran.stdout.strip("[]\n").split(", "))


def test_every_package_says_what_it_offers() -> None:
    # In a program of its own: pytest may have a folder of tests of the same name loaded.
    for package in ("db", "recognizer", "screen_agent", "portal", "demo"):
        program = f"import {package}; print(len({package}.__all__))"
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert 0 < int(ran.stdout) <= 10
