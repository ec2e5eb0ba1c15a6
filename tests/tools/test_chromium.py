"""The talk with Chromium, whose part is written down beforehand."""

import base64
import importlib
import json
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

TOOLS = Path(__file__).parents[2] / "tools"


class Browser:
    """The other end of a page's pipes."""

    def __init__(self, module):
        (self._read, self._write), (self._sent, write) = os.pipe(), os.pipe()
        self.page = module.Page(self._read, write)
        self._ends = [self._read, self._write, self._sent, write]

    def say(self, *messages: dict) -> None:
        os.write(self._write, b"".join(json.dumps(one).encode() + b"\0" for one in messages))

    def heard(self) -> list[dict]:
        os.set_blocking(self._sent, False)
        return [json.loads(one) for one in os.read(self._sent, 1 << 16).split(b"\0") if one]

    def end(self) -> None:
        os.close(self._write)
        self._ends.remove(self._write)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("chromium")


@pytest.fixture
def browser(module):
    browser = Browser(module)
    yield browser
    browser.close()


def test_a_call_gets_its_own_answer_and_what_is_told_between_is_noted(browser):
    browser.say(
        {"method": "Network.requestWillBeSent", "params": {"request": {"url": "data:x"}}},
        {"method": "Log.entryAdded", "params": {"entry": {"level": "error", "text": "bad"}}},
        {"method": "Log.entryAdded", "params": {"entry": {"level": "info", "text": "fine"}}},
        {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": {"text": "oh"}}},
        {"method": "Runtime.consoleAPICalled", "params": {"type": "error", "args": [1]}},
        {"method": "Runtime.consoleAPICalled", "params": {"type": "log", "args": [2]}},
        {"id": 7, "result": "of nobody"},
        {"id": 1, "result": {"first": True}},
        {"id": 2, "result": {"second": True}},
    )
    assert browser.page.call("A.b", x=1) == {"first": True}
    assert browser.page.call("A.c") == {"second": True}
    assert browser.heard() == [
        {"id": 1, "method": "A.b", "params": {"x": 1}},
        {"id": 2, "method": "A.c", "params": {}},
    ]
    assert browser.page.requests == ["data:x"] and browser.page.errors == ["bad", "oh", "[1]"]


def test_what_it_refuses_what_the_page_throws_and_its_end_are_errors(browser, module, monkeypatch):
    browser.say(
        {"id": 1, "error": {"message": "no such method"}},
        {"id": 2, "result": {"exceptionDetails": {"text": "Uncaught"}, "result": {}}},
    )
    with pytest.raises(RuntimeError, match=r"^A\.b: no such method$"):
        browser.page.call("A.b")
    with pytest.raises(RuntimeError, match="Uncaught"):
        browser.page.evaluate("thrown()")
    monkeypatch.setattr(module, "_SECONDS", 0.01)
    with pytest.raises(TimeoutError, match="said nothing for"):
        browser.page.call("A.c")
    browser.end()
    with pytest.raises(RuntimeError, match="Chromium has ended"):
        browser.page.call("A.d")


def test_a_value_is_that_of_the_expression_and_a_picture_its_bytes(browser):
    picture = {"data": base64.b64encode(b"picture").decode()}
    browser.say({"id": 1, "result": {"result": {"value": 7}}}, {"id": 2, "result": picture})
    assert browser.page.evaluate("3 + 4") == 7
    assert browser.page.screenshot("png", 90, whole=True) == b"picture"
    evaluated, taken = (message["params"] for message in browser.heard())
    assert evaluated["expression"] == "3 + 4" and evaluated["awaitPromise"]
    assert taken == {"format": "png", "quality": 90, "captureBeyondViewport": True}


@pytest.mark.parametrize(
    ("width", "dark", "phone"), [(499, True, True), (500, False, False), (1100, True, False)]
)
def test_a_page_is_opened_as_its_user_sees_it(browser, width, dark, phone):
    results = [{"targetId": "t"}, {"sessionId": "s"}, *[{}] * 7]
    browser.say(
        {"method": "Page.loadEventFired"},  # of the empty page before it
        *({"id": number, "result": result} for number, result in enumerate(results, 1)),
        {"method": "Page.loadEventFired"},
        {"id": 10, "result": {"later": True}},
    )
    browser.page.open("file:///x.html", width, 800, dark, "print")
    assert browser.page.call("A.b") == {"later": True}, "no earlier message is left"
    heard = {message["method"]: message for message in browser.heard()}
    assert heard["Target.attachToTarget"]["params"]["targetId"] == "t"
    assert all("sessionId" not in heard[f"Target.{m}"] for m in ("createTarget", "attachToTarget"))
    assert heard["Page.navigate"]["params"] == {"url": "file:///x.html"}
    assert heard["Page.navigate"]["sessionId"] == "s"
    media = heard["Emulation.setEmulatedMedia"]["params"]
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    assert media == {"media": "print", "features": [scheme]}
    size = heard["Emulation.setDeviceMetricsOverride"]["params"]
    assert (size["width"], size["height"], size["mobile"]) == (width, 800, phone)
