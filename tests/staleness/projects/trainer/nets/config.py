from dataclasses import asdict, dataclass, field


def seeds():
    return [1, 2]


@dataclass
class Config:
    rate: float = 0.1
    epochs: int = 5
    seeds: list = field(default_factory=seeds)

    def __post_init__(self):
        check(self)

    def as_json(self):
        return asdict(self)

    @property
    def total(self):
        return self.epochs * len(self.seeds)


def check(config):
    if config.rate <= 0:
        raise ValueError(config.rate)


def defaults():
    return {"rate": 0.2, "epochs": 4}


def load(path):
    with open(path) as stream:
        return Config(**parse(stream.read()))


def parse(text):
    return dict(line.split("=") for line in text.splitlines())
