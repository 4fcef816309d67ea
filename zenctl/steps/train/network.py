"""Builds and trains the Keras network. Same settings, rows and seed: same weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.train.data import Table
from zenctl.steps.train.schema import TrainSettings
from zenctl.steps.train.target import Target
from zenctl.steps.transform.log import log
from zenctl.steps.transform.state import Feature, ImageForm, TransformState

SMALL = 8
"""Images of at most so many pixels a side are looked at pixel by pixel; convolutions halve larger ones first."""

FILTERS, MOST_FILTERS = 16, 64
"""Filters of the first convolution, twice as many of the next, and no more than so many."""

Progress = Callable[[float, float, str], None]

MEASURE_ROWS = 4096
"""Rows measured at a time; it bounds memory and changes no result that matters."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with the weights that were kept, their metrics, and every epoch's metrics by name."""

    network: Any
    metrics: dict[str, float]
    history: dict[str, list[float]]


def make_deterministic(seed: int, threads: int) -> None:
    """Seed every generator and let TensorFlow use only operations whose result does not depend on timing.

    Must come before the first operation of the process; later, a change of `threads` has no effect and is logged.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        log(f"TensorFlow is running already: threads = {threads} is ignored")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def build(state: TransformState, target: Target, settings: TrainSettings) -> Any:
    """The network: [numbers [rows, n] float32, indices [rows, m] int32, and uint8 [rows, bytes] of each image] ->
    logits [rows, classes] or [rows, 1].
    """
    floats = [f for f in state.features if f.result == "float32"]
    indexed = [f for f in state.features if f.result == "int64"]
    inputs, parts = [], []
    if floats:
        numbers = keras.Input((sum(len(f.columns) for f in floats),), dtype="float32", name="numbers")
        inputs.append(numbers)
        parts.append(numbers)
    if indexed:
        indices = keras.Input((len(indexed),), dtype="int32", name="indices")
        inputs.append(indices)
        parts.extend(_encode(indices[:, position], feature) for position, feature in enumerate(indexed))
    for number, form in enumerate((f.image for f in state.features if f.image is not None), 1):
        pixels = keras.Input((form.size,), dtype="uint8", name=f"image_{number}")
        inputs.append(pixels)
        parts.append(_look(pixels, form, number))
    values = keras.layers.Concatenate(name="features")(parts) if len(parts) > 1 else parts[0]
    for number, units in enumerate(settings.hidden_layers, 1):
        values = keras.layers.Dense(units, activation=settings.activation, name=f"hidden_{number}")(values)
        if settings.dropout:
            values = keras.layers.Dropout(settings.dropout, name=f"dropout_{number}")(values)
    width = len(target.classes) if target.is_classification else 1
    return keras.Model(inputs, keras.layers.Dense(width, name="output")(values), name="network")


def fit_network(
    network: Any, train: Table, evaluation: Table | None, target: Target, settings: TrainSettings, progress: Progress
) -> Trained:
    """Train, one log line and one report of progress an epoch. Raises StepError if the loss is not finite."""
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    if target.is_classification:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        measured = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    else:
        loss = keras.losses.MeanSquaredError()
        measured = [keras.metrics.RootMeanSquaredError(name="rmse"), keras.metrics.MeanAbsoluteError(name="mae")]
    network.compile(
        optimizers[settings.optimizer](settings.learning_rate),
        loss,
        metrics=measured,
        jit_compile=False,  # compiling costs more than a small network's whole training
    )
    epochs = _Epochs(settings.epochs, target, progress)
    callbacks: list[Any] = [epochs]
    if settings.early_stopping_patience is not None:
        watched = "val_loss" if evaluation else "loss"
        callbacks.append(
            keras.callbacks.EarlyStopping(
                watched, mode="min", patience=settings.early_stopping_patience, restore_best_weights=True
            )
        )
    network.fit(
        train.inputs,
        train.labels,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=(evaluation.inputs, evaluation.labels) if evaluation else None,
        validation_batch_size=MEASURE_ROWS,
        callbacks=callbacks,
        verbose=0,
    )
    metrics = _measure(network, train, target, "")
    if evaluation:
        metrics.update(_measure(network, evaluation, target, "eval_"))
    return Trained(network, metrics, epochs.history)


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs and reports each epoch, and keeps its metrics in the label's units."""

    def __init__(self, epochs: int, target: Target, progress: Progress) -> None:
        super().__init__()
        self.epochs = epochs
        self.target = target
        self.progress = progress
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = {
            name.replace("val_", "eval_"): _in_units(name, float(value), self.target)
            for name, value in (logs or {}).items()
        }
        if not all(math.isfinite(value) for value in values.values()):
            raise StepError(
                f"training diverged: the loss is not a finite number after epoch {epoch + 1}",
                "Lower learning_rate, or look for extreme values among the features.",
            )
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        log(f"epoch {epoch + 1}/{self.epochs}: {text}")
        self.progress(epoch + 1, self.epochs, "epochs")


def _measure(network: Any, table: Table, target: Target, prefix: str) -> dict[str, float]:
    values = network.evaluate(table.inputs, table.labels, batch_size=MEASURE_ROWS, verbose=0, return_dict=True)
    return {prefix + name: _in_units(name, float(value), target) for name, value in values.items()}


def _in_units(name: str, value: float, target: Target) -> float:
    """A metric of the standardised label in the label's own units; its square for the loss, a squared error."""
    if target.is_classification:
        return value
    return value * (target.deviation**2 if name.endswith("loss") else target.deviation)


def _encode(indices: Any, feature: Feature) -> Any:
    """One column of indices [rows] -> [rows, width]."""
    if feature.method in ("one_hot", "bucketise"):
        # Index 0 becomes all zeros: its own weight would never be trained, as training rarely meets unseen values.
        return keras.ops.one_hot(indices - 1, feature.size - 1)
    width = min(32, math.ceil(math.sqrt(feature.size)))
    return keras.layers.Embedding(feature.size, width)(indices)


def _look(pixels: Any, form: ImageForm, number: int) -> Any:
    """Pixels [rows, bytes of an image] -> [rows, width]: convolutions that halve the image until it is small."""
    values = keras.layers.Rescaling(1 / 255, name=f"image_{number}_scaled")(pixels)
    values = keras.layers.Reshape((form.height, form.width, form.channels), name=f"image_{number}_shaped")(values)
    side, filters, layer = max(form.height, form.width), FILTERS, 1
    while side > SMALL:
        name = f"image_{number}_convolution_{layer}"
        values = keras.layers.Conv2D(filters, 3, 2, "same", activation="relu", name=name)(values)
        side, filters, layer = math.ceil(side / 2), min(2 * filters, MOST_FILTERS), layer + 1
    return keras.layers.Flatten(name=f"image_{number}_flat")(values)
