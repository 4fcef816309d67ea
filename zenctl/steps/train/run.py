"""Runs the step `train`: reads, trains, exports, and writes metrics and history."""

from __future__ import annotations

import json

from zenctl.sdk import Job
from zenctl.steps.train.data import prepare, read_eval, read_train
from zenctl.steps.train.schema import TrainSettings
from zenctl.steps.transform.log import log, prepare_tensorflow
from zenctl.steps.transform.state import read_state

HISTORY_FILE = "history.json"
"""The one file of a History artifact: {"loss": [0.9, 0.4], "accuracy": [...], "eval_loss": [...]}, a value an epoch."""


def train(job: Job) -> None:
    """Write `model`, `metrics` and `history`. Raises StepError for bad data."""
    settings = TrainSettings.model_validate(dict(job.params))
    given = read_state(job.inputs["transform"].path) if "transform" in job.inputs else None
    state = prepare(job.inputs["train"], given, settings.label, settings.features)
    table, target = read_train(job.inputs["train"], state, settings.label, settings.task, transformed=given is not None)
    evaluation = None
    if "eval" in job.inputs:
        evaluation = read_eval(job.inputs["eval"], state, target, transformed=given is not None)
    log(f"{target.task} of {target.label}: {table.rows} rows, {len(state.features)} features")
    # Bad data is found before TensorFlow is loaded, which takes seconds where it is not warm.
    prepare_tensorflow()
    from zenctl.steps.train.export import export
    from zenctl.steps.train.network import build, fit_network, make_deterministic

    make_deterministic(settings.seed, settings.threads)
    network = build(state, target, settings)
    job.progress(0, settings.epochs, "epochs")
    trained = fit_network(network, table, evaluation, target, settings, job.progress)
    export(trained.network, state, target, job.outputs["model"].path)
    epochs = len(trained.history["loss"])
    job.outputs["metrics"].log(**trained.metrics, epochs=epochs, rows=table.rows)
    history = json.dumps(trained.history, indent=2, sort_keys=True)
    (job.outputs["history"].path / HISTORY_FILE).write_text(history + "\n", encoding="utf-8")
