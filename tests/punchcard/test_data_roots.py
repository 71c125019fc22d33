from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from distkeras.punchcard import data_roots
from distkeras.punchcard.data_roots import DataRoots
from distkeras.storage import locate

HDFS = "hdfs://namenode:8020/data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "events").mkdir(parents=True)
    (tmp_path / "data-of-others").mkdir()
    return tmp_path / "data"


def test_what_lies_in_a_root_is_found(root: Path) -> None:
    roots = DataRoots([str(root), HDFS])
    assert roots.check(str(root / "events")) == str(root / "events")
    assert roots.check(f"file://{root}/events") == str(root / "events")
    assert roots.check(f"{HDFS}/a//b/./c") == f"{HDFS}/a/b/c"
    assert roots.check(HDFS) == HDFS
    (root / "inside").symlink_to(root / "events")
    assert roots.check(str(root / "inside")) == str(root / "events")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "{root}/../data-of-others",
        "{root}-of-others",
        "{root}/events/../../data-of-others",
        "{root}/out",
        "{root}/deep",
        "{root}/loop",
        "{root}/*",
        "{root}/{{a,b}}",
        "{root}/missing",
        "{root}/round",
        "{root}/" + "x" * 300,
        "data/events",
        "",
        "s3://bucket/data",
        "file://host/data",
        "hdfs:",
        "hdfs://namenode:8020/data/../secret",
        "hdfs://namenode:8020/database",
        "hdfs://namenode:9000/data",
        "hdfs://other:8020/data/x",
        "hdfs:///data/x",
    ],
)
def test_what_lies_elsewhere_is_refused(root: Path, path: str) -> None:
    (root / "out").symlink_to(root.parent / "data-of-others")
    (root / "loop").symlink_to(root / "loop")
    (root / "round").mkdir()
    (root / "round" / "loop").symlink_to(root / "round" / "loop")
    (root / "deep").mkdir()
    (root / "deep" / "part.parquet").symlink_to("/etc/passwd")
    roots = DataRoots([str(root), HDFS])
    with pytest.raises(ConfigError, match=r"^data_path: ") as raised:
        roots.check(path.format(root=root))
    assert "others" not in str(raised.value)


def test_a_folder_of_very_many_files_is_not_looked_through(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_roots, "ENTRIES", 10)
    roots = DataRoots([str(root)])
    for number in range(9):
        (root / "events" / f"part-{number}.parquet").touch()
    roots.check(str(root))
    (root / "events" / "deep").mkdir()
    with pytest.raises(ConfigError, match=r"^data_path: has more than 10 files and folders"):
        roots.check(str(root))
    assert roots.check(str(root / "events" / "part-0.parquet"))


@pytest.mark.parametrize(
    "place", ["{root}/punchcard", "{root}", "{root}/..", "{link}/punchcard", f"{HDFS}/results"]
)
def test_the_servers_own_places_are_apart_from_the_data(root: Path, place: str) -> None:
    (root.parent / "link").symlink_to(root)
    given = locate(place.format(root=root, link=root.parent / "link"))
    with pytest.raises(ConfigError, match="is the server's own: neither may be in the other"):
        DataRoots([str(root), HDFS]).check_apart(given)


def test_what_is_apart_may_be(root: Path) -> None:
    roots = DataRoots([str(root), HDFS])
    for place in (f"{root}-of-others", str(root.parent / "new"), "hdfs://namenode:8020/results"):
        roots.check_apart(locate(place))


def test_roots_that_cannot_be_are_refused(root: Path) -> None:
    for wrong in ([], [str(root / "missing")], ["s3://bucket"]):
        with pytest.raises(ConfigError, match="root"):
            DataRoots(wrong)
