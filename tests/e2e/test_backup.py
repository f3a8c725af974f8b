"""The demo's home through an archive: what people see of it afterwards is the same."""

from pathlib import Path

from tests.e2e.conftest import Gridroll, Ran


def test_reports_evidence_and_proof_are_the_same_after_a_restore(
    demo: tuple[Gridroll, Ran], tmp_path: Path
) -> None:
    seen, restored = demo[0], Gridroll(tmp_path / "home")
    archive = str(tmp_path / "demo.tar")
    seen.ok("backup", "--include-keys", archive)
    restored.ok("restore", archive)
    for command in (
        ("report", "1", "--format", "json"),
        ("evidence", "list", "1", "--format", "json"),
        ("faces", "list"),
    ):
        shown = restored.ok(*command)
        assert shown == seen.ok(*command)
        assert len(shown) > 100
    restored.ok("audit", "verify")
    first = shown_crop(seen, restored, tmp_path)
    assert first.startswith(b"\xff\xd8")
    assert restored.left_running() == []


def shown_crop(seen: Gridroll, restored: Gridroll, tmp_path: Path) -> bytes:
    for number, gridroll in enumerate((seen, restored)):
        gridroll.ok("evidence", "show", "1", str(tmp_path / f"{number}.jpg"))
    first, second = (tmp_path / f"{number}.jpg" for number in range(2))
    assert first.read_bytes() == second.read_bytes()
    return first.read_bytes()
