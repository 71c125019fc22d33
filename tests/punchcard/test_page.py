"""The page without a browser: who gets a session, what it may, and when it ends."""

from __future__ import annotations

import json
import re
import ssl
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from distkeras.punchcard.gate import SIGN_IN_BYTES
from distkeras.punchcard.headers import POLICY
from distkeras.punchcard.secrets_file import Holder, SecretsFile
from distkeras.punchcard.sessions import Sessions
from tests.punchcard.served import Server, ended, secret_of
from tests.punchcard.signed_in import OURS, events, first, refused, sign_in, signed_in
from tests.transport.test_tls import Issuer

PAGE = Path(__file__).parents[2] / "distkeras" / "punchcard" / "page"


def test_the_cookie_is_a_random_number_that_no_script_sees(shared_server: Server) -> None:
    told = []
    for _ in range(2):
        answer = sign_in(shared_server)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        [(name, cookie)] = SimpleCookie(answer.headers["set-cookie"]).items()
        port = shared_server.url.rpartition(":")[2]
        assert name == f"punchcard-{port}"
        assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "strict")
        assert (cookie["path"], cookie["max-age"]) == ("/", "43200")
        # Not over plain HTTP, where the browser would not send it back.
        assert (cookie["secure"], cookie["domain"]) == ("", "")
        assert len(cookie.value) == 43
        assert secret_of("ann") not in str(answer.headers)
        told.append(cookie.value)
    assert told[0] != told[1]


def test_every_answer_has_a_strict_policy(shared_server: Server) -> None:
    paths = ("/", "/page/main.js", "/page/nothing", "/session", "/api/v1/jobs", "/openapi.json")
    for path in paths:
        headers = httpx.get(f"{shared_server.url}{path}").headers
        assert headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        static = path in ("/", "/page/main.js")
        assert headers["cache-control"] == ("no-cache" if static else "no-store")


