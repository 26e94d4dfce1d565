"""A plan is done exactly or not at all."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import host as hosts
from comfywatchman.fixes import record as records
from comfywatchman.fixes.plan import Plan, encoded
from comfywatchman.fixes.record import Progress
from comfywatchman.fixes.writing import RefusedError
from comfywatchman.results import Confidence, Verdict
from tests.unit.fixes.host import IDLE, LONG_AGO, Host, flow

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG = flow("AE.safetensors")
RIGHT = flow("ae.safetensors")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A workflow that names its model in the wrong case, and one whose model lies elsewhere."""
    host = Host(tmp_path)
    host.model("vae/ae.safetensors")
    host.workflow("a.json", WRONG)
    return host


@pytest.fixture
def misplaced(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.model("checkpoints/wan_vae.safetensors")
    host.workflow("a.json", flow("wan_vae.safetensors"))
    return host


def everything(host: Host) -> set[str]:
    return {str(file.relative_to(host.root)) for file in host.root.rglob("*")}


STYLES = {
    "one line": json.dumps(WRONG).encode(),
    "pretty": json.dumps(WRONG, indent=2).encode() + b"\n",
    "tabs and CRLF": json.dumps(WRONG, indent="\t").encode().replace(b"\n", b"\r\n"),
    "compact, with a BOM": b"\xef\xbb\xbf" + json.dumps(WRONG, separators=(",", ":")).encode(),
    "numbers": json.dumps(WRONG)
    .replace('"width": 64', '"width" :64.0, "x": 12345678901234567890123, "y": 1E5')
    .encode(),
    "a key twice": json.dumps(WRONG).replace('"vae_name"', '"vae_name": 1, "vae_name"').encode(),
    "not UTF-8": json.dumps(WRONG).encode().replace(b'"x"', b'"\xff\\u00e9"'),
}


@pytest.mark.parametrize("style", STYLES)
def test_only_the_value_is_changed_and_undo_gives_back_every_byte(host: Host, style: str) -> None:
    raw = STYLES[style]
    file = host.workflow("a.json", raw)
    file.chmod(0o640)
    done = host.apply(host.plan())
    assert done.record is not None
    assert done.record.progress is Progress.DONE
    assert file.read_bytes() == raw.replace(b"AE.safe", b"ae.safe")
    assert file.stat().st_mode & 0o7777 == 0o640
    assert host.here().workflows[0].report.verdict is Verdict.RUNNABLE
    assert host.undo() == [f"{file} has again what it had"]
    assert file.read_bytes() == raw
    assert file.stat().st_mode & 0o7777 == 0o640
    assert not [name for name in everything(host) if "part" in name]


def test_a_name_as_long_as_names_are(host: Host) -> None:
    name = "y" * 250 + ".json"
    host.workflow(name, WRONG)
    host.apply(host.plan())
    assert json.loads((host.root / "flows" / name).read_bytes()) == RIGHT


def test_extended_attributes_stay(host: Host) -> None:
    file = host.root / "flows" / "a.json"
    try:
        os.setxattr(file, "user.comment", b"mine")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    host.apply(host.plan())
    assert os.getxattr(file, "user.comment") == b"mine"


def test_what_is_kept_is_for_its_owner_alone(host: Host) -> None:
    host.apply(host.plan())
    kept = list(host.state.iterdir())
    assert len(kept) == 2
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}


def test_a_link_is_followed_to_where_the_file_lies(host: Host) -> None:
    real = host.root / "elsewhere.json"
    (host.root / "flows" / "a.json").rename(real)
    (host.root / "flows" / "a.json").symlink_to(real)
    host.apply(host.plan())
    assert (host.root / "flows" / "a.json").is_symlink()
    assert json.loads(real.read_bytes()) == RIGHT


def save_other(host: Host) -> None:
    (host.root / "flows" / "a.json").write_text(json.dumps(flow("AE.safetensors")) + " ")


def save_other_of_the_same_time(host: Host) -> None:
    host.workflow("a.json", json.dumps(WRONG).encode().replace(b'"x"', b'"y"'))


def remove_it(host: Host) -> None:
    (host.root / "flows" / "a.json").unlink()


def lead_it_elsewhere(host: Host) -> None:
    file = host.root / "flows" / "a.json"
    file.rename(host.root / "stolen.json")
    file.symlink_to(host.root / "stolen.json")


def lead_its_folder_elsewhere(host: Host) -> None:
    (host.root / "flows").rename(host.root / "other")
    (host.root / "flows").symlink_to("other")


def copy_its_folder(host: Host) -> None:
    """The same file in the same place, and not the one that is held open."""
    (host.root / "flows").rename(host.root / "other")
    (host.root / "flows").mkdir()
    raw = (host.root / "other" / "a.json").read_bytes()
    host.workflow("a.json", raw)


