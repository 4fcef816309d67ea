from .csv import split


def read(text):
    return split(text, "\t")


def write(rows):
    return "\t".join(rows)
