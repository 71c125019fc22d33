"""HdfsFiles on a real HDFS."""

from __future__ import annotations

import logging
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

import pytest
import requests

from distkeras.errors import StorageError
from distkeras.storage.files import Entry
from distkeras.storage.hdfs import HdfsFiles
from distkeras.storage.hdfs_settings import HdfsSettings, use_hdfs_settings
from scripts.clusters import Hdfs
from scripts.clusters.hadoop import await_that
from tests.storage.wire import Wire

FILES = HdfsFiles()
MANY = 40
"""Attempts, where the NameNode chooses one of two DataNodes and only one has the wire."""
PATIENT = 120.0
"""Seconds: on a machine with much to do, a server may take long to come back."""


@pytest.fixture
def folder(hdfs: Hdfs, request: pytest.FixtureRequest) -> str:
    reach(hdfs)
    url = f"{hdfs.url}/{request.node.name.replace('[', '-').strip(']')}"
    FILES.make_directory(url)
    return url


def reach(hdfs: Hdfs, timeout: float = PATIENT, **more: object) -> None:
    given = {"port": urlsplit(hdfs.webhdfs).port, "timeout": timeout} | more
    use_hdfs_settings(HdfsSettings(**given))  # type: ignore[arg-type]


def wire_to(address: str, rewrite: dict[bytes, bytes] | None = None) -> Wire:
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    return Wire(parts.hostname, parts.port, rewrite)


def write(url: str, *pieces: bytes) -> None:
    FILES.write(url, lambda: pieces)


def read(url: str) -> bytes:
    return b"".join(FILES.read(url))


def names(url: str) -> list[str]:
    return [entry.name for entry in FILES.entries(url)]


def await_copies(hdfs: Hdfs, url: str) -> None:
    """Until every DataNode has the file: one that was slow for a moment gets its copy later."""
    asked = f"{hdfs.webhdfs}/webhdfs/v1{urlsplit(url).path}?op=GETFILEBLOCKLOCATIONS"

    def everywhere() -> bool:
        said = requests.get(asked, timeout=60).json()["BlockLocations"]["BlockLocation"]
        return all(len(block["hosts"]) == len(hdfs.datanodes) for block in said)

    await_that(f"{url} is on every DataNode", everywhere, PATIENT)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(StorageError) as raised:
        call()
    text = str(raised.value)
    assert "\n" not in text
    return text


def megabyte(number: int) -> bytes:
    return bytes([number % 251]) * (1 << 20)


def test_what_is_written_is_read(folder: str) -> None:
    started = time.time_ns()
    write(f"{folder}/file", b"abc", b"", b"x" * 3_000_000)
    write(f"{folder}/empty")
    assert read(f"{folder}/file") == b"abc" + b"x" * 3_000_000
    assert read(f"{folder}/empty") == b""
    empty, file = FILES.entries(folder)
    assert FILES.entry(f"{folder}/file") == file
    assert empty[:3] == ("empty", False, 0)
    assert file[:3] == ("file", False, 3_000_003)
    assert abs(file.modified - started) < 3600 * 10**9
    assert FILES.entry(folder) == Entry(folder.rpartition("/")[2], True, 0, file_time(folder))
    write(f"{folder}/file", b"new")
    assert read(f"{folder}/file") == b"new"
    FILES.flush(folder)


def file_time(url: str) -> int:
    found = FILES.entry(url)
    assert found is not None
    return found.modified


@pytest.mark.parametrize("name", ["a b", "50%20+1", "a=b;c&d?e#f", "'\"{}~[0-9]", "größe-数"])
def test_any_name_will_do(hdfs: Hdfs, name: str) -> None:
    reach(hdfs)
    url = f"{hdfs.url}/names/{name}"
    FILES.make_directory(f"{hdfs.url}/names")
    write(url, b"x")
    assert FILES.rename(url, f"{url}-moved", replace=True)
    assert f"{name}-moved" in names(f"{hdfs.url}/names")
    assert read(f"{url}-moved") == b"x"


