"""``accepted.toml`` is a person's: their comments and order stay, whatever the command writes."""

from __future__ import annotations

import os
import stat
import threading
from datetime import date
from typing import TYPE_CHECKING

import pytest

from comfywatchman.acceptances import editing, file
from comfywatchman.errors import ConfigError
from comfywatchman.judging.accepted import Entry

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 25)
BY_HAND = """\
# ours, reviewed by anna

# about one
[[accepted]]   # the first
id = "one"  # its name
reason = 'a "quoted" reason'
# when the upscaler is back
until = 2026-12-01
workflow = "a.json"
fingerprints = ["f1"]

# about two
[[accepted]]
workflow = "b.json"
id = "two"
reason = \"\"\"
many
lines\"\"\"
until = 2026-12-01
fingerprints = ["f2"]
# the end
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "accepted.toml"


def made(name: str, **more: object) -> Entry:
    values = {
        "workflow": "c.json",
        "reason": 'it\'s "so" — \\ 日本',
        "until": date(2026, 12, 31),
        "fingerprints": frozenset({"f3", "f4"}),
        **more,
    }
    return Entry(id=name, **values)  # type: ignore[arg-type]


def ids(own: Path) -> list[str]:
    known = file.read(own.with_name("config.toml"), TODAY)
    assert known.problems == []
    return [entry.id for entry in known.entries]


def test_the_first_makes_the_file_and_what_is_read_is_what_was_written(own: Path) -> None:
    assert editing.add(own, made("new", by="anna", code="api_node")) is False
    (entry,) = file.read(own.with_name("config.toml"), TODAY).entries
    assert entry == made("new", by="anna", code="api_node", file=str(own))
    assert own.read_text().startswith("# What is accepted as it is on this host")
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert [each.name for each in own.parent.iterdir()] == ["accepted.toml"]


def test_another_goes_to_the_end_and_the_rest_is_as_it_was(own: Path) -> None:
    own.write_text(BY_HAND)
    editing.add(own, made("three"))
    assert own.read_text() == BY_HAND + (
        "\n[[accepted]]\n"
        'id = "three"\n'
        'workflow = "c.json"\n'
        'reason = "it\'s \\"so\\" — \\\\ 日本"\n'
        "until = 2026-12-31\n"
        'fingerprints = [\n    "f3",\n    "f4",\n]\n'
    )
    assert ids(own) == ["one", "two", "three"]


def test_one_that_is_there_is_renewed_where_it_stands(own: Path) -> None:
    own.write_text(BY_HAND)
    renewed = made("one", workflow="a.json", fingerprints=frozenset({"f1"}), reason="edited")
    assert editing.add(own, renewed) is True
    assert own.read_text() == BY_HAND.replace("'a \"quoted\" reason'", '"edited"').replace(
        "until = 2026-12-01\nworkflow", "until = 2026-12-31\nworkflow"
    )


@pytest.mark.parametrize(("name", "left"), [("one", ["two"]), ("two", ["one"])])
def test_one_that_is_withdrawn_leaves_the_comments_around_it(
    own: Path, name: str, left: list[str]
) -> None:
    own.write_text(BY_HAND)
    assert editing.withdraw(own, name) is True
    assert ids(own) == left
    text = own.read_text()
    for comment in ("# ours, reviewed by anna", "# about one", "# about two", "# the end"):
        assert comment in text
    assert editing.withdraw(own, name) is False
    assert own.read_text() == text
    assert editing.withdraw(own, left[0]) is True
    assert ids(own) == []
    assert "# the end" in own.read_text()


def test_what_lacks_its_last_line_feed_gets_it(own: Path) -> None:
    own.write_text(BY_HAND.rstrip("\n"))
    editing.add(own, made("three"))
    assert "# the end\n\n[[accepted]]\n" in own.read_text()
    own.write_text("# nothing yet")
    editing.add(own, made("three"))
    assert own.read_text().startswith("# nothing yet\n\n[[accepted]]\n")


@pytest.mark.parametrize(
    "text",
    [
        "[[accepted]\n",
        'accepted = [{id = "one"}]\n',
        'a = """\n[[accepted]]\n"""\n',
        '[[ "accepted" ]]\nid = "one"\n',
        "accepted = 7\n",
    ],
)
def test_what_no_program_can_change_safely_stays_as_it_is(own: Path, text: str) -> None:
    own.write_text(text)
    with pytest.raises(ConfigError, match=r"accepted\.toml: .*nothing was written"):
        editing.withdraw(own, "one")
    with pytest.raises(ConfigError, match=r"accepted\.toml: .*nothing was written"):
        editing.add(own, made("one"))
    assert own.read_text() == text


def test_a_table_of_somebody_elses_is_not_taken_along(own: Path) -> None:
    text = '[[accepted]]\nid = "one"\n[other]\nb = 1\n'
    own.write_text(text)
    with pytest.raises(ConfigError, match=r"accepted\.toml: .*nothing was written"):
        editing.withdraw(own, "one")
    assert own.read_text() == text


def test_a_line_of_a_text_that_looks_like_a_comment_is_no_end(own: Path) -> None:
    own.write_text(
        '[[accepted]]\nid = "one"\nreason = """x\n# y"""\n\n' + BY_HAND.partition("\n")[2]
    )
    own.write_text(own.read_text().replace('id = "one"  # its name', 'id = "1"'))
    editing.add(own, made("one"))
    entries = file.read(own.with_name("config.toml"), TODAY).entries
    assert next((e.id, e.reason) for e in entries) == ("one", made("one").reason)
    assert len(entries) == 3


def test_mode_and_a_link_into_a_checkout_stay(own: Path) -> None:
    checkout = own.parent / "checkout"
    checkout.mkdir()
    (checkout / "mine.toml").write_text(BY_HAND)
    (checkout / "mine.toml").chmod(0o640)
    own.symlink_to(checkout / "mine.toml")
    editing.add(own, made("three"))
    assert own.is_symlink()
    assert ids(own) == ["one", "two", "three"]
    assert stat.S_IMODE(own.stat().st_mode) == 0o640


def test_a_new_one_is_as_open_as_the_configuration(own: Path) -> None:
    config = own.with_name("config.toml")
    config.touch()
    config.chmod(0o640)
    before = os.umask(0o077)
    try:
        editing.add(own, made("one"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(own.stat().st_mode) == 0o640


def test_two_at_once_lose_nothing(own: Path) -> None:
    names = [f"n{number}" for number in range(12)]
    threads = [threading.Thread(target=editing.add, args=(own, made(name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids(own)) == sorted(names)
