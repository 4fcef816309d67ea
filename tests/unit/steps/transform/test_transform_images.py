"""Images in a transform: exact pixels, the same in a step, on Beam and in a served model; what cannot be decoded."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zenctl.jobs.artifacts import scan_folder
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.artifacts import output_type
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.transform import run as running
from zenctl.steps.transform.applying import apply
from zenctl.steps.transform.fitting import fit
from zenctl.steps.transform.images import pixel_column
from zenctl.steps.transform.keras_layers import Transform, signature
from zenctl.steps.transform.pixels import pixel_matrix
from zenctl.steps.transform.run import transform
from zenctl.steps.transform.schema import FeatureRule
from zenctl.steps.transform.state import ImageForm, TransformState, read_state
from zenctl_beam.direct import DirectProcessing

OUTPUTS = {"train": "Dataset", "transform": "Transform"}
RULE = {"method": "image", "height": 4, "width": 5}

GIF = bytes.fromhex(
    # Two frames of one pixel: the first is red, the second blue.
    "47494638396101000100910000ff00000000ff0000000000002c000000000100010000020244010021f90400000000002c"
    "00000000010001000002024c01003b"
)


def png(pixels: Any) -> bytes:
    """A PNG file of uint8 [height, width, 1 or 3]."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return file.getvalue()


