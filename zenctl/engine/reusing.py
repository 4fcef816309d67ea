"""Says whose recorded results may be taken: the workspace's own, and those of workspaces that `reuse_from` names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from zenctl.addrs import Address
from zenctl.config.configuration import Configuration
from zenctl.config.plain import Faulty, plain_value
from zenctl.config.selected import DEFAULT
from zenctl.diagnostics import Diagnostic, did_you_mean, error, has_errors, warning
from zenctl.engine.evaluating import Evaluator
from zenctl.lang.evaluate import evaluate_expression
from zenctl.lang.references import references
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded, read_state
from zenctl.metadata.store import MetadataStore
from zenctl.metadata.workspaces import workspaces
from zenctl.schema import Unknown

ENTRY = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9._-]{0,62})/)?([A-Za-z0-9*][A-Za-z0-9_.*-]{0,89})")
"""`WORKSPACE` or `PROJECT/WORKSPACE`; in the workspace an asterisk stands for any characters."""

ROOTS = ("var", "local", "zenctl")
"""What `reuse_from` may refer to: it is read before any result is known."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whose results may be taken: `others` are (project, workspace), a workspace with asterisks stands for several."""

    project: str
    workspace: str
    others: tuple[tuple[str, str], ...] = ()

    def is_own(self, recorded: Recorded) -> bool:
        """Whether something was recorded in the workspace itself."""
        return (recorded.project, recorded.workspace) == (self.project, self.workspace)

    def allows(self, project: str, workspace: str) -> bool:
        """Whether results of a workspace may be taken."""
        if (project, workspace) == (self.project, self.workspace):
            return True
        return any(project == other and fnmatchcase(workspace, pattern) for other, pattern in self.others)

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The other workspaces that are named in full."""
        own = (self.project, self.workspace)
        return tuple(pair for pair in self.others if "*" not in pair[1] and pair != own)


def trusted(configuration: Configuration, evaluator: Evaluator, workspace: str) -> tuple[Trusted, list[Diagnostic]]:
    """What the configuration trusts while it is used in a workspace; what is not known yet counts as nothing."""
    project = configuration.settings.project
    own = Trusted(project, workspace)
    expression = configuration.settings.reuse_from
    if expression is None:
        return own, []
    for reference in references(expression):
        if reference.path[0] not in ROOTS:
            name = ".".join(str(part) for part in reference.path[:3])
            detail = (
                f"It decides which results there are, so it can refer to variables and zenctl.workspace, not {name}."
            )
            return own, [
                error("not_literal", "reuse_from must be known before all results", detail, range=reference.range)
            ]
    value, found = evaluate_expression(expression, evaluator.scope)
    data, _ = plain_value(value)
    if has_errors(found) or isinstance(data, Unknown):
        return own, [] if isinstance(data, Faulty) else found
    detail = 'Write reuse_from = ["main", "pr-*"]; a workspace of another project is "PROJECT/WORKSPACE".'
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        return own, [*found, error("wrong_type", "reuse_from must be a list of texts", detail, range=expression.range)]
    others = []
    for item in data:
        match = ENTRY.fullmatch(item)
        if match is None:
            summary = f'"{item}" names no workspace'
            found.append(error("invalid_workspace", summary, detail, range=expression.range))
        else:
            others.append((match[1] or project, match[2]))
    return Trusted(project, workspace, tuple(others)), found


def missing(allowed: Trusted, configuration: Configuration, store: MetadataStore) -> list[Diagnostic]:
    """Workspaces that `reuse_from` names and that are not there: a name that is misspelt would reuse nothing."""
    wanted = [name for project, name in allowed.named if project == allowed.project and name != DEFAULT]
    if not wanted:
        return []
    there = [DEFAULT, *(item.name for item in workspaces(store, allowed.project))]
    expression = configuration.settings.reuse_from
    place = expression.range if expression is not None else None
    found = []
    for name in wanted:
        if name not in there:
            detail = f"Nothing can be reused from it.{did_you_mean(name, there)}"
            found.append(warning("unknown_workspace", f'There is no workspace "{name}"', detail, range=place))
    return found


def examples(allowed: Trusted, store: MetadataStore) -> Mapping[Address, Recorded]:
    """The current results of the workspaces that are named in full; of several for an address that of the first."""
    found: dict[Address, Any] = {}
    for project, name in reversed(allowed.named):
        found.update(read_state(store, project, name).results)
    return found
