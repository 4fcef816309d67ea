"""Turns a Plan into the JSON document that `zenctl show -json FILE` prints: Terraform's keys, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zenctl.addrs import Address
from zenctl.diagnostics import Diagnostic, Position, has_errors
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, CheckResult, CodeDiff, OutputChange, Plan, PlannedMachines
from zenctl.plans.planvalues import planned_values, prior_values, provider_name, split

if TYPE_CHECKING:
    from zenctl.provider import MachinePool

FORMAT_VERSION = "1.2"
"""Version of the document, Terraform's own: what Terraform's form of this version has means the same here.

Keys of zenctl's own are added without raising it (docs/plans.md); a new major version is to be refused.
"""

TERRAFORM_VERSION = "1.11.4"
"""The Terraform whose plan JSON has this form; readers of Terraform's plans look at it before they read on."""

Json = dict[str, Any]
"""A JSON object. Its shape is `schemas/plan.v1.schema.json`."""

WORDS = {
    "run": "to run",
    "may_run": "may run",
    "reuse": "to reuse",
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "read": "to record",
    "forget": "to forget",
    "no_op": "up to date",
}

COUNTED = tuple(WORDS)
"""The keys of `zenctl_summary`, in the order in which a person reads them."""

_WORDS = {
    Action.NO_OP: ("no-op",),
    Action.MAY_RUN: ("update",),
    Action.FORGET: ("forget",),
    Action.CREATE: ("create",),
    Action.UPDATE: ("update",),
    Action.REPLACE: ("delete", "create"),
    Action.DELETE: ("delete",),
    Action.READ: ("read",),
}


def plan_document(plan: Plan) -> Json:
    """The whole plan. Every address of the configuration is in `resource_changes`; sensitive values are null."""
    return {
        "format_version": FORMAT_VERSION,
        "terraform_version": TERRAFORM_VERSION,
        "zenctl_version": plan.zenctl_version,
        "project": plan.project,
        "workspace": plan.workspace,
        "serial": plan.serial,
        "timestamp": plan.timestamp,
        "code_version": dict(plan.code_version),
        "provider_versions": dict(sorted(plan.providers.items())),
        "destroy": plan.destroy,
        "refresh_only": plan.refresh_only,
        "applyable": not plan.is_empty and not has_errors(plan.diagnostics),
        "complete": not has_errors(plan.diagnostics),
        "errored": has_errors(plan.diagnostics),
        "variables": {name: {"value": value} for name, value in sorted(plan.variables.items())},
        "planned_values": planned_values(plan),
        "resource_drift": [resource_change(change) for change in plan.drift],
        "resource_changes": [resource_change(change, plan.code_diffs.get(change.address)) for change in plan.changes],
        "output_changes": {output.name: output_change(output) for output in plan.outputs},
        "prior_state": {
            "format_version": "1.0",
            "terraform_version": TERRAFORM_VERSION,
            "values": prior_values(plan),
        },
        "configuration": dict(plan.blocks),
        "checks": [check_json(check) for check in plan.checks],
        "machines": [machines_json(machines) for machines in plan.machines],
        "zenctl_summary": summary(plan.changes),
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in plan.diagnostics],
    }


def terraform_actions(change: Change) -> tuple[str, ...]:
    """The action in Terraform's words. RUN and REUSE are `create` where the address has no record here."""
    if change.action in (Action.RUN, Action.REUSE):
        return ("create",) if change.before is None else ("update",)
    words = _WORDS[change.action]
    return tuple(reversed(words)) if change.create_first else words


def reason_json(reason: Reason) -> Json:
    """An entry of `stale_because`."""
    return {"reason": reason.code.value, "detail": reason.detail, "data": _plain(reason.data)}


def code_diff_json(diff: CodeDiff) -> Json:
    """What changed in a step's source: unified diffs by path, or a note why there are none."""
    return {"files": dict(diff.files), "note": diff.note}


def resource_change(change: Change, code_diff: CodeDiff | None = None) -> Json:
    """One address: what happens to it, before and after, and why, with what changed in its source if that is known."""
    document: Json = {"address": change.address}
    if change.moved_from:
        document["previous_address"] = change.moved_from
    if change.addr.module:
        document["module_address"] = ".".join(str(part) for part in change.addr.module)
    document |= {"mode": "managed", "kind": change.addr.kind, "type": change.addr.type, "name": change.addr.name}
    if change.addr.key is not None:
        document["index"] = change.addr.key
    document["provider_name"] = provider_name(change.provider)
    before, before_unknown, before_sensitive = split(change.before, (), change.sensitive)
    after, after_unknown, after_sensitive = split(change.after, change.after_unknown, change.sensitive)
    document["change"] = {
        "actions": list(terraform_actions(change)),
        "before": before,
        "after": after,
        "after_unknown": after_unknown,
        "before_sensitive": before_sensitive,
        "after_sensitive": after_sensitive,
    }
    if before_unknown:
        document["change"]["before_unknown"] = before_unknown
    why = action_reason(change)
    if why:
        document["action_reason"] = why
    document["zenctl_action"] = change.action.value
    document["cache_hit"] = change.addr.kind != "endpoint" and change.action in (Action.NO_OP, Action.REUSE)
    document["stale_because"] = [reason_json(reason) for reason in change.reasons]
    if code_diff is not None:
        document["code_diff"] = code_diff_json(code_diff)
    document["depends_on"] = list(change.depends_on)
    if change.fingerprint:
        document["fingerprint"] = change.fingerprint
    if change.execution_id is not None:
        document["execution_id"] = change.execution_id
    return document


