"""Folders as playbooks/status.yml fills them: a small studio's, a hostile one, a render farm's."""

from __future__ import annotations

import base64
import json
import random
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.unit.report import sample as reports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NOW = 1_766_000_000.0
HOUR = 3600.0


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def report(
    verdicts: Mapping[str, str], started_at: float = NOW - HOUR, version: str = "0.9.0"
) -> dict[str, Any]:
    """A full report: verdict by the name of the workflow."""
    return {
        "schema_version": 1,
        "comfywatchman_version": "0.2.0",
        "host": "localhost",
        "started_at": at(started_at),
        "duration_s": 1.5,
        "outcome": "done",
        "reason": "",
        "server": {"url": "http://127.0.0.1:8188", "version": version, "node_types": 700},
        "gate": [],
        "summary": {},
        "workflows": [workflow(name, verdict) for name, verdict in verdicts.items()],
        "not_checked": [],
    }


def workflow(name: str, verdict: str, *findings: dict[str, Any]) -> dict[str, Any]:
    broken = finding("value_not_in_list", f"checkpoint for '{name}' is not on the server")
    return {
        "path": f"/srv/workflows/{name}",
        "name": name,
        "verdict": verdict,
        "outputs": [],
        "outputs_lost": [{"node_id": "9", "node_type": "SaveImage"}] * (verdict == "partial"),
        "findings": list(findings) or [broken] * (verdict in ("broken", "partial")),
        "not_checked": ["its options are filled in by the browser"] * (verdict == "unknown"),
    }


def acceptance(reason: str = "the studio does without", **more: Any) -> dict[str, Any]:
    """What a report says of a workflow that somebody has accepted as it is."""
    return {"id": "3f9a21bc", "reason": reason, "until": "2026-12-31", "by": "anna"} | more


def accepting(verdicts: Mapping[str, str], *names: str, **more: Any) -> dict[str, Any]:
    """A full report in which the workflows of these names are accepted."""
    made = report(verdicts) | {"schema_version": 2}
    for each in made["workflows"]:
        each["accepted"] = acceptance(**more) if each["name"] in names else None
    return made


def damage(lacking: int = 7, name: str = "ae.safetensors", folder: str = "vae") -> dict[str, Any]:
    """A model file that is cut off, as a report lists it."""
    message = f"the model file '{name}' in '{folder}' cannot be loaded: {lacking} bytes lack"
    told = {"message": message, "fix": "download it again", "code": "model_truncated"}
    return {"folder": folder, "name": name, "lacking": lacking, "workflows": []} | told


