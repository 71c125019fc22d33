"""Which address the workers are told, by Spark's settings."""

from __future__ import annotations

import pytest

from distkeras.engines.addresses import Endpoint, endpoint
from distkeras.errors import ConfigError, EnvironmentProblem

STANDALONE = {"spark.master": "spark://10.0.0.1:7077"}


@pytest.mark.parametrize(
    ("settings", "host", "bind"),
    [
        ({}, "127.0.0.1", "127.0.0.1"),
        ({"spark.master": "local[4]", "spark.driver.host": "10.0.0.9"}, "127.0.0.1", "127.0.0.1"),
        (STANDALONE | {"spark.driver.host": "10.0.0.9"}, "10.0.0.9", "10.0.0.9"),
        (
            STANDALONE | {"spark.driver.host": "10.0.0.9", "spark.driver.bindAddress": "0.0.0.0"},
            *("10.0.0.9", "0.0.0.0"),
        ),
        # A name that only the cluster knows, as of a headless service in Kubernetes.
        (
            {
                "spark.master": "k8s://https://10.0.0.1",
                "spark.driver.host": "driver.invalid",
                "spark.driver.bindAddress": "0.0.0.0",
            },
            *("driver.invalid", "0.0.0.0"),
        ),
        ({"spark.master": "yarn", "spark.driver.host": "[2001:db8::9]"},) + ("2001:db8::9",) * 2,
        # All of these run on this machine alone.
        (
            {"spark.master": "local-cluster[2,1,1024]", "spark.driver.host": "127.0.0.1"},
            *("127.0.0.1", "127.0.0.1"),
        ),
        (
            {"spark.master": "spark://localhost:7077", "spark.driver.host": "127.0.0.1"},
            *("127.0.0.1", "127.0.0.1"),
        ),
        ({"spark.master": "spark://[::1]:7077", "spark.driver.host": "[::1]"}, "::1", "::1"),
    ],
)
def test_workers_reach_the_server_where_executors_reach_the_driver(
    settings: dict[str, str], host: str, bind: str
) -> None:
    assert endpoint(settings.get) == Endpoint(host, bind)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.1.1", "localhost", "[::1]", "0.0.0.0", ""])
@pytest.mark.parametrize("master", ["spark://10.0.0.1:7077", "yarn", "k8s://https://10.0.0.1"])
@pytest.mark.parametrize("bind", [{}, {"spark.driver.bindAddress": "0.0.0.0"}])
def test_an_address_that_only_the_driver_reaches_is_refused(
    host: str, master: str, bind: dict[str, str]
) -> None:
    settings = {"spark.master": master, "spark.driver.host": host, **bind}
    wanted = f"spark.driver.host is {host or 'not set'}, which workers of {master} cannot reach"
    with pytest.raises(EnvironmentProblem) as raised:
        endpoint(settings.get)
    assert str(raised.value).startswith(f"{wanted}: set it to this machine's address")
    assert "\n" not in str(raised.value)


def test_a_standby_master_elsewhere_has_workers_elsewhere() -> None:
    settings = {"spark.master": "spark://localhost:7077,10.0.0.2:7077"}
    with pytest.raises(EnvironmentProblem, match=r"127\.0\.0\.1"):
        endpoint((settings | {"spark.driver.host": "127.0.0.1"}).get)


def test_a_name_that_is_no_address_is_refused() -> None:
    settings = STANDALONE | {"spark.driver.host": "driver.invalid"}
    with pytest.raises(EnvironmentProblem, match=r"driver\.invalid, which is no address here \("):
        endpoint(settings.get)


@pytest.mark.parametrize(
    ("settings", "master_port", "port", "retries"),
    [
        ({}, 0, 0, 0),
        ({"spark.distkeras.port": "7100"}, 0, 7100, 16),
        ({"spark.distkeras.port": "7100", "spark.port.maxRetries": "4"}, 0, 7100, 4),
        ({"spark.port.maxRetries": "4"}, 0, 0, 0),
        ({"spark.distkeras.port": "7100"}, 7200, 7200, 0),
    ],
)
def test_the_port(settings: dict[str, str], master_port: int, port: int, retries: int) -> None:
    assert endpoint(settings.get, master_port)[2:4] == (port, retries)


@pytest.mark.parametrize("value", ["70000", "-1", "any"])
def test_a_port_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=rf"spark\.distkeras\.port is '{value}', but must be"):
        endpoint({"spark.distkeras.port": value}.get)
