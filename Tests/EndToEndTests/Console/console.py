"""The console, as people use it: driven in headless Chromium against a running daemon.

    console.py STORY ADDRESS [SECRET…]

Exits 0 when the story came to its end, and prints what went wrong otherwise. With $PLUE_PICTURES, a directory, pictures go there.
"""
import json
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from browser import Browser, Failure, Page  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ACCESSIBLE = open(os.path.join(HERE, "accessible.js"), encoding="utf-8").read()
ROLES = {"button", "link", "textbox", "searchbox", "checkbox", "switch", "combobox", "radio", "region", "dialog", "navigation", "table"}


def require(condition, what):
    if not condition:
        raise Failure(what)


def accessible(page, where):
    """What can be told by a program about who else can use a page: once it stands, for what is being laid out has no size yet."""
    deadline = time.monotonic() + 5
    while complaints := complaints_about(page):
        require(time.monotonic() < deadline, f"{where}: " + "; ".join(complaints[:12]))
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def complaints_about(page):
    complaints = page.evaluate(ACCESSIBLE)
    page.send("Accessibility.enable")
    for node in page.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in ROLES and not node.get("name", {}).get("value", "").strip():
            complaints.append(f"a {role} has no name")
    page.send("Accessibility.disable")
    return complaints


def quiet(page, address, *expected):
    """Nothing failed, nothing was forbidden, and nothing went anywhere else."""
    rest = [complaint for complaint in page.complaints if not any(word in complaint for word in expected)]
    require(not rest, "the browser complains: " + "; ".join(rest[:5]))
    origin = address.rstrip("/")
    away = [url for url in page.requests if not url.startswith((origin + "/", "data:", "about:"))]
    require(not away, f"requests left the origin: {away[:3]}")


def version(page):
    return int(page.evaluate("document.querySelector('.ribbon .version').textContent.slice(1)"))


def until_version(page, number):
    page.until(f"document.querySelector('.ribbon .version')?.textContent === 'v{number}'", f"version {number} runs")


def enter_by_code(page, address, code):
    page.go(f"{address}/#code={code}")
    page.says("runs in", "main")
    require(page.evaluate("location.hash") == "#/overview", "the code is still in the address bar")
    require(code not in page.evaluate("JSON.stringify([location.href, history.length])"), "the code is still in the history")
    page.until("document.querySelector('.link.on')", "events arrive")


def enter_by_token(page, address, token):
    page.go(address + "/")
    page.says("Sign in", "main")
    page.focus("#token")
    page.write(token)
    page.press("Enter")
    page.says("runs in", "main")
    page.until("document.querySelector('.link.on')", "events arrive")
    # What signs in is kept nowhere that a script could read.
    require(token not in page.evaluate("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, document.documentElement.outerHTML])"), "the token can be read")


# MARK: Stories

