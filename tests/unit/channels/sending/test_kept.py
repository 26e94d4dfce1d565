"""Who could not be reached is said, by whatever is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman import doctor, status
from comfywatchman.channels.sending import kept

if TYPE_CHECKING:
    from pathlib import Path


def test_status_and_doctor_say_who_could_not_be_reached(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('on_change_command = ["/bin/true"]\nnotify_urls_file = "/nonexistent"\n')
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    remembered = kept.Kept()
    remembered.fails("ping:1", "ping", "the server said \x1b[31m")
    since = remembered.troubles["ping:1"]["since"]
    remembered.fails("ping:1", "ping", "the server said \x1b[32m")
    assert remembered.troubles["ping:1"]["since"] == since  # of the first failure in a row
    remembered.write(state)

    trouble = f"ping could not be reached since {since[:10]} {since[11:16]} UTC: the server said "
    found = status.read(state)
    assert found["not_told"] == [f"{trouble}\\x1b[32m"]
    assert f"Messages     {trouble}\\x1b[32m" in status.in_words(found)
    points = {(p.status, p.said) for p in doctor.examine(config, state) if p.name == "channels"}
    assert points == {
        ("ok", "people are told by on_change_command /bin/true"),
        ("problem", f"{trouble}\\x1b[32m"),
        ("problem", "notify_urls_file: /nonexistent cannot be read: No such file or directory"),
    }


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    remembered = kept.Kept({"a": {}, "b": {}}, {"m": ["a"], "n": ["a"]})
    remembered.fails("b", "b", "no")
    remembered.forget(["a"], ["m"])
    remembered.write(tmp_path)
    assert kept.read(tmp_path) == kept.Kept({"a": {}}, {"m": ["a"]}, {})