def test_what_is_not_there(folder: str) -> None:
    write(f"{folder}/file", b"x")
    assert FILES.entry(f"{folder}/missing") is None
    assert FILES.entry(f"{folder}/file/below") is None
    assert "no such file" in refusal(lambda: read(f"{folder}/missing"))
    assert "does not exist" in refusal(lambda: names(f"{folder}/missing"))
    assert "it is a file" in refusal(lambda: names(f"{folder}/file"))
    assert "it is a directory" in refusal(lambda: read(folder))
    FILES.discard(f"{folder}/missing")


def test_a_directory_is_made_once_and_removed_whole(folder: str) -> None:
    FILES.make_directory(f"{folder}/a/b")
    FILES.make_directory(f"{folder}/a/b")
    write(f"{folder}/a/b/file", b"x")
    FILES.discard(f"{folder}/a")
    assert names(folder) == []


def test_a_directory_is_never_moved_into_another(folder: str) -> None:
    for name in ("first", "second", "third", "empty"):
        FILES.make_directory(f"{folder}/{name}")
    for name in ("first", "second", "third"):
        write(f"{folder}/{name}/{name}", b"x")
    write(f"{folder}/file", b"x")
    assert FILES.rename(f"{folder}/first", f"{folder}/final", replace=False)
    assert not FILES.rename(f"{folder}/second", f"{folder}/final", replace=False)
    assert not FILES.rename(f"{folder}/second", f"{folder}/file", replace=False)
    assert names(f"{folder}/final") == ["first"]
    assert FILES.rename(f"{folder}/third", f"{folder}/empty", replace=False)
    assert names(f"{folder}/empty") == ["third"]


def test_a_file_is_replaced_only_where_that_is_wanted(folder: str) -> None:
    write(f"{folder}/new", b"new")
    write(f"{folder}/old", b"old")
    assert not FILES.rename(f"{folder}/new", f"{folder}/old", replace=False)
    assert read(f"{folder}/old") == b"old"
    assert FILES.rename(f"{folder}/new", f"{folder}/old", replace=True)
    assert read(f"{folder}/old") == b"new"
    assert names(folder) == ["old"]
    gone = refusal(lambda: FILES.rename(f"{folder}/new", f"{folder}/old", replace=True))
    assert "there is no" in gone
    other = refusal(lambda: FILES.rename(f"{folder}/old", "hdfs://other/x", replace=True))
    assert "another file system" in other


def test_of_many_renames_to_one_name_one_wins(folder: str) -> None:
    for number in range(12):
        FILES.make_directory(f"{folder}/{number}")
        write(f"{folder}/{number}/{number}", b"x")

    def publish(number: int) -> bool:
        return FILES.rename(f"{folder}/{number}", f"{folder}/final", replace=False)

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(publish, range(12)))
    assert won.count(True) == 1
    assert names(f"{folder}/final") == [str(won.index(True))]


def test_a_lost_answer_to_a_rename_is_no_failure(hdfs: Hdfs, folder: str) -> None:
    for replace in (False, True):
        write(f"{folder}/old", b"old") if replace else None
        write(f"{folder}/new", b"new")
        with wire_to(hdfs.webhdfs) as wire:
            reach(hdfs, port=wire.port)
            wire.lose = b"op=RENAME"
            assert FILES.rename(f"{folder}/new", f"{folder}/old", replace=replace)
            assert wire.lose is None
        reach(hdfs)
        assert names(folder) == ["old"]
        FILES.discard(f"{folder}/old")


def test_no_permission(hdfs: Hdfs, folder: str) -> None:
    write(f"{folder}/file", b"x")
    reach(hdfs, user="mallory")
    for call in (
        lambda: write(f"{folder}/other", b"y"),
        lambda: write(f"{folder}/file", b"y"),
        lambda: FILES.make_directory(f"{folder}/below"),
        lambda: FILES.rename(f"{folder}/file", f"{folder}/x", replace=False),
    ):
        text = refusal(call)
        assert "no permission: user=mallory, access=WRITE" in text
        assert text.startswith(folder)
        assert f"at {hdfs.webhdfs}" in text
    assert read(f"{folder}/file") == b"x"