def story(browser, address, code, token):
    """A change from a typing error to its rollback, by mouse, in light and in dark."""
    page = browser.page(1280, 860, "light")
    page.go(address + "/")
    page.says("Sign in", "main")
    page.picture("1-sign-in")
    accessible(page, "sign-in")
    page.focus("#token")
    page.write("plue_nobody")
    page.click("button", "Sign in")
    page.says("does not sign in", "main")
    page.evaluate("document.querySelector('#token').value = ''")
    enter_by_code(page, address, code)
    first = version(page)
    page.until("document.querySelectorAll('.timeline li').length > 0")
    page.picture("2-overview", whole=True)
    accessible(page, "overview")

    # An edit that is wrong, and then one that is right.
    page.click("nav a", "Settings")
    page.click("button.line", "max_connections", within="[data-section=server]")
    page.until("document.querySelectorAll('.layers li').length > 0", "the layers are told")
    page.focus("input[inputmode=numeric]")
    page.clear()
    page.write("0")
    page.says("is between 1 and 1,000,000", ".detail .says")
    require(page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true", "the field is not marked as wrong")
    require(page.evaluate("document.querySelector('button.review').disabled"), "what is wrong can be reviewed")
    page.picture("3-wrong")
    accessible(page, "settings with an error")
    page.clear()
    page.write("4242")
    page.until("!document.querySelector('button.review').disabled", "the plan is made")
    page.says("http: live", ".tray")
    # Only the server knows this rule: both settings are right by themselves.
    page.click("button.line", "pool_max")
    page.focus(".setting[data-key='database.pool_max'] input")
    page.clear()
    page.write("1")
    page.click("button.line", "pool_min")
    page.focus(".setting[data-key='database.pool_min'] input")
    page.clear()
    page.write("5")
    page.says("pool_min is at most pool_max", ".setting[data-key='database.pool_min'] .says")
    require(page.evaluate("document.querySelector('button.review').disabled"), "what the server refuses can be reviewed")
    page.picture("4-rule")
    for key in ("database.pool_max", "database.pool_min"):
        page.click("button", "Undo", within=f".setting[data-key='{key}']")
    page.until("!document.querySelector('button.review').disabled", "the plan is made again")

    # The plan, a reason, a time to confirm.
    page.click("button.review")
    page.until("document.querySelector('dialog .changes')")
    page.says("4242", "dialog .changes .new")
    page.picture("5-plan")
    accessible(page, "plan")
    page.click("button", "Apply", within="dialog")
    require(page.evaluate("document.querySelector('dialog[open]') !== null"), "it was applied without a reason")
    page.focus("dialog input[required]")
    page.write("more guests tonight")
    page.click("dialog label", "1 min")
    page.click("button", "Apply", within="dialog")
    page.until("!document.querySelector('dialog[open]')", "it is applied")
    until_version(page, first + 1)
    page.says("runs on trial", ".banner.waits")
    page.says("waits to be confirmed", ".ribbon")
    page.until("/^(\\d+ s|\\d:\\d\\d)$/.test(document.querySelector('.counter').textContent)", "the countdown is told")
    before = page.evaluate("document.querySelector('.counter').textContent")
    page.until(f"document.querySelector('.counter').textContent !== {json.dumps(before)}", "the countdown runs")
    page.picture("6-countdown")
    accessible(page, "countdown")
    page.click("button", "Confirm", within=".banner.waits")
    page.until("!document.querySelector('.banner.waits')", "it is confirmed")
    require(page.evaluate("document.querySelector('.setting[data-key=\"server.max_connections\"] .value').textContent") == "4242", "the new value is not shown")

    # The same without a confirmation: taken back by hand.
    page.focus(".setting[data-key='server.max_connections'] input")
    page.clear()
    page.write("4300")
    page.click("button.review")
    page.until("document.querySelector('dialog .changes')")
    page.focus("dialog input[required]")
    page.write("even more")
    page.click("dialog label", "5 min")
    page.click("button", "Apply", within="dialog")
    page.click("button", "Revert now", within=".banner.waits")
    page.until("document.querySelector('dialog .changes')")
    page.click("button", "Revert now", within="dialog")
    until_version(page, first + 3)
    page.until("!document.querySelector('.banner.waits')", "it is taken back")

    # Somebody else is faster.
    page.focus(".setting[data-key='server.max_connections'] input")
    page.clear()
    page.write("5000")
    page.click("button.review")
    page.until("document.querySelector('dialog .changes')")
    page.focus("dialog input[required]")
    page.write("mine")
    call(address, token, "PATCH", "/v1/config?reason=theirs", {"server": {"max_connections": 4999}})
    page.click("button", "Apply", within="dialog")
    page.says("The configuration moved", "dialog .outcome")
    page.says("theirs", "dialog .outcome")
    page.says("You both changed server.max_connections", "dialog .outcome")
    page.picture("7-moved")
    accessible(page, "moved")
    page.click("button", "Plan again", within="dialog")
    page.says("4999", "dialog .plan .old")
    page.click("button", "Apply", within="dialog")
    until_version(page, first + 5)

    # The text, wrong at a line and then right.
    page.theme("dark")
    page.click("nav a", "Documents")
    page.until("(document.querySelector('.sheet textarea')?.value ?? '').includes('max_connections')", "the document is shown")
    page.focus(".sheet textarea")
    page.evaluate("document.activeElement.setSelectionRange(0, 0)")
    page.write("[ssh]\nbaner = welcome\n")
    page.says("did you mean", ".found-list")
    page.until("document.querySelector('.gutter .error')?.textContent === '2'", "the line is marked")
    page.picture("8-document-wrong")
    accessible(page, "document with an error")
    page.evaluate("document.querySelector('.sheet textarea').setSelectionRange(6, 11)")
    page.focus(".sheet textarea")
    page.write("banner")
    page.says("Valid", ".found-list")
    page.click("button", "Review", within=".document-head")
    page.until("document.querySelector('dialog .sides')")
    page.picture("9-document-plan")
    accessible(page, "plan of a document")
    page.focus("dialog input[required]")
    page.write("a closer look")
    page.click("button", "Apply", within="dialog")
    until_version(page, first + 6)

    # Two versions side by side, and the way back.
    page.click("nav a", "History")
    page.until("document.querySelectorAll('.entries li').length >= 5")
    page.click("input", f"Compare version {first}")
    page.click("input", f"Compare version {first + 6}")
    page.click("button", "Compare", within=".head")
    page.until("document.querySelector('main .changes')")
    page.says("ssh.banner", ".changes")
    page.says("server.max_connections", ".changes")
    page.picture("10-diff")
    accessible(page, "diff")
    page.click("button", f"Roll back to v{first}")
    page.until("document.querySelector('dialog .changes')")
    page.focus("dialog input[required]")
    page.write("as it was")
    page.click("button", "Roll back", within="dialog")
    until_version(page, first + 7)
    page.until(f"document.querySelector('.entries li .runs:not([hidden])')?.dataset.version === '{first + 7}'", "the history tells it")
    page.picture("11-history")
    accessible(page, "history")

    # The record.
    page.click("nav a", "Audit")
    page.until("document.querySelectorAll('.log tbody tr').length > 5")
    page.click("button", "Verify")
    page.says("The record is as it was written", ".verification")
    page.picture("12-audit")
    accessible(page, "audit")
    page.focus("input[placeholder^='actor']")
    page.write("nobody:here")
    page.says("No entry is like that", ".found")
    quiet(page, address, "/v1/session", "412")
    require("plue_nobody" not in page.evaluate("document.documentElement.outerHTML"), "a token is still in the page")

    page.click("button", "Sign out")
    page.says("Signed out", "main")
    page.go(address + "/#/settings")
    page.says("Sign in", "main")


def keyboard(browser, address, token):
    """The same road without a mouse, on a phone's width, in the dark."""
    page = browser.page(360, 740, "dark")
    enter_by_token(page, address, token)
    first = version(page)
    page.picture("phone-1-overview", whole=True)
    accessible(page, "overview on a phone")
    focus_order(page)
    page.press("?")
    page.says("Keyboard", "dialog")
    page.picture("phone-2-help")
    accessible(page, "help on a phone")
    page.press("Escape")
    page.until("!document.querySelector('dialog')")
    page.press("/")
    page.until("document.activeElement.type === 'search'", "the search has the focus")
    page.write("max_conn http")
    page.says("No setting is like that", ".found")
    page.clear()
    page.write("max_connections")
    page.until("document.querySelector('.found').textContent === '2 settings'")
    page.press("Enter")
    page.until("document.activeElement.matches('.line')", "the first line has the focus")
    page.press("Enter")
    page.until("document.activeElement.getAttribute('aria-expanded') === 'true'")
    page.press("Tab")
    page.until("document.activeElement.matches('input')", "the field is next")
    page.clear()
    page.write("many")
    page.says("is a whole number", ".detail .says")
    page.picture("phone-3-wrong")
    accessible(page, "settings on a phone")
    page.clear()
    page.write("77")
    page.until("!document.querySelector('button.review').disabled", "the plan is made")
    page.press("Escape")
    page.press("r")
    page.until("document.querySelector('dialog .changes')")
    page.picture("phone-4-plan")
    accessible(page, "plan on a phone")
    tab_to(page, "dialog input[required]")
    page.write("by keyboard")
    tab_to(page, "dialog input[type=radio]")
    page.press("ArrowRight")
    page.until("document.activeElement.value === '30s' && document.activeElement.checked", "the time is chosen")
    tab_to(page, "dialog button[type=submit]")
    page.press("Enter")
    page.says("runs on trial", ".banner.waits")
    page.picture("phone-5-countdown")
    accessible(page, "countdown on a phone")
    page.until("!document.querySelector('dialog')")
    tab_to(page, ".banner.waits button.primary", back=True)
    page.press("Enter")
    page.until("!document.querySelector('.banner.waits')", "it is confirmed")
    until_version(page, first + 1)
    page.evaluate("document.activeElement.blur()")
    for keys, title in (("gd", "Documents"), ("gh", "History"), ("ga", "Audit"), ("go", "Version"), ("gh", "History")):
        page.press(*keys)
        page.until(f"document.querySelector('main h1')?.textContent.startsWith('{title}') && document.activeElement === document.querySelector('main h1')", f"{title} is shown and read")
        page.picture(f"phone-6-{title.lower()}")
        page.until("!document.querySelector('main').textContent.includes('…') || document.querySelector('main textarea, main .entries li, main .log td, main .timeline li')")
        accessible(page, f"{title} on a phone")
    page.until("document.querySelectorAll('.entries li').length > 1")
    page.press("j", "j")
    page.press("Enter")
    page.says("on top of" if first > 1 else "digest", ".detail:not([hidden])")
    tab_to(page, f".detail:not([hidden]) button.small")
    page.press("Enter")
    page.until("document.querySelector('dialog .changes')")
    tab_to(page, "dialog input[required]")
    page.write("back, by keyboard")
    page.press("Enter")
    until_version(page, first + 2)
    page.until("!document.querySelector('dialog')")
    page.press("t")
    page.until("document.documentElement.dataset.theme === 'light'")
    page.press("t", "t")
    quiet(page, address)


def much(browser, address, token, viewer):
    """A thousand settings and very long values; a viewer, who is offered nothing that is refused; a line that breaks."""
    page = browser.page(1280, 860, "light")
    enter_by_token(page, address, token)
    page.click("nav a", "Settings")
    page.until("document.querySelectorAll('li.setting').length > 1000", "all settings are listed")
    page.picture("much-1")
    accessible(page, "a thousand settings")
    began = time.monotonic()
    page.focus("#search")
    page.write("setting_0997")
    page.until("document.querySelector('.found').textContent === '1 setting'")
    require(time.monotonic() - began < 20, "the search is slow")
    page.press("Enter")
    page.press("Enter")
    page.until("document.querySelectorAll('.layers li').length > 0")
    page.picture("much-2-long")
    page.shape(360, 740)
    page.until("innerWidth === 360")
    page.picture("much-3-phone")
    accessible(page, "long values on a phone")
    require(page.evaluate("document.body.innerText").find("only-for-the-page") < 0, "a secret is shown")

    # The line breaks, and comes back.
    page.shape(1280, 860)
    page.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    page.says("Not connected", ".banner.offline")
    page.picture("much-4-offline")
    page.send("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    call(address, token, "PATCH", "/v1/config?reason=meanwhile", {"server": {"max_connections": 123}})
    page.until("document.querySelector('.banner.offline').hidden && document.querySelector('.link.on')", "it is connected again")
    page.until("document.querySelector('.setting[data-key=\"server.max_connections\"] .value').textContent === '123'", "what happened meanwhile is shown")
    quiet(page, address, "ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED")

    # Secrets are written and never read.
    page.focus("#search")
    page.clear()
    page.write("jwt_secret")
    page.until("[...document.querySelectorAll('li.setting')].filter((e) => e.checkVisibility()).map((e) => e.dataset.key).join() === 'security.jwt_secret'")
    page.press("Enter")
    page.press("Enter")
    page.focus("input[type=password]")
    page.write("only-for-the-page-2")
    page.until("document.querySelector('.setting.edited')")
    require("only-for-the-page" not in page.evaluate("document.documentElement.outerHTML"), "a secret is shown")
    page.click("button", "Discard", within=".tray")

    other = browser.page(1280, 860, "light")
    enter_by_token(other, address, viewer)
    other.click("nav a", "Settings")
    other.click("button.line", "max_connections", within="[data-section=server]")
    other.until("document.querySelectorAll('.layers li').length > 0")
    other.picture("much-5-viewer")
    require(other.evaluate("document.querySelectorAll('.detail input, .detail textarea, .detail select').length") == 0, "a viewer is offered a form")
    require("Documents" not in other.evaluate("document.querySelector('.top nav').innerText"), "a viewer is offered the documents' texts")
    other.click("nav a", "History")
    other.click("button.line", "v1")
    other.says("digest", ".detail:not([hidden])")
    require("Roll back" not in other.evaluate("document.body.innerText"), "a viewer is offered a rollback")
    other.click("nav a", "Audit")
    other.until("document.querySelectorAll('.log tbody tr').length > 1")
    require(not other.evaluate(f"!!{other.find('button', 'Verify')}"), "a viewer is offered to verify")
    quiet(other, address)


def together(browser, address, first, second, some):
    """A change that takes two; and somebody who has one section only."""
    page = browser.page(1280, 860, "light")
    enter_by_token(page, address, first)
    page.click("nav a", "Settings")
    page.click("button.line", "max_connections", within="[data-section=server]")
    page.focus("input[inputmode=numeric]")
    page.clear()
    page.write("4242")
    page.click("button.review")
    page.until("document.querySelector('dialog .changes')")
    page.focus("dialog input[required]")
    page.write("is this wise?")
    page.click("button", "Apply", within="dialog")
    page.says("It takes two", "dialog")
    page.click("a", "To the proposals", within="dialog")
    page.says("It takes somebody else", ".proposals")
    page.picture("together-1-proposals")
    accessible(page, "proposals")
    require(version(page) == 1, "it was applied by one alone")

    other = browser.page(1280, 860, "dark")
    enter_by_token(other, address, second)
    other.click("nav a", "Proposals")
    other.says("is this wise?", ".proposals")
    other.click("button", "Approve", within=".proposals")
    other.write("it is")
    other.picture("together-2-approve")
    accessible(other, "approval")
    other.click("button", "Approve", within="dialog")
    until_version(other, 2)
    other.says("Nothing waits", ".found")
    until_version(page, 2)
    page.says("Nothing waits", ".found")
    quiet(page, address)
    quiet(other, address)

    part = browser.page(1280, 860, "light")
    part.go(address + "/")
    part.focus("#token")
    part.write(some)
    part.press("Enter")
    part.says("[logging]", "main")
    part.picture("together-3-part")
    require("History" not in part.evaluate("document.querySelector('.top nav').innerText"), "somebody is offered what is refused")
    part.click("nav a", "Settings")
    part.click("button.line", "level")
    require(part.evaluate("[...document.querySelectorAll('section.settings')].map((e) => e.dataset.section).join()") == "logging", "other sections are shown")
    part.focus("select")
    part.press("d")
    part.until("document.activeElement.value === 'debug'", "the choice is made")
    part.click("button.review")
    part.until("document.querySelector('dialog .changes')")
    part.focus("dialog input[required]")
    part.write("mine")
    part.click("button", "Apply", within="dialog")
    until_version(part, 3)
    accessible(part, "a part of the settings")
    quiet(part, address)


def focus_order(page):
    """By Tab through all of a page: each stop can be seen, with its focus, in the order of the page."""
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    places = []
    for _ in range(80):
        page.press("Tab")
        stop = page.evaluate("""(() => {
          const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
          if (e === document.body) return null;
          window.order ??= [...document.querySelectorAll('*')];
          return { place: window.order.indexOf(e), what: e.outerHTML.slice(0, 90), inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
            ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1.5 };
        })()""")
        if stop is None or places and stop["place"] == places[0]:
            break
        require(stop["inView"], f"the focus is out of sight: {stop['what']}")
        require(stop["ring"], f"the focus cannot be seen: {stop['what']}")
        places.append(stop["place"])
    require(len(places) > 8, "the page has no stops")
    require(places == sorted(places), "the focus jumps about")


def tab_to(page, selector, back=False):
    for _ in range(60):
        if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        page.press("Tab", modifiers=8 if back else 0)
    raise Failure(f"no Tab leads to {selector}")


def call(address, token, method, path, body):
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {
        "Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json", "If-Match": "*"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    Page.pictures = os.environ.get("PLUE_PICTURES")
    browser = Browser()
    try:
        {"story": story, "keyboard": keyboard, "much": much, "together": together}[sys.argv[1]](browser, sys.argv[2], *sys.argv[3:])
    except Failure as failure:
        print(failure)
        sys.exit(1)
    finally:
        browser.close()
