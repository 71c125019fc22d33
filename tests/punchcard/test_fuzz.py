"""Whatever is sent, the server answers, and never that it has failed.

Schemathesis does the same with what the OpenAPI document tells of: this is the rest, as trainers'
arguments, what Python writes as JSON and is none, and paths of which there is no route.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distkeras.job_deployment.submission import new_key
from distkeras.trainers import TRAINERS
from tests.punchcard.served import Server, secret_of

SHARED = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(exclude_categories=()))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
#: Arguments that trainers know, with values that they do not.
ARGUMENTS = st.dictionaries(
    st.sampled_from(
        [
            "num_epoch",
            "batch_size",
            "num_workers",
            "learning_rate",
            "class_weight",
            "loss",
            "metrics",
            "rho",
            "momentum",
            "communication_window",
            "worker_optimizer",
            "features_col",
            "label_col",
            "seed",
            "loss_weights",
            "sample_weight_col",
            "parallelism_factor",
            "memory_mb",
            "max_prefetch",
            "timeout",
            "kappa",
        ]
    ),
    VALUES | st.fixed_dictionaries({"class_name": VALUES, "module": VALUES, "config": VALUES}),
    max_size=4,
)


#: One for all, as each reads all certificates that the system trusts.
CLIENT = httpx.Client(timeout=60.0)


def ask(server: Server, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret_of('ann')}", "Idempotency-Key": new_key()}
    headers["Content-Type"] = "application/json"  # Otherwise the body is not even parsed.
    url = f"{server.url}/api/v1/{path}"
    answer = CLIENT.request(method, url, headers=headers, **more)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert list(answer.json()) == ["error"]
        assert answer.text.count("\n") == 1
        assert len(answer.json()["error"]) <= 500
    return answer


def text(value: Any) -> bytes:
    """As Python writes it: with Infinity, which is no JSON, and with half characters."""
    return json.dumps(value).encode()


@SHARED
@given(st.data())
def test_any_json(shared_server: Server, data: st.DataObject) -> None:
    base = shared_server.values("quick", model={"sha256": "0" * 64, "bytes": 1})
    key = data.draw(st.sampled_from([*base, "master", "num_executors", "executor_memory_mb"]))
    answer = ask(shared_server, "POST", "jobs", content=text({**base, key: data.draw(VALUES)}))
    if answer.status_code == 201:
        ask(shared_server, "POST", f"jobs/{answer.json()['id']}/cancel")


@SHARED
@given(st.sampled_from([*TRAINERS, "EnsembleTrainer"]), ARGUMENTS)
def test_any_arguments(shared_server: Server, name: str, arguments: dict[str, Any]) -> None:
    trainer = {"name": name, "arguments": arguments}
    model = {"sha256": "0" * 64, "bytes": 1}
    body = shared_server.values("quick", model=model, trainer=trainer)
    answer = ask(shared_server, "POST", "jobs", content=text(body))
    if answer.status_code == 201:
        ask(shared_server, "POST", f"jobs/{answer.json()['id']}/cancel")


#: Keys of a preprocessing, with values that they do not know.
PARTS = {
    "sources": ("events", "path", "format", "header", "separator", "columns"),
    "missing": ("values", "strategy", "constant"),
    "categorical": ("columns", "encoding", "unseen"),
    "label": ("column", "kind"),
    "split": ("method", "test", "seed", "stratify", "column", "test_values", "test_from"),
}
PREPROCESS = st.fixed_dictionaries(
    {"label": st.fixed_dictionaries({"column": TEXTS}) | VALUES},
    optional={
        name: VALUES | st.dictionaries(st.sampled_from(keys), VALUES | TEXTS, max_size=3)
        for name, keys in PARTS.items()
        if name != "label"
    }
    | dict.fromkeys(("numeric", "drop", "scale"), st.lists(TEXTS, max_size=3) | VALUES),
)


@SHARED
@given(PREPROCESS)
def test_any_preprocessing(shared_server: Server, preprocess: dict[str, Any]) -> None:
    source = {"path": str(shared_server.data), "format": "csv"}
    spec = {"sources": {"events": source}, **preprocess}
    model = {"sha256": "0" * 64, "bytes": 1}
    body = shared_server.values("quick", model=model, data_path=None, preprocess=spec)
    answer = ask(shared_server, "POST", "jobs", content=text(body))
    if answer.status_code == 201:
        # Read from the table, which has it as JSON; this model is refused, and the job forgotten.
        ask(shared_server, "PUT", f"jobs/{answer.json()['id']}/model", content=b"x")


@SHARED
@given(st.binary(max_size=200))
def test_any_bytes(shared_server: Server, body: bytes) -> None:
    ask(shared_server, "POST", "jobs", content=body)
    ask(shared_server, "PUT", "jobs/0123456789abcdef/model", content=body)


@SHARED
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_path(shared_server: Server, path: str) -> None:
    ask(shared_server, "GET", quote(path))
    ask(shared_server, "GET", f"jobs/{quote(path)}/results/{quote(path)}")