def bmp(pixels: Any) -> bytes:
    """A BMP file of uint8 [height, width, 3]."""
    height, width, _ = pixels.shape
    pad = bytes(-3 * width % 4)
    rows = b"".join(pixels[row, :, ::-1].tobytes() + pad for row in reversed(range(height)))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def noise(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def decoded(data: bytes | None, form: ImageForm) -> Any:
    column = pixel_column(pa.array([data], pa.binary()), form)
    return pixel_matrix(column, form, "image").reshape(form.height, form.width, form.channels)


def weights(size: int, wanted: int, resize: str) -> list[list[Fraction]]:
    """How much of each old pixel is in each new one, along one side: what the words of the documentation say."""
    found = []
    for at in range(wanted):
        row = [Fraction(0)] * size
        start, end = Fraction(at * size, wanted), Fraction((at + 1) * size, wanted)
        middle = (start + end) / 2
        if resize == "nearest":
            row[int(middle)] = Fraction(1)
        elif size >= wanted:
            for old in range(size):
                row[old] = max(Fraction(0), min(end, old + 1) - max(start, old)) / (end - start)
        else:
            place = min(max(middle - Fraction(1, 2), Fraction(0)), Fraction(size - 1))
            low = int(place)
            row[low] += 1 - (place - low)
            row[min(low + 1, size - 1)] += place - low
        found.append(row)
    return found


def expected(pixels: Any, form: ImageForm) -> Any:
    down = weights(pixels.shape[0], form.height, form.resize)
    along = weights(pixels.shape[1], form.width, form.resize)
    made = np.zeros((form.height, form.width, pixels.shape[2]), np.uint8)
    for row, column, colour in np.ndindex(*made.shape):
        exact = sum(
            (
                a * b * int(pixels[y, x, colour])
                for y, a in enumerate(down[row])
                for x, b in enumerate(along[column])
                if a and b
            ),
            Fraction(0),
        )
        made[row, column, colour] = int(exact + Fraction(1, 2))
    return made


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("form", [ImageForm(4, 5), ImageForm(3, 3, 3, "nearest")], ids=lambda form: form.resize)
def test_pixels_are_exact_whether_an_image_shrinks_or_grows(
    form: ImageForm, height: int, width: int, seed: int
) -> None:
    pixels = noise(height, width, seed)
    assert (decoded(png(pixels), form) == expected(pixels, form)).all()


def test_formats_give_the_same_pixels_and_grey_is_luminance() -> None:
    pixels, form = noise(8, 6), ImageForm(8, 6)
    assert (decoded(png(pixels), form) == pixels).all()
    assert (decoded(bmp(pixels), form) == pixels).all()
    exact = (pixels.astype(int) @ [299, 587, 114] + 500) // 1000
    assert (decoded(bmp(pixels), ImageForm(8, 6, 1))[:, :, 0] == exact).all()
    grey = pixels[:, :, :1]
    assert (decoded(png(grey), form) == grey).all()
    assert (decoded(GIF, ImageForm(2, 1)) == [255, 0, 0]).all(), "the first frame"
    photo = tf.io.encode_jpeg(pixels, quality=95).numpy()
    jpeg = tf.io.decode_jpeg(photo, dct_method="INTEGER_ACCURATE").numpy()
    assert (decoded(photo, form) == jpeg).all()
    assert not decoded(None, form).any()


def images(rows: int) -> list[bytes | None]:
    made: list[bytes | None] = [png(noise(3 + at % 5, 2 + at % 7, at)) for at in range(rows)]
    made[1], made[2] = tf.io.encode_jpeg(noise(9, 11)).numpy(), bmp(noise(6, 2))
    made[3] = None
    return made


def fitted(rule: dict[str, Any], table: Any) -> TransformState:
    return fit(table.to_batches(), {"image": FeatureRule.model_validate(rule)}, label="label")


@pytest.mark.parametrize("rule", [RULE, {**RULE, "channels": 1, "resize": "nearest"}])
def test_a_served_model_sees_the_very_pixels_that_training_saw(rule: dict[str, Any], tmp_path: Path) -> None:
    files = images(12)
    table = pa.table({"image": pa.array(files, pa.binary()), "label": ["a", "b"] * 6})
    state = fitted(rule, table)
    batch = table.to_batches()[0]
    trained = pixel_matrix(apply(state, batch).column("image"), state.features[0].image, "image")  # type: ignore[arg-type]
    module = tf.Module()
    layer = Transform(state)
    module.serve = tf.function(layer.call, input_signature=[signature(state)], autograph=False)
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    for rows in ([12], [5, 7]):
        at, parts = 0, []
        for count in rows:
            parts.append(served(image=tf.constant([file or b"" for file in files[at : at + count]]))["image"].numpy())
            at += count
        assert (np.concatenate(parts) == trained).all()
    assert TransformState.from_json(state.to_json()) == state
    assert '"format": 3' in state.to_json()


def test_the_step_writes_pixels_and_leaves_rows_without_an_image_out(run_step: Any) -> None:
    data = {
        "image": pa.array(images(6), pa.binary()),
        "label": ["a", "b"] * 3,
        "path": [f"{at}.png" for at in range(6)],
    }
    settings = {"label": "label", "exclude": ["path"], "features": {"image": {**RULE, "missing": "drop_row"}}}
    ran = run_step(transform, {"train": data}, OUTPUTS, **settings)
    made = ran.artifact("train")
    assert made.schema.types == {"image": "bytes", "label": "string"}
    assert made.num_rows == 5
    assert {len(row["image"]) for row in made} == {60}
    state = read_state(ran.outputs["transform"].path)
    assert state.features[0].image == ImageForm(4, 5)
    assert state.features[0].example == ""


def test_a_transform_without_images_is_written_as_before() -> None:
    text = fit(pa.table({"x": pa.array([1.0, 2.0], pa.float32())}).to_batches(), {}).to_json()
    assert '"format": 2' in text
    assert "image" not in text


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"no image at all", "it is no image"),
        (png(noise(9, 9))[:60], "the PNG image is damaged"),
        (tf.io.encode_jpeg(noise(9, 9)).numpy()[:40], "the JPEG image is damaged"),
        (b"RIFF\x04\0\0\0WEBPVP8 ", "it is a WebP image, which served models cannot decode: make it PNG or JPEG"),
    ],
)
def test_a_broken_image_is_told_with_its_row(
    run_step: Any, monkeypatch: pytest.MonkeyPatch, file: bytes, why: str
) -> None:
    monkeypatch.setattr(running, "IMAGE_BYTES", 120)
    files = [*images(7), file, png(noise(2, 2))]
    data = {"image": pa.array(files, pa.binary()), "path": [f"cat/{at}.png" for at in range(9)]}
    with pytest.raises(StepError) as caught:
        run_step(transform, {"train": data}, OUTPUTS, exclude=["path"], features={"image": RULE})
    assert caught.value.message.startswith(f'column "image" of input "train", row 8 (cat/7.png): {why}')
    assert "{{" not in caught.value.message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"method": "image", "height": 4}, "needs a height and a width"),
        ({"method": "image", "height": 4, "width": 0}, "greater than or equal to 1"),
        ({"method": "z_score", "height": 4}, 'height is of images: say method = "image"'),
        ({**RULE, "fill": 0.0}, "nothing fills an image"),
        ({**RULE, "channels": 2}, "1 or 3"),
    ],
)
def test_rules_that_make_no_sense(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FeatureRule.model_validate(rule)


def test_columns_that_are_no_images_and_images_without_a_rule() -> None:
    table = pa.table({"image": pa.array([b"x"], pa.binary()), "x": pa.array([1.0], pa.float32())})
    with pytest.raises(StepError, match='"image" holds bytes') as caught:
        fit(table.to_batches(), {})
    assert 'method = "image", height = 64' in caught.value.hint
    with pytest.raises(StepError, match='"x" holds no bytes'):
        fit(table.select(["x"]).to_batches(), {"x": FeatureRule.model_validate(RULE)})
    with pytest.raises(StepError, match="does not hold images of 4 x 5 pixels in colour"):
        pixel_matrix(table.column("image").combine_chunks(), ImageForm(4, 5), "image")


def test_both_compositions_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    source = DatasetOutput(tmp_path / "train", "train", cutter=Cutter(4000, 3000, 9000))
    source.write(pa.table({"image": pa.array(images(120), pa.large_binary()), "label": ["a", "b", "c"] * 40}))
    source.close()
    params = {"label": "label", "features": {"image": RULE}, "fit_on": "", "exclude": []}
    digests = {}
    for way, processing in {"process": {}, "beam": DirectProcessing().options()}.items():
        made = {}
        for name, kind in OUTPUTS.items():
            (tmp_path / way / name).mkdir(parents=True)
            made[name] = output_type(kind)(tmp_path / way / name, name, kind)
        scratch = tmp_path / way / "scratch"
        scratch.mkdir()
        inputs = {"train": Dataset(tmp_path / "train", "train")}
        transform(Job(inputs, made, params, processing=processing, scratch=scratch))
        for output in made.values():
            output.close()
        digests[way] = {name: scan_folder(output.path).digest for name, output in made.items()}
    assert digests["process"] == digests["beam"]
