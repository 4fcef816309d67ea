"""Functions that write values as text, and read them back."""

from __future__ import annotations

import base64
import binascii
import io
import re

from zenctl.lang.calls import MAX_STRING, FunctionProblem, Parameter
from zenctl.lang.functions.bounds import bounded_elements
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.functions.json_text import from_json, to_json
from zenctl.lang.functions.yaml_text import from_yaml, to_yaml
from zenctl.lang.model import Value, list_value, object_value, string
from zenctl.lang.types import ANY, STRING, ObjectType

ENCODING = Group()
_ANYTHING = Parameter("value", null=True)


@ENCODING.function("jsonencode", "The value as JSON.", _ANYTHING, returns=STRING)
def _jsonencode(value: Value) -> str:
    return to_json(value)


@ENCODING.function("jsondecode", "The value that a JSON text gives.", text("string"), returns=ANY)
def _jsondecode(source: str) -> Value:
    return from_json(source)


@ENCODING.function("yamlencode", "The value as YAML.", _ANYTHING, returns=STRING)
def _yamlencode(value: Value) -> str:
    return to_yaml(value)


@ENCODING.function("yamldecode", "The value that a YAML 1.2 text gives.", text("string"), returns=ANY)
def _yamldecode(source: str) -> Value:
    return from_yaml(source)


@ENCODING.function(
    "csvdecode", "The rows of a CSV text as objects; its first line names the columns.", text("string"), returns=ANY
)
def _csvdecode(source: str) -> Value:
    rows = _csv_rows(source.removeprefix("\ufeff"))
    if not rows:
        raise FunctionProblem("The text has no line with the names of the columns.", 0)
    names = [string(name).raw for name in rows[0]]
    if len(set(names)) != len(names):
        raise FunctionProblem("Two columns have the same name.", 0)
    items: list[Value] = []
    for at, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise FunctionProblem(f"Row {at} has {len(row)} fields, but there are {len(names)} columns.", 0)
        items.append(object_value({name: string(field) for name, field in zip(names, row, strict=True)}))
    return list_value(ObjectType(dict.fromkeys(names, STRING)), items)


def _csv_rows(source: str) -> list[list[str]]:
    """The fields of each line that is not empty."""
    import csv  # few configurations need it

    limit = csv.field_size_limit(MAX_STRING)
    rows: list[list[str]] = []
    fields = 0
    try:
        for row in csv.reader(io.StringIO(source, newline=""), strict=True):
            fields += len(row)
            bounded_elements(fields, 0)
            if row:
                rows.append(row)
    except csv.Error as problem:
        raise FunctionProblem(f"The text is not CSV: {problem}.", 0) from None
    finally:
        csv.field_size_limit(limit)
    return rows


def _from_base64(value: str, what: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", value), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionProblem(f"It is not {what}: these are not characters of Base64, or one is missing.", 0) from None


@ENCODING.function("base64encode", "The text's UTF-8 bytes in Base64.", text("string"), returns=STRING)
def _base64encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@ENCODING.function("base64decode", "The text whose UTF-8 bytes are given in Base64.", text("string"), returns=STRING)
def _base64decode(value: str) -> str:
    try:
        return _from_base64(value, "the Base64 of a text").decode()
    except UnicodeDecodeError:
        raise FunctionProblem("It is not the Base64 of a text in UTF-8.", 0) from None


@ENCODING.function(
    "base64gzip", "The text's UTF-8 bytes, compressed with gzip, in Base64.", text("string"), returns=STRING
)
def _base64gzip(value: str) -> str:
    import zlib

    data = value.encode()
    # The header has no time and no system, so that equal texts give equal bytes; as Terraform's, the end is a block
    # of nothing.
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH) + b"\x01\x00\x00\xff\xff"
    checks = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return base64.b64encode(header + body + checks).decode()


def _codec(name: str) -> str:
    """Python's name for a text encoding. Raises FunctionProblem."""
    import codecs

    unknown = FunctionProblem(
        f'There is no text encoding "{name[:40]}". There are UTF-8, UTF-16LE, ISO-8859-1, windows-1252, Shift_JIS ...',
        1,
        hidden="There is no such text encoding.",
    )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:()-]{0,39}", name):
        raise unknown
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        raise unknown from None
    if not getattr(found, "_is_text_encoding", True) or found.name in _NO_CHARSETS:
        raise unknown
    # Without an order of bytes in the name, this machine's would be taken.
    return {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}.get(found.name, found.name)


_NO_CHARSETS = frozenset(("idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "mbcs", "oem"))
_BYTE_ORDER_MARKS = {"utf-16-be": b"\xfe\xff", "utf-32-be": b"\x00\x00\xfe\xff"}


def _names_no_order(name: str) -> bool:
    return name.lower().replace("_", "-").replace("utf-", "utf") in ("utf16", "utf32", "u16", "u32")


@ENCODING.function(
    "textencodebase64",
    "The text's bytes in another encoding, in Base64.",
    text("string"),
    text("encoding_name"),
    returns=STRING,
)
def _textencodebase64(value: str, encoding: str) -> str:
    codec = _codec(encoding)
    mark = _BYTE_ORDER_MARKS[codec] if _names_no_order(encoding) else b""
    try:
        return base64.b64encode(mark + value.encode(codec)).decode()
    except UnicodeEncodeError as problem:
        missing = value[problem.start]
        hidden = "The encoding does not have all characters of the text."
        raise FunctionProblem(f'{encoding} does not have the character "{missing}".', 0, hidden=hidden) from None


@ENCODING.function(
    "textdecodebase64",
    "The text whose bytes in another encoding are given in Base64.",
    text("source"),
    text("encoding_name"),
    returns=STRING,
)
def _textdecodebase64(source: str, encoding: str) -> str:
    codec = _codec(encoding)
    data = _from_base64(source, "the Base64 of a text")
    if _names_no_order(encoding):
        codec = (
            codec.removesuffix("-be")
            if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4] == b"\0\0\xfe\xff"
            else codec
        )
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, UnicodeError):
        raise FunctionProblem(
            f"The bytes are no text in {encoding}.", 0, hidden="The bytes are no such text."
        ) from None


@ENCODING.function("urlencode", "The text as part of a query in a URL.", text("string"), returns=STRING)
def _urlencode(value: str) -> str:
    from urllib.parse import quote_plus  # few configurations need it

    return quote_plus(value)
