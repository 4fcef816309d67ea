"""The block `step "validate"`: what is expected of data, in blocks or in a file kept with the configuration."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute

SCHEMA_FORMAT = 1
"""Version of the form of a schema file."""

FeatureType = Literal["int", "float", "string", "bytes"]


class Expectation(BlockModel):
    """What is expected of one column. What is left out is not checked."""

    type: FeatureType | None = attribute(
        "int, float, string or bytes. Whole numbers pass where float is expected, as everywhere.", default=None
    )
    presence: Literal["required", "optional"] | None = attribute(
        "required: every row has a value (NaN is none). optional: values may be missing. The column must be there in "
        "any case. Default: required, or optional where max_missing is given.",
        default=None,
    )
    max_missing: float | None = attribute(
        "Share of the rows, from 0 to 1, that may have no value.", default=None, ge=0, le=1
    )
    min: int | float | None = attribute("Least value that passes.", default=None)
    max: int | float | None = attribute("Greatest value that passes.", default=None)
    domain: list[str | int] | None = attribute("Every value that passes: texts or whole numbers.", default=None)
    pattern: str | None = attribute("A regular expression (RE2) that a whole text must match.", default=None)

    @model_serializer(mode="wrap")
    def _what_is_said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plans and records show what is expected, and not all that might be."""
        return {name: value for name, value in whole(self).items() if value is not None}

    @model_validator(mode="after")
    def _consistent(self) -> Expectation:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no value passes: min {self.min:g} is above max {self.max:g}")
        if self.domain is not None and not self.domain:
            raise ValueError("domain is empty: no value passes")
        if self.presence == "required" and self.max_missing:
            raise ValueError("presence = required allows no missing value, and max_missing some: give one of them")
        if self.pattern is not None:
            _check_pattern(self.pattern)
        return self


class SchemaDocument(BlockModel):
    """A schema file: `zenctl state schema ADDRESS` writes one. A schema.json of the step `statistics` passes, too."""

    format: int = Field(SCHEMA_FORMAT, description="Version of the file's form.", ge=1, le=SCHEMA_FORMAT)
    features: dict[str, Expectation] = Field(description="What is expected of each column, by name.")

    @field_validator("features", mode="before")
    @classmethod
    def _by_name(cls, features: Any) -> Any:
        if not isinstance(features, list):
            return features
        return {feature["name"]: {k: v for k, v in feature.items() if k != "name"} for feature in features}


# pydantic has an old method of this name, which nobody calls; the attribute's name is the field's own.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message='Field name "schema"')

    class ValidateSettings(BlockModel):
        """The attributes that a job is told."""

        schema: SchemaDocument | str | None = attribute(  # type: ignore[assignment]
            'What is expected, as a text in JSON: file("schemas/penguins.json"). `zenctl state schema ADDRESS` writes '
            "one from what is recorded of a dataset.",
            default=None,
        )
        feature: dict[str, Expectation] = attribute(
            'What is expected of a column: feature "mass" { min = 0 }. Goes before the same in `schema`, attribute by '
            "attribute.",
            default={},
        )
        new_columns: Literal["refuse", "allow"] | None = attribute(
            "Whether a column that the schema does not name is an anomaly. Default: refuse if there is a schema, allow "
            "if there are `feature` blocks only.",
            default=None,
        )
        min_rows: int = attribute("Fewer rows than this are an anomaly.", default=1, ge=0)
        unique: list[str] = attribute(
            "Columns that together are a key: rows that agree in all of them are an anomaly.", default=[]
        )
        on_anomaly: Literal["fail", "warn", "quarantine"] = attribute(
            "fail: the step fails. warn: it writes anomalies, and the data passes as it is. quarantine: rows with "
            "values that do not pass go to the output `quarantine`, the others to `data`; what concerns the data as a "
            "whole (a column, a share, the number of rows) fails.",
            default="fail",
        )
        examples: Annotated[int, Field(ge=0, le=100)] = attribute(
            "How many values that do not pass are shown for each anomaly.", default=5
        )

        @field_validator("schema", mode="before")
        @classmethod
        def _parsed(cls, schema: Any) -> Any:
            if not isinstance(schema, str):
                return schema
            try:
                document = json.loads(schema)
            except ValueError as error:
                raise ValueError(
                    f'schema is not JSON ({error}): write schema = file("schemas/NAME.json"), its content'
                ) from None
            if not isinstance(document, dict):
                raise ValueError("schema must be a JSON object with features")
            return document

        @property
        def document(self) -> SchemaDocument | None:
            """The schema file's content."""
            return self.schema if isinstance(self.schema, SchemaDocument) else None


class Validate(ValidateSettings):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("data, and optionally schema: what a step statistics gave.")

    @model_validator(mode="after")
    def _something_is_expected(self) -> Validate:
        if self.schema is not None and "schema" in self.inputs:
            raise ValueError("schema: give it as an attribute or among inputs, not both")
        if self.schema is None and "schema" not in self.inputs and not self.feature and not self.unique:
            raise ValueError(
                'nothing is expected of the data: give schema = file("schemas/NAME.json"), which `zenctl state schema '
                'ADDRESS > schemas/NAME.json` writes from recorded data, or feature "NAME" {} blocks'
            )
        return self


def _check_pattern(pattern: str) -> None:
    re2: Any = importlib.import_module("re2")  # few configurations need it
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise ValueError(f"pattern is no regular expression: {error}") from None


def _outputs(attributes: Mapping[str, Any]) -> dict[str, OutputDecl]:
    outputs = {
        "data": OutputDecl("Dataset", "the rows that pass; the same artifact if that is all of them"),
        "anomalies": OutputDecl("Anomalies", "anomalies.json: what was found, with counts and examples"),
    }
    if attributes.get("on_anomaly") == "quarantine":
        outputs["quarantine"] = OutputDecl("Dataset", "the rows that do not pass")
    return outputs


VALIDATE = StepType(
    name="validate",
    description="Hold data against a schema: columns, types, missing values, ranges, domains, keys.",
    model=Validate,
    inputs={
        "data": InputDecl(("Dataset",), description="the rows to check"),
        "schema": InputDecl(("Schema",), required=False, description="what is expected, of a step statistics"),
    },
    outputs=_outputs,
    implementation="zenctl.steps.validate.run:validate",
    imports=("numpy", "pyarrow"),
    mlmd_type="Process",
)
