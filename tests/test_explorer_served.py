"""The explorer as it is served: workers, the server's refusals, and the page in a real browser.

The browser is a Chromium installed on the system (``CHROMIUM`` names another); without one those tests are
skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TimedOut
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("nicegui")
pytest.importorskip("pebble")

from starlette.middleware.trustedhost import TrustedHostMiddleware

from analytic_ntk.errors import DomainError
from analytic_ntk.explorer.limits import Failure, one_by_one
from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.server import HOST, NAMES, SameOrigin, listen
from analytic_ntk.explorer.view import View
from analytic_ntk.explorer.workers import Workers, failure_of

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 180_000
"""Milliseconds: the machine that runs the tests may be busy."""
SLOW = "x*exp(x/3)*tanh(x-1)*atan(7*x)"
"""At depth 12 most of its panels take longer than they may."""


# ------------------------------------------------------------------------------------ what the server refuses


async def _inner(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})
    else:
        await send({"type": "websocket.accept"})


def answers(kind: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """What the guarded application sends for one request or one web socket."""
    app = TrustedHostMiddleware(SameOrigin(_inner), allowed_hosts=list(NAMES), www_redirect=False)
    given = {"host": "127.0.0.1:8000"} | headers
    scope = {
        "type": kind, "method": "GET", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"",
        "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()], "extensions": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request" if kind == "http" else "websocket.connect", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "localhost:8000"])
def test_this_machine_is_served(name: str) -> None:
    headers = {"host": name, "origin": f"http://{name}"}
    start = answers("http", headers)[0]
    assert start["status"] == 200 and answers("websocket", headers)[0]["type"] == "websocket.accept"
    assert "default-src 'self'" in dict(start["headers"])[b"content-security-policy"].decode()


@pytest.mark.parametrize(
    "headers",
    [{"host": "example.org"}, {"host": "localhost.example.org"}, {"host": "127.0.0.1.nip.io:8000"},
     {"origin": "http://example.org"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9000"},
     {"origin": "https://127.0.0.1:8000"}],
)  # fmt: skip
def test_others_are_not(headers: dict[str, str]) -> None:
    """Neither another name for this machine nor another page's scripts, by HTTP or by web socket."""
    assert answers("http", headers)[0]["status"] in (400, 403)
    assert "websocket.accept" not in [message["type"] for message in answers("websocket", headers)]


def test_the_socket_is_on_the_loopback_interface() -> None:
    with listen(0) as one:
        assert one.getsockname()[0] == HOST == "127.0.0.1"
        one.listen()
        with pytest.raises(DomainError, match="port"):
            listen(one.getsockname()[1])
    with pytest.raises(DomainError):
        listen(99_999)


# ------------------------------------------------------------------------------------ workers


def quick(view: View) -> Panel:
    return Panel(("exact",), f"depth {view.depth}, process {os.getpid()}")


def endless(view: View) -> Panel:
    while True:
        time.sleep(0.01)


def greedy(view: View) -> Panel:
    return Panel((), str(len(bytearray(1 << 40))))


def broken(view: View) -> Panel:
    raise ZeroDivisionError


def refused(view: View) -> Panel:
    raise DomainError("this", "that")


def asked(compute: Any, seconds: float = 60.0) -> Subject:
    return Subject(compute.__name__, "", "", ("depth",), compute, seconds=seconds)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(count=2) as found:
        yield found


@pytest.mark.slow
def test_workers_answer_and_keep_the_answer(workers: Workers) -> None:
    first = workers.start(asked(quick), View(depth=2)).result(60)
    again = workers.start(asked(quick), View(depth=2, rho="1/3")).result(60)  # rho is not read
    other = workers.start(asked(quick), View(depth=5)).result(60)
    assert first == again != other and str(os.getpid()) not in first.headline


@pytest.mark.slow
def test_workers_are_bounded(workers: Workers) -> None:
    """Time, memory, a crash, a wrong question: each has its words, and the next question is answered."""
    for subject, error, said in (
        (asked(endless, 0.5), TimedOut, "limit"),
        (asked(greedy), MemoryError, "memory"),
        (asked(broken), ZeroDivisionError, "fault"),
        (asked(refused), DomainError, "required: that"),
    ):
        with pytest.raises(error) as caught:
            workers.start(subject, View()).result(60)
        assert said in str(failure_of(caught.value, subject))
    assert isinstance(workers.known(asked(refused), View()), Failure)
    assert workers.known(asked(endless), View()) is None
    assert workers.start(asked(quick), View(depth=7)).result(60).headline.startswith("depth 7")


@pytest.mark.slow
def test_a_cancelled_computation_ends(workers: Workers) -> None:
    futures = [workers.start(asked(endless), View(depth=d)) for d in (1, 2, 3)]
    time.sleep(1.0)
    for future in futures:
        assert future.cancel()
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(60)
    assert workers.start(asked(quick), View(depth=9)).result(60).headline.startswith("depth 9")