def action_reason(change: Change) -> str:
    """Terraform's word for why something is replaced, deleted or forgotten; empty where it has none."""
    codes = {reason.code: reason for reason in change.reasons}
    if change.action in (Action.DELETE, Action.FORGET) and ReasonCode.REMOVED in codes:
        return f"delete_because_{codes[ReasonCode.REMOVED].data.get('because', 'no_resource_config')}"
    if change.action in (Action.REPLACE, Action.RUN, Action.MAY_RUN):
        if ReasonCode.REQUESTED in codes:
            return "replace_by_request"
        if ReasonCode.TRIGGERED in codes:
            return "replace_by_triggers"
    if change.action is Action.REPLACE:
        return "replace_because_cannot_update"
    return ""


def machines_json(machines: PlannedMachines) -> Json:
    """Machines of one kind that are made for jobs, and removed again. `certain`: at least one of the jobs does run."""
    return {
        "addresses": list(machines.backends),
        "certain": bool(machines.runs),
        "count": machines.count,
        **pool_json(machines.pool),
        "runs": list(machines.runs),
        "may_run": list(machines.may_run),
    }


def pool_json(pool: MachinePool) -> Json:
    """What a kind of machines is, but for how many."""
    price = pool.price
    return {
        "machine_type": pool.machine_type,
        "locations": list(pool.locations),
        "accelerators": [{"type": kind, "count": count} for kind, count in sorted(pool.accelerators.items())],
        "spot": pool.spot,
        "scope": pool.scope,
        "price": {
            "per_hour": price.amount,
            "currency": price.currency,
            "source": price.source,
            "as_of": price.as_of,
            "note": price.note,
        },
    }


def check_json(check: CheckResult) -> Json:
    """A condition's result in Terraform's shape."""
    kind = check.kind if check.kind in ("check", "output") else "resource"
    address = {"kind": kind, "to_display": check.name}
    problems = [{"message": text} for text in check.problems]
    instance: Json = {"address": {"to_display": check.name}, "status": check.status}
    if problems:
        instance["problems"] = problems
    return {"address": address, "status": check.status, "instances": [instance]}


def output_change(output: OutputChange) -> Json:
    """One root output in Terraform's shape; a sensitive value is null."""
    if not output.changed:
        action = "no-op"
    elif output.before is None:
        action = "create"
    elif output.after is None and not output.unknown:
        action = "delete"
    else:
        action = "update"
    return {
        "actions": [action],
        "before": None if output.sensitive else output.before,
        "after": None if output.sensitive or output.unknown else output.after,
        "after_unknown": output.unknown,
        "before_sensitive": output.sensitive,
        "after_sensitive": output.sensitive,
    }


def value_type(value: Any) -> Any:
    """The type of plain data as Terraform writes it: `string`, `number`, `bool`, ["tuple", [...]], ["object", {}]."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, Mapping):
        return ["object", {str(key): value_type(item) for key, item in value.items()}]
    if isinstance(value, (list, tuple)):
        return ["tuple", [value_type(item) for item in value]]
    return "dynamic"


def summary(changes: Sequence[Change]) -> dict[str, int]:
    """How many addresses each action has, by the keys of COUNTED."""
    counts = dict.fromkeys(COUNTED, 0)
    for change in changes:
        counts[change.action.value.lower()] += 1
    return counts


def counted(counts: Mapping[str, int]) -> str:
    """`3 to run, 1 may run, 4 up to date`; kinds that do not occur are left out."""
    return ", ".join(f"{counts[key]} {WORDS[key]}" for key in COUNTED if counts.get(key))


def diagnostic_json(diagnostic: Diagnostic, source: str | None = None) -> Json:
    """A diagnostic in Terraform's shape; with the text of its file also the line it points at."""
    document: Json = {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
    }
    if diagnostic.address is not None:
        document["address"] = diagnostic.address
    if diagnostic.range is None:
        return document
    start, end = diagnostic.range.start, diagnostic.range.end
    document["range"] = {"filename": diagnostic.range.filename, "start": _position(start), "end": _position(end)}
    lines = source.splitlines() if source is not None else []
    if 0 < start.line <= len(lines):
        line = lines[start.line - 1]
        stop = end.column - 1 if end.line == start.line else len(line)
        document["snippet"] = {
            "context": diagnostic.address,
            "code": line,
            "start_line": start.line,
            "highlight_start_offset": min(start.column - 1, len(line)),
            "highlight_end_offset": min(max(stop, start.column - 1), len(line)),
            "values": [{"traversal": name, "statement": statement} for name, statement in diagnostic.values],
        }
    return document


def address_json(address: Address) -> Json:
    """An address in the shape of Terraform's event stream (`change.resource`, `hook.resource`)."""
    return {
        "addr": str(address),
        "module": ".".join(str(part) for part in address.module),
        "resource": str(type(address)(address.type, address.name, address.key)),
        "resource_kind": address.kind,
        "implied_provider": address.type if address.kind == "endpoint" else "zenctl",
        "resource_type": address.type,
        "resource_name": address.name,
        "resource_key": address.key,
    }


def _position(position: Position) -> Json:
    return {"line": position.line, "column": position.column, "byte": position.byte}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value
