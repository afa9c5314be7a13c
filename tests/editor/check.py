#!/usr/bin/env python3
"""What an editor shows of a model: hover, going to the declaration and completion, asked of rust-analyzer over LSP.

    python3 tests/editor/check.py

Needs rust-analyzer and the sources of the standard library (`rustup component add rust-analyzer rust-src`), and Python alone
besides. RUST_ANALYZER names another rust-analyzer, RUST_SRC another `library` folder. The files are only read; what is typed in a
check is known to rust-analyzer alone. Ends with 0 if all checks hold, 1 if one does not, 2 if there is no rust-analyzer.
"""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 900  # seconds, until rust-analyzer has read the workspace


class Server:
    """rust-analyzer on a workspace: requests in, results out."""

    def __init__(self, command):
        self.process = subprocess.Popen([command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.number = 0
        self.answers = {}
        self.said = queue.Queue()
        self.quiescent = threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        stream = self.process.stdout
        while True:
            length = 0
            while True:
                line = stream.readline()
                if not line:
                    return
                if line == b"\r\n":
                    break
                key, _, value = line.decode().partition(":")
                if key.lower() == "content-length":
                    length = int(value)
            message = json.loads(stream.read(length))
            if "method" in message and "id" in message:
                # Nothing that the server asks of an editor matters here.
                items = message.get("params", {}).get("items", []) if message["method"] == "workspace/configuration" else None
                self.send({"id": message["id"], "result": [SETTINGS] * len(items) if items is not None else None})
            elif message.get("method") == "experimental/serverStatus":
                status = message["params"]
                if status.get("message"):
                    print(f"  rust-analyzer: {status['message'].strip()}", file=sys.stderr)
                if status["quiescent"]:
                    self.quiescent.set()
            elif "id" in message:
                self.said.put(message)

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params, patience=120):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        end = time.monotonic() + patience
        while True:
            try:
                message = self.said.get(timeout=max(0.1, end - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"no answer to {method}") from None
            if message["id"] != self.number:
                continue
            error = message.get("error")
            if error and error.get("code") in (-32801, -32802):  # the content changed meanwhile: ask again
                time.sleep(0.5)
                return self.ask(method, params, end - time.monotonic())
            if error:
                raise RuntimeError(f"{method}: {error['message']}")
            return message["result"]


SETTINGS = {
    # Only the macro has to be built: `cargo check` of everything would take minutes.
    "cargo": {"buildScripts": {"overrideCommand": ["cargo", "build", "--message-format=json", "-p", "saddlepoint-macros"]}},
    "procMacro": {"enable": True},
    "checkOnSave": False,
    "cachePriming": {"enable": False},
    "completion": {"callable": {"snippets": "none"}},
}


class File:
    """A file as the editor holds it."""

    def __init__(self, server, path):
        self.server, self.path, self.version = server, path, 1
        self.uri = (ROOT / path).as_uri()
        self.text = (ROOT / path).read_text()
        item = {"uri": self.uri, "languageId": "rust", "version": 1, "text": self.text}
        server.tell("textDocument/didOpen", {"textDocument": item})

    def type(self, old, new):
        assert self.text.count(old) >= 1, f"{self.path} has no {old!r}"
        self.text = self.text.replace(old, new, 1)
        self.version += 1
        self.server.tell("textDocument/didChange", {"textDocument": {"uri": self.uri, "version": self.version},
                                                    "contentChanges": [{"text": self.text}]})

    def at(self, marked, after=None):
        """The place of `|` in a piece of the file, which stands in it without the `|`."""
        before, rest = marked.split("|")
        start = self.text.index(before + rest, self.text.index(after) if after else 0) + len(before)
        line = self.text.count("\n", 0, start)
        column = start - (self.text.rfind("\n", 0, start) + 1)
        return {"textDocument": {"uri": self.uri}, "position": {"line": line, "character": column}}

    def hover(self, place):
        found = self.server.ask("textDocument/hover", place)
        return found["contents"]["value"] if found else ""

    def definitions(self, place):
        """The line of every declaration, stripped."""
        found = self.server.ask("textDocument/definition", place) or []
        lines = []
        for one in found if isinstance(found, list) else [found]:
            uri = one.get("targetUri", one.get("uri"))
            start = one.get("targetSelectionRange", one.get("range"))["start"]
            if uri == self.uri:
                line = self.text.split("\n")[start["line"]]
                lines.append((line.strip(), re.match(r"\w*", line[start["character"]:]).group()))
            else:
                lines.append((uri, ""))
        return lines

    def completions(self, place):
        found = self.server.ask("textDocument/completion", place) or []
        items = found if isinstance(found, list) else found["items"]
        return {re.match(r"\w*", item["label"]).group() for item in items}


FAILED = []


def check(what, found, holds):
    print(f"{'ok    ' if holds else 'FAILED'} {what}")
    if not holds:
        print(f"         found {found!r}")
        FAILED.append(what)


def hover(file, what, place, *parts):
    found = file.hover(place)
    check(f"{file.path}: hover on {what} shows {', '.join(parts)}", found, all(part in found for part in parts))


def leads(file, what, place, line):
    found = file.definitions(place)
    check(f"{file.path}: {what} leads to `{line}`", found, any(declared.startswith(line) for declared, _ in found))


def offers(file, what, place, *names):
    found = file.completions(place)
    check(f"{file.path}: {what} offers {', '.join(names)}", sorted(found)[:40], set(names) <= found)


def dcgan(server):
    file = File(server, "examples/dcgan.rs")
    hover(file, "a net", file.at("net |G(z"), "net G(z: [64]) -> [1, 28, 28]")
    hover(file, "a net where it is called", file.at("ln(D(|G(z)))] }"), "net G(z: [64]) -> [1, 28, 28]")
    hover(file, "data", file.at("data  |x"), "Tensor", "[1, 28, 28]")
    hover(file, "data in an objective", file.at("D(|x))] +"), "Tensor", "[1, 28, 28]")
    hover(file, "a player", file.at("player |G"), "maximizes")
    hover(file, "an output", file.at("output |sample"), "fn sample(&mut self, n: usize)")
    leads(file, "`G` in an objective", file.at("ln(D(|G(z)))] }"), "net G(")
    leads(file, "`D` in an objective", file.at("E[ln(|D(x"), "net D(")
    leads(file, "`x` in an objective", file.at("D(|x))] +"), "data  x")
    leads(file, "`z` in an objective", file.at("D(G(|z)))] }"), "noise z")
    leads(file, "`x` in a net", file.at("            |x.conv"), "net D(")
    leads(file, "a player in `train`", file.at("train { |D"), "player D")
    leads(file, "`gan.sample`", file.at("gan.|sample(1_000)"), "output sample")
    leads(file, "`Dcgan::build`", file.at("|Dcgan::build"), "pub model Dcgan")
    file.type("let untrained = gan.sample(1_000)?;", "gan.\n    let untrained = gan.sample(1_000)?;")
    offers(file, "`gan.`", file.at("gan.|\n"), "sample", "fit", "step", "turn", "metrics", "save")
    file.type("gan.\n", "DcganPlayer::\n")
    offers(file, "`DcganPlayer::`", file.at("DcganPlayer::|\n"), "D", "G")
    file.type("DcganPlayer::\n", "gan.\n")
    methods = {"sample", "fit", "step", "turn", "metrics"}
    for sound, broken, kept in [
        ("E[ln(D(G(z)))] }", "E[ln(D(G(z.)))] }", methods),
        ("beta1 = 0.5", "beta1 =", methods),
        ("/// DCGAN on", "#\n    /// DCGAN on", methods),
        ("noise z: normal([64]);", "noise z: normal([64])", methods),
        # A bracket too few or too many moves the items after it out of the model, so their methods are not known.
        ("-> [1] {", "-> [1 {", methods - {"sample"}),
        ("train { D", "train D", methods - {"sample"}),
    ]:
        file.type(sound, broken)
        offers(file, f"`gan.` while {broken!r} stands in the model", file.at("gan.|\n"), *sorted(kept))
        file.type(broken, sound)
    file.type("E[ln(D(G(z)))] }", "E[ln(D(G(z.)))] }")
    leads(file, "`G` beside a syntax error", file.at("+ E[ln(1 - D(|G"), "net G(")


def wgan_gp(server):
    file = File(server, "examples/wgan_gp.rs")
    hover(file, "a hyper", file.at("hyper |rate"), "fn rate(&self) -> f32")
    hover(file, "a hyper in a learning rate", file.at("adam(|rate"), "fn rate(&self) -> f32")
    hover(file, "a metric", file.at("metric |distance"), "distance: f32")
    leads(file, "a hyper in a learning rate", file.at("adam(|rate"), "hyper rate")
    leads(file, "a `let` in an objective", file.at("E[D(|fake)] - E"), "let fake")
    leads(file, "the name in `grad`", file.at("grad(D(mid), |mid)"), "let mid")
    leads(file, "a net in a `let`", file.at("let fake = |G(z)"), "net G(")
    found = server.ask("textDocument/references", {**file.at("net |G(z: [2])"), "context": {"includeDeclaration": True}}) or []
    lines = sorted({file.text.split("\n")[one["range"]["start"]["line"]].strip() for one in found if one["uri"] == file.uri})
    check(f"{file.path}: a net is found where it is used", lines, {"let fake = G(z);", "output sample = G(z);"} <= set(lines))


def main():
    command = os.environ.get("RUST_ANALYZER", "rust-analyzer")
    try:
        version = subprocess.run([command, "--version"], capture_output=True, text=True, cwd=ROOT)
    except OSError:
        version = None
    if version is None or version.returncode != 0:
        print(f"there is no rust-analyzer (`{command} --version` fails), so nothing has been checked;\n"
              "`rustup component add rust-analyzer rust-src` installs it, or RUST_ANALYZER names one", file=sys.stderr)
        return 2
    print(version.stdout.strip())
    if library := os.environ.get("RUST_SRC"):
        SETTINGS["cargo"]["sysrootSrc"] = library
    server = Server(command)
    begun = time.monotonic()
    server.ask("initialize", {
        "processId": os.getpid(), "rootUri": ROOT.as_uri(), "workspaceFolders": [{"uri": ROOT.as_uri(), "name": "saddlepoint"}],
        "initializationOptions": SETTINGS,
        "capabilities": {"experimental": {"serverStatusNotification": True}, "workspace": {"configuration": True},
                         "textDocument": {"hover": {"contentFormat": ["markdown"]}, "definition": {"linkSupport": True}}}})
    server.tell("initialized", {})
    if not server.quiescent.wait(PATIENCE):
        print(f"rust-analyzer has not read the workspace in {PATIENCE} s", file=sys.stderr)
        return 1
    print(f"read the workspace in {time.monotonic() - begun:.0f} s")
    try:
        dcgan(server)
        wgan_gp(server)
    finally:
        server.process.kill()
    print(f"{len(FAILED)} failed" if FAILED else "all hold")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