def test_nothing_is_written_where_no_file_can_be(folder: str) -> None:
    FILES.make_directory(f"{folder}/directory/below")
    write(f"{folder}/directory/file", b"x")
    FILES.make_directory(f"{folder}/empty")
    assert "already exists as a directory" in refusal(lambda: write(f"{folder}/directory", b"x"))
    assert "already exists as a directory" in refusal(lambda: write(f"{folder}/empty", b"x"))
    assert names(f"{folder}/directory") == ["below", "file"]
    assert "Parent directory doesn't exist" in refusal(lambda: write(f"{folder}/no/file", b"x"))
    assert names(folder) == ["directory", "empty"]


def test_a_quota_that_is_used_up(hdfs: Hdfs, folder: str) -> None:
    hdfs.dfsadmin("-setSpaceQuota", "1m", folder)
    assert "the quota is used up" in refusal(lambda: write(f"{folder}/file", b"x"))
    assert names(folder) == []


def test_what_the_source_raises_comes_through_and_nothing_stays(folder: str) -> None:
    def broken() -> Iterator[bytes]:
        yield megabyte(1)
        raise OSError("the disk of this machine")

    with pytest.raises(OSError, match="the disk of this machine"):
        FILES.write(f"{folder}/file", broken)
    assert names(folder) == []


def test_safe_mode_is_waited_for_and_told_of(hdfs: Hdfs, folder: str) -> None:
    hdfs.dfsadmin("-safemode", "enter")
    try:
        reach(hdfs, timeout=4)
        text = refusal(lambda: write(f"{folder}/file", b"x"))
        assert "the NameNode is in safe mode" in text
        assert "attempts in" in text
        reach(hdfs)
        leave = Timer(1, hdfs.dfsadmin, ("-safemode", "leave"))
        leave.start()
        write(f"{folder}/file", b"x")
        leave.join()
    finally:
        hdfs.dfsadmin("-safemode", "leave")
    assert read(f"{folder}/file") == b"x"


def test_the_wrong_port(hdfs: Hdfs) -> None:
    rpc = urlsplit(hdfs.url).port
    reach(hdfs, port=rpc)
    text = refusal(lambda: FILES.entry(f"{hdfs.url}/x"))
    assert "the port of Hadoop's RPC, not of WebHDFS" in text
    assert f"http://127.0.0.1:{rpc}" in text
    reach(hdfs, scheme="https")
    assert "does not speak https" in refusal(lambda: FILES.entry(f"{hdfs.url}/x"))


def test_nobody_there() -> None:
    use_hdfs_settings(HdfsSettings(timeout=2))
    with Wire("127.0.0.1", 1) as wire:
        port = wire.port
    use_hdfs_settings(HdfsSettings(port=port, timeout=2))
    text = refusal(lambda: FILES.entry("hdfs://127.0.0.1:8020/x"))
    assert "cannot look at: connection refused; tried GETFILESTATUS at http://127.0.0.1:" in text
    assert "attempts in" in text


def test_silence_ends_with_the_deadline() -> None:
    with Wire("127.0.0.1", 1) as wire:
        wire.silent = True
        use_hdfs_settings(HdfsSettings(port=wire.port, timeout=2))
        started = time.monotonic()
        text = refusal(lambda: write("hdfs://127.0.0.1:8020/x", b"x"))
        assert time.monotonic() - started < 20
    assert "cannot write: no answer; tried CREATE" in text


def test_an_unknown_host_is_told_of_at_once() -> None:
    text = refusal(lambda: FILES.entry("hdfs://no-such-host.invalid/x"))
    assert "no-such-host.invalid:9870 is unknown" in text
    assert "set [webhdfs] port or HADOOP_CONF_DIR" in text