def test_the_page_has_nothing_from_elsewhere_and_nothing_in_itself(shared_server: Server) -> None:
    page = httpx.get(f"{shared_server.url}/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    served = {path.name for path in PAGE.iterdir()}
    assert {"index.html", "main.js", "page.css"} <= served
    for name in served:
        answer = httpx.get(f"{shared_server.url}/page/{name}")
        assert answer.content == (PAGE / name).read_bytes()
        text = answer.text.replace("http://www.w3.org/2000/svg", "")
        for unwanted in (
            "http:",
            "https:",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
        ):
            assert unwanted not in text, name
    for unwanted in (" style=", "<style", " onclick=", "javascript:"):
        assert unwanted not in page.text
    for name in ("..%2Fgate.py", "%2e%2e/gate.py", "../gate.py", "nothing.js"):
        assert httpx.get(f"{shared_server.url}/page/{name}").status_code == 404


def test_all_text_has_enough_contrast() -> None:
    """WCAG AA: 4.5 to 1, in light and in dark."""
    style = (PAGE / "page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    found = colors(light)
    for scheme in (found, found | colors(dark)):
        pairs = [(name, "paper") for name in ("ink", "soft", "accent", "good", "bad", "wait")]
        pairs += [(name, "ground") for name, _ in pairs] + [("on-accent", "accent")]
        for text, ground in pairs:
            bright, dim = sorted((luminance(scheme[text]), luminance(scheme[ground])))[::-1]
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, ground)


def colors(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): #([0-9a-f]+);", style))


def luminance(color: str) -> float:
    """Relative, as WCAG 2 defines it."""
    long = color if len(color) == 6 else "".join(one * 2 for one in color)
    parts = [int(long[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/session"), ("DELETE", "/session"), ("POST", "cancel")]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        # Another port of this machine.
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{url}"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "{url}0"},
        {"Origin": "null"},
    ],
)
def test_another_page_can_change_nothing(
    shared_server: Server, method: str, path: str, headers: dict[str, str]
) -> None:
    name = f"wait-{method}-{len(str(headers))}"
    job = shared_server.submit(name)
    given = {key: value.format(url=shared_server.url) for key, value in headers.items()}
    wanted = f"/api/v1/jobs/{job.name}/cancel" if path == "cancel" else path
    with signed_in(shared_server) as client:
        del client.headers["Sec-Fetch-Site"]
        form = {"secret": secret_of("bob")} if path == "/session" and method == "POST" else None
        answer = client.request(method, wanted, headers=given, data=form)
        refused(answer, 403, "own page")
        assert "set-cookie" not in answer.headers
        assert client.get("/session").json() == {"identity": "ann"}
    assert not job.told()["cancelling"]
    job.cancel()
    ended([job], "cancelled")


def test_an_origin_is_enough_where_a_browser_says_no_more(shared_server: Server) -> None:
    assert sign_in(shared_server, Origin=shared_server.url).status_code == 303


def test_another_page_is_not_told_anything(shared_server: Server) -> None:
    with signed_in(shared_server) as client:
        for path in ("/api/v1/jobs", "/session", "/session/events"):
            for site in ("cross-site", "same-site"):
                refused(client.get(path, headers={"Sec-Fetch-Site": site}), 403, "own page")


def test_who_guesses_at_the_door_is_locked_out_of_everything(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        with signed_in(server) as client:
            for number in range(10):
                form = {"secret": f"wrong-{number}"}
                answer = httpx.post(f"{server.url}/session", data=form, headers=OURS, timeout=30)
                refused(answer, 401, "no such secret")
                assert "set-cookie" not in answer.headers
            for answer in (sign_in(server), client.get("/api/v1/jobs"), client.get("/session")):
                refused(answer, 429, "too many wrong secrets")
                assert 800 < int(answer.headers["retry-after"]) <= 900
        given = {"Authorization": f"Bearer {secret_of('ann')}"}
        refused(httpx.get(f"{server.url}/api/v1/jobs", headers=given), 429, "too many")
        assert "wrong-3" not in server.said()


@pytest.mark.parametrize("content", [b"", b"secret=", b"secret=+", b"\xff\xfe", b"{}", b"a=b"])
def test_a_form_without_a_secret_is_no_guess(shared_server: Server, content: bytes) -> None:
    answer = httpx.post(f"{shared_server.url}/session", content=content, headers=OURS)
    refused(answer, 400, "a secret is needed")


def test_what_anybody_may_send_is_little(shared_server: Server) -> None:
    content = b"secret=" + b"x" * SIGN_IN_BYTES
    refused(httpx.post(f"{shared_server.url}/session", content=content, headers=OURS), 413, "more")


def test_a_session_reads_and_cancels_and_no_more(shared_server: Server) -> None:
    job = shared_server.submit("wait-session")
    with signed_in(shared_server) as client:
        assert client.get("/session").json() == {"identity": "ann"}
        assert job.name in client.get("/api/v1/jobs").text
        refused(client.post("/api/v1/jobs", json={}), 403, "secret itself")
        refused(client.put(f"/api/v1/jobs/{job.name}/model", content=b"x"), 403, "secret itself")
        # A wrong secret is wrong, whatever the cookie says.
        wrong = {"Authorization": "Basic YTpi"}
        refused(client.get("/api/v1/jobs", headers=wrong), 401, "a secret is needed")
        assert client.post(f"/api/v1/jobs/{job.name}/cancel").status_code == 202
    ended([job], "cancelled")


def test_signing_out_ends_the_session_itself(shared_server: Server) -> None:
    with signed_in(shared_server) as client:
        kept = dict(client.cookies)
        answer = client.delete("/session")
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]
        with httpx.Client(base_url=shared_server.url, headers=OURS, cookies=kept) as thief:
            refused(thief.get("/api/v1/jobs"), 401, "a secret is needed")
            assert thief.get("/session").json() == {"identity": None}


def test_who_signs_in_anew_ends_what_there_was(shared_server: Server) -> None:
    with signed_in(shared_server) as client:
        kept = dict(client.cookies)
        answer = client.post("/session", data={"secret": secret_of("bob")})
        assert answer.status_code == 303
        with httpx.Client(base_url=shared_server.url, headers=OURS, cookies=kept) as before:
            assert before.get("/session").json() == {"identity": None}


def test_a_session_ends_with_its_secret_and_so_does_its_stream(tmp_path: Path) -> None:
    with Server(tmp_path) as server, signed_in(server) as client:
        with client.stream("GET", "/session/events") as stream:
            found = events(stream)
            assert first(found, "jobs")[1] == {"order": [], "jobs": [], "more": False}
            server.users("bob")
            assert first(found, "ended")
            assert list(found) == []
        refused(client.get("/api/v1/jobs"), 401, "a secret is needed")
        server.users("ann", "bob")
        # It does not come back with the secret.
        assert client.get("/session").json() == {"identity": None}


def test_a_session_lasts_so_long_and_a_secret_has_so_many(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps([{"identity": "ann", "secret": "s"}]))
    file.chmod(0o600)
    known, now = SecretsFile(file), [100.0]
    sessions = Sessions(known, seconds=10.0, each=2, clock=lambda: now[0])
    ann = known.holder("s")
    assert ann is not None
    old = sessions.begin(ann)
    now[0] = 109.9
    assert sessions.holder(old) == ann
    now[0] = 110.0
    assert sessions.holder(old) is None
    tokens = [sessions.begin(ann) for _ in range(3)]
    assert [sessions.holder(token) for token in tokens] == [None, ann, ann]
    assert sessions.holder("") is None
    # Another user whose secret this never was.
    assert not known.knows(Holder("eve", ann.secret))
    assert all(token not in repr(vars(sessions)) for token in tokens)


def test_another_users_job_is_not_there_for_a_session_either(shared_server: Server) -> None:
    own = shared_server.submit("quick", "bob")
    ended([own])
    with signed_in(shared_server) as client:
        for path in (
            f"/api/v1/jobs/{own.name}",
            f"/api/v1/jobs/{own.name}/log",
            f"/api/v1/jobs/{own.name}/results/report.json",
            f"/session/events?job={own.name}",
            "/session/events?job=0123456789abcdef",
        ):
            refused(client.get(path), 404, "there is no such")
        refused(client.post(f"/api/v1/jobs/{own.name}/cancel"), 404, "there is no such job")
        with client.stream("GET", "/session/events?most=1000") as stream:
            assert own.name not in first(events(stream), "jobs")[1]["order"]
    with signed_in(shared_server, "bob") as client:
        answer = client.get(f"/api/v1/jobs/{own.name}/results/report.json")
        given = f'attachment; filename="{own.name}-report.json"'
        assert answer.headers["content-disposition"] == given


def test_a_secure_cookie_where_there_is_tls(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, "authority")
    own = issuer.issue("localhost")
    options = ("--host", "localhost", "--tls-certificate", str(own.certificate))
    with Server(tmp_path, *options, "--tls-key", str(own.key)) as server:
        context = ssl.create_default_context(cafile=str(issuer.certificate))
        with httpx.Client(base_url=server.url, verify=context, timeout=30) as client:
            form = {"secret": secret_of("ann")}
            answer = client.post("/session", data=form, headers={"Origin": server.url})
            [(name, cookie)] = SimpleCookie(answer.headers["set-cookie"]).items()
            assert name.startswith("__Host-punchcard-")
            assert cookie["secure"]
            assert client.get("/session").json() == {"identity": "ann"}
