NETS = {}


def register(name):
    def wrap(cls):
        NETS[name] = cls
        return cls

    return wrap


def build(name, config):
    try:
        return NETS[name](config)
    except KeyError:
        raise ValueError(unknown(name)) from None


def unknown(name):
    return f"{name}: {', '.join(sorted(NETS))}"


def names():
    return sorted(NETS)
