"""Encrypting and naming, and where the keys come from."""

import threading
from pathlib import Path

import pytest

from db.errors import ConfigError, EvidenceError
from db.evidence.keys import KeyRing, add_key, load_keys, new_key
from db.settings import Settings, load_settings

PLAIN = b"\xff\xd8 a face \xff\xd9"
A, B = b"a" * 32, b"b" * 32


def test_what_is_sealed_is_opened_by_the_same_key_and_shows_nothing_without_it() -> None:
    sealed = KeyRing([A]).seal(PLAIN)
    assert KeyRing([A]).open(sealed.name, sealed.content) == PLAIN
    assert b"face" not in sealed.content


def test_the_name_follows_the_picture_and_the_key() -> None:
    name = KeyRing([A]).seal(PLAIN).name
    assert KeyRing([A, B]).seal(PLAIN).name == name
    assert len({name, KeyRing([B]).seal(PLAIN).name, KeyRing([A]).seal(PLAIN + b" ").name}) == 3
    assert KeyRing([A]).seal(PLAIN).content != KeyRing([A]).seal(PLAIN).content


def test_the_newest_key_seals_and_all_open() -> None:
    old, both = KeyRing([A]), KeyRing([B, A])
    sealed = old.seal(PLAIN)
    assert both.open(sealed.name, sealed.content) == PLAIN
    assert both.seal(PLAIN).key_id == both.newest_id == KeyRing([B]).newest_id != old.newest_id


def test_a_key_that_is_lacking_is_called_by_its_id() -> None:
    sealed = KeyRing([A]).seal(PLAIN)
    with pytest.raises(
        EvidenceError, match=f"encrypted under key {sealed.key_id}, which is not among the keys"
    ):
        KeyRing([B]).open(sealed.name, sealed.content)


def test_a_flipped_bit_is_noticed_wherever_it_is() -> None:
    keys = KeyRing([A])
    sealed = keys.seal(PLAIN)
    for place in range(len(sealed.content) * 8):
        changed = bytearray(sealed.content)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(EvidenceError):
            keys.open(sealed.name, bytes(changed))


@pytest.mark.parametrize("length", [0, 3, 4, 12, 24, 39])
def test_a_crop_cut_short_is_noticed(length: int) -> None:
    keys = KeyRing([A])
    sealed = keys.seal(PLAIN)
    with pytest.raises(EvidenceError, match="damaged"):
        keys.open(sealed.name, sealed.content[:length])


def test_a_crop_put_in_another_one_s_place_is_noticed() -> None:
    keys = KeyRing([A])
    with pytest.raises(EvidenceError, match="damaged or was changed"):
        keys.open(keys.seal(b"Ann").name, keys.seal(b"Ben").content)


def test_a_key_file_is_made_at_the_first_use_for_its_owner_only(settings: Settings) -> None:
    made = load_keys(settings)
    path = settings.home / "evidence.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(settings).newest_id == made.newest_id
    assert [one.name for one in settings.home.iterdir()] == ["evidence.keys"]


def test_programs_that_start_at_once_make_one_key(settings: Settings) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(load_keys(settings).newest_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_keys_may_be_listed_in_the_configuration_or_in_a_file(tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    (tmp_path / "gridroll.toml").write_text(f'evidence_keys = ["{first}", "{second}"]')
    listed = load_keys(load_settings(tmp_path))
    (tmp_path / "gridroll.toml").write_text('evidence_key_file = "my.keys"')
    (tmp_path / "my.keys").write_text(f"# of 2026\n{first}\n\n{second}\n")
    filed = load_keys(load_settings(tmp_path))
    assert (listed.newest_id, len(listed)) == (filed.newest_id, len(filed)) == (listed.newest_id, 2)


def test_a_new_key_is_put_before_the_others(settings: Settings) -> None:
    old = load_keys(settings)
    path = add_key(settings)
    both = load_keys(settings)
    assert (len(both), path.stat().st_mode & 0o777) == (2, 0o600)
    sealed = old.seal(PLAIN)
    assert both.newest_id != old.newest_id
    assert both.open(sealed.name, sealed.content) == PLAIN


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("secret-but-too-short", "key 1 is none, it must be 44 characters of base64"),
        ("{good}, secret*{good}", "key 2 is none"),
        ("# {good}", "holds no key"),
    ],
)
def test_bad_keys_are_refused_and_never_shown(tmp_path: Path, keys: str, message: str) -> None:
    good = new_key()
    settings = Settings(home=tmp_path, evidence_keys=keys.format(good=good))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message) as error:
        load_keys(settings)
    for text in (str(error.value), repr(settings), str(settings)):
        assert "secret" not in text
        assert good not in text


def test_a_configured_key_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, evidence_key_file=tmp_path / "mounted.keys")
    with pytest.raises(ConfigError, match=r"no key file .*mounted.keys; 'gridroll evidence key'"):
        load_keys(settings)
    assert list(tmp_path.iterdir()) == []


def test_a_new_key_cannot_be_put_into_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the keys are in evidence_keys, not in a file"):
        add_key(Settings(home=tmp_path, evidence_keys=new_key()))  # type: ignore[arg-type]


def test_of_new_keys_put_in_at_once_none_is_lost(settings: Settings) -> None:
    load_keys(settings)
    together = threading.Barrier(8)

    def add() -> None:
        together.wait()
        add_key(settings)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_keys(settings)) == 9
    assert {path.stat().st_mode & 0o777 for path in settings.home.iterdir()} == {0o600}
