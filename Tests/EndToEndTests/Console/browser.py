"""Headless Chromium, driven over the DevTools protocol on a pair of pipes: the standard library is all it takes.

Nothing here waits for a time; everything waits for a condition, with a deadline.
"""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

DEADLINE = 60

KEYS = {
    "Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, None), "Escape": ("Escape", 27, None), " ": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, None), "ArrowUp": ("ArrowUp", 38, None), "ArrowRight": ("ArrowRight", 39, None),
    "ArrowLeft": ("ArrowLeft", 37, None), "Backspace": ("Backspace", 8, None), "Home": ("Home", 36, None), "End": ("End", 35, None),
}


class Failure(Exception):
    pass


class Browser:
    """One process with a profile of its own, gone with it."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="plue-chromium-")
        to_browser, self.requests = os.pipe()
        self.answers, from_browser = os.pipe()

        def connect():
            # Chromium reads requests from 3 and writes answers to 4; neither end may lie where the other goes.
            spare = os.dup(from_browser) if from_browser == 3 else from_browser
            os.dup2(to_browser, 3)
            os.dup2(spare, 4)
            for end in (3, 4):
                os.set_inheritable(end, True)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio",
             "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider", "--force-prefers-reduced-motion",
             f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"],
            close_fds=False, preexec_fn=connect, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.waiting = {}
        self.listeners = []
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while True:
            try:
                part = os.read(self.answers, 1 << 20)
            except OSError:
                part = b""
            if not part:
                return
            *whole, rest = (rest + part).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    with self.changed:
                        self.waiting[message["id"]] = message
                        self.changed.notify_all()
                else:
                    for listener in list(self.listeners):
                        listener(message)

    def send(self, method, session=None, **parameters):
        with self.changed:
            self.number += 1
            number = self.number
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            os.write(self.requests, json.dumps(message).encode() + b"\0")
            if not self.changed.wait_for(lambda: number in self.waiting, DEADLINE):
                raise Failure(f"no answer to {method}")
            answer = self.waiting.pop(number)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def page(self, width=1280, height=900, theme="light", **more):
        return Page(self, width, height, theme, **more)

    def close(self):
        try:
            self.send("Browser.close")
        except (Failure, OSError):
            pass
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab with cookies of its own, and a list of everything it did that it should not."""

    def __init__(self, browser, width, height, theme):
        self.browser = browser
        context = browser.send("Target.createBrowserContext")["browserContextId"]
        target = browser.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.complaints = []
        self.requests = []
        self.expected = []
        browser.listeners.append(self._hear)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.send(f"{domain}.enable")
        self.shape(width, height)
        self.theme(theme)

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def shape(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.width = width

    def theme(self, theme):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def _hear(self, message):
        if message.get("sessionId") != self.session:
            return
        method, parameters = message["method"], message["params"]
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append("exception: " + details.get("exception", {}).get("description", details.get("text", "")))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append("console: " + " ".join(str(argument.get("value", argument.get("description"))) for argument in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            entry = parameters["entry"]
            self.complaints.append(f"log: {entry['text']} {entry.get('url', '')}")
        elif method == "Audits.issueAdded":
            issue = parameters["issue"]
            if issue["code"] in ("ContentSecurityPolicyIssue", "MixedContentIssue", "CookieIssue"):
                self.complaints.append("issue: " + json.dumps(issue)[:400])
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, expression):
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def go(self, url):
        self.send("Page.navigate", url=url)

    def until(self, expression, what=None):
        """Waits until an expression is true, and returns it."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                value = self.evaluate(expression)
                # An element comes as an empty object.
                if value or value == {}:
                    return value
            except Failure as failure:
                # Between two pages there is nothing to ask.
                value = failure
            if time.monotonic() > deadline:
                self.picture("failure")
                raise Failure(f"did not come true: {what or expression} (was {value}); the page says: {self.evaluate('document.body.innerText')[:1500]}")
            time.sleep(0.03)

    def says(self, text, within="body"):
        # What is hidden has a text as well; it says nothing.
        return self.until(
            f"[...document.querySelectorAll({json.dumps(within)})].some((e) => e.checkVisibility() && e.innerText.includes({json.dumps(text)}))",
            f"{within} says {text!r}")

    # Elements, by what they are called

    def find(self, selector, text=None, within="body"):
        """An expression for the first visible element that a selector, and a text in it or its name, fits."""
        # What lies under an open dialog cannot be reached by anybody.
        return (f"[...([...document.querySelectorAll('dialog[open]')].at(-1) ?? document).querySelectorAll({json.dumps(selector)})].filter((e) => e.checkVisibility() && e.closest({json.dumps(within)})"
                f" && {json.dumps(text)} in {{null: 0}} || e.checkVisibility() && e.closest({json.dumps(within)}) && {json.dumps(text)} !== null && (e.innerText + ' ' + (e.getAttribute('aria-label') ?? '')).includes({json.dumps(text)}))[0]")

    def click(self, selector, text=None, within="body"):
        element = self.find(selector, text, within)
        self.until(f"(() => {{ const e = {element}; return e && !e.disabled }})()", f"{selector} {text or ''} is there")
        self.evaluate(f"{element}.scrollIntoView({{block: 'center'}})")
        box = self.evaluate(f"(() => {{ const b = {element}.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] }})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def focus(self, selector, text=None, within="body"):
        element = self.find(selector, text, within)
        self.until(f"!!{element}", f"{selector} {text or ''} is there")
        self.evaluate(f"{element}.focus()")

    def write(self, text):
        self.send("Input.insertText", text=text)

    def press(self, *keys, modifiers=0):
        for key in keys:
            code, number, text = KEYS.get(key) or (f"Key{key.upper()}" if key.isalpha() else "", ord(key.upper()), key)
            more = {"text": text} if text and not modifiers & 6 else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=code, windowsVirtualKeyCode=number, modifiers=modifiers, **more)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=code, windowsVirtualKeyCode=number, modifiers=modifiers)

    def clear(self):
        """Empties the field that has the focus, as a person does."""
        self.send("Input.dispatchKeyEvent", type="rawKeyDown", key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2, commands=["selectAll"])
        self.send("Input.dispatchKeyEvent", type="keyUp", key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2)
        self.press("Backspace")

    # Pictures

    pictures = None

    def picture(self, name, whole=False):
        if not Page.pictures:
            return
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(os.path.join(Page.pictures, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(data))
