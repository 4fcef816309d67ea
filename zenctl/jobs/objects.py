"""RemoteObject: an object of a bucket as the order of a job names it: the very version that plan saw."""

from __future__ import annotations

import json
from typing import Any, List, Mapping, Optional, Tuple

from zenctl.lazy_dataclasses import dataclass

_MARK = '{"object":'
"""What a location begins with that is no path but such an object."""


@dataclass(frozen=True)
class RemoteObject:
    """`uri` is `gs://BUCKET/KEY` or `s3://BUCKET/KEY`; `version` and `checksum` are the store's (`objects.Found`)."""

    uri: str
    version: str
    size: int
    checksum: str

    @property
    def bucket(self) -> str:
        """The bucket's URI."""
        return split_uri(self.uri)[0]

    @property
    def key(self) -> str:
        """The object's name in its bucket."""
        return split_uri(self.uri)[1]

    def location(self) -> str:
        """The object as one of `JobSpec.locations`."""
        found = {"object": self.uri, "version": self.version, "size": self.size, "checksum": self.checksum}
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def split_uri(uri: str) -> Tuple[str, str]:
    """The bucket's URI, and the key in it. A key may hold what is special in a URL: nothing is decoded."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def remote_object(location: str) -> Optional[RemoteObject]:
    """The object that a location names; None for a path, or whatever else a source may have put there."""
    if not location.startswith(_MARK):
        return None
    found: Mapping[str, Any] = json.loads(location)
    return RemoteObject(str(found["object"]), str(found["version"]), int(found["size"]), str(found["checksum"]))


def buckets(locations: Mapping[str, str]) -> List[str]:
    """The URIs of the buckets that a job's locations lie in."""
    found = (remote_object(location) for location in locations.values())
    return sorted({item.bucket for item in found if item is not None})