def failing(
    verdicts: Mapping[str, str], *names: str, by: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A full report in which the workflows of these names will fail by these files."""
    files = list(by) or [damage()]
    made = report(verdicts) | {"schema_version": 2}
    for each in made["workflows"]:
        if each["name"] not in names:
            continue
        each["will_fail"] = True
        for file in files:
            subject = {"kind": "model", "name": file["name"], "folder": file["folder"]}
            of_file = {"node_id": None, "node_type": None, "input": None, "subject": subject}
            each["findings"].append(finding(file["code"], file["message"], **of_file))
            file["workflows"].append(each["path"])
    return made | {"damaged_models": files, "model_files": {"damaged": len(files)}}


def finding(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "severity": "error",
        "message": message,
        "fix": "download it",
        "node_id": "4",
        "node_type": "CheckpointLoaderSimple",
        "input": "ckpt_name",
    } | more


def status(now: float = NOW, **more: Any) -> dict[str, Any]:
    """What the module comfywatchman_status returns."""
    return {
        "now": now,
        "user": "artist",
        "scope": "user",
        "installed": True,
        "release": "0.2.0-1a2b3c4d-py3.13",
        "lingering": True,
        "manager": True,
        "complaint": "",
        "exposed": [],
        "timer": {
            "loaded": True,
            "enabled": True,
            "active": "active",
            "sub": "waiting",
            "interval": 7200.0,
            "slack": 900.0,
            "next": now + HOUR,
            "last": now - HOUR,
        },
        "service": {"active": "inactive", "result": "success", "status": 0, "invocation": ""},
        "last_run": {
            "schema_version": 1,
            "outcome": "done",
            "reason": "3 workflows: 2 runnable, 1 broken",
            "started_at": at(now - HOUR),
            "finished_at": at(now - HOUR + 2),
        },
    } | more


def inventory(models: Mapping[str, list[str]], packs: Mapping[str, int]) -> dict[str, Any]:
    return {"schema_version": 1, "taken_at": at(NOW), "models": models, "packs": packs}


def host(name: str, **more: Any) -> dict[str, Any]:
    """The file of a host that is well."""
    return {
        "schema_version": 1,
        "host": name,
        "asked_at": NOW,
        "failure": "",
        "unreachable": False,
        "collected_at": NOW,
        "status": status(),
        "report": report({"a.json": "runnable"}),
        "inventory": inventory({}, {}),
    } | more


def known_inventory(
    models: Mapping[str, Mapping[str, int | None]], packs: Mapping[str, Mapping[str, object]]
) -> dict[str, Any]:
    """One of schema 2: with sizes and versions."""
    return {"schema_version": 2, "taken_at": at(NOW), "models": models, "packs": packs}


def cause(text: str, *, kind: str = "pack", **more: Any) -> dict[str, Any]:
    """A cause, whose id is the same wherever its text is."""
    names = {"id": f"id of {text}", "name": text.partition(" ")[0], "sureness": "certain"}
    return {"kind": kind, "text": text} | names | more


def worse(name: str, *causes: dict[str, Any], kind: str = "worse") -> dict[str, Any]:
    """A workflow that got worse by these causes."""
    verdicts = {"before": "runnable", "after": "broken"}
    by = [each["id"] for each in causes]
    return {"path": f"/srv/workflows/{name}", "name": name, "kind": kind, "causes": by} | verdicts


def fact(text: str, *, kind: str = "package", name: str = "") -> dict[str, Any]:
    """Something that changed on a host."""
    return {"kind": kind, "name": name or text, "before": None, "after": None, "text": text}


def changes(
    causes: Iterable[dict[str, Any]] = (),
    workflows: Iterable[dict[str, Any]] = (),
    facts: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """What a report says of the last full cycle."""
    listed = {"causes": list(causes), "workflows": list(workflows), "host": list(facts)}
    return {"since": at(NOW - 3 * HOUR), "skipped": 0, "host_left_out": 0, "not_known": []} | listed


def milestone(
    moment: float, *causes: dict[str, Any], texts: Iterable[str] = (), worse: int = 0
) -> dict[str, Any]:
    """A cycle of the last weeks."""
    told = [*(each["text"] for each in causes), *texts]
    return {"at": at(moment), "texts": told, "causes": list(causes), "worse": worse, "mended": 0}


def changed(name: str, started_at: float = NOW - HOUR, **more: Any) -> dict[str, Any]:
    """A host whose report says what changed: ``changes`` and ``timeline``."""
    made = report({"a.json": "runnable"}, started_at) | {"schema_version": 2}
    return host(name, report=made | {"changes": changes(), "timeline": []} | more)


def render_nodes(folder: Path) -> Path:
    """Six hosts, on five of which a model file is cut off, and what comes of it."""
    shots = {f"shot {n}.json": "runnable" for n in range(4)}
    shots |= {"lost.json": "partial", "old.json": "broken"}
    hosts = [
        host(f"node{n}", report=failing(shots, "shot 0.json", "lost.json", by=[damage(9 + n // 3)]))
        for n in range(5)
    ]
    hosts[1]["report"]["workflows"][0]["accepted"] = acceptance()
    hosts[2]["report"]["started_at"] = at(NOW - 20 * HOUR)
    hosts.append(host("node5", report=report(shots)))
    return write(folder, hosts)


def packed(document: object) -> dict[str, Any]:
    raw = json.dumps(document).encode()
    return {"zlib": base64.b64encode(zlib.compress(raw, 1)).decode()}


def write(
    folder: Path, hosts: Iterable[dict[str, Any]], *, expected: Iterable[str] | None = None
) -> Path:
    """Fill ``folder``; with ``expected``, as a run that asked these hosts."""
    (folder / "hosts").mkdir(parents=True, exist_ok=True)
    for each in hosts:
        (folder / "hosts" / f"{each['host']}.json").write_text(json.dumps(each), encoding="utf-8")
    if expected is not None:
        listed = {
            "schema_version": 1,
            "started_at": NOW - 5,
            "hosts": [{"name": n, "file": f"{n}.json", "asked": True} for n in expected],
        }
        (folder / "expected.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder


def studio(folder: Path) -> Path:
    """Nine hosts with the workflows of a studio, and one of each trouble."""
    base = json.loads(reports.realistic().model_dump_json()) | {"started_at": at(NOW - HOUR)}
    names = [f"render{n:02d}.example.com" for n in range(1, 7)] + ["anna", "ben", "gpu-cloud-1"]
    checkpoints = ["sd_xl_base_1.0.safetensors", "v1-5-pruned-emaonly.safetensors"]
    kjnodes = {"node_types": 212, "version": "1.1.6", "enabled": True, "import_failed": False}
    stock = known_inventory(
        {
            "checkpoints": dict(zip(checkpoints, (6_938_040_682, 4_265_146_304), strict=True)),
            "loras": {"add_detail.safetensors": 37_861_176},
        },
        {"kjnodes": kjnodes},
    )
    dropped = cause("ImageResizeKJv2 of kjnodes 1.1.4 → 1.1.6 dropped output 3", name="kjnodes")
    lost = cause(f"checkpoints/{checkpoints[0]} is gone", kind="model", name=checkpoints[0])
    ours = cause("ComfyWatchman 0.2.0 → 0.3.0", kind="program", name="")
    names_of = [w["name"] for w in base["workflows"] if w["verdict"] != "runnable"]
    hosts = []
    for number, name in enumerate(names):
        chance = random.Random(name)
        workflows = [
            w | {"verdict": "runnable", "findings": [], "not_checked": []}
            if w["verdict"] != "runnable" and chance.random() < 0.7
            else w
            for w in base["workflows"]
            if number < 6 or chance.random() < 0.8
        ]
        timeline = [
            milestone(NOW - 76 * HOUR, ours | {"worse": 1}),
            milestone(
                NOW - 150 * HOUR,
                texts=["package torch 2.8.0 → 2.9.1", "GPU driver 580.65 → 580.95"],
            ),
        ]
        if number in (0, 3, 4, 5, 6):
            timeline.insert(0, milestone(NOW - 27 * HOUR, dropped | {"worse": 3}, worse=3))
        made = base | {"workflows": workflows, "changes": changes(), "timeline": timeline}
        hosts.append(host(name, report=made, inventory=stock))
    for number in (0, 3, 5):
        hosts[number]["report"]["changes"] = changes(
            [lost],
            [worse(name, lost) for name in names_of[: 3 + number % 2]],
            [fact("4 model files in checkpoints are gone", kind="model", name="checkpoints")],
        )
    own = hosts[6]["report"]["workflows"]
    let_be = next(n for n, w in enumerate(own) if w["verdict"] == "broken")
    own[let_be] = own[let_be] | {"accepted": acceptance()}
    edited = cause(f"{names_of[0]} was edited", kind="workflow", name=names_of[0])
    guess = cause(
        "one of 2 changes",
        kind="unexplained",
        name="",
        sureness="one_of",
        candidates=["package diffusers 0.35.1 → 0.36.0", "ComfyUI 0.7.0 → 0.8.0"],
    )
    hosts[6]["report"]["changes"] = changes(
        [edited, guess], [worse(names_of[0], edited), worse(names_of[1], guess)]
    )
    hosts[1]["inventory"] = known_inventory(
        {"checkpoints": {checkpoints[0]: 4_211_081_216}, "loras": {"add_detail.safetensors": None}},
        {"kjnodes": kjnodes | {"node_types": 198, "version": "1.1.4"}},
    )
    hosts[2] |= {
        "failure": "Connection timed out",
        "unreachable": True,
        "collected_at": NOW - 30 * HOUR,
        "status": status(NOW - 30 * HOUR),
    }
    hosts[2]["report"] |= {"started_at": at(NOW - 31 * HOUR)}
    hosts[4]["report"] = hosts[4]["report"] | {"started_at": at(NOW - 11 * HOUR)}
    busy = "GPU 0: only 0.4 of 24.0 GiB of VRAM free at best, 2.0 GiB wanted"
    hosts[4]["status"] = status(
        last_run={"outcome": "skipped", "reason": busy, "started_at": at(NOW - HOUR)}
    )
    elapsed = status()["timer"] | {"sub": "elapsed", "next": None}
    hosts[7]["status"] = status(timer=elapsed, release="0.1.0-77aa01b2-py3.11")
    hosts[8] |= {"report": None, "status": status(last_run=None)}
    return write(folder, hosts, expected=names)


def hostile(folder: Path) -> Path:
    """Every hostile string in every place that a host or the inventory can write to."""
    hosts = []
    listed = []
    for number, text in enumerate(reports.HOSTILE):
        bad = workflow(text, "broken", finding(text, text, fix=text, node_type=text, input=text))
        made = report({}, version=text) | {"comfywatchman_version": text}
        tale = {"id": text, "name": text, "text": text, "kind": text, "sureness": text}
        by = tale | {"candidates": [text], "kind": "pack", "sureness": "one_of"}
        made |= {
            "changes": changes([tale, by], [worse(text, tale)], [fact(text, kind=text)] * 9),
            "timeline": [milestone(NOW - HOUR * 9, tale, texts=[text, f"1 {text}"], worse=number)],
        }
        bad["accepted"] = acceptance(text, until=text, by=text)
        made["notices"] = {"pending": number + 1}
        made["workflows"] = [bad, workflow(f"also {text}", "partial") | {"path": text}]
        run = {"outcome": text, "reason": text, "started_at": at(NOW)}
        timer = status()["timer"] | {"sub": text}
        stock = inventory({text: [text]}, {text: 3})
        if number % 2:
            versions = {"node_types": 3, "version": text, "commit": text}
            stock = known_inventory({text: {text: number}}, {text: versions})
        hosts.append(
            host(
                f"{number}",
                report=made,
                failure=text * (number % 2),
                status=status(release=text, complaint=text, last_run=run, timer=timer),
                inventory=stock,
            )
        )
        listed.append({"name": text, "file": f"{number}.json", "asked": True})
    write(folder, hosts)
    expected = {"schema_version": 1, "started_at": NOW - 5, "hosts": listed}
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    return folder


def farm(folder: Path, hosts: int, workflows: int, *, history: bool = True) -> Path:
    """A render farm on which about a third of the cells are bad, each for two of 400 reasons.

    Args:
        folder: what is filled.
        hosts: how many.
        workflows: on each.
        history: whether hosts tell what changed, versions of packs and sizes of models.
    """
    chance = random.Random(0)
    verdicts = ["runnable"] * 13 + ["broken"] * 4 + ["partial"] * 2 + ["unknown"]
    problems = [
        finding(
            "value_not_in_list",
            f"checkpoint 'model-{n:03d}.safetensors' is not among the {n} files ComfyUI lists",
            fix=f"download model-{n:03d}.safetensors into models/checkpoints",
            node_id=str(n),
        )
        for n in range(400)
    ]
    names = [f"render{n:04d}.example.com" for n in range(hosts)]
    for name in names:
        cells = []
        for n in range(workflows):
            verdict = chance.choice(verdicts)
            found = [] if verdict == "runnable" else chance.sample(problems, 2)
            path = f"project {n % 23:02d}/shot {n:04d}, usual name.json"
            cells.append(workflow(path, verdict, *found))
        made = report({}) | {"workflows": cells}
        models = [
            f"model-{n:03d}.safetensors" for n in range(400) if n % 10 or chance.random() < 0.9
        ]
        stock = inventory({"checkpoints": models}, {f"pack{n}": 10 + n for n in range(40)})
        if history:
            made |= farm_changes(random.Random(name), [cell["name"] for cell in cells])
            packs = {
                f"pack{n}": {
                    "node_types": 10 + n,
                    "version": f"1.{not n % 8 and chance.random() < 0.1:d}",
                }
                for n in range(40)
            }
            sizes = {m: 10**9 + (m[6:9] < "010" and chance.random() < 0.1) for m in models}
            stock = known_inventory({"checkpoints": sizes}, packs)
        write(folder, [host(name, report=packed(made), inventory=packed(stock))])
    return write(folder, [], expected=names)


def farm_changes(chance: random.Random, names: list[str]) -> dict[str, Any]:
    """What a host of a farm tells: three new causes of 60, and 40 cycles that found something."""
    causes = [cause(f"KSampler of pack{n} 1.0 \u2192 1.1 dropped output {n}") for n in range(60)]
    facts = [fact(f"package p{n} 1.0 \u2192 1.1") for n in range(200)]
    last = chance.sample(causes, 3)
    broken = [worse(name, chance.choice(last)) for name in chance.sample(names, len(names) // 10)]
    past = [
        milestone(
            NOW - n * 8 * HOUR,
            *(each | {"worse": 14} for each in chance.sample(causes, 2)),
            texts=[each["text"] for each in chance.sample(facts, 3)],
            worse=28,
        )
        for n in range(1, 41)
    ]
    return {"changes": changes(last, broken, chance.sample(facts, 4)), "timeline": past}
