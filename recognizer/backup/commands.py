"""`gridroll backup` and `gridroll restore`."""

from pathlib import Path

import click

from db.actor import at_keyboard
from db.backup.manifest import Manifest
from db.evidence.keys import key_file
from db.settings import Settings, load_settings, read_settings
from recognizer.backup.making import EVIDENCE_KEYS, KEYS, PORTAL_KEY, make_backup
from recognizer.backup.restoring import restore as restore_archive
from recognizer.backup.restoring import verify as verify_archive

__all__ = ["backup", "restore"]

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@click.option(
    "--include-keys",
    is_flag=True,
    help="Put the portal's key and the keys of the evidence into the archive; guard it like them then.",
)
@click.option(
    "--verify", is_flag=True, help="Write nothing; read all of FILE and say whether it can be restored."
)
def backup(file: Path, force: bool, include_keys: bool, verify: bool) -> None:
    """Write database, faces, cache and evidence into one archive, while Gridroll goes on working."""
    if verify:
        if force or include_keys:
            raise click.UsageError("--verify writes nothing, so it goes with no other option")
        _show("whole", file, verify_archive(file))
        return
    settings = load_settings()
    manifest = make_backup(settings, file, force=force, include_keys=include_keys)
    _show("saved", file, manifest)
    if _has(manifest, PORTAL_KEY):
        click.echo("keys      portal.key is in it: whoever has the file can forge the portal's cookies")
    if _has(manifest, EVIDENCE_KEYS):
        click.echo("keys      evidence.keys is in it: whoever has the file can read the crops in it")
    elif settings.evidence_keys.get_secret_value().strip():
        click.echo(
            "keys      those in evidence_keys are not in it: keep them elsewhere, without them the crops in it are lost"
        )
    else:
        click.echo(
            "keys      evidence.keys is not in it: keep it elsewhere, without it the crops in it are lost"
        )


@click.command()
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="Give up what the stores hold now.")
def restore(file: Path, replace: bool) -> None:
    """Put what FILE holds into the stores of the settings, after all of it was checked."""
    settings = read_settings()
    manifest = restore_archive(settings, file, replace=replace, actor=at_keyboard())
    _show("restored", file, manifest)
    if manifest.counted("evidence"):
        _remind(settings, manifest)


def _show(what: str, file: Path, manifest: Manifest) -> None:
    size = sum(member.packed_bytes for member in manifest.members)
    click.echo(f"{what:9} {file}, {size / 1e6:,.1f} MB, made {manifest.made_at:%Y-%m-%d %H:%M} UTC")
    click.echo(
        f"holds     {manifest.counted('database/'):,} rows of schema {manifest.revision} from {manifest.engine}, "
        f"{manifest.counted('faces/'):,} faces, {manifest.counted('evidence'):,} crops, "
        f"{manifest.counted('cache/'):,} documents of the cache"
    )
    click.echo(f"audit     {manifest.audit_seq} changes, the last {manifest.audit_hash}")
    for lacking in manifest.notes:
        click.echo(f"note      {lacking}")


def _remind(settings: Settings, manifest: Manifest) -> None:
    """Say which keys the crops need that are not in use by themselves."""
    if settings.evidence_keys.get_secret_value().strip():
        place = "evidence_keys"
        if _has(manifest, EVIDENCE_KEYS):
            click.echo(
                f"keys      evidence.keys was in it and is now {key_file(settings)}, but evidence_keys is used"
            )
            return
    else:
        place = str(key_file(settings))
    if not _has(manifest, EVIDENCE_KEYS):
        click.echo(
            f"keys      those of the crops are not in it: the crops can be read once the keys they were made under are in {place}"
        )


def _has(manifest: Manifest, key: str) -> bool:
    return manifest.member(f"{KEYS}{key}") is not None
