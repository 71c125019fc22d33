"""The page in a real browser: what a user sees and does there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.punchcard.browser import Browser, browser, downloaded, missing, stored
from tests.punchcard.served import Server, ended, secret_of, state, until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ENTER, ESCAPE, TAB = "\ue007", "\ue00c", "\ue004"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def own(window: Browser) -> Iterator[Browser]:
    """The window without any session, whose console stays empty."""
    window.driver.get("about:blank")
    window.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    window.shape(1200, 900)
    window.complaints()
    yield window
    assert window.complaints() == []


def at(server: Server, own: Browser, name: str, user: str = "ann") -> None:
    """Signs in and goes to a job."""
    own.sign_in(server.url, secret_of(user))
    own.driver.get(f"{server.url}/#/jobs/{name}")
    own.one("#card")


def test_a_wrong_secret_does_not_let_in_and_the_right_one_does(
    shared_server: Server, own: Browser
) -> None:
    own.driver.get(shared_server.url)
    own.one("#secret")
    assert own.focus() == "secret"
    own.type("wrong", ENTER)
    own.says("#refused", "No such secret.")
    # The browser itself notes on the console that a request was refused.
    [complaint] = own.complaints()
    assert "401" in complaint
    assert own.focus() == "secret"  # What was typed is selected: the next one replaces it.
    own.type(secret_of("ann"), ENTER)
    own.one("#desk")
    assert own.text("#who") == "ann"
    assert stored(own) == {"cookies": "", "local": {}, "session": {}}
    assert own.driver.current_url.rstrip("/#") == shared_server.url
    own.driver.refresh()
    own.one("#desk")


def test_a_job_is_seen_as_it_goes(shared_server: Server, own: Browser) -> None:
    own.sign_in(shared_server.url, secret_of("ann"))
    job = shared_server.submit("train-seen")
    row = f'#jobs a[href="#/jobs/{job.name}"]'
    own.says(f"{row} .state", "running")
    own.one(row).click()
    own.says("#name", "train-seen")
    shared_server.train("train-seen", 1000)
    own.says("#percent", "25 %")
    assert own.text("#epoch") == "2 of 4"
    assert own.text("#rate") == "513"
    assert own.text("#time") == "6 s"
    own.says("#log", "row 1000 of 4000")
    line = own.one("#curve .line").get_attribute("d")
    shared_server.train("train-seen", 2000)
    own.says("#percent", "50 %")
    until(lambda: own.one("#curve .line").get_attribute("d") != line, "more of the curve")
    assert "in 2 of 4 epochs" in str(own.one("#curve").get_attribute("aria-label"))
    shared_server.train("train-seen")
    own.says("#state", "succeeded")
    own.says("#spoken", "train-seen: succeeded")
    own.says(f"{row} .state", "succeeded")
    own.says("#log", "row 4000 of 4000")
    assert own.driver.title == "train-seen · succeeded · Punchcard"
    for kind, content in (
        ("model.keras", b"PK model"),
        ("history.parquet", b"PAR1 history"),
        ("report.json", b'{"name": "train-seen"}'),
    ):
        own.one(f'#results a[href$="{kind}"]').click()
        assert downloaded(own, f"{job.name}-{kind}") == content


def test_a_job_is_cancelled_with_the_keyboard_alone(shared_server: Server, own: Browser) -> None:
    job = shared_server.submit("wait-keyboard")
    own.driver.get(shared_server.url)
    own.one("#secret")
    own.type(secret_of("ann"), ENTER)
    own.says("#jobs .name", "wait-keyboard")
    own.driver.execute_script("document.querySelector('#jobs a').id = 'first'")
    own.tab_to("first")
    own.type(ENTER)
    until(lambda: own.focus() == "name", "the job's name has the focus")
    own.type(TAB)
    assert own.focus() == "cancel"
    own.type(ENTER)
    own.one("#sure[open]")
    own.type(ESCAPE)
    until(lambda: own.focus() == "cancel", "the dialog has given the focus back")
    own.type(ENTER)
    own.one("#sure[open]")
    # The harmless choice is the first; it is taken here.
    own.type(ENTER)
    until(lambda: own.focus() == "cancel", "the dialog has given the focus back")
    assert not job.told()["cancelling"]
    own.type(ENTER)
    own.one("#sure[open]")
    own.type(TAB, ENTER)
    own.says("#state", "cancelled")
    ended([job], "cancelled")


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=document.title='broken'>",
        "</title><script>document.title='broken'</script>",
        "'\"&lt;</pre>&#60;b>",
    ],
)
def test_a_name_stays_text(shared_server: Server, own: Browser, name: str) -> None:
    job = shared_server.submit(name)
    ended([job])
    at(shared_server, own, job.name)
    own.says("#name", name)
    own.says("#log", f"this is {name}")
    own.says(f'#jobs a[href="#/jobs/{job.name}"] .name', name)
    assert own.driver.title == f"{name} · succeeded · Punchcard"
    assert not own.driver.find_elements("css selector", "#jobs img, #card img, #card script")


def test_the_policy_stops_what_would_get_in(shared_server: Server, own: Browser) -> None:
    own.sign_in(shared_server.url, secret_of("ann"))
    # As if the page did what it never does: a markup of somebody else's becomes elements.
    hostile = '<img src="/page/icon.svg" onload="document.title=1"><b style="color:red">b</b>'
    own.driver.execute_script(
        "document.body.insertAdjacentHTML('beforeend', arguments[0])", hostile
    )
    said: list[str] = []
    until(lambda: said.extend(own.complaints()) or len(said) > 1, "the browser's complaints")
    assert all("Content Security Policy" in one for one in said)
    assert own.driver.title == "Jobs · Punchcard"


def test_a_phone_shows_the_list_or_a_job_and_never_scrolls_sideways(
    shared_server: Server, own: Browser
) -> None:
    job = shared_server.submit("train-" + "long" * 40)
    shared_server.submit("wait-" + "with spaces " * 12).cancel()
    shared_server.train("train-" + "long" * 40, 3000)
    own.shape(390, 844)
    own.driver.get(shared_server.url)
    own.one("#secret")
    fits(own)
    own.sign_in(shared_server.url, secret_of("ann"))
    fits(own)
    own.one(f'#jobs a[href="#/jobs/{job.name}"]').click()
    own.says("#percent", "75 %")
    own.one("#curve .line")
    assert not own.driver.find_element("css selector", "#list").is_displayed()
    fits(own)
    own.one("#cancel").click()
    own.one("#sure[open]")
    fits(own)
    own.type(ESCAPE)
    own.one("#back").click()
    own.one("#jobs")
    assert not own.driver.find_element("css selector", "#card").is_displayed()
    shared_server.train("train-" + "long" * 40)
    ended([job])


def fits(own: Browser) -> None:
    widths = "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
    wide, room = own.driver.execute_script(widths)
    assert (room, wide <= room) == (390, True), wide


def test_more_jobs_come_on_demand(tmp_path: Path, own: Browser) -> None:
    with Server(tmp_path) as server:
        for number in range(52):
            server.submit(f"wait-{number}")
        own.sign_in(server.url, secret_of("ann"))
        own.says("#jobs .name", "wait-51")
        assert count(own) == 50
        own.one("#more").click()
        until(lambda: count(own) == 52, "the others")
        own.says("#jobs li:last-child .name", "wait-0")
        until(lambda: not own.driver.find_element("id", "more").is_displayed(), "no more")
        own.driver.get("about:blank")


def count(own: Browser) -> int:
    return len(own.driver.find_elements("css selector", "#jobs li"))


def test_a_job_of_another_user_is_not_there(shared_server: Server, own: Browser) -> None:
    job = shared_server.submit("quick", "bob")
    ended([job])
    own.sign_in(shared_server.url, secret_of("ann"))
    own.driver.get(f"{shared_server.url}/#/jobs/{job.name}")
    own.says("#choose", "There is no such job.")
    # The list goes on being told of.
    mine = shared_server.submit("quick-too")
    own.one(f'#jobs a[href="#/jobs/{mine.name}"]')
    assert all("404" in complaint for complaint in own.complaints())
    assert state(mine)


def test_a_failed_job_says_why(shared_server: Server, own: Browser) -> None:
    job = shared_server.submit("fail-here")
    ended([job], "failed")
    at(shared_server, own, job.name)
    own.says("#error", "the column is missing")
    own.says("#state", "failed")


def test_who_signs_out_is_out(shared_server: Server, own: Browser) -> None:
    own.sign_in(shared_server.url, secret_of("ann"))
    own.one("#sign-out").click()
    own.one("#sign-in")
    assert not own.driver.find_elements("css selector", "#jobs li")
    own.driver.refresh()
    own.one("#sign-in")


def test_the_page_learns_that_its_session_has_ended(tmp_path: Path, own: Browser) -> None:
    with Server(tmp_path) as server:
        own.sign_in(server.url, secret_of("ann"))
        server.users("bob")
        own.one("#sign-in")
        own.driver.get("about:blank")


def test_the_page_finds_the_next_server(tmp_path: Path, own: Browser) -> None:
    port = ""
    with Server(tmp_path) as server:
        own.sign_in(server.url, secret_of("ann"))
        port = server.url.rpartition(":")[2]
        server.kill()
        own.says("#notice", "The connection is lost")
        server.options = ("--port", port)
        server.start()
        # The sessions were in the memory of the one before.
        own.one("#sign-in")
        own.complaints()
        own.driver.get("about:blank")
