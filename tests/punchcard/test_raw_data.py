"""A job whose data is preprocessed first: what it may say, and which data it reaches."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from distkeras.errors import ConfigError, StorageError
from distkeras.job_deployment import Job
from distkeras.job_deployment.submission import described, new_key
from distkeras.preprocessing.spec import PreprocessSpec
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.job_file import JobFile, job_file
from distkeras.punchcard.limits import Limits, check_job
from distkeras.punchcard.submitting import SparkSubmit, job_of
from distkeras.trainers import ADAG
from tests.punchcard.raw import table
from tests.punchcard.served import Server, secret_of, tiny
from tests.punchcard.test_strange_server import with_results


def made(preprocess: Any, **values: Any) -> JobFile:
    model = {"sha256": "0" * 64, "bytes": 1}
    given = {"name": "a job", "trainer": {"name": "ADAG"}, "model": model}
    return job_file({**given, "preprocess": preprocess, **values})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"numeric": ["a"], "drop": ["b"], "missing": {"values": [-999, "NA"]}},
        {"split": {"method": "time", "column": "day", "test_from": "2013-06-01"}},
        {"split": {"method": "time", "column": "day", "test_from": date(2013, 6, 1)}},
        {"split": {"method": "column", "column": "a", "test_values": [True, 1, 2.5, "1"]}},
    ],
)
def test_a_job_is_the_same_on_the_server_and_in_its_table(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    job = made(PreprocessSpec.model_validate(table("/data/x.csv", **more)))
    there = job_file(json.loads(json.dumps(job.model_dump())))
    SparkSubmit("spark-submit", "/results", ("/data",))(there, tmp_path)
    text = there.model_dump_json()
    assert job_of(tmp_path)[0] == JobFile.model_validate_json(text) == there
    assert JobFile.model_validate_json(text).model_dump_json() == text
    assert there.reads == {"preprocess.sources.events.path": "/data/x.csv"}


def test_a_job_without_it_is_written_as_ever() -> None:
    """Servers that were there before know it, and it is no other one than it was to this one."""
    assert made(None, data_path="/data").model_dump_json() == (
        '{"name":"a job","data_path":"/data","num_executors":1,"num_processes":1,'
        '"executor_memory_mb":1024,"master":null,"trainer":{"name":"ADAG","arguments":{}},'
        '"model":{"sha256":"' + "0" * 64 + '","bytes":1}}'
    )


SOURCE = {"path": "/data/x.csv"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preprocess": None}, "data_path: is missing; give it, or preprocess"),
        ({"data_path": "/data"}, "data_path: must not be given with preprocess"),
        ({"sql": "SELECT * FROM parquet.`/etc`"}, "preprocess.sql: is not for jobs, as Spark's"),
        ({"sql": ""}, "preprocess.sql: is not for jobs"),
        ({"sql": 1}, "preprocess.sql: is not for jobs"),
        ({"sources": {"a": SOURCE, "b": SOURCE}}, "preprocess.sources: are 2, but a job has one"),
        (
            {"sources": {"a": SOURCE, "b": SOURCE}, "sql": "SELECT * FROM a JOIN b USING (i)"},
            "preprocess.sql: is not for jobs",
        ),
        ({"sources": {}}, "preprocess.sources: "),
        ({"sources": {"a`b": SOURCE}}, "preprocess.sources: source name 'a`b' is no SQL ident"),
        ({"sources": {"e": {"path": "/data/x"}}}, "preprocess.sources.e.path: '/data/x' does not"),
        ({"sources": {"e": {"path": "/d\n.csv"}}}, "preprocess.sources.e.path: must be one line"),
        ({"sources": {"e": {"path": "/" * 4001 + ".csv"}}}, "preprocess.sources.e.path: must have"),
        ({"sources": {"e": SOURCE | {"format": "jdbc"}}}, "preprocess.sources.e.format: "),
        ({"sources": {"e": SOURCE | {"options": {}}}}, "preprocess.sources.e.options: "),
        ({"label": {}}, "preprocess.label.column: "),
        ({"label": {"column": "\ud800"}}, "preprocess.label.column: "),
        ({"missing": {"values": [float("inf")]}}, "preprocess: Out of range float"),
        ({"split": {"test": float("nan")}}, "preprocess.split.test: "),
        (
            {"split": {"method": "time", "column": "a", "test_from": float("inf")}},
            "preprocess: Out of range float",
        ),
        ({"split": {"column": "a"}}, "preprocess.split: column has no meaning for method"),
        ({"where": "1 = 1"}, "preprocess.where: "),
    ],
)
def test_what_no_job_may_say_is_refused_in_a_line(given: dict[str, Any], said: str) -> None:
    beside = {key: given.pop(key) for key in ("data_path", "preprocess") if key in given}
    with pytest.raises(ConfigError) as raised:
        made(**{"preprocess": table("/data/x.csv", **given), **beside})
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_spec_that_was_checked_elsewhere_is_no_way_around() -> None:
    source = {"sources": {"events": SOURCE}, "label": {"column": "a"}}
    spec = PreprocessSpec.model_validate(source | {"sql": "SELECT * FROM csv.`/etc/passwd`"})
    with pytest.raises(ConfigError, match=r"^preprocess\.sql: is not for jobs"):
        made(spec)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd.csv",
        "{root}/../secret.csv",
        "{root}/out.csv",
        "{root}/deep",
        "{root}/*.csv",
        "{root}/x.csv,/etc/passwd.csv",
        "{root}/missing.csv",
        "x.csv",
        "s3://bucket/x.csv",
        "hdfs://namenode:8020/elsewhere/x.csv",
    ],
)
def test_every_source_is_in_the_roots(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.csv").touch()
    root = tmp_path / "data"
    (root / "deep").mkdir(parents=True)
    (root / "x.csv").touch()
    (root / "out.csv").symlink_to(tmp_path / "secret.csv")
    (root / "deep" / "x.csv").symlink_to(tmp_path / "secret.csv")
    limits = Limits(DataRoots([str(root), "hdfs://namenode:8020/data"]))
    source = {"path": path.format(root=root), "format": "csv"}
    check_job(made(table(root / "x.csv")), limits)
    with pytest.raises(ConfigError, match=r"^preprocess\.sources\.events\.path: ") as raised:
        check_job(made(table("", sources={"events": source})), limits)
    assert "secret" not in str(raised.value)


def test_a_server_tells_what_a_job_reads_and_refuses_what_it_may_not(
    shared_server: Server,
) -> None:
    raw = shared_server.data / "raw.csv"
    raw.touch()
    values = shared_server.values("quick", data_path=None, preprocess=table(raw))
    body = described(values, shared_server.model).model_dump()
    headers = {"Authorization": f"Bearer {secret_of('ann')}", "Idempotency-Key": new_key()}
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=headers) as client:
        for wrong, said in (
            (table("/etc/passwd.csv"), "preprocess.sources.events.path: is outside the folders"),
            (table(raw, sql="SELECT 1"), "preprocess.sql: is not for jobs"),
        ):
            refused = client.post("jobs", json=body | {"preprocess": wrong})
            assert refused.status_code == 422
            assert refused.json()["error"].startswith(said)
        first = client.post("jobs", json=body)
        assert (first.status_code, first.json()["data_path"]) == (201, str(raw))
        assert client.post("jobs", json=body).json()["id"] == first.json()["id"]
        other = client.post("jobs", json=body | {"preprocess": table(raw, scale="minmax")})
        assert other.status_code == 409
        client.post(f"jobs/{first.json()['id']}/cancel")


def test_a_job_with_it_is_checked_before_it_is_sent(tmp_path: Path) -> None:
    preprocess = table("/data/x.csv")
    job = Job("secret", "a", None, 1, 1, ADAG(None), preprocess=preprocess)
    kept = job._values()
    preprocess["scale"] = "minmax"
    assert job._values() != kept, "what was made ready of the one is not sent as the other"
    preprocess["sql"] = "SELECT 1"
    with pytest.raises(ConfigError, match=r"^preprocess\.sql: "):
        described(job._values(), tiny(tmp_path / "m.keras"))
    day = {"method": "time", "column": "day", "test_from": datetime(2013, 6, 1, 12)}
    timed = made(table("/data/x.csv", split=day)).model_dump()
    assert timed["preprocess"]["split"]["test_from"] == "2013-06-01T12:00:00"


def test_a_job_that_has_no_preprocessor_says_so() -> None:
    job = Job("secret", "a", "/data", 1, 1, ADAG(None))
    job._remote = with_results({"report.json": 2}, b"{}")
    with pytest.raises(StorageError, match=r"^preprocessor\.json: is not among the results"):
        job.get_preprocessor()
    job._remote = with_results({"preprocessor.json": 2}, b"{}")
    with pytest.raises(StorageError, match="no preprocessor: numeric: Field required"):
        job.get_preprocessor()
