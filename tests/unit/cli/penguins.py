"""A plan in which every action occurs, with unknown, sensitive and unchanged attributes."""

from __future__ import annotations

from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, OutputChange, Plan

OLD, NEW = "ab12" * 16, "cd34" * 16
WAITS = ReasonCode.UPSTREAM_PENDING
REMOVED = Reason(ReasonCode.REMOVED, "is no longer in the configuration")
PARAMS = {"epochs": 5, "layers": [16, 8], "token": {"sensitive": "x"}}
CHANGES = (
    Change(
        DatasourceAddr("csv", "penguins"),
        Action.RUN,
        (Reason(ReasonCode.DATA_CHANGED, "344 -> 345 rows, 15,240 -> 15,300 bytes", {"rows_after": 345}),),
        before={"type": "datasource.csv/1", "params": {"header": True}, "outputs": {"data": OLD}},
        after={"type": "datasource.csv/1", "params": {"header": True}, "outputs": {"data": None}},
        after_unknown=("outputs.data",),
    ),
    Change(
        StepAddr("split", "penguins"),
        Action.MAY_RUN,
        (Reason(WAITS, "waits for datasource.csv.penguins"),),
        before={"params": {"seed": 7}, "inputs": {"data": OLD}},
        after={"params": {"seed": 7}, "inputs": {"data": None}},
        after_unknown=("inputs.data",),
        depends_on=("datasource.csv.penguins",),
    ),
    Change(
        StepAddr("python", "fit"),
        Action.RUN,
        (
            Reason(ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10", {"path": "params.epochs"}),
            Reason(ReasonCode.CODE_CHANGED, "steps/fit.py changed"),
        ),
        before={
            "type": "python/1",
            "code": "steps/fit.py:fit",
            "params": PARAMS,
            "inputs": {"train": OLD, "eval": NEW},
            "outputs": {"model": OLD},
        },
        after={
            "type": "python/1",
            "code": "steps/fit.py:fit",
            "params": {**PARAMS, "epochs": 10},
            "inputs": {"train": OLD, "eval": None},
            "outputs": {"model": None},
        },
        after_unknown=("inputs.eval", "outputs.model"),
        sensitive=("params.token",),
        depends_on=("step.split.penguins",),
    ),
    Change(
        StepAddr("statistics", "penguins"),
        Action.RUN,
        (Reason(ReasonCode.NEVER_RAN, "has never run"),),
        after={
            "type": "statistics/1",
            "params": {"buckets": 10, "note": {"unknown": "string"}},
            "inputs": {"data": OLD},
            "outputs": {"statistics": None, "schema": None},
        },
        after_unknown=("params.note", "outputs.statistics", "outputs.schema"),
    ),
    Change(
        StepAddr("transform", "penguins"),
        Action.REUSE,
        (Reason(ReasonCode.RECORDED_ELSEWHERE, "REUSE from workspace pr-42, apply 17"),),
        after={"type": "transform/1", "params": {}, "outputs": {"t": OLD}},
        fingerprint=NEW,
        execution_id=7,
    ),
    Change(StepAddr("evaluate", "penguins"), Action.NO_OP, before={"params": {}}, after={"params": {}}),
    Change(StepAddr("python", "old"), Action.FORGET, (REMOVED,), before={"params": {}}),
    Change(
        EndpointAddr("local", "penguins"),
        Action.UPDATE,
        (Reason(WAITS, "waits for step.python.fit"),),
        before={"model": OLD, "port": 8501},
        after={"model": None, "port": 8501},
        after_unknown=("model",),
    ),
    Change(
        EndpointAddr("local", "other"),
        Action.REPLACE,
        (Reason(ReasonCode.CONFIG_CHANGED, "port: 8501 -> 8502"),),
        before={"model": OLD, "port": 8501},
        after={"model": OLD, "port": 8502},
    ),
    Change(
        EndpointAddr("local", "blue"),
        Action.REPLACE,
        (Reason(ReasonCode.CONFIG_CHANGED, "port: 8504 -> 8505"),),
        before={"model": OLD, "port": 8504},
        after={"model": OLD, "port": 8505},
        create_first=True,
    ),
    Change(
        EndpointAddr("local", "gone", key="a b"),
        Action.DELETE,
        (REMOVED,),
        before={"model": OLD, "port": 8501},
    ),
    Change(
        EndpointAddr("local", "first"),
        Action.CREATE,
        (Reason(ReasonCode.NEVER_RAN, "does not exist yet"),),
        after={"model": None, "port": 8503},
        after_unknown=("model",),
    ),
)
OUTPUTS = (
    OutputChange("accuracy", 0.91, None, unknown=True),
    OutputChange("url", None, "http://127.0.0.1:8501"),
    OutputChange("key", "secret one", "secret two", sensitive=True),
    OutputChange("same", 1, 1),
)

PLAN = Plan("penguins", "default", 4, "2026-11-24T00:00:00Z", "0.1.0", CHANGES, OUTPUTS, variables={"epochs": 10})
