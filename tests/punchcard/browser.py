"""A headless Chromium of the tests, and what is asked of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.punchcard.served import until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

#: The first is Debian's, the second Ubuntu's and others'.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """Why there can be no browser; empty where there can."""
    if find_spec("selenium") is None:
        return "selenium is not installed"
    if not any(map(shutil.which, _BROWSERS)):
        return "chromium is not installed: apt-get install chromium"
    if not shutil.which("chromedriver"):
        return "chromedriver is not installed: apt-get install chromium-driver"
    return ""


class Browser:
    """A window with one page.

    Args:
        driver: of selenium.
        downloads: where files go.
    """

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def one(self, selector: str) -> WebElement:
        """The element that a selector finds, once it is shown."""

        def shown() -> Any:
            found = self.driver.find_elements("css selector", selector)
            return next((one for one in found if one.is_displayed()), None)

        element: WebElement = until(shown, selector)
        return element

    def text(self, selector: str) -> str:
        """What an element says, shown or not."""
        script = "return document.querySelector(arguments[0])?.textContent ?? ''"
        return str(self.driver.execute_script(script, selector))

    def says(self, selector: str, wanted: str) -> None:
        """Waits until an element says this."""
        until(lambda: wanted in self.text(selector), f"{selector}: {wanted}")

    def type(self, *keys: str) -> None:
        """Presses keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def focus(self) -> str:
        """The id of the element that has the focus."""
        return str(self.driver.execute_script("return document.activeElement.id"))

    def tab_to(self, name: str) -> None:
        """Presses the tabulator until the element of this id has the focus."""
        for _ in range(40):
            if self.focus() == name:
                return
            self.type("\ue004")
        raise AssertionError(f"{name}: the tabulator does not reach it")

    def shape(self, width: int, height: int, *, dark: bool = False) -> None:
        """Makes it a phone, or another screen; the window itself cannot be as narrow."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def complaints(self) -> list[str]:
        """Errors and warnings, violations of the policy among them, since the last call."""
        said = self.driver.get_log("browser")
        return [str(one["message"]) for one in said if one["level"] in ("SEVERE", "WARNING")]

    def sign_in(self, url: str, secret: str) -> None:
        """Opens the page and signs in."""
        self.driver.get(url)
        self.one("#secret").send_keys(secret)
        self.one("#sign-in button").click()
        self.one("#desk")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which its driver ends."""
    from selenium import webdriver

    found = next(path for name in _BROWSERS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder:
        downloads = Path(folder, "downloads")
        options = webdriver.ChromeOptions()
        options.binary_location = found
        arguments = ["--headless=new", "--disable-dev-shm-usage", "--disable-gpu"]
        arguments += [f"--user-data-dir={folder}/profile", "--window-size=1200,900"]
        # Its sandbox refuses to work for root.
        for argument in arguments + (["--no-sandbox"] if os.getuid() == 0 else []):
            options.add_argument(argument)
        wanted = {"download.default_directory": str(downloads)}
        options.add_experimental_option("prefs", wanted)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options, service)
        try:
            yield Browser(driver, downloads)
        finally:
            driver.quit()


def downloaded(own: Browser, name: str) -> bytes:
    """The content of a file that the browser is downloading, once it is there."""
    path = own.downloads / name
    until(path.exists, f"the download of {name}")
    return path.read_bytes()


def stored(own: Browser) -> dict[str, Any]:
    """What scripts of the page could read: cookies and storage."""
    script = "return JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"
    cookies, local, session = json.loads(own.driver.execute_script(script))
    return {"cookies": cookies, "local": local, "session": session}
