"""The entry point of the local provider: gives the backend, the store and the endpoint of type `local`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider import Compute, Endpoint, ErrorKind, Processing, ProviderContext, ProviderError
from zenctl.schema import ProviderSchema
from zenctl_local.schema import LOCAL


class LocalProvider:
    """Runs steps as processes, keeps artifacts in a folder, serves models from this machine."""

    name = "local"
    version = __version__

    def __init__(self) -> None:
        self._context: ProviderContext | None = None
        self._launcher: Any = None

    def schema(self) -> ProviderSchema:
        return LOCAL

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:  # noqa: ARG002 - no attributes
        self._context = context

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:
        """Processes of this machine. Backends of one provider share its fork servers, each with slots of its own."""
        from zenctl_local.compute import LocalCompute
        from zenctl_local.launcher import Launcher
        from zenctl_local.room import room_of

        _check(type, LOCAL.backends, "backend")
        context = self._configured()
        if self._launcher is None:
            self._launcher = Launcher(context.root)
        room = room_of(config, os.environ)
        return LocalCompute(self._launcher, context, room, python=config.get("python") or "")

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:  # noqa: ARG002 - the protocol's
        hint = "Use a backend with the role `processing`, such as `direct`."
        raise ProviderError(ErrorKind.INVALID, f'a backend "{type}" of the local provider cannot run pipelines', hint)

    def endpoint(self, type: str) -> Endpoint:
        from zenctl_local.endpoint import LocalEndpoints

        _check(type, LOCAL.endpoints, "endpoint")
        return LocalEndpoints(self._configured())

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:
        from zenctl_local.storage import open_store

        _check(type, LOCAL.stores, "artifact store")
        return open_store(config, self._configured())

    def close(self) -> None:
        """End the fork servers. Endpoints stay."""
        launcher, self._launcher = self._launcher, None
        if launcher is not None:
            launcher.close()

    def _configured(self) -> ProviderContext:
        assert self._context is not None, "configure() comes first"
        return self._context


def _check(type: str, known: Mapping[str, object], what: str) -> None:
    if type not in known:
        raise ProviderError(ErrorKind.INVALID, f'the local provider has no {what} of type "{type}"')
