"""BigQuery's REST API: what tables are, what a query would do, and running one. The only importer of google-auth."""

from __future__ import annotations

import json
import os
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from zenctl.jobs.causes import innermost_reason
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.refusals import LOG_IN, PASSING, passing
from zenctl.jobs.stores.retrying import Retrying
from zenctl.lazy_dataclasses import dataclass

T = TypeVar("T")
Json = Mapping[str, Any]

EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""The variable in which Google's own library looks for an emulator."""
SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_GOOGLE = "https://bigquery.googleapis.com"
_TIMEOUT = (10, 90)
"""Seconds for a connection, and for the next byte of an answer."""
_WAIT = 60_000
"""Milliseconds that the server may wait for the end of a query before it answers that it still runs."""
_PASSING = frozenset(
    {
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
    }
)
_REACH = "Check the network, a proxy (HTTPS_PROXY) and `endpoint`."
PERMISSIONS = (
    "Plan and job need roles/bigquery.dataViewer on the tables, roles/bigquery.jobUser for queries and the partitions "
    "of tables, and the job roles/bigquery.readSessionUser, both in the project that pays."
)


@dataclass(frozen=True)
class Service:
    """Where BigQuery is, and who pays. `project` and `payer` are empty for that of the credentials."""

    endpoint: str
    read_endpoint: str
    project: str
    payer: str
    location: str
    most_bytes: int
    patience: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Service:
        """From the block's attributes, and the environment where they are silent."""
        endpoint = _url(found["endpoint"] or os.environ.get(EMULATOR) or "")
        read = _url(found["read_endpoint"] or (endpoint if endpoint.startswith("http://") else ""))
        return cls(
            endpoint,
            read,
            found["project"],
            found["billing_project"] or found["project"],
            found["location"],
            found["maximum_bytes_billed"] or 0,
            found["retry_seconds"],
        )

    @property
    def is_emulated(self) -> bool:
        """Whether it is asked without credentials."""
        return self.endpoint.startswith("http://")


def _url(text: str) -> str:
    return text.rstrip("/") if "://" in text or not text else f"http://{text.rstrip('/')}"


