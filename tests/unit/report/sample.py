"""Reports to draw: a realistic one, a hostile one, and one as large as a fleet's largest host."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from comfywatchman.judging.accepted import Entry, settle
from comfywatchman.judging.identity import identified
from comfywatchman.results import (
    Acceptance,
    AcceptanceResult,
    AcceptanceState,
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    Confidence,
    DamagedModel,
    Finding,
    Fix,
    FixKind,
    GateAnswer,
    HostChange,
    Milestone,
    ModelFiles,
    Output,
    PastVerdict,
    Report,
    RestartPending,
    Server,
    Severity,
    Subject,
    SubjectKind,
    Summary,
    Sureness,
    Verdict,
    WorkflowChange,
    WorkflowReport,
)

HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "\"><svg onload=window.pwned=1> ' onmouseover=window.pwned=1 x='",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "a\x1b[2J\x1b]0;title\x07b\rc\x00d\x9b31m",
    "exe.\u202egnp.json\u2066\u200bzero\u00adwidth\u2028line",
    "two\nlines\n# heading\n- item\n| a | b |\n|---|---|\n```",
    "`tick` ``two`` *bold* _it_ ~~no~~ [text](javascript:window.pwned=1) ![i](http://evil.example/)",
    "<https://evil.example> https://evil.example/x www.evil.example @someone #1 :smile: $x$ &lt;",
    "lone \ud800 surrogate, undecodable \udcff byte, tag \U000e0041",
    "Приве́т 日本語のワークフロー שלום עולם 👩🏽‍🎨 é ﷽",
    "|",
    "`",
    " ",
    "",
    "x" * 5_000,
)
"""Strings that have broken terminals, Markdown or HTML somewhere."""

_WHEN = datetime(2026, 11, 23, 10, 0, 3, tzinfo=UTC)
_SERVER = Server(url="http://127.0.0.1:8188", version="0.8.0", node_types=568)
_MISSING_INPUT_FILE = "input files by content hash: the server's assets were not asked for"


def found(*, fix: str | None = None, **fields: Any) -> Finding:
    """A finding with one fix at most, whatever its texts hold."""
    fields.setdefault("subject", Subject(kind=SubjectKind.INPUT, name=fields.get("input") or ""))
    return Finding(fixes=by_hand(fix) if fix is not None else [], **fields)


def by_hand(text: str) -> list[Fix]:
    """One fix, for a person to follow."""
    return [Fix(id="", kind=FixKind.BY_HAND, confidence=Confidence.ASK, text=text)]


def missing_model(
    name: str, node_id: str, *, kind: str = "checkpoints", node_type: str = "CheckpointLoaderSimple"
) -> Finding:
    """A model file the server does not list."""
    noun, input_name = {
        "checkpoints": ("checkpoint", "ckpt_name"),
        "diffusion_models": ("diffusion model", "unet_name"),
        "vae": ("VAE", "vae_name"),
    }[kind]
    return found(
        code="value_not_in_list",
        severity=Severity.ERROR,
        message=f"{noun} '{name}' is not among the 14 files ComfyUI lists for '{input_name}'",
        fix=f"put '{name}' into ComfyUI's models/{kind} folder",
        node_id=node_id,
        node_type=node_type,
        input=input_name,
        subject=Subject(kind=SubjectKind.MODEL, name=name, folder=kind),
    )


def missing_node(node_type: str, pack: str, *node_ids: str) -> list[Finding]:
    """Nodes of a type the server does not offer."""
    return [
        found(
            code="missing_node_type",
            severity=Severity.ERROR,
            message=f"node type '{node_type}' is not offered by this server",
            fix=f"install the custom node pack '{pack}' and restart ComfyUI; if it is installed, "
            "its import failed: see ComfyUI's log",
            node_id=node_id,
            node_type=node_type,
            subject=Subject(kind=SubjectKind.NODE_TYPE, name=node_type),
        )
        for node_id in node_ids
    ]


def report(workflows: list[WorkflowReport], *, not_checked: tuple[str, ...] = ()) -> Report:
    """A report of one cycle that found ``workflows``."""
    verdicts = [workflow.verdict for workflow in workflows]
    return Report(
        comfywatchman_version="0.1.0",
        host="render-07",
        started_at=_WHEN,
        duration_s=1.42,
        server=_SERVER,
        gate=[
            GateAnswer(name="lock", ok=True, reason="no other cycle runs"),
            GateAnswer(name="disk", ok=True, reason="41.2 GiB free for reports"),
            GateAnswer(
                name="gpu", ok=True, reason="GPU 0 (NVIDIA L40S): 43.1 GiB of 44.5 GiB free"
            ),
            GateAnswer(name="comfyui", ok=True, reason="ComfyUI 0.8.0 is up, its queue is empty"),
        ],
        summary=Summary(**{verdict.value: verdicts.count(verdict) for verdict in Verdict}),
        workflows=workflows,
        not_checked=list(not_checked),
    )


def workflow(name: str, verdict: Verdict, *findings: Finding, **more: object) -> WorkflowReport:
    """One workflow's report, saved below the default user's folder."""
    return identified(
        WorkflowReport.model_validate(
            {
                "path": f"/srv/comfyui/user/default/workflows/{name}",
                "name": name,
                "verdict": verdict,
                "findings": findings,
                **more,
            }
        )
    )


def realistic() -> Report:
    """What an operator of a small studio might see on a Monday morning."""
    sdxl = "sd_xl_base_1.0.safetensors"
    flux = "flux1-dev-fp8.safetensors"
    saved = Output(node_id="9", node_type="SaveImage")
    embedding = found(
        code="missing_embedding",
        severity=Severity.WARNING,
        message="embedding 'EasyNegativeV2', named in input 'text', is not on the server",
        fix="put it into ComfyUI's models/embeddings folder, or correct the name",
        node_id="7",
        node_type="CLIPTextEncode",
        title="Negative prompt",
        input="text",
        subject=Subject(kind=SubjectKind.MODEL, name="EasyNegativeV2", folder="embeddings"),
    )
    sub_folder = found(
        code="value_not_in_list",
        severity=Severity.ERROR,
        message="LoRA 'detail_tweaker_xl.safetensors' is not among the 31 files ComfyUI lists for "
        "'lora_name'",
        fix="set it to 'sdxl/detail_tweaker_xl.safetensors'",
        node_id="57:12:4",
        node_type="LoraLoader",
        input="lora_name",
    )
    input_image = found(
        code="custom_validation_failed",
        severity=Severity.ERROR,
        message="input file 'moodboard (3).png' is not in ComfyUI's input folder",
        fix="put 'moodboard (3).png' into ComfyUI's input folder, or choose another file",
        node_id="31",
        node_type="LoadImage",
        input="image",
        subject=Subject(kind=SubjectKind.INPUT_FILE, name="moodboard (3).png", folder="input"),
    )
    truncated = found(
        code="workflow_truncated",
        severity=Severity.ERROR,
        message="the file ends in the middle, at line 2113, column 18",
        fix="Save the workflow again from ComfyUI, or restore the file from a backup.",
    )
    drift = found(
        code="schema_drift",
        severity=Severity.INFO,
        message="the file was saved by a frontend older than 1.16; its values were read as such",
        node_id="3",
        node_type="KSampler",
    )
    animate = "wan2.2_animate_14B_fp8_e4m3fn_scaled_with_relight_lora_rank64.safetensors"
    filled_in_browser = (
        "the options of 'preset' (node type EasyPresetLoader) are filled in by JavaScript in the "
        "browser; the server lists none"
    )
    broken, runnable = Verdict.BROKEN, Verdict.RUNNABLE
    return report(
        [
            workflow("portraits/studio headshot.json", broken, missing_model(sdxl, "4"), embedding),
            workflow("portraits/outdoor.json", broken, missing_model(sdxl, "4"), sub_folder),
            workflow(
                "portraits/2025/archive/couple, soft light (v12).json",
                broken,
                missing_model(sdxl, "4"),
                missing_model(sdxl, "112"),
            ),
            workflow(
                "upscale/4x tiled.json",
                broken,
                missing_model(sdxl, "11"),
                *missing_node("UltimateSDUpscale", "comfyui_ultimatesdupscale", "19", "23"),
                missing_model(
                    "vae-ft-mse-840000.safetensors", "8", kind="vae", node_type="VAELoader"
                ),
            ),
            workflow(
                "flux/product shot.json",
                broken,
                missing_model(flux, "30", kind="diffusion_models", node_type="UNETLoader"),
                input_image,
            ),
            workflow(
                "flux/packaging.json",
                broken,
                missing_model(flux, "30", kind="diffusion_models", node_type="UNETLoader"),
            ),
            workflow(
                "video/wan animate character replacement, relight, 14B, portrait format.json",
                broken,
                missing_model(animate, "88:3", kind="diffusion_models", node_type="UNETLoader"),
                *missing_node("VHS_VideoCombine", "comfyui-videohelpersuite", "104", "88:17"),
                *missing_node("ImageResizeKJv2", "comfyui-kjnodes", "61"),
            ),
            workflow("old/half-saved.json", broken, truncated),
            workflow(
                "flux/contact sheet.json",
                Verdict.PARTIAL,
                missing_model(flux, "30", kind="diffusion_models", node_type="UNETLoader"),
                outputs=[saved, Output(node_id="14", node_type="PreviewImage")],
                outputs_lost=[Output(node_id="40:2", node_type="SaveImage")],
            ),
            workflow(
                "inpaint/remove background.json",
                Verdict.PARTIAL,
                input_image,
                drift,
                outputs=[saved],
                outputs_lost=[
                    Output(node_id="22", node_type="PreviewImage"),
                    Output(node_id="23", node_type="SaveImage"),
                ],
            ),
            workflow(
                "lab/queue of prompts.json",
                Verdict.UNKNOWN,
                not_checked=[filled_in_browser],
            ),
            workflow("text to image.json", runnable, embedding, outputs=[saved]),
            workflow("image to image.json", runnable, drift, outputs=[saved]),
            *(
                workflow(
                    f"{name}.json", runnable, outputs=[saved], not_checked=[_MISSING_INPUT_FILE]
                )
                for name in (
                    "area composition",
                    "controlnet/canny edges",
                    "controlnet/depth",
                    "controlnet/pose",
                    "lora/style mix",
                    "notes only",
                    "sd15/hires fix",
                    "sd15/inpainting",
                    "日本/水彩画",
                    "upscale/latent 2x",
                )
            ),
        ],
        not_checked=("/srv/comfyui/user/maria/workflows could not be read: permission denied",),
    )


def cause(text: str, kind: CauseKind = CauseKind.PACK, **more: Any) -> Cause:
    """A cause, certain unless said otherwise."""
    fields = {"id": text, "kind": kind, "sureness": Sureness.CERTAIN, "name": "", **more}
    return Cause(text=text, **fields)


def change(
    kind: ChangeKind,
    name: str,
    before: Verdict | None,
    after: Verdict | None,
    *causes: Cause,
) -> WorkflowChange:
    """What has become of one workflow."""
    ids = [each.id for each in causes]
    path = f"/srv/comfyui/user/default/workflows/{name}"
    return WorkflowChange(path=path, name=name, kind=kind, before=before, after=after, causes=ids)


def changes(*causes: Cause, workflows: list[WorkflowChange] | None = None, **more: Any) -> Changes:
    """What changed within two hours."""
    since = _WHEN - timedelta(hours=2)
    return Changes(since=since, workflows=workflows or [], causes=list(causes), **more)


def past(*verdicts: tuple[float, Verdict]) -> dict[str, Any]:
    """Fields of a workflow that got its verdicts so many days ago."""
    told = [PastVerdict(since=_WHEN - timedelta(days=days), verdict=v) for days, v in verdicts]
    return {"past": told, "since": told[-1].since}


def remembered() -> Report:
    """The realistic report, with what the last weeks were like."""
    broken, partial, unknown, runnable = (
        Verdict.BROKEN,
        Verdict.PARTIAL,
        Verdict.UNKNOWN,
        Verdict.RUNNABLE,
    )
    pasts = {
        "portraits/studio headshot.json": past((60, runnable), (0, broken)),
        "portraits/outdoor.json": past((60, runnable), (20.5, partial), (0, broken)),
        "portraits/2025/archive/couple, soft light (v12).json": past((60, runnable), (0, broken)),
        "upscale/4x tiled.json": past((60, runnable), (30, broken), (26, runnable), (12, broken)),
        "flux/packaging.json": past((40, unknown), (33, runnable), (5, broken)),
        "flux/contact sheet.json": past((60, runnable), (5, partial)),
        "lab/queue of prompts.json": past((60, broken), (3, unknown)),
        "lora/style mix.json": past((60, runnable), (9, broken), (0, runnable)),
        "sd15/hires fix.json": past((0, runnable)),
        "text to image.json": past((300, runnable), (9, partial), (7, runnable)),
    }
    shown = realistic()
    workflows = [
        each.model_copy(update=pasts.get(each.name, past((60, each.verdict))))
        for each in shown.workflows
    ]
    model = cause(
        "models/checkpoints/sd_xl_base_1.0.safetensors was moved to sdxl/", CauseKind.MODEL
    )
    pack = cause("UltimateSDUpscale of comfyui_ultimatesdupscale 1.2.0 → 1.3.0 dropped output 2")
    lora = cause("models/loras/detail_tweaker_xl.safetensors is back", CauseKind.MODEL)
    unseen = cause("", CauseKind.UNEXPLAINED, id="unseen")
    either = cause(
        "",
        id="either",
        sureness=Sureness.ONE_OF,
        candidates=["comfyui-kjnodes 1.0.5 → 1.0.6", "torch 2.8.0 → 2.9.1"],
    )
    guessed = cause("torch 2.8.0 → 2.9.1", CauseKind.COMFYUI, sureness=Sureness.LIKELY)
    ours = cause("ComfyWatchman 0.3.0 → 0.4.0", CauseKind.PROGRAM)
    worse, mended = ChangeKind.WORSE, ChangeKind.MENDED
    changed = changes(
        model,
        pack,
        lora,
        unseen,
        either,
        guessed,
        ours,
        workflows=[
            change(worse, "portraits/studio headshot.json", runnable, broken, model),
            change(worse, "portraits/outdoor.json", partial, broken, model),
            change(
                worse,
                "portraits/2025/archive/couple, soft light (v12).json",
                runnable,
                broken,
                model,
            ),
            change(worse, "upscale/4x tiled.json", broken, broken, pack, model),
            change(worse, "flux/product shot.json", broken, broken, unseen),
            change(worse, "inpaint/remove background.json", runnable, partial, either),
            change(mended, "lora/style mix.json", broken, runnable, lora),
            change(ChangeKind.NEW, "sd15/hires fix.json", None, runnable),
            change(ChangeKind.GONE, "old/experiment 7.json", broken, None),
            change(ChangeKind.OTHER, "lab/queue of prompts.json", broken, unknown, guessed),
            change(worse, "flux/packaging.json", runnable, broken, ours),
        ],
        skipped=1,
        host=[
            HostChange(kind="pack", name=name, before=old, after=new, text=f"{name} {old} → {new}")
            for name, old, new in (
                ("comfyui_ultimatesdupscale", "1.2.0", "1.3.0"),
                ("comfyui-kjnodes", "1.0.5", "1.0.6"),
                ("torch", "2.8.0", "2.9.1"),
                ("numpy", "2.1.0", "2.3.5"),
                ("comfyui-manager", "3.37", "3.38"),
                ("pillow", "11.0.0", "12.0.0"),
            )
        ],
        host_left_out=12,
        not_known=["the packages of ComfyUI's interpreter: it could not be found"],
    )
    timeline = [
        Milestone(
            at=_WHEN - timedelta(days=days),
            texts=texts,
            worse=got_worse,
            mended=got_mended,
        )
        for days, texts, got_worse, got_mended in (
            (0, [model.text, pack.text, "comfyui-kjnodes 1.0.5 → 1.0.6", "and 17 more"], 6, 1),
            (5, ["models/unet/flux1-dev-fp8.safetensors is gone"], 3, 0),
            (7, ["comfyui-easy-use 1.3.0 → 1.3.1"], 0, 1),
            (9, ["ComfyUI 0.7.2 → 0.8.0", "frontend 1.35.9 → 1.36.14"], 2, 0),
            (20.5, ["upscale/4x tiled.json was edited"], 1, 0),
            (33, ["torch 2.7.1 → 2.8.0"], 0, 0),
        )
    ]
    waiting = RestartPending(
        pack="comfyui-impact-pack",
        before="8.0",
        after="8.1",
        sure=True,
        text="pack comfyui-impact-pack is updated on the disk: 8.0 → 8.1; ComfyUI has not been "
        "restarted since",
        workflows=[workflows[0].path, workflows[2].path],
    )
    return shown.model_copy(
        update={
            "workflows": workflows,
            "changes": changed,
            "timeline": timeline,
            "restart_pending": [waiting],
        }
    )


def accepted(report: Report, *names: str, reason: str = "the pack is left out here") -> Report:
    """A report in which somebody has accepted some of its workflows, and one that has ended."""
    until = date(2026, 12, 31)
    given = [
        Entry(
            id=f"a{number}",
            workflow=workflow.path,
            reason=reason,
            until=until,
            by="anna",
            fingerprints=frozenset(f.fingerprint for f in workflow.findings),
            file="/etc/comfywatchman/accepted.toml",
        )
        for number, workflow in enumerate(report.workflows)
        if workflow.name in names
    ]
    gone = replace(given[0], id="gone", workflow="/srv/renamed.json")
    workflows, results = settle(report.workflows, [*given, gone], date(2026, 11, 23), whole=True)
    verdicts = [workflow.verdict for workflow in workflows if workflow.accepted]
    counts = Summary(**{verdict.value: verdicts.count(verdict) for verdict in Verdict})
    update = {"workflows": workflows, "accepted": counts, "acceptances": results}
    return report.model_copy(update=update)


def hostile() -> Report:
    """Every hostile string in every place that a string can reach."""
    workflows = [
        WorkflowReport(
            path=f"/srv/{text}",
            name=text,
            verdict=verdict,
            outputs=[Output(node_id=text, node_type=text)],
            outputs_lost=[Output(node_id=text, node_type=text)],
            not_checked=[text],
            findings=[
                found(
                    code=text,
                    severity=severity,
                    message=text,
                    fix=text,
                    node_id=text,
                    node_type=text,
                    title=text,
                    input=text,
                    subject=Subject(kind=SubjectKind.MODEL, name=text, folder=text, version=text),
                    fingerprint=text,
                    fault_id=text,
                    cause_id=text,
                )
                for severity in Severity
            ],
            **past((1e5, Verdict.BROKEN), (-3, verdict)),
            accepted=Acceptance(id=text, reason=text, until=date(2026, 12, 31), by=text, code=text)
            if verdict is Verdict.PARTIAL
            else None,
        )
        for text in HOSTILE
        for verdict in Verdict
    ]
    text = "".join(HOSTILE)
    return report(workflows, not_checked=HOSTILE).model_copy(
        update={
            "host": text,
            "comfywatchman_version": text,
            "server": Server(url=text, catalog_file=None, version=text, node_types=3),
            "gate": [GateAnswer(name="gpu", ok=False, reason=text)],
            "asked_server": 3,
            "alarms": list(HOSTILE),
            "changes": _hostile_changes(),
            "timeline": [Milestone(at=_WHEN, texts=list(HOSTILE), worse=10**9)],
            "restart_pending": [
                RestartPending(pack=text, sure=False, text=text, workflows=[text])
                for text in HOSTILE
            ],
            "acceptances": [
                AcceptanceResult(id=text, state=AcceptanceState.VOID, text=text, file=text)
                for text in HOSTILE
            ],
        }
    )


def _hostile_changes() -> Changes:
    causes = [
        Cause(
            id=f"{text}{sureness}",
            kind=CauseKind.PROGRAM if text == "|" else CauseKind.WORKFLOW,
            sureness=sureness,
            name=text,
            text=text,
            before=text,
            after=text,
            node_types=[text],
            candidates=[text, text],
        )
        for text in HOSTILE
        for sureness in Sureness
    ]
    workflows = [
        WorkflowChange(
            path=f"/srv/{each.name}",
            name=each.name,
            kind=kind,
            before=None,
            after=verdict,
            causes=[each.id, "no such cause"],
        )
        for each in causes
        for kind in ChangeKind
        for verdict in (*Verdict, None)
    ]
    host = [
        HostChange(kind=text, name=text, before=text, after=text, text=text) for text in HOSTILE
    ]
    return changes(*causes, workflows=workflows, host=host, not_known=HOSTILE)


def large(count: int) -> Report:
    """A report of ``count`` workflows with about 2.3 findings each."""
    verdicts = (Verdict.BROKEN, Verdict.BROKEN, Verdict.PARTIAL, Verdict.RUNNABLE, Verdict.UNKNOWN)
    return report(
        [
            workflow(
                f"folder {i % 23}/workflow {i:05d} with a name of usual length.json",
                verdicts[i % 5],
                *(
                    ()
                    if i % 5 == 3
                    else (
                        missing_model(f"model-{i % 40}.safetensors", "4"),
                        missing_model(f"vae-{i}.safetensors", f"{i}:7", kind="vae"),
                        *missing_node(f"Node{i % 17}", "some-pack", "12"),
                    )
                ),
                outputs=[Output(node_id="9", node_type="SaveImage")],
                not_checked=[_MISSING_INPUT_FILE],
            )
            for i in range(count)
        ]
    )


def damaged() -> Report:
    """Two workflows that will fail for a model file that is cut off, and another such file."""
    name, message = (
        "wan/vae.safetensors",
        "'wan/vae.safetensors' in 'vae' cannot be loaded: cut off",
    )
    finding = found(
        code="model_truncated",
        severity=Severity.ERROR,
        message=message,
        fix="7 bytes lack: download it again",
        subject=Subject(kind=SubjectKind.MODEL, name=name, folder="vae"),
    )
    failing = [
        workflow(each, Verdict.RUNNABLE, finding, will_fail=True) for each in ("a.json", "b.json")
    ]
    known = {"message": message, "fix": "7 bytes lack: download it again", "lacking": 7}
    model = DamagedModel(
        folder="vae",
        name=name,
        code="model_truncated",
        workflows=[each.path for each in failing],
        **known,
    )
    other = DamagedModel(folder="vae", name="x", code="model_empty", message="'x' is empty")
    return report([*failing, workflow("c.json", Verdict.RUNNABLE)]).model_copy(
        update={
            "damaged_models": [model, other],
            "model_files": ModelFiles(sound=3, damaged=2, unfinished=0, unread=1),
        }
    )
