#!/usr/bin/python3
"""Opens pages (files) in a headless Chromium, uses them as people do, and prints what was seen as JSON.

Arguments: files; with --shots DIR before them, a picture of each is put there. Prints {file: {way: facts}}; the ways are

  desktop  a wide window; every copy button is pressed
  phone    360 pixels wide, long texts in pieces, without the clipboard's interface, in a dark scheme; every copy button is pressed
  plain    360 pixels wide, scripts switched off
  print    as it is printed

What lands in the clipboard is pasted into a field by Ctrl-V, and read there. Nothing is judged here.
"""
import base64
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE = 120
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    # Nothing may be asked of other hosts, whatever the program comes up with.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://127.0.0.1:9",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
]

# Facts about what is visible: the smallest text, the faintest, what is too wide, what is turned around.
LOOK = """
const color = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const found = color(getComputedStyle(one).backgroundColor);
    if (found[3] > 0) return found;
  }
  return [255, 255, 255, 1];
};
const seen = [...document.body.querySelectorAll("*")].filter((one) =>
  one.checkVisibility({visibilityProperty: true}) && !one.closest(".said, script, style"));
const direct = (one) => [...one.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
let smallest = 1000, faintest = 1000, small = "", faint = "";
for (const one of seen.filter((one) => direct(one).length)) {
  const style = getComputedStyle(one), size = parseFloat(style.fontSize);
  const [a, b] = [light(color(style.color)), light(behind(one))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (size < smallest) { smallest = size; small = one.outerHTML.slice(0, 200); }
  if (contrast < faintest) { faintest = contrast; faint = one.outerHTML.slice(0, 200); }
}
const wide = innerWidth;
const mirrored = seen.filter((one) => direct(one).some((node) => {
  const text = node.textContent, range = document.createRange();
  if (!/^[!-~][ -~]*[!-~]$/.test(text)) return false;
  const place = (at) => { range.setStart(node, at); range.setEnd(node, at + 1); return range.getBoundingClientRect(); };
  const [first, last] = [place(0), place(text.length - 1)];
  return first.top === last.top && first.left > last.left;
})).map((one) => one.outerHTML.slice(0, 200));
return {
  width: innerWidth, scroll: document.documentElement.scrollWidth, secure: isSecureContext,
  over: seen.filter((one) => one.getBoundingClientRect().right > wide + 0.5).map((one) => one.outerHTML.slice(0, 200)),
  mirrored, smallest, small, faintest, faint, text: document.body.innerText,
  buttons: [...document.querySelectorAll("button.copy")].filter((one) => one.checkVisibility()).length,
  codes: [...document.querySelectorAll("article")].map((one) => ({
    id: one.dataset.id, state: one.dataset.state || null, severity: one.dataset.severity || null,
    fields: Object.fromEntries([...one.querySelectorAll("code[data-field]")].filter((code) => code.checkVisibility())
      .map((code) => [code.dataset.field, code.innerText]))})),
};
"""


