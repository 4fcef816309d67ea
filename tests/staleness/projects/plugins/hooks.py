def on_error(error):
    raise RuntimeError(error)


def report(error):
    return on_error(error)


def reset():
    return None
