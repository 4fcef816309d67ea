import re

_SPACE = re.compile(r"\s+")


def strip(text):
    return _SPACE.sub("", text)


def number(text):
    try:
        return int(text)
    except ValueError:
        return fallback(text)


def fallback(text):
    return len(text)


def upper(text):
    return text.upper()


def both(text):
    return upper(strip(text))
