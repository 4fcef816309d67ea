def read(text):
    return split(text, ",")


def split(text, by):
    return text.split(by)


def write(rows):
    return ",".join(rows)