def make_it_a_pipe(host: Host) -> None:
    remove_it(host)
    os.mkfifo(host.root / "flows" / "a.json")


MODEL = "vae/ae.safetensors"


def change_the_model(host: Host) -> None:
    host.model(MODEL, b"b model")


def touch_the_model(host: Host) -> None:
    os.utime(host.root / "models" / MODEL)


def cut_the_model(host: Host) -> None:
    host.model(MODEL, b"a mod")


def rename_the_model(host: Host) -> None:
    file = host.root / "models" / MODEL
    file.rename(file.with_name("other.safetensors"))


def replace_the_model(host: Host) -> None:
    file = host.root / "models" / MODEL
    file.rename(host.root / "kept")
    host.model(MODEL)


def lead_the_model_elsewhere(host: Host) -> None:
    file = host.root / "models" / MODEL
    file.rename(host.root / "kept")
    file.symlink_to(host.root / "kept")


def update_the_server(host: Host) -> None:
    host.version = "0.8.1"


def lose_a_node_type(host: Host) -> None:
    host.lacking.add("CheckpointLoaderSimple")


def add_a_model(host: Host) -> None:
    host.model("checkpoints/new.safetensors")


def another_host(host: Host) -> None:
    host.signs = hosts.Host("render2", "1" * 32)


def another_machine_of_that_name(host: Host) -> None:
    host.signs = hosts.Host("render1", "1" * 32)


def another_instance(host: Host) -> None:
    host.instance = "second"


CHANGES = [
    save_other,
    save_other_of_the_same_time,
    remove_it,
    lead_it_elsewhere,
    lead_its_folder_elsewhere,
    make_it_a_pipe,
    change_the_model,
    touch_the_model,
    cut_the_model,
    rename_the_model,
    replace_the_model,
    lead_the_model_elsewhere,
    update_the_server,
    lose_a_node_type,
    add_a_model,
    another_host,
    another_machine_of_that_name,
    another_instance,
]
AT_THE_LAST_MOMENT = [*CHANGES[:5], copy_its_folder, *CHANGES[6:12]]


def refused(host: Host, plan: Plan) -> str:
    """Apply a plan that is to be refused; nothing is written."""
    before = everything(host)
    with pytest.raises(RefusedError) as refusal:
        host.apply(plan)
    assert everything(host) == before
    return str(refusal.value)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_changed_since_is_named_and_nothing_written(
    host: Host, change: Callable[[Host], None]
) -> None:
    plan = host.plan()
    assert plan.workflows[0].fixes
    change(host)
    files = host.files()
    why = refused(host, plan)
    assert host.files() == files
    assert "stale: " in why or "this plan is for" in why
    assert list(host.state.iterdir()) == []


@pytest.mark.parametrize("change", AT_THE_LAST_MOMENT, ids=lambda change: change.__name__)
def test_what_changes_while_it_is_applied_is_seen_too(
    host: Host, change: Callable[[Host], None]
) -> None:
    plan = host.plan()
    asked = []
    seen: dict[str, Any] = {}

    def queue() -> object:
        asked.append(1)
        if len(asked) == 2:  # all was compared, and is ready to be written
            parts = list((host.root / "flows").glob(".*-part"))
            assert len(parts) == 1
            change(host)
            seen.update({k: v for k, v in host.files().items() if not k.endswith("-part")})
        return IDLE

    host.queue = queue
    with pytest.raises(RefusedError, match="stale"):
        host.apply(plan)
    assert len(asked) == 2 or change is save_other
    assert host.files() == seen


def test_the_time_of_saving_is_told(host: Host) -> None:
    plan = host.plan()
    save_other(host)
    why = refused(host, plan)
    assert "a.json was saved at " in why
    assert ", after the plan (" in why


def test_a_plan_is_not_done_twice(host: Host) -> None:
    plan = host.plan()
    host.apply(plan)
    assert "stale" in refused(host, plan)


def read_only(file: Path) -> None:
    file.chmod(0o400)


def with_two_names(file: Path) -> None:
    os.link(file, file.parent.parent / "second name.json")


def of_another_user(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(file, 12345, -1)


def just_saved(file: Path) -> None:
    os.utime(file)


def of_the_future(file: Path) -> None:
    os.utime(file, (4_000_000_000, 4_000_000_000))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (read_only, "is read-only"),
        (with_two_names, "has 2 names (hard links)"),
        (of_another_user, "belongs to another user (12345)"),
        (just_saved, "somebody may be at work on it; wait a minute"),
        (of_the_future, "in the future"),
    ],
)
def test_what_is_not_ours_to_write_is_left_alone(
    host: Host, make: Callable[[Path], None], says: str
) -> None:
    plan = host.plan()
    make(host.root / "flows" / "a.json")
    files = host.files()
    assert says in refused(host, plan)
    assert host.files() == files


