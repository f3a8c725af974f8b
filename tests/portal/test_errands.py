"""Small work done after the answer."""

import threading

import pytest

from portal import errands as errands_module
from portal.errands import Errands


def test_an_errand_that_fails_keeps_no_other_back(caplog: pytest.LogCaptureFixture) -> None:
    errands, done = Errands(), list[int]()
    errands.run(lambda: done.append(1 // 0))
    errands.run(lambda: done.append(2))
    errands.close()
    assert done == [2]
    assert "an errand failed" in caplog.text


def test_too_many_errands_are_dropped_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(errands_module, "WAITING", 2)
    errands, go, done = Errands(), threading.Event(), list[int]()
    errands.run(lambda: done.append(int(go.wait(10))))
    for number in (2, 3):
        errands.run(lambda number=number: done.append(number))  # type: ignore[misc]
    assert "one more was dropped" in caplog.text
    go.set()
    errands.close()
    assert done == [1, 2]