@pytest.mark.parametrize("first", ["dead", "silent"])
def test_another_namenode_answers_where_the_first_does_not(hdfs: Hdfs, first: str) -> None:
    with Wire("127.0.0.1", 1) as wire:
        wire.silent = first == "silent"
        other = f"127.0.0.1:{wire.port}"
        real = hdfs.webhdfs.removeprefix("http://")
        use_hdfs_settings(HdfsSettings(namenodes=(other, real), timeout=10))
        for _ in range(3):
            FILES.make_directory(f"{hdfs.url}/ha")


def test_the_namenode_restarts_in_the_middle(hdfs: Hdfs, folder: str) -> None:
    back = Timer(1, hdfs.namenode.start)

    def restarting() -> Iterator[bytes]:
        yield megabyte(0)
        if not back.ident:
            hdfs.namenode.kill()
            back.start()
        yield megabyte(1)

    FILES.write(f"{folder}/file", restarting)
    back.join()
    assert read(f"{folder}/file") == megabyte(0) + megabyte(1)


@pytest.mark.parametrize("number", [0, 1])
def test_a_datanode_dies_in_the_middle_of_a_write(hdfs: Hdfs, folder: str, number: int) -> None:
    killed: list[int] = []

    def killing() -> Iterator[bytes]:
        for count in range(24):
            if count == 12 and not killed:
                killed.append(number)
                hdfs.datanodes[number].kill()
            yield megabyte(count)

    FILES.write(f"{folder}/file", killing)
    assert killed
    assert read(f"{folder}/file") == b"".join(map(megabyte, range(24)))


def test_a_datanode_dies_in_the_middle_of_a_read(hdfs: Hdfs, folder: str) -> None:
    FILES.write(f"{folder}/file", lambda: map(megabyte, range(24)))
    await_copies(hdfs, f"{folder}/file")
    pieces = FILES.read(f"{folder}/file")
    content = [next(pieces)]
    hdfs.datanodes[0].kill()
    content += pieces
    assert b"".join(content) == b"".join(map(megabyte, range(24)))


@pytest.mark.parametrize("number", [0, 1])
def test_a_datanode_that_hangs_does_not_keep_the_other_from_answering(
    hdfs: Hdfs, folder: str, number: int
) -> None:
    write(f"{folder}/file", b"x")
    await_copies(hdfs, f"{folder}/file")
    reach(hdfs, timeout=40)
    hdfs.datanodes[number].pause()
    try:
        assert read(f"{folder}/file") == b"x"
    finally:
        hdfs.datanodes[number].resume()


def test_all_datanodes_dead_is_an_error_and_leaves_nothing(hdfs: Hdfs, folder: str) -> None:
    write(f"{folder}/there", b"x")
    for datanode in hdfs.datanodes:
        datanode.kill()
    reach(hdfs, timeout=10)
    started = time.monotonic()
    text = refusal(lambda: write(f"{folder}/file", b"x"))
    assert time.monotonic() - started < 30
    assert text.startswith(f"{folder}/file: cannot write: ")
    refusal(lambda: read(f"{folder}/there"))
    assert names(folder) == ["there"]
    for datanode in hdfs.datanodes:
        datanode.start()
    reach(hdfs)
    write(f"{folder}/file", b"x")
    assert read(f"{folder}/there") == read(f"{folder}/file") == b"x"


@pytest.fixture
def wired(hdfs: Hdfs, folder: str) -> Iterator[tuple[Wire, str]]:
    """A wire on every way to one of the two DataNodes; and a file of 8 MB on both."""
    FILES.write(f"{folder}/file", lambda: map(megabyte, range(8)))
    await_copies(hdfs, f"{folder}/file")
    place = f"{hdfs.webhdfs}/webhdfs/v1{urlsplit(folder).path}/file?op=OPEN"
    location = requests.get(place, allow_redirects=False, timeout=60).headers["location"]
    datanode = urlsplit(location).netloc
    with wire_to(f"http://{datanode}") as wire:
        rewrite = {datanode.encode(): f"127.0.0.1:{wire.port}".encode()}
        with wire_to(hdfs.webhdfs, rewrite) as front:
            reach(hdfs, port=front.port)
            yield wire, f"{folder}/file"
    reach(hdfs)


