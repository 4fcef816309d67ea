"""Writes a trained network as a SavedModel that takes raw features, with its card; equal models give equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from zenctl.steps.train.card import MODEL_FILE, FeatureCard, ModelCard, OutputCard
from zenctl.steps.train.target import Target
from zenctl.steps.transform.keras_layers import Transform, signature
from zenctl.steps.transform.state import TransformState

FINGERPRINT_FILE = "fingerprint.pb"
"""TensorFlow's own fingerprint, the only file that differs between equal models; loading does not need it."""


def export(network: Any, state: TransformState, target: Target, folder: Path) -> None:
    """Write `saved_model.pb`, `variables/` and `model.json` into an empty folder.

    The signature `serving_default` takes raw features by name, [None] each, and gives for classification `scores`
    [None, classes] (probabilities), `classes` [None, classes] and `class` [None]; for regression `prediction` [None].
    """
    transform = Transform(state)
    serve = _scores(network, transform, state, target)
    module = tf.Module()
    # What the function uses must be reachable from the object that is saved.
    module.variables_of_network = [variable.value for variable in network.variables]
    module.tables = transform.tables
    module.serve = tf.function(serve, input_signature=[signature(state)], autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    (folder / FINGERPRINT_FILE).unlink(missing_ok=True)
    (folder / MODEL_FILE).write_text(card(state, target).to_json(), encoding="utf-8")


def card(state: TransformState, target: Target) -> ModelCard:
    """What the exported model takes and gives."""
    features = tuple(FeatureCard(f.name, f.type, f.example) for f in state.features)
    if not target.is_classification:
        outputs = (OutputCard("prediction", "float32", description=f"predicted {target.label}"),)
        return ModelCard(target.task, target.label, target.type, features, outputs)
    width = (len(target.classes),)
    return ModelCard(
        target.task,
        target.label,
        target.type,
        features,
        (
            OutputCard("class", target.type, description=f"most probable {target.label}"),
            OutputCard("classes", target.type, width, f"every {target.label} known, in the order of scores"),
            OutputCard("scores", "float32", width, "probability of each class"),
        ),
        target.classes,
    )


def _scores(
    network: Any, transform: Transform, state: TransformState, target: Target
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    floats = [name for f in state.features if f.result == "float32" for name in f.columns]
    indexed = [f.name for f in state.features if f.result == "int64"]
    pictured = [f.name for f in state.features if f.image is not None]

    def predict(raw: dict[str, Any]) -> dict[str, Any]:
        columns = transform(raw)
        inputs = []
        if floats:
            inputs.append(tf.stack([columns[name] for name in floats], axis=1))
        if indexed:
            inputs.append(tf.stack([tf.cast(columns[name], tf.int32) for name in indexed], axis=1))
        inputs += [columns[name] for name in pictured]
        logits = network(inputs, training=False)
        if not target.is_classification:
            return {"prediction": logits[:, 0] * target.deviation + target.mean}
        classes = tf.constant(list(target.classes), tf.string if target.type == "string" else tf.int64)
        return {
            "scores": tf.nn.softmax(logits),
            "classes": tf.broadcast_to(classes, tf.shape(logits)),
            "class": tf.gather(classes, tf.argmax(logits, axis=1)),
        }

    return predict
