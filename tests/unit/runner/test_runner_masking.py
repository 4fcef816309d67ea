"""A secret that the code prints does not reach the log, however it is printed and however the code ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zenctl.runner.masking import Mask

PROGRAM = """
import os, subprocess, sys
from zenctl.runner.masking import masked
print("before tok-123456")
with masked(["tok-123456"]):
    print("python tok-123456")
    os.write(1, b"split tok-1"); os.write(1, b"23456 tok\\n")
    subprocess.run(["echo", "child tok-123456"])
    print("error tok-123456", file=sys.stderr)
    {end}
print("after")
"""


def test_a_value_in_pieces_is_hidden_and_nothing_else_is_lost() -> None:
    mask = Mask(["abcabd", "xyz1"])
    shown = b"".join(mask.feed(bytes([byte])) for byte in b"1 abcabcabd xyz xyz1 ab") + mask.rest()
    assert shown == b"1 abc(sensitive value) xyz (sensitive value) ab"


@pytest.mark.parametrize(("end", "code", "last"), [("pass", 0, "after\n"), ("sys.stderr.flush(); os._exit(7)", 7, "")])
def test_what_a_process_and_its_children_print(end: str, code: int, last: str) -> None:
    command = [sys.executable, "-u", "-c", PROGRAM.replace("{end}", end)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False
    )
    assert done.returncode == code
    hidden = "(sensitive value)"
    assert done.stdout == (
        f"before tok-123456\npython {hidden}\nsplit {hidden} tok\nchild {hidden}\nerror {hidden}\n{last}"
    )
