from zenctl.sdk import Model, Output


def fit(model: Output[Model], *, size: int) -> None:
    (model.path / "weights.txt").write_text("w" * size)