@pytest.mark.parametrize("make", [read_only, with_two_names, of_another_user])
def test_what_is_not_ours_to_write_is_said_with_the_plan(
    host: Host, make: Callable[[Path], None]
) -> None:
    make(host.root / "flows" / "a.json")
    plan = host.plan()
    assert plan.workflows == []
    assert len(plan.not_written) == 1


def queued(prompt: Any, workflow_id: str | None) -> list[Any]:
    extra = {"extra_pnginfo": {"workflow": {"id": workflow_id}}} if workflow_id else {}
    return [0, "0", prompt, extra, []]


@pytest.mark.parametrize("where", ["queue_running", "queue_pending"])
@pytest.mark.parametrize(
    ("content", "prompt", "busy"),
    [
        (WRONG, queued(WRONG, None), True),
        (WRONG, queued(flow("other"), "x"), True),
        (WRONG, queued({"7": {"class_type": "SaveImage"}}, None), False),
        (WRONG, queued({}, "x"), False),
        (WRONG, ["nonsense"], True),
        (WRONG, None, True),
    ],
)
def test_what_the_server_works_on_is_left_alone(
    host: Host, where: str, content: dict[str, Any], prompt: Any, busy: bool
) -> None:
    host.workflow("a.json", content)
    host.queue[where].append(prompt)
    if busy:
        assert "the server" in refused(host, host.plan())
    else:
        assert host.apply(host.plan()).record


@pytest.mark.parametrize("queue", [None, [], {}, {"queue_running": 1, "queue_pending": []}])
def test_a_queue_that_cannot_be_read_may_hold_it(host: Host, queue: object) -> None:
    host.queue = queue
    assert "its queue cannot be read" in refused(host, host.plan())


def changed(plan: Plan, **changes: Any) -> Plan:
    """A plan that somebody wrote: anything may stand in it."""
    document = json.loads(encoded(plan))
    for place, value in changes.items():
        at = document
        *above, last = place.split("__")
        for step in above:
            at = at[int(step) if step.isdigit() else step]
        at[last] = value
    return Plan.model_validate(document)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"workflows__0__all__sha256": "0" * 64}, "do not make of it what the plan says"),
        ({"workflows__0__fixes__0__edits": []}, "the plan says"),
        ({"workflows__0__workflow": "/etc/passwd"}, "is no workflow of this host"),
        ({"workflows__0__file": None}, "does not lie where the plan says"),
        ({"workflows__0__all__fixes": ["other"]}, "names a fix that it does not hold"),
        (
            {
                "workflows__0__fixes__0__edits": [
                    {"pointer": ["1", "class_type"], "before": "VAELoader", "after": "Gone"}
                ]
            },
            "the plan says",
        ),
    ],
)
def test_a_plan_is_not_trusted(host: Host, changes: dict[str, Any], says: str) -> None:
    files = host.files()
    assert says in refused(host, changed(host.plan(), **changes))
    assert host.files() == files


def test_a_file_elsewhere_is_not_written(host: Host) -> None:
    plan = host.plan()
    outside = host.root / "a.json"
    outside.write_bytes((host.root / "flows" / "a.json").read_bytes())
    os.utime(outside, (LONG_AGO, LONG_AGO))
    plan = changed(
        plan, workflows__0__file__path=str(outside), workflows__0__file__real=str(outside)
    )
    assert "does not lie where the plan says" in refused(host, plan)


def test_what_is_not_proven_is_left_out_on_request(host: Host) -> None:
    other = host.workflow("b.json", {**WRONG, "9": {"class_type": "Gone", "inputs": {}}})
    raw = other.read_bytes()
    plan = host.plan()
    assert [w.proven is None for w in plan.workflows] == [False, True]
    assert plan.workflows[1].fixes[0].confidence is Confidence.LIKELY
    done = host.apply(plan, only_proven=True)
    assert [Path(w.path).name for w in done.record.written if done.record] == ["a.json"]
    assert other.read_bytes() == raw


def test_with_nothing_to_do_nothing_is_kept(host: Host) -> None:
    host.workflow("a.json", RIGHT)
    assert host.apply(host.plan()).record is None
    assert list(host.state.iterdir()) == []