@pytest.mark.slow
def test_an_export_is_bounded_in_memory_and_time() -> None:
    """And what comes after what was stopped is computed all the same."""
    subjects = [asked(greedy), asked(endless, 0.5), asked(quick)]
    large, slow, last = (found for _, found in one_by_one(subjects, View()))
    assert isinstance(large, MemoryError) and isinstance(last, Panel)
    assert isinstance(slow, Exception) and "limit" in str(failure_of(slow, subjects[1]))


KILLED = """
from multiprocessing import get_context
import os, time
from analytic_ntk.explorer.limits import MEMORY, bound
if __name__ == "__main__":
    pool = get_context("spawn").Pool(1, bound, (MEMORY,))
    print(pool.apply(os.getpid), flush=True)
    pool.apply(time.sleep, (600,))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_a_worker_does_not_outlive_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        worker = Path("/proc", one.stdout.readline().strip())
        assert worker.is_dir()
        one.kill()
        deadline = time.monotonic() + 30
        while worker.is_dir() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not worker.is_dir()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a group of processes is interrupted")
@pytest.mark.parametrize("begun", [2.0, 5.0], ids=["loading", "warming"])
def test_interrupted_while_it_begins(begun: float) -> None:
    """Ctrl-C reaches every process of the terminal; none of them has anything to say to it."""
    command = [sys.executable, "-m", "analytic_ntk.cli", "explore", "--no-browser"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as server:
        time.sleep(begun)
        os.killpg(server.pid, signal.SIGINT)
        said = server.communicate(timeout=60)[0]
    assert "Traceback" not in said and server.returncode in (0, 130)


# ------------------------------------------------------------------------------------ the page


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "analytic_ntk.cli", "explore", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
        assert found is not None
        yield found[0]
        server.terminate()
        assert server.wait(60) == 0


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page with what it asked of the network and what went wrong in it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.elsewhere: list[str] = []
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE)
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._received))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append("a dialog"), dialog.dismiss()))
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _received(self, frame: Any) -> None:
        self.received += len(frame)

    def go(self, query: str = "") -> Visit:
        self.page.goto(f"{self.address}?{query}")
        return self.settled()

    def settled(self) -> Visit:
        self.page.wait_for_function("/up to date|put right/.test(document.body.innerText)", timeout=PATIENCE)
        return self

    def type(self, label: str, text: str) -> Visit:
        self.page.get_by_role("textbox", name=label, exact=True).fill(text)
        self.page.wait_for_function("/Reading|computed/.test(document.body.innerText)", timeout=10_000)
        return self.settled()

    def text(self, name: str) -> str:
        return str(self.page.locator(f"#{name}").inner_text())


@pytest.fixture
def visit(address: str, chromium: Any) -> Iterator[Visit]:
    context = chromium.new_context(accept_downloads=True, viewport={"width": 1280, "height": 900})
    found = Visit(context.new_page(), address)
    yield found
    context.close()
    assert found.elsewhere == []
    assert found.faults == []


@pytest.mark.slow
def test_each_panel(visit: Visit) -> None:
    visit.go("activation=relu&depth=2&bias_variance=0")
    seen = {
        "activation": "degree 1", "kernels": "NTK(1/2)", "formulas": "Closed form", "hermite": "a_n",
        "series": "NNGP", "spectrum": "multiplicity", "phase": "edge", "limit": "Edge of chaos",
        "positivity": "proportional", "width": "spread",
    }  # fmt: skip
    for name, text in seen.items():
        assert text.lower() in visit.text(name).lower(), name
    assert visit.page.locator("figure svg").count() == 8
    visit.page.get_by_role("button", name="Compute the digits").click()
    visit.page.wait_for_selector("#digits td")
    assert len(re.findall(r"\b\d\.\d{29}\b", visit.text("digits"))) == 2
    visit.page.get_by_role("button", name="Prove or refute").click()
    visit.page.wait_for_selector("#conjecture .headline")
    assert "PROVED" in visit.text("conjecture")


@pytest.mark.slow
def test_an_expression_typed_and_one_refused(visit: Visit) -> None:
    visit.go("panels=activation,formulas&depth=1")
    visit.type("Activation φ", "x*erf(x)")
    assert "activation=x%2Aerf%28x%29" in visit.page.url and "even" in visit.text("activation")
    before = visit.text("formulas .answer")
    visit.type("Activation φ", "x*erff(x)")
    alert = visit.page.get_by_role("alert")
    assert "erff" in alert.inner_text()
    field = visit.page.get_by_role("textbox", name="Activation φ", exact=True)
    assert field.get_attribute("aria-invalid") == "true"
    assert visit.text("formulas .answer") == before  # the last good state stands
    assert "erff" not in visit.page.url and "Waits for: Activation" in visit.text("formulas")
    visit.type("Weight variance", "pi")
    visit.page.wait_for_function("document.querySelectorAll('[role=alert]').length === 2")
    assert "Waits for" in visit.text("formulas")
    visit.type("Activation φ", "sin(x)")
    visit.type("Weight variance", "3/2")
    visit.page.wait_for_function("document.querySelectorAll('[role=alert]').length === 0")
    assert "weight_variance=3%2F2" in visit.page.url


@pytest.mark.slow
def test_lists_follow_and_lead(visit: Visit) -> None:
    """The list of names shows what is typed and changes it; that of point sets changes the verdict."""
    visit.go("panels=positivity&activation=relu&bias_variance=0&depth=1")
    names = visit.page.get_by_role("combobox", name="Catalogue")
    assert names.input_value() == "relu" and "Singular" in visit.text("positivity")
    visit.page.get_by_role("combobox", name="Points").select_option("non-proportional")
    visit.page.wait_for_function("document.querySelector('#positivity').innerText.includes('no two')")
    visit.type("Activation φ", "x*erf(x)")
    visit.page.wait_for_function("document.querySelector('select').value === ''")
    names.select_option("tanh")
    visit.page.wait_for_function("location.search.includes('activation=tanh&')")
    assert "domain=non-proportional" in visit.page.url
    visit.go("panels=positivity&activation=relu&domain=torus")
    assert "torus" in visit.text("positivity .wrong")
    visit.page.get_by_role("combobox", name="Points").select_option("sphere")
    visit.page.wait_for_function("document.querySelector('#positivity .headline') !== null")
    assert "torus" not in visit.text("positivity .wrong")


@pytest.mark.slow
def test_a_wrong_value_does_not_send_the_answers_again(visit: Visit) -> None:
    visit.go("activation=relu&depth=1&panels=activation,kernels,hermite,series")
    before = visit.received
    visit.type("Activation φ", "reluu")
    assert "Waits for" in visit.text("kernels") and visit.page.locator("#kernels.stale").count() == 1
    assert visit.received - before < 30_000  # one picture alone has 15,000


@pytest.mark.slow
def test_what_stands_in_the_queue_says_so(visit: Visit) -> None:
    """Two processes at most for what is quick: of what is slow nevertheless the third waits its turn."""
    visit.page.goto(f"{visit.address}?activation={SLOW}&depth=12")
    visit.page.get_by_text("Waits for a free process.").first.wait_for()
    visit.page.get_by_text("s of at most 60 s").first.wait_for()


@pytest.mark.slow
def test_the_address_brings_the_view_back(visit: Visit) -> None:
    visit.go("panels=kernels")
    visit.page.get_by_role("slider", name="Correlation ρ of the inputs").focus()
    for _ in range(3):
        visit.page.keyboard.press("ArrowLeft")
    visit.page.wait_for_function("location.search.includes('rho=7%2F20')")
    visit.settled()
    visit.page.wait_for_function("document.querySelector('#kernels').innerText.includes('NTK(7/20)')")
    shown = visit.text("kernels")
    visit.page.reload()
    visit.page.wait_for_selector("#kernels td")
    visit.settled()
    assert visit.text("kernels") == shown
    field = visit.page.get_by_role("textbox", name="Correlation ρ of the inputs", exact=True)
    assert field.input_value() in ("0.35", "7/20")


@pytest.mark.slow
@pytest.mark.parametrize(("button", "name"), [(None, "positivity"), ("Prove or refute", "conjecture")])
def test_a_certificate_is_downloaded_and_verifies(
    visit: Visit, button: str | None, name: str, tmp_path: Path
) -> None:
    visit.go(f"panels={name}&activation=tanh")
    if button:
        visit.page.get_by_role("button", name=button).click()
    link = visit.page.locator(f"#{name} a[download]")
    link.wait_for()
    with visit.page.expect_download() as download:
        link.click()
    path = tmp_path / "certificate.json"
    download.value.save_as(path)
    check = [sys.executable, "-c", "from proofs_check.cli import main; main()", "verify", str(path)]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "accepted" in done.stdout
    spoiled = json.loads(path.read_text()) | {"version": 2}
    path.write_text(json.dumps(spoiled))
    assert subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode == 3


@pytest.mark.slow
def test_a_long_computation_is_cancelled(visit: Visit) -> None:
    """While it is at work it can be stopped, and asked again."""
    visit.page.goto(f"{visit.address}?panels=spectrum&activation={SLOW}&depth=12")
    cancel = visit.page.get_by_role("button", name="Cancel: Spectrum on the sphere")
    cancel.wait_for()
    visit.page.get_by_text("s of at most 90 s").wait_for()
    cancel.click()
    visit.settled()
    assert "Stopped." in visit.text("spectrum") and not cancel.is_visible()
    visit.page.locator("#spectrum button", has_text="Compute").click()
    cancel.wait_for()
    cancel.click()


@pytest.mark.slow
def test_hostile_text_runs_nothing_and_hangs_nothing(visit: Visit, tmp_path: Path) -> None:
    bad = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    made = tmp_path / "made"
    texts = (bad, f"__import__('os').mkdir({str(made)!r})", "10**10**10", "(" * 140 + "x" + ")" * 140)
    visit.go("panels=activation,conjecture&activation=relu&depth=1")
    for text in texts:
        visit.type("Activation φ", text)
        visit.page.wait_for_function("document.querySelectorAll('[role=alert]').length === 1")
    visit.type("Activation φ", "tanh")
    for text in texts:
        visit.type("Conjecture", text)
        visit.page.get_by_role("button", name="Prove or refute").click()
        visit.page.wait_for_function(
            "document.querySelector('#conjecture .message').innerText.includes('required')"
        )
    for name in ("activation", "depth", "panels", "domain", "rho"):
        query = urlencode({"panels": "activation", "x": bad} | {name: bad})
        visit.page.goto(f"{visit.address}?{query}")
        visit.page.wait_for_selector("h1")
        visit.settled()
        assert "To be put right" in visit.page.inner_text("body"), name
        assert visit.page.locator("img").count() == 0
    assert not made.exists()


@pytest.mark.slow
def test_the_exported_page_offline(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "view.html"
    query = "activation=gelu&depth=2&panels=activation,kernels,formulas,digits,positivity"
    command = [sys.executable, "-m", "analytic_ntk.cli", "explore", "--view", query, "--export", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    context = chromium.new_context(offline=True, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert page.locator("svg").count() == 3 and page.locator("math").count() >= 6
    page.get_by_role("button", name="Copy NTK as LaTeX").or_(
        page.get_by_role("button", name="Copy next T as LaTeX")
    ).click()
    page.get_by_text("copied", exact=True).wait_for()
    assert "\\" in page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as download:
        page.locator("#positivity a[download]").click()
    assert json.loads(Path(download.value.path()).read_text())["kind"]
    assert faults == []
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_and_a_keyboard(address: str, chromium: Any, scheme: str) -> None:
    """360 pixels wide: nothing is cut off; every field and button has a name; the focus is seen; contrast."""
    context = chromium.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme)
    visit = Visit(context.new_page(), address)
    visit.go("panels=activation,kernels,formulas,positivity,digits,width")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    nameless = visit.page.evaluate(
        """[...document.querySelectorAll('input, button, a[href], [role=slider], [role=combobox]')]
        .filter(e => e.offsetParent && !(e.getAttribute('aria-label') || e.innerText || e.labels?.length))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []
    assert visit.page.locator("main").count() == 1  # the framework's own
    small = visit.page.evaluate(
        """[...document.querySelectorAll('button, summary, select, input[type=range], a[href]')]
        .filter(e => e.checkVisibility() && Math.min(e.offsetWidth, e.offsetHeight) < 24)
        .map(e => e.outerHTML)"""
    )
    assert small == []
    width = visit.page.get_by_role("slider", name="Width of the finite networks")
    assert width.get_attribute("aria-valuetext") == "64"
    low = visit.page.evaluate(CONTRAST)
    assert low == []
    visit.page.get_by_role("textbox", name="Activation φ", exact=True).focus()
    reached = []
    for _ in range(40):
        visit.page.keyboard.press("Tab")
        reached.append(visit.page.evaluate("document.activeElement.innerText || document.activeElement.name"))
    assert {"depth-slider", "rho-slider", "Copy link", "LaTeX"} <= {str(r).strip() for r in reached}
    context.close()


CONTRAST = """(() => {
  const part = (v) => v <= 10.02 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4;
  const luminance = (c) => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const parse = (s) => { const n = s.match(/[\\d.]+/g).map(Number);
    return n.length < 4 || n[3] > 0 ? n.slice(0, 3) : null; };
  const behind = (e) => { for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor); if (c) return c; }
    return [255, 255, 255]; };
  const wrong = [];
  for (const e of document.querySelectorAll('.explorer *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('svg, .q-icon, .visually-hidden')) continue;
    let shown = 1;
    for (let a = e; a; a = a.parentElement) shown *= getComputedStyle(a).opacity;
    const under = behind(e), own_colour = parse(getComputedStyle(e).color) || [0, 0, 0];
    const seen = own_colour.map((c, i) => shown * c + (1 - shown) * under[i]);
    const pair = [luminance(seen), luminance(under)];
    if ((Math.max(...pair) + .05) / (Math.min(...pair) + .05) < 4.5)
      wrong.push(e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  return wrong;
})()"""
"""Texts whose contrast with what is behind them is below 4.5, the measure of WCAG 2 (AA)."""