@dataclass
class Rest:
    """The API, as whoever runs zenctl. Every method raises StorageError; google-auth is loaded with the first call."""

    service: Service
    retry: Retrying = field(default_factory=Retrying)
    _session: Any = None
    _project: str = ""
    _location: str = ""
    """Where the last table lies that was looked at, or the last query would have run."""

    @classmethod
    def of(cls, service: Service) -> Rest:
        """With as much patience as the service has."""
        return cls(service, Retrying(service.patience))

    @property
    def project(self) -> str:
        """The project of tables that are named without one."""
        return self.service.project or self._own()

    @property
    def payer(self) -> str:
        """The project in which queries run."""
        return self.service.payer or self._own()

    def table(self, name: str) -> tuple[Json, float]:
        """The resource of `project.dataset.table`, and the server's time (Unix, whole seconds, rounded down)."""
        project, dataset, table = split_name(name)
        path = f"/projects/{quote(project)}/datasets/{quote(dataset)}/tables/{quote(table)}"
        found, headers = self._call("GET", path)
        self._location = str(found.get("location", ""))
        return found, parsedate_to_datetime(headers["Date"]).timestamp()

    def routine(self, name: str) -> Json:
        """The resource of a routine, `project.dataset.routine`."""
        project, dataset, routine = split_name(name)
        path = f"/projects/{quote(project)}/datasets/{quote(dataset)}/routines/{quote(routine)}"
        return self._call("GET", path)[0]

    def dry_run(self, query: str) -> Json:
        """The `statistics` of a query that is looked at and not run; costs nothing."""
        body = {
            "jobReference": self._reference(self.service.location),
            "configuration": {"dryRun": True, "query": self._query(query)},
        }
        job = self._call("POST", self._jobs, body)[0]
        self._location = str(job.get("jobReference", {}).get("location", ""))
        statistics: Json = job["statistics"]
        return statistics

    def result(self, query: str) -> str:
        """Run a query that was dry-run before; the table that holds its rows for a day."""
        job = self._run(query)
        at = f"{self._jobs}/{job['jobId']}"
        done = self._call("GET", at, query=self._placed(job))[0]
        place = done["configuration"]["query"]["destinationTable"]
        return f"{place['projectId']}.{place['datasetId']}.{place['tableId']}"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query with a small result, each value as text, or None.

        It was dry-run before, or reads a table that was looked at.
        """
        job = self._run(query)
        asked = {**self._placed(job), "maxResults": "10000"}
        found: list[tuple[Any, ...]] = []
        while True:
            page = self._call("GET", f"/projects/{self.payer}/queries/{job['jobId']}", query=asked)[0]
            found += [tuple(cell.get("v") for cell in row["f"]) for row in page.get("rows", ())]
            if not page.get("pageToken"):
                return found
            asked["pageToken"] = page["pageToken"]

    def _run(self, query: str) -> dict[str, str]:
        """Run a query to its end; where its job is."""
        # A request that is repeated cannot begin a second query: the name is ours. It is found again by its location.
        reference = self._reference(self.service.location or self._location)
        body = {"jobReference": reference, "configuration": {"query": self._query(query)}}
        started, _ = self._call("POST", self._jobs, body, taken={"jobReference": reference})
        job = {**reference, **started["jobReference"]}
        path = f"/projects/{self.payer}/queries/{job['jobId']}"
        asked = {**self._placed(job), "maxResults": "0", "timeoutMs": str(_WAIT)}
        try:
            while not self._call("GET", path, query=asked)[0]["jobComplete"]:
                pass
        except BaseException:
            # Who is interrupted does not pay for what nobody will read.
            with suppress(StorageError):
                hasty = replace(self, retry=Retrying(0))
                hasty._call("POST", f"{self._jobs}/{job['jobId']}/cancel", query=self._placed(job))
            raise
        return job

    @property
    def _jobs(self) -> str:
        return f"/projects/{self.payer}/jobs"

    def _reference(self, location: str = "") -> dict[str, str]:
        place = {"location": location} if location else {}
        return {"projectId": self.payer, "jobId": f"zenctl-{uuid.uuid4()}", **place}

    def _query(self, text: str) -> dict[str, Any]:
        most = {"maximumBytesBilled": str(self.service.most_bytes)} if self.service.most_bytes else {}
        return {"query": text, "useLegacySql": False, **most}

    def _placed(self, job: Mapping[str, str]) -> dict[str, str]:
        return {"location": job["location"]} if job.get("location") else {}

    def _own(self) -> str:
        self._opened()
        if not self._project:
            raise StorageError("INVALID", "no project is known", "Set `project` to the project that pays for reads.")
        return self._project

    def _opened(self) -> Any:
        if self._session is None:
            if self.service.is_emulated:
                import requests

                self._session = requests.Session()
            else:
                from google.auth.transport.requests import AuthorizedSession

                given, project = credentials()
                self._session, self._project = AuthorizedSession(given), project
        return self._session

    def _call(
        self, method: str, path: str, body: Json | None = None, query: Json | None = None, taken: Json | None = None
    ) -> tuple[Json, Mapping[str, str]]:
        """The answer and its headers. `taken` is the answer to a repeated request that the first try did already."""
        url = f"{self.service.endpoint or _GOOGLE}/bigquery/v2{path}"
        tried = False

        def once() -> tuple[Json, Mapping[str, str]]:
            nonlocal tried
            repeated, tried = tried, True
            answer = self._opened().request(method, url, params=query, json=body, timeout=_TIMEOUT)
            if answer.status_code == 409 and repeated and taken is not None:
                return taken, answer.headers
            if answer.status_code >= 400:
                raise _refusal(answer)
            found: Json = answer.json()
            failed = found.get("status", {}).get("errorResult") if "status" in found else None
            if failed:
                raise of_reason(0, failed.get("reason", ""), failed.get("message", ""))
            return found, answer.headers

        return self.retry(lambda: translated(once))


def credentials() -> tuple[Any, str]:
    """The application default credentials, and their project or ""."""
    import google.auth

    with warnings.catch_warnings():
        # It tells of quotas that a user's own credentials do not have; BigQuery tells of it where it matters.
        warnings.simplefilter("ignore", UserWarning)
        found, project = google.auth.default(scopes=SCOPES)
    return found, project or ""


def translated(call: Callable[[], T]) -> T:
    """The call's result; what the network and google-auth raise is a StorageError."""
    import requests
    from google.auth import exceptions as auth

    try:
        return call()
    except auth.TransportError as error:
        raise StorageError("TRANSIENT", f"Google's token server cannot be reached: {error}", _REACH) from error
    except auth.GoogleAuthError as error:
        text = str(error.args[0] if error.args else error).splitlines()[0]
        known = not text.startswith("Your default credentials were not found")
        said = f"the credentials are refused: {text}" if known else "there are no credentials"
        raise StorageError("UNAUTHORIZED", f"BigQuery: {said}", LOG_IN) from error
    except requests.exceptions.SSLError as error:
        raise StorageError("INVALID", f"BigQuery does not prove who it is: {error}", _REACH) from error
    except requests.exceptions.RequestException as error:
        raise StorageError("TRANSIENT", f"BigQuery cannot be reached: {innermost_reason(error)}", _REACH) from error


def split_name(name: str) -> tuple[str, str, str]:
    """Project, dataset and table of a name; the project may have dots."""
    project, dataset, table = name.rsplit(".", 2)
    return project, dataset, table


def of_reason(status: int, reason: str, said: str, retry_after: str = "") -> StorageError:
    """The error of a refusal: by its HTTP status, 0 for a job that failed, and BigQuery's reason."""
    if status in PASSING or reason in _PASSING:
        return passing("BigQuery", status or 503, said, retry_after)
    if status == 401:
        return StorageError("UNAUTHORIZED", f"BigQuery does not know who asks: {said}", LOG_IN)
    if reason == "notFound" or status == 404:
        hint = "Check the name, `project`, and that the dataset is in `location` if that is set."
        return StorageError("NOT_FOUND", said or "it is not there", hint)
    if reason == "bytesBilledLimitExceeded":
        return StorageError("INVALID", said, "Raise `maximum_bytes_billed`, or have the query read less.")
    if reason == "quotaExceeded":
        return StorageError("INVALID", f"a quota of BigQuery is used up: {said}", "Wait, or ask for a higher one.")
    if status == 403 or reason == "accessDenied":
        return StorageError("UNAUTHORIZED", f"BigQuery denies permission: {said}", PERMISSIONS)
    if reason == "invalidQuery":
        return StorageError("INVALID", f"BigQuery does not take the query: {said}", "Correct it, or try it with bq.")
    return StorageError("INVALID", f"BigQuery refuses the request ({reason or status}): {said}", "Check the block.")


def _refusal(answer: Any) -> StorageError:
    try:
        told = answer.json()["error"]
        errors: Sequence[Json] = told.get("errors") or [{}]
        reason, said = str(errors[0].get("reason", "")), str(told.get("message", ""))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        reason, said = "", ""
    return of_reason(answer.status_code, reason, said, answer.headers.get("Retry-After", ""))