def test_a_file_is_linked_where_the_node_looks(misplaced: Host) -> None:
    plan = misplaced.plan()
    (fix,) = plan.workflows[0].fixes
    assert fix.confidence is Confidence.PROVEN
    done = misplaced.apply(plan, only_proven=True)
    source = misplaced.root / "models/checkpoints/wan_vae.safetensors"
    target = misplaced.root / "models/vae/wan_vae.safetensors"
    assert done.said == [f"{target} is there: a link to {source}"]
    assert target.samefile(source)
    assert misplaced.here().workflows[0].report.verdict is Verdict.RUNNABLE
    assert misplaced.undo() == [f"{target} is gone"]
    assert source.read_bytes() == b"a model"
    assert not target.exists()


def put_something_there(host: Host) -> None:
    host.model("vae/wan_vae.safetensors", b"other")


def put_a_dangling_link_there(host: Host) -> None:
    (host.root / "models/vae/wan_vae.safetensors").symlink_to("/nowhere")


def change_the_source(host: Host) -> None:
    host.model("checkpoints/wan_vae.safetensors", b"b model")


def lead_the_folder_out(host: Host) -> None:
    (host.root / "models/vae").rmdir()
    (host.root / "out").mkdir()
    (host.root / "models/vae").symlink_to(host.root / "out")


@pytest.mark.parametrize(
    "change", [put_something_there, put_a_dangling_link_there, change_the_source]
)
def test_what_changed_at_either_end_of_a_link_is_named(
    misplaced: Host, change: Callable[[Host], None]
) -> None:
    plan = misplaced.plan()
    change(misplaced)
    files = misplaced.files()
    assert "stale: " in refused(misplaced, plan)
    assert misplaced.files() == files


@pytest.mark.parametrize(
    "target", ["/etc/x.safetensors", "vae/x", "{}/../x.safetensors", "{}/a\nb", "{}/vae/../x"]
)
def test_nothing_is_linked_outside_of_the_models(misplaced: Host, target: str) -> None:
    place = target.format(misplaced.root / "models/vae")
    plan = changed(misplaced.plan(), workflows__0__fixes__0__link__target=place)
    assert "nothing is put there" in refused(misplaced, plan)


def test_no_other_file_is_linked_among_the_models(misplaced: Host) -> None:
    secret = misplaced.root / "secret"
    secret.write_text("secret")
    plan = misplaced.plan()
    document = json.loads(encoded(plan))["workflows"][0]["fixes"][0]["link"]["source"]
    document |= {"path": str(secret), "real": str(secret)}
    plan = changed(plan, workflows__0__fixes__0__link__source=document)
    assert "is none of the server's models" in refused(misplaced, plan)


def test_a_link_that_was_replaced_is_not_removed(misplaced: Host) -> None:
    misplaced.apply(misplaced.plan())
    target = misplaced.root / "models/vae/wan_vae.safetensors"
    target.unlink()
    target.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="another file than the fix put there"):
        misplaced.undo()
    assert target.read_bytes() == b"mine"


def test_the_last_name_of_a_model_is_not_removed(misplaced: Host) -> None:
    misplaced.apply(misplaced.plan())
    (misplaced.root / "models/checkpoints/wan_vae.safetensors").unlink()
    with pytest.raises(RefusedError, match="no model is deleted"):
        misplaced.undo()


def test_a_folder_that_lacks_is_made_and_taken_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.model("checkpoints/wan_vae.safetensors")
    host.workflow("a.json", flow("new/sub/wan_vae.safetensors"))
    plan = host.plan()
    target = tmp_path / "models/vae/new/sub/wan_vae.safetensors"
    links = [fix.link.target for w in plan.workflows for fix in w.fixes if fix.link]
    assert links == [str(target)]
    host.apply(plan)
    assert target.exists()
    host.undo()
    assert not (tmp_path / "models/vae/new").exists()


def test_undo_refuses_what_was_saved_since(host: Host) -> None:
    host.apply(host.plan())
    file = host.root / "flows" / "a.json"
    file.write_bytes(file.read_bytes() + b" ")
    kept = file.read_bytes()
    with pytest.raises(RefusedError, match=r"a\.json was changed after the fix"):
        host.undo()
    assert file.read_bytes() == kept


def test_undo_gives_back_all_or_nothing(host: Host) -> None:
    host.workflow("b.json", WRONG)
    host.apply(host.plan())
    (host.root / "flows" / "b.json").write_text("{}")
    files = host.files()
    with pytest.raises(RefusedError, match=r"b\.json"):
        host.undo()
    assert host.files() == files


def test_old_fixes_are_forgotten(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST", 2)
    for _ in range(4):
        host.workflow("a.json", WRONG)
        host.apply(host.plan())
    known, _ = records.everything(host.state)
    assert len(known) == 2
    assert len(list(host.state.iterdir())) == 4


def test_a_disk_without_room(host: Host) -> None:
    plan, files = host.plan(), host.files()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            host.apply(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert host.files() == files
    assert list(host.state.iterdir()) == []