def test_a_cut_stream_goes_on_where_it_ended(wired: tuple[Wire, str]) -> None:
    wire, url = wired
    wire.cut = 3 << 20
    for _ in range(MANY):
        assert read(url) == b"".join(map(megabyte, range(8)))
        if wire.cut is None:
            return
    pytest.fail("no read went over the wire")


def test_a_lost_answer_to_a_transfer_is_another_attempt(wired: tuple[Wire, str]) -> None:
    wire, url = wired
    wire.lose = b"op=CREATE"
    for _ in range(MANY):
        write(f"{url}-2", megabyte(1), megabyte(2))
        assert read(f"{url}-2") == megabyte(1) + megabyte(2)
        if wire.lose is None:
            return
    pytest.fail("no write went over the wire")


def test_a_file_that_is_replaced_meanwhile_is_not_mixed(wired: tuple[Wire, str]) -> None:
    wire, url = wired
    for _ in range(MANY):
        FILES.write(url, lambda: map(megabyte, range(8)))
        wire.cut = 5 << 18
        pieces = FILES.read(url)
        next(pieces)
        FILES.write(url, lambda: map(megabyte, range(8, 16)))
        if wire.cut is None:
            assert "replaced while it was being read" in refusal(partial(list, pieces))
            return
    pytest.fail("no read went over the wire")


def test_memory_stays_constant(folder: str) -> None:
    tracemalloc.start()
    try:
        FILES.write(f"{folder}/file", lambda: map(megabyte, range(64)))
        assert sum(map(len, FILES.read(f"{folder}/file"))) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_file_is_forced_onto_the_disks(hdfs: Hdfs, folder: str) -> None:
    write(f"{folder}/file", b"x")
    # Nothing else makes a DataNode force anything; it tells of it some seconds later.
    await_that("a block was forced", lambda: forced(hdfs) > 0, PATIENT)


def forced(hdfs: Hdfs) -> int:
    total = 0
    for number in range(len(hdfs.datanodes)):
        conf = (hdfs.folder / f"conf-datanode-{number}" / "hdfs-site.xml").read_text()
        address = conf.split("dfs.datanode.http.address")[1].split("<value>")[1].split("<")[0]
        beans = requests.get(f"http://{address}/jmx", timeout=60).json()["beans"]
        total += sum(bean.get("FsyncNanosNumOps", 0) for bean in beans)
    return total


def test_a_token_is_told_to_nobody(
    hdfs: Hdfs, folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = f"{hdfs.webhdfs}/webhdfs/v1/?op=GETDELEGATIONTOKEN&user.name=root"
    token = requests.get(asked, timeout=60).json()["Token"]["urlString"]
    (tmp_path / "token").write_text(token + "\n")
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    reach(hdfs, client_type="token", token_file=str(tmp_path / "token"))
    assert names(folder) == []
    assert "delegation=***" in caplog.text
    reach(hdfs, timeout=1, port=1, client_type="token", token_file=str(tmp_path / "token"))
    with pytest.raises(StorageError) as raised:
        FILES.entry(folder)
    error: BaseException | None = raised.value
    while error is not None:
        assert token not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
    assert token not in caplog.text


def test_a_token_file_that_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "token"
    use_hdfs_settings(HdfsSettings(token_file=str(path)))
    for content, reason in (
        (None, "No such file"),
        (b"", "does not hold one line"),
        (b"HDTS\0\1", "binary store of tokens"),
    ):
        if content is not None:
            path.write_bytes(content)
        assert reason in refusal(lambda: FILES.entry("hdfs://h/x"))


def test_threads_and_forked_processes(folder: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(f"{folder}/{number}", megabyte(number)), range(8)))
    fork = multiprocessing.get_context("fork")
    for number in range(8, 12):
        child = fork.Process(target=write, args=(f"{folder}/{number}", megabyte(number)))
        child.start()
        child.join(PATIENT)
        assert child.exitcode == 0
    for number in range(12):
        assert read(f"{folder}/{number}") == megabyte(number)
