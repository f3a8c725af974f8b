"""The examples of docs/api.md do what they say, on a real portal."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from flask import Flask

from portal.server import make_server
from portal.webhooks.post import signature
from tests.portal.api.conftest import Program

ROOT = Path(__file__).parents[3]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(), re.S | re.M)


def test_every_example_for_the_shell_succeeds(app: Flask, program: Program, tmp_path: Path) -> None:
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    script = tmp_path / "examples.sh"
    script.write_text("set -eu\n" + "\n".join(blocks("sh")))
    environment = {"PATH": os.environ["PATH"], "PORTAL": server.url, "TOKEN": program.token}
    try:
        ran = subprocess.run(
            ["bash", str(script)], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    finally:
        server.stop()
        thread.join(10)
    assert ran.returncode == 0, ran.stderr
    for told in ('"next"', '"S-2"', '"title": "Week 4"', '"excused"', '"guest": "Dr. Cid"', '"statuses"'):
        assert told.replace(" ", "") in ran.stdout.replace(" ", "")
    assert len(blocks("sh")) >= 6


@pytest.mark.parametrize(("age_s", "genuine"), [(0, True), (3600, False)])
def test_the_example_that_checks_signatures_does(age_s: int, genuine: bool) -> None:
    (source,) = blocks("python")
    names: dict[str, object] = {}
    exec(source, names)
    check, header = names["is_genuine"], signature("s", int(time.time()) - age_s, b"{}")
    assert callable(check)
    assert check("s", header, b"{}") is genuine
    assert check("other", header, b"{}") is False
    assert check("s", header, b"{ }") is False


def test_the_description_tells_of_every_way_in(app: Flask) -> None:
    document = app.extensions["gridroll-openapi"]
    assert document["openapi"] == "3.1.0"
    described = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    served = {
        (method, re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api_")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"], path
            assert operation["security"] == [{"token": []}], path
            assert "Scope `" in operation["description"], path
