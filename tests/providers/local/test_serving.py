"""What the model server answers: TensorFlow Serving's REST API over a model that computes with NumPy."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.measuring import PATIENCE
from zenctl_local.serving_app import TOKEN_HEADER, Served, build_app
from zenctl_local.serving_model import (
    MISSING,
    LoadedModel,
    SignatureInfo,
    TensorInfo,
    UnreadableModel,
    find_model,
    first_words,
)
from zenctl_local.serving_tensors import BadRequest, predict

INT_MISSING = MISSING["int64"]


def signature(call: Any, outputs: tuple[str, ...], **inputs: TensorInfo) -> SignatureInfo:
    return SignatureInfo(inputs, {name: TensorInfo("float32", None) for name in outputs}, call)


def penguins(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"mass": arrays["length"] * 2, "island": arrays["island"], "year": arrays["year"]}


COLUMNS = {"length": TensorInfo("float32", (None,)), "island": TensorInfo("string", (None,))}
COLUMNS["year"] = TensorInfo("int64", (None,))
RAW = signature(penguins, ("mass", "island", "year"), **COLUMNS)
MATRIX = signature(lambda a: {"sum": a["x"].sum(axis=1)}, ("sum",), x=TensorInfo("float32", (None, 3)))
MODEL = LoadedModel(
    "a1", 1, {"serving_default": RAW, "matrix": MATRIX}, {"length": math.nan, "island": "", "year": INT_MISSING}
)
STRICT = LoadedModel("a1", 1, {"serving_default": RAW})
ROW = {"length": 2.5, "island": "Biscoe", "year": 2007}


def answer_or_problem(body: Any) -> str:
    try:
        return json.dumps(predict(MODEL, body), allow_nan=False)
    except BadRequest as problem:
        return str(problem)


@pytest.fixture
def client() -> TestClient:
    served = Served("penguins")
    served.model, served.loading = MODEL, None
    return TestClient(
        build_app(served, Path("/nowhere"), token="secret", max_body=10_000), raise_server_exceptions=False
    )


class TestPredict:
    def test_rows(self) -> None:
        body = {"signature_name": "serving_default", "instances": [ROW, {**ROW, "length": [3], "year": 2008.0}]}
        first = {"mass": 5.0, "island": "Biscoe", "year": 2007}
        assert predict(MODEL, body) == {"predictions": [first, {**first, "mass": 6.0, "year": 2008}]}

    def test_columns(self) -> None:
        body = {"inputs": {"length": [1, [2.0]], "island": ["a", "ü"], "year": [1, 2]}}
        assert predict(MODEL, body) == {"outputs": {"mass": [2.0, 4.0], "island": ["a", "ü"], "year": [1, 2]}}

    def test_one_input_and_one_output_need_no_names(self) -> None:
        rows = {"signature_name": "matrix", "instances": [[1, 2, 3], {"x": [4, 5, 6]}]}
        assert predict(MODEL, rows) == {"predictions": [6.0, 15.0]}
        assert predict(MODEL, {"signature_name": "matrix", "inputs": [[1, 2, 3]]}) == {"outputs": [6.0]}

    @pytest.mark.parametrize("row", [{"length": None, "island": "x"}, {"island": "x", "year": None}])
    def test_null_and_absent_are_missing_values_where_the_card_knows_them(self, row: dict[str, Any]) -> None:
        answer = predict(MODEL, {"instances": [row]})["predictions"][0]
        assert answer == {"mass": None, "island": "x", "year": INT_MISSING}
        columns = {name: [value] for name, value in row.items()}
        assert predict(MODEL, {"inputs": columns})["outputs"]["year"] == [INT_MISSING]

    def test_bytes(self) -> None:
        answer = predict(MODEL, {"instances": [{**ROW, "island": {"b64": "//4="}}, {**ROW, "island": {"b64": "YQ=="}}]})
        assert [row["island"] for row in answer["predictions"]] == [{"b64": "//4="}, "a"]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ([], "must be an object"),
            ({}, 'either "instances" (rows) or "inputs"'),
            ({"instances": [ROW], "inputs": {}}, "either"),
            ({"instance": [ROW]}, 'Did you mean "instances"?'),
            ({"instances": []}, "at least one row"),
            ({"instances": [ROW], "signature_name": "matrx"}, 'Did you mean "matrix"?'),
            ({"instances": [3]}, "instances[0] must be an object with the features length"),
            ({"instances": [ROW, {}]}, "instances[1] has no feature"),
            ({"instances": [{"lenght": 1}]}, 'unknown feature "lenght". Did you mean "length"?'),
            (
                {"instances": [ROW, {**ROW, "length": "x"}]},
                'instances[1]: feature "length" must be a number, not the text',
            ),
            ({"instances": [{**ROW, "length": True}]}, 'feature "length" must be a number, not true'),
            ({"instances": [{**ROW, "year": 1.5}]}, "must be a whole number, not 1.5"),
            ({"instances": [{**ROW, "year": 2**70}]}, "does not fit int64"),
            ({"instances": [{**ROW, "island": 3}]}, 'feature "island" must be a text, not 3'),
            ({"instances": [{**ROW, "island": {"b64": "?"}}]}, "not valid base64"),
            ({"instances": [{**ROW, "island": "\ud800"}]}, 'feature "island" is no text: it holds half a character'),
            ({"instances": [{**ROW, "length": [1, 2]}]}, "wrong shape: the model takes one value a row, not [2]"),
            ({"instances": [[1, 2]], "signature_name": "matrix"}, "the model takes [3] a row, not [2]"),
            ({"instances": [[1, 2, None]], "signature_name": "matrix"}, "must be a number, not null"),
            ({"instances": [{**ROW, "length": 1e39}]}, "does not fit float32"),
            ({"instances": [{**ROW, "length": 10**400}]}, "does not fit float32"),
            ({"inputs": {"length": 1}}, "must be a list with one value a row"),
            ({"inputs": {"length": [1], "year": [1, 2]}}, '"year" has 2 values, but "length" has 1'),
        ],
    )
    def test_bad_requests_say_what_is_wrong(self, body: Any, said: str) -> None:
        with pytest.raises(BadRequest) as problem:
            predict(MODEL, body)
        assert said in str(problem.value)

    @pytest.mark.parametrize("row", [{"length": 1, "year": 1}, {**ROW, "island": None}])
    def test_a_model_without_a_card_needs_every_feature(self, row: dict[str, Any]) -> None:
        with pytest.raises(BadRequest, match=r'instances\[0\]: feature "island" is (missing|null)'):
            predict(STRICT, {"instances": [row]})
        with pytest.raises(BadRequest, match='feature "island"'):
            predict(STRICT, {"inputs": {name: [value] for name, value in row.items()}})

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3), st.lists))
    def test_any_value_is_an_answer_or_a_bad_request(self, value: Any) -> None:
        for name in COLUMNS:
            for body in ({"instances": [{**ROW, name: value}]}, {"inputs": {name: value}}):
                said = answer_or_problem(body)
                assert name in said or '"predictions"' in said or '"outputs"' in said


class TestHttp:
    def test_status(self, client: TestClient) -> None:
        fine = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for path in ("", "/versions", "/versions/1"):
            assert client.get(f"/v1/models/penguins{path}").json() == {"model_version_status": [fine]}
        assert client.get("/v1/models/penguins/versions/2").status_code == 404

    def test_metadata(self, client: TestClient) -> None:
        answer = client.get("/v1/models/penguins/metadata").json()
        assert answer["model_spec"] == {"name": "penguins", "signature_name": "", "version": "1"}
        found = answer["metadata"]["signature_def"]["signature_def"]
        assert found["serving_default"]["inputs"]["island"]["dtype"] == "DT_STRING"
        shape = found["matrix"]["inputs"]["x"]["tensor_shape"]
        assert [size["size"] for size in shape["dim"]] == ["-1", "3"]

    def test_predict(self, client: TestClient) -> None:
        for path in (":predict", "/versions/1:predict"):
            answer = client.post(f"/v1/models/penguins{path}", json={"instances": [ROW]})
            assert (answer.status_code, answer.json()["predictions"][0]["mass"]) == (200, 5.0)

    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "said"),
        [
            ("POST", "penguins:predict", b"{", 400, "not JSON"),
            ("POST", "penguins:predict", b"\xff", 400, "not JSON"),
            ("POST", "penguins:predict", b"[" * 9_999, 400, "not JSON"),
            ("POST", "penguins:predict", b'{"instances": [{"x": 1}]}', 400, 'unknown feature "x"'),
            ("POST", "penguins:predict", b" " * 10_001, 413, "larger than 10000 bytes"),
            ("POST", "pengins:predict", b"{}", 404, 'Did you mean "penguins"?'),
            ("POST", "penguins/versions/3:predict", b"{}", 404, "no version 3"),
            ("GET", "penguins:predict", b"", 405, "POST"),
            ("GET", "penguins:regress", b"", 400, "ask with :predict"),
            ("POST", "penguins:classify", b"{}", 400, "tensorflow/serving/classify"),
            ("POST", "penguins/versions/1:regress", b"{}", 400, "tensorflow/serving/regress"),
            ("POST", "penguins:predct", b"{}", 404, 'Did you mean "predict"?'),
            ("POST", "pengins:classify", b"{}", 404, 'Did you mean "penguins"?'),
            ("GET", "penguins/labels/stable", b"", 404, "Malformed request: GET /v1/models/penguins/labels/stable"),
            ("POST", "penguins/predict", b"{}", 404, "Malformed request: POST /v1/models/penguins/predict"),
            ("POST", "penguins", b"{}", 405, "Not Allowed"),
            ("GET", "other", b"", 404, 'This server serves "penguins"'),
            ("DELETE", "penguins", b"", 405, "Not Allowed"),
        ],
    )
    def test_errors(self, client: TestClient, method: str, path: str, body: bytes, status: int, said: str) -> None:
        answer = client.request(method, f"/v1/models/{path}", content=body)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["error"]

    def test_a_failure_of_the_model_is_the_servers(self) -> None:
        def fail(_: Any) -> Any:
            raise RuntimeError("internal")

        served = Served("m")
        served.model = LoadedModel("a", 1, {"serving_default": signature(fail, ("y",), x=TensorInfo("int64", (None,)))})
        answer = TestClient(build_app(served, Path("/x")), raise_server_exceptions=False).post(
            "/v1/models/m:predict", json={"instances": [1]}
        )
        assert answer.status_code == 500
        assert "log" in answer.json()["error"]

    def test_readiness(self) -> None:
        served = Served("m")
        client = TestClient(build_app(served, Path("/x")))
        assert (client.get("/healthz").status_code, client.get("/healthz").json()["ready"]) == (503, False)
        assert client.get("/v1/models/m").json()["model_version_status"][0]["state"] == "LOADING"
        assert client.post("/v1/models/m:predict", json={}).status_code == 503
        served.model, served.loading = MODEL, None
        assert client.get("/healthz").json()["model_digest"] == MODEL.digest

    def test_readiness_answers_while_a_prediction_runs(self) -> None:
        begun, end = threading.Event(), threading.Event()

        def slow(arrays: Any) -> Any:
            begun.set()
            assert end.wait(PATIENCE)
            return {"y": arrays["x"]}

        served = Served("m")
        served.model = LoadedModel("a", 1, {"serving_default": signature(slow, ("y",), x=TensorInfo("int64", (None,)))})
        answers: list[Any] = []
        with TestClient(build_app(served, Path("/x"))) as client:
            ask = threading.Thread(
                target=lambda: answers.append(client.post("/v1/models/m:predict", json={"instances": [1]}))
            )
            ask.start()
            assert begun.wait(PATIENCE)
            assert client.get("/healthz").status_code == 200
            end.set()
            ask.join(PATIENCE)
        assert answers[0].json() == {"predictions": [1]}

    @pytest.mark.parametrize("token", ["", "wrong", "sécret"])
    def test_the_model_is_changed_with_the_token_only(self, client: TestClient, token: str) -> None:
        headers = {TOKEN_HEADER: token.encode()}
        assert client.post("/-/model", json={"model_digest": "b"}, headers=headers).status_code == 403

    def test_without_a_token_it_cannot_be_changed(self) -> None:
        client = TestClient(build_app(Served("m"), Path("/x")))
        assert client.post("/-/model", json={"model_digest": "b"}, headers={TOKEN_HEADER: ""}).status_code == 403

    @pytest.mark.parametrize(
        ("body", "status"), [({}, 400), ({"model_digest": "../x"}, 400), ({"model_digest": "b2"}, 422)]
    )
    def test_a_change_that_cannot_be(self, client: TestClient, body: Any, status: int) -> None:
        answer = client.post("/-/model", json=body, headers={TOKEN_HEADER: "secret"})
        assert answer.status_code == status
        assert client.get("/healthz").json()["model_digest"] == MODEL.digest
        assert client.get("/healthz").json()["loading"] is False


class TestFindModel:
    def test_where_it_may_be(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableModel, match=r"neither saved_model\.pb nor a \.keras file, but nothing"):
            find_model(tmp_path)
        (tmp_path / "readme.txt").touch()
        with pytest.raises(UnreadableModel, match=r"but readme\.txt"):
            find_model(tmp_path)
        (tmp_path / "export").mkdir()
        (tmp_path / "export" / "saved_model.pb").touch()
        assert find_model(tmp_path) == tmp_path / "export"
        (tmp_path / "a.keras").touch()
        assert find_model(tmp_path) == tmp_path / "a.keras"
        (tmp_path / "b.keras").touch()
        with pytest.raises(UnreadableModel, match=r"several models: a\.keras, b\.keras"):
            find_model(tmp_path)


def test_numbers_that_json_does_not_have_are_null(client: TestClient) -> None:
    answer = client.post("/v1/models/penguins:predict", content=b'{"inputs": {"length": [NaN, -Infinity, 1]}}')
    assert answer.json()["outputs"]["mass"] == [None, None, 2.0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Graph execution error:\n\nDetected at node DecodeJpeg defined at (most recent call last):\n"
            "<stack traces unavailable>\nInvalid JPEG data, size 75\n\t [[{{node DecodeJpeg}}]] [Op:__inference_1]",
            "Invalid JPEG data, size 75",
        ),
        ("{{function_node __inference_1}} Unknown image file format.", "Unknown image file format."),
        ("Graph execution error:", "Graph execution error:"),
        ("", "ValueError"),
    ],
)
def test_what_tensorflow_says_of_a_graph_is_left_out(said: str, told: str) -> None:
    assert first_words(ValueError(said)) == told