class Browser:
    def __init__(self, home):
        environment = {"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": home}
        driver = shutil.which("chromedriver")
        if not driver or not shutil.which("chromium"):
            sys.exit("chromium or chromedriver is missing: run `make tools`, which installs what the tests need")
        self.process = subprocess.Popen(
            [driver, "--port=0"], env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.base, self.session = None, None
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in self.process.stdout], daemon=True).start()
        deadline = time.time() + PATIENCE
        said = []
        while self.base is None:
            try:
                said.append(lines.get(timeout=max(0.1, deadline - time.time())))
            except queue.Empty:
                sys.exit(f"chromedriver does not start: {said}")
            if found := re.search(r"started successfully on port (\d+)", said[-1]):
                self.base = f"http://127.0.0.1:{found[1]}"
        profile = tempfile.mkdtemp(dir=home)
        capabilities = {
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": [*ARGUMENTS, f"--user-data-dir={profile}"]},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
            "timeouts": {"script": 20000},
        }
        self.session = self.raw("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]

    def raw(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise RuntimeError(f"{path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def call(self, method, path, body=None):
        return self.raw(method, f"/session/{self.session}{path}", body)

    def post(self, path, **body):
        return self.call("POST", path, body)

    def cdp(self, command, **parameters):
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def run(self, script, *arguments):
        return self.post("/execute/sync", script=script, args=list(arguments))

    def log(self, kind):
        return self.post("/se/log", type=kind)

    def edit(self, command):
        """What Ctrl-C and Ctrl-V do where the cursor is."""
        key = {"copy": "c", "paste": "v"}[command]
        stroke = {"key": key, "code": f"Key{key.upper()}", "modifiers": 2}
        self.cdp("Input.dispatchKeyEvent", type="rawKeyDown", commands=[command], **stroke)
        self.cdp("Input.dispatchKeyEvent", type="keyUp", **stroke)

    def window(self, width, height, phone):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def open(self, url):
        self.log("performance")
        self.log("browser")
        self.post("/url", url=url)

    def asked(self):
        """What was asked for since the page was opened, by the browser's own account, and what it complained of."""
        urls = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return {"asked": urls, "complaints": [entry["message"] for entry in self.log("browser")]}

    def shot(self, path):
        picture = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(picture))

    def close(self):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


def copied(browser):
    """Presses every copy button that can be seen: what it says it copies, what stands beside it, and what is pasted."""
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true;"
                "const field = document.createElement('textarea'); field.id = 'paste-here'; document.body.append(field);")
    field = browser.post("/element", using="css selector", value="#paste-here")
    results = []
    for number, button in enumerate(browser.post("/elements", using="css selector", value="button.copy")):
        # What is in the clipboard before is something else.
        label, shown = browser.run(
            "const [button, field, before] = arguments;"
            "field.value = before; field.focus(); field.select();"
            "const codes = [...button.parentElement.querySelectorAll('code')];"
            "return [button.getAttribute('aria-label'), codes.filter((one) => one.checkVisibility()).map((one) => one.textContent)]",
            button, field, f"before {number}")
        browser.edit("copy")
        try:
            browser.post(f"/element/{button[ELEMENT]}/click")
        except RuntimeError as error:
            # It is covered by something, or cannot be reached.
            results.append({"label": label, "shown": shown, "word": str(error), "said": "", "pasted": ""})
            continue
        deadline = time.time() + 5
        while True:
            word, said = browser.run(
                "arguments[1].value = '';"
                "return [arguments[0].textContent, document.getElementById('said').textContent]", button, field)
            if word != "Copy" or time.time() > deadline:
                break
        browser.run("arguments[0].focus()", field)
        browser.edit("paste")
        pasted = browser.run("return arguments[0].value", field)
        results.append({"label": label, "shown": shown, "word": word, "said": said, "pasted": pasted})
    browser.run("arguments[0].remove()", field)
    return results


def look(browser, path, shots):
    url = path.resolve().as_uri()
    name = path.name

    def picture(way):
        if shots:
            browser.shot(shots / f"{name}.{way}.png")

    def scheme(value, media=""):
        browser.cdp("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": value}])

    ways = {}
    scheme("light")
    browser.window(1280, 900, False)
    browser.open(url)
    ways["desktop"] = browser.run(LOOK)
    picture("desktop")
    ways["desktop"]["copied"] = copied(browser)
    ways["desktop"]["opened"] = browser.run(LOOK)
    ways["desktop"] |= browser.asked()

    hidden = "Object.defineProperty(Navigator.prototype, 'clipboard', {get: () => undefined});"
    script = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=hidden)["identifier"]
    scheme("dark")
    browser.window(360, 740, True)
    browser.open(url)
    ways["phone"] = browser.run(LOOK)
    picture("phone")
    toggles = browser.post("/elements", using="css selector", value="label[for=split]")
    for one in toggles:
        browser.post(f"/element/{one[ELEMENT]}/click")
    ways["phone"]["copied"] = copied(browser)
    ways["phone"]["opened"] = browser.run(LOOK)
    ways["phone"] |= browser.asked()
    picture("phone-opened")
    browser.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script)

    scheme("light")
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(url)
    ways["plain"] = browser.run(LOOK)
    for one in browser.post("/elements", using="css selector", value="label[for=split]"):
        browser.post(f"/element/{one[ELEMENT]}/click")
    ways["plain"]["opened"] = browser.run(LOOK)
    ways["plain"] |= browser.asked()
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)

    browser.window(794, 1123, False)
    scheme("dark", "print")
    browser.open(url)
    ways["print"] = browser.run(LOOK)
    ways["print"]["background"] = browser.run("return getComputedStyle(document.body).backgroundColor")
    picture("print")
    scheme("light")
    paper = base64.b64decode(browser.post("/print", background=True, page={"width": 21.0, "height": 29.7}))
    ways["print"]["pages"] = len(re.findall(rb"/Type\s*/Page\b(?!s)", paper))
    if shots:
        (shots / f"{name}.pdf").write_bytes(paper)
    ways["print"] |= browser.asked()
    return ways


def main():
    arguments = sys.argv[1:]
    shots = None
    if arguments[:1] == ["--shots"]:
        shots = Path(arguments[1])
        shots.mkdir(parents=True, exist_ok=True)
        arguments = arguments[2:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(home)
        try:
            found = {path: look(browser, Path(path), shots) for path in arguments}
        finally:
            browser.close()
    json.dump(found, sys.stdout)


main()
