"""Starts programs as forks of one process that has imported everything: in milliseconds, and each to be killed.

Run as a module it is that process: it reads a request a line, forks, and says which process began and which ended.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image

from db.errors import GridrollError

__all__ = ["Child", "Nursery"]

ROOT = Path(__file__).parents[3]
IMPORTED = (
    *(
        "gridroll",
        "screen_agent.commands",
        "recognizer.local",
        "recognizer.review_commands",
        "portal.commands",
    ),
    *("portal.app", "portal.server", "tests.e2e.crash.programs", "onnxruntime", "pymysql", "flask_wtf"),
    *("dlib", "PIL.BmpImagePlugin", "db.evidence.folder"),
)


class Child:
    """A program under way. `pid`; `output`: the file that holds all it has written."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid = pid
        self.output = output
        self._ended = threading.Event()
        self._code = 0

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, negative for a signal; None where it still runs after so many seconds."""
        return self._code if self._ended.wait(timeout_s) else None

    def kill(self) -> bool:
        """SIGKILL; returns whether it still ran."""
        if self._ended.is_set():
            return False
        # The process that forked it is told of its end first: the number is its own as long as no end was told.
        os.kill(self.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def ended(self, code: int) -> None:
        self._code = code
        self._ended.set()


class Nursery:
    """Starts children; safe to share between threads. Use as a context manager: none outlives it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._begun: queue.Queue[int] = queue.Queue()
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._known = threading.Lock()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GRIDROLL_", "AWS_"))}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.crash.nursery"],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        for child in list(self._children.values()):
            child.kill()
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        self._listener.join()
        assert self._server.stdout is not None
        self._server.stdout.close()

    def start(
        self, program: str, *arguments: Any, output: Path, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start `module:function` with arguments that JSON can hold; what it writes is added to `output`."""
        request = {
            "program": program,
            "arguments": arguments,
            "output": str(output),
            "environment": dict(environment or {}),
        }
        assert self._server.stdin is not None
        with self._starting:
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
            child = Child(self._begun.get(timeout=60), output)
        with self._known:
            self._children[child.pid] = child
            code = self._early.pop(child.pid, None)
        if code is not None:
            child.ended(code)
        return child

    def _listen(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            kind, pid, code = line.split()
            if kind == "begun":
                self._begun.put(int(pid))
                continue
            with self._known:
                child = self._children.pop(int(pid), None)
                if child is None:
                    self._early[int(pid)] = int(code)
            if child is not None:
                child.ended(int(code))


def _tell(kind: str, pid: int, code: int = 0) -> None:
    os.write(1, f"{kind} {pid} {code}\n".encode())


def _reap(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell("ended", pid, os.waitstatus_to_exitcode(status))


def _become(program: str, arguments: Sequence[Any], output: str, environment: Mapping[str, str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, place)
    os.environ.update(environment)
    code = 1
    try:
        module, function = program.split(":")
        getattr(import_module(module), function)(*arguments)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except GridrollError as error:
        print(f"gridroll: {error}", file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    for module in IMPORTED:
        import_module(module)
    Image.init()  # loads the readers of all formats
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        request = json.loads(line)
        # An end is told after the beginning.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if not pid:
            _become(**request)
        _tell("begun", pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


if __name__ == "__main__":
    _serve()
