#!/usr/bin/env python3
"""Runs one story, or all of them, through the real program. Standard library only; README.md has the language.

usage: run.py --loam BINARY [--models DIR] STORY...
"""
import argparse
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TIMEOUT_S = 240  # one command; a loaded machine is slow, a hang is for ever


class StoryError(Exception):
    pass


def unescape(text):
    """\\n, \\t, \\xHH, \\uHHHH and \\\\ in text and file contents, as bytes."""
    out = bytearray()
    for part in re.split(r"(\\n|\\t|\\\\|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4})", text):
        if part == "\\n":
            out += b"\n"
        elif part == "\\t":
            out += b"\t"
        elif part == "\\\\":
            out += b"\\"
        elif part.startswith("\\x"):
            out.append(int(part[2:], 16))
        elif part.startswith("\\u"):
            out += chr(int(part[2:], 16)).encode()
        else:
            out += part.encode()
    return bytes(out)


def tiny_pdf(pages, encrypted=False):
    """A PDF of our own, one line of text a page; `encrypted` asks for a password nobody knows."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for i, text in enumerate(pages):
        page = (f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * i} 0 R "
                "/Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(page.encode())
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        stream = f"BT /F1 12 Tf 72 770 Td ({escaped}) Tj ET".encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    trailer_extra = b""
    if encrypted:
        objects.append(b"<< /Filter /Standard /V 1 /R 2 /P -44 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> >>")
        trailer_extra = b" /Encrypt %d 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]" % len(objects)
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer_extra, start)
    return bytes(out)


def at_pointer(document, pointer):
    """RFC 6901, with "/" for the whole document and a last part `length` for the length of a list, object or text."""
    value = document
    for part in [] if pointer == "/" else pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            if part == "length":
                return len(value)
            value = value[int(part)]
        elif isinstance(value, dict):
            if part not in value and part == "length":
                return len(value)
            value = value[part]
        elif part == "length" and isinstance(value, str):
            return len(value)
        else:
            raise KeyError(part)
    return value


class Runner:
    def __init__(self, loam, models, keep):
        self.loam = loam
        self.models = models
        self.keep = keep

    def run(self, path):
        lines = path.read_text(encoding="utf-8").splitlines()
        with tempfile.TemporaryDirectory(prefix="loam-story-") as folder:
            story = Story(self, pathlib.Path(folder))
            number = 0
            try:
                while number < len(lines):
                    start = number
                    line = lines[number]
                    number += 1
                    if not line.strip() or line.lstrip().startswith("#"):
                        continue
                    # A `file NAME:` line without text is followed by its text, indented by four spaces.
                    block = []
                    if re.fullmatch(r"(file|append) \S+:\s*", line) or re.match(r"run-input\b", line):
                        while number < len(lines) and (lines[number].startswith("    ") or not lines[number].strip()):
                            block.append(lines[number][4:])
                            number += 1
                        while block and not block[-1]:
                            block.pop()
                    story.do(line.rstrip(), block)
                story.finish()
                return None
            except StoryError as failure:
                return f"{path}:{start + 1}: {lines[start].strip()}\n  {failure}\n{story.last_output()}"


class Story:
    def __init__(self, runner, folder):
        self.runner = runner
        self.work = folder / "work"
        self.home = folder / "home"
        self.work.mkdir()
        self.status = None
        self.out = ""
        self.err = ""
        self.command = ""
        self.status_checked = True
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LOAM_")}
        self.environment.update({"LOAM_HOME": str(self.home), "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                                 "LOAM_MODELS": str(runner.models) if runner.models else str(folder / "no-models")})

    # Steps -------------------------------------------------------------------------------------------
    def do(self, line, block):
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        step = getattr(self, "step_" + word.replace("-", "_"), None)
        if step is None:
            raise StoryError(f"no such step: {word}")
        step(rest, block)

    def finish(self):
        """A command that nobody looked at must at least have succeeded."""
        if not self.status_checked and self.status != 0:
            raise StoryError(f"exit status {self.status}, and the story does not expect it")

    def path(self, name):
        path = (self.work / name).resolve()
        if self.work.resolve() not in path.parents and path != self.work.resolve():
            raise StoryError(f"{name} leaves the story's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def step_file(self, rest, block):
        name, _, text = rest.partition(":")
        text = text.strip()
        content = unescape(text) + b"\n" if text else "\n".join(block + [""]).encode()
        self.path(name).write_bytes(content)

    def step_append(self, rest, block):
        name, _, text = rest.partition(":")
        content = unescape(text.strip()) + b"\n" if text.strip() else "\n".join(block + [""]).encode()
        with self.path(name).open("ab") as out:
            out.write(content)

    def step_bytes(self, rest, _):
        """bytes NAME: \\x00\\x01 - exactly these, no line end."""
        name, _, text = rest.partition(":")
        self.path(name).write_bytes(unescape(text.strip()))

    def step_fill(self, rest, _):
        """fill NAME COUNT: TEXT - the text COUNT times over."""
        head, _, text = rest.partition(":")
        name, count = head.split()
        self.path(name).write_bytes((unescape(text.strip()) + b"\n") * int(count))

    def step_pdf(self, rest, _):
        """pdf NAME: first page | second page"""
        name, _, text = rest.partition(":")
        self.path(name).write_bytes(tiny_pdf([page.strip() for page in text.split("|")]))

    def step_encrypted_pdf(self, rest, _):
        name, _, text = rest.partition(":")
        self.path(name).write_bytes(tiny_pdf([text.strip()], encrypted=True))

    def step_config(self, rest, _):
        """config LINE; LINE - a line of the settings file of this home."""
        self.home.mkdir(exist_ok=True)
        with (self.home / "config.toml").open("a", encoding="utf-8") as out:
            out.write(rest.replace("; ", "\n") + "\n")

    def step_env(self, rest, _):
        name, _, value = rest.partition("=")
        self.environment[name] = value.replace("$WORK", str(self.work))

    def step_models(self, rest, _):
        """models none - this machine has no models."""
        if rest != "none":
            raise StoryError("models none, or leave the line out")
        self.environment["LOAM_MODELS"] = str(self.home / "no-models")

    def step_remove(self, rest, _):
        path = self.path(rest)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def step_rename(self, rest, _):
        old, new = rest.split()
        self.path(old).rename(self.path(new))

    def step_link(self, rest, _):
        """link NAME TARGET - a symbolic link."""
        name, target = rest.split()
        self.path(name).symlink_to(target)

    def step_damage_store(self, rest, _):
        """damage-store - the first bytes of the store are overwritten."""
        with (self.home / "loam.db").open("r+b") as out:
            out.write(b"this is no database any more" * 40)

    def step_run(self, rest, _, text=None):
        words = shlex.split(rest.replace("$HOME_DIR", str(self.home)).replace("$WORK", str(self.work)))
        if words and words[0] == "loam":
            words = words[1:]
        self.execute(words, text)

    def step_run_input(self, rest, block):
        """run-input loam ...: the following indented lines are its standard input."""
        self.step_run(rest, [], "\n".join(block) + "\n")

    def step_shell(self, rest, _):
        """shell COMMAND - through sh; `loam` is the program."""
        folder = pathlib.Path(self.runner.loam).parent
        environment = dict(self.environment, PATH=f"{folder}:{self.environment.get('PATH', '')}")
        self.execute_words(["sh", "-c", rest], None, environment)

    def step_interrupt_on_output(self, rest, _):
        """interrupt-on-output loam ... - Ctrl-C as soon as its first output is there."""
        self.interrupt(rest, lambda process: select.select([process.stdout], [], [], 0.01)[0])

    def step_interrupt_on_file(self, rest, _):
        """interrupt-on-file GLOB loam ... - Ctrl-C as soon as its home holds such a file."""
        pattern, _, line = rest.partition(" ")

        def ready(_):
            time.sleep(0.005)
            return next(self.home.glob(pattern), None)
        self.interrupt(line, ready)

    def interrupt(self, line, ready):
        self.finish()
        process = subprocess.Popen([self.runner.loam] + shlex.split(line)[1:], cwd=self.work, env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = time.monotonic() + TIMEOUT_S
        while process.poll() is None and not ready(process):
            if time.monotonic() > end:
                process.kill()
                process.communicate()
                raise StoryError(f"nothing happened within {TIMEOUT_S} s: {line}")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        self.remember(line, process.returncode, out, err)

    # Short forms: `ask What does parking cost?` needs no quotes.
    def step_ingest(self, rest, _):
        self.execute(["ingest"] + shlex.split(rest), None)

    def step_ask(self, rest, _):
        self.execute(["ask", "--json", rest], None)

    def step_ask_baseline(self, rest, _):
        self.execute(["ask", "--json", "--baseline-only", rest], None)

    def step_search(self, rest, _):
        self.execute(["search", "--json", rest], None)

    # Expectations ------------------------------------------------------------------------------------
    def step_expect(self, rest, _):
        if self.status is None:
            raise StoryError("nothing has been run yet")
        word, _, tail = rest.partition(" ")
        tail = tail.strip()
        if word == "exit":
            self.status_checked = True
            self.require(self.status == int(tail), f"exit status is {self.status}")
        elif word == "withheld":
            self.status_checked = True
            document = self.json()
            self.require(self.status == 1, f"exit status is {self.status}")
            self.require(document["abstained"] is True and document["answer"] is None, "an answer was given")
            self.require(bool(document["reason"]), "no reason was given")
        elif word == "answered":
            self.status_checked = True
            document = self.json()
            self.require(self.status == 0, f"exit status is {self.status}")
            self.require(document["abstained"] is False and document["answer"], "no answer was given")
            self.require(len(document["citations"]) > 0, "the answer has no citation")
        elif word in ("out", "err"):
            self.expect_text(self.out if word == "out" else self.err, tail)
        elif word == "json":
            self.expect_json(self.json(), tail)
        elif word == "jsonl":
            # expect jsonl 2 /verdict == "failed"
            index, _, tail = tail.partition(" ")
            documents = [json.loads(line) for line in self.out.splitlines()]
            if index == "count":
                self.require(len(documents) == int(tail), f"there are {len(documents)} lines")
            elif index == "some":
                self.require(any(self.holds(d, tail) for d in documents), "no line is so")
            else:
                self.require(int(index) < len(documents), f"there are {len(documents)} lines")
                self.expect_json(documents[int(index)], tail)
        elif word == "quotes-match":
            self.status_checked = True
            self.quotes_match()
        elif word == "file":
            name, _, condition = tail.partition(" ")
            path = self.path(name)
            if condition == "missing":
                self.require(not path.exists(), "it is there")
            else:
                self.require(path.exists(), "it is not there")
                if condition:
                    self.expect_text(path.read_text(encoding="utf-8", errors="replace"), condition)
        else:
            raise StoryError(f"no such expectation: {word}")

    def require(self, holds, otherwise):
        if not holds:
            raise StoryError(otherwise)

    def expect_text(self, text, condition):
        kind, _, value = condition.partition(" ")
        value = value.strip()
        if kind == "contains":
            self.require(value in text, "it does not")
        elif kind == "lacks":
            self.require(value not in text, "it does not lack it")
        elif kind == "matches":
            self.require(re.search(value, text, re.M) is not None, "it does not match")
        elif kind == "empty":
            self.require(text == "", "it is not empty")
        elif kind == "is":
            self.require(text.rstrip("\n") == value, "it is not")
        elif kind == "lines":
            self.require(len(text.splitlines()) == int(value), f"it has {len(text.splitlines())} lines")
        elif kind == "columns":
            # No line wider than this many columns.
            longest = max((len(l) for l in text.splitlines()), default=0)
            self.require(longest <= int(value), f"a line has {longest} columns")
        else:
            raise StoryError(f"no such condition: {kind}")

    def holds(self, document, condition):
        try:
            self.expect_json(document, condition)
            return True
        except StoryError:
            return False

    def expect_json(self, document, condition):
        pointer, _, tail = condition.partition(" ")
        operator, _, literal = tail.strip().partition(" ")
        try:
            value = at_pointer(document, pointer)
        except (KeyError, IndexError, ValueError, TypeError):
            self.require(operator == "missing", f"there is no {pointer}")
            return
        if operator == "missing":
            raise StoryError(f"{pointer} is {json.dumps(value, ensure_ascii=False)}")
        shown = json.dumps(value, ensure_ascii=False)
        if operator == "is":
            kinds = {"text": str, "number": (int, float), "boolean": bool, "null": type(None), "list": list, "object": dict}
            wanted = [kinds[k] for k in literal.split("|")]
            fits = any(isinstance(value, k) and not (isinstance(value, bool) and bool not in (k if isinstance(k, tuple) else (k,)))
                       for k in wanted)
            self.require(fits, f"{pointer} is {shown}")
            return
        if operator == "keys":
            self.require(list(value) == literal.split(), f"the keys are {' '.join(value)}")
            return
        if operator == "matches":
            self.require(isinstance(value, str) and re.search(literal, value) is not None, f"{pointer} is {shown}")
            return
        expected = json.loads(literal)
        holds = {"==": lambda: value == expected, "!=": lambda: value != expected, "<": lambda: value < expected,
                 "<=": lambda: value <= expected, ">": lambda: value > expected, ">=": lambda: value >= expected,
                 "contains": lambda: expected in value, "lacks": lambda: expected not in value,
                 "in": lambda: value in expected}.get(operator)
        if holds is None:
            raise StoryError(f"no such comparison: {operator}")
        try:
            fits = holds()
        except TypeError:  # 3 in null, "a" < 3: not so, and no fault of the runner
            fits = False
        self.require(fits, f"{pointer} is {shown}")

    def json(self):
        try:
            return json.loads(self.out)
        except json.JSONDecodeError as failure:
            raise StoryError(f"standard output is not one JSON document: {failure}") from failure

    def quotes_match(self):
        """Every citation's quote is exactly the bytes start..end of its source's extracted text."""
        document = self.json()
        citations = document["citations"] + document["baseline"]["citations"]
        self.require(len(citations) > 0, "there is no citation to check")
        for citation in citations:
            found = list(self.work.rglob(pathlib.PurePath(citation["source"]).name))
            self.require(len(found) == 1, f"{citation['source']} is not one file of the story")
            shown = subprocess.run([self.runner.loam, "ingest", "--show-text", str(found[0])], cwd=self.work,
                                   env=self.environment, capture_output=True, timeout=TIMEOUT_S, check=False)
            text = shown.stdout[citation["start"]:citation["end"]].decode()
            self.require(text == citation["quote"], f"{citation['quote']!r} is not {text!r}")

    # Running -----------------------------------------------------------------------------------------
    def execute(self, words, text):
        self.execute_words([self.runner.loam] + words, text, self.environment)

    def execute_words(self, words, text, environment):
        self.finish()
        try:
            done = subprocess.run(words, cwd=self.work, env=environment, input=None if text is None else text.encode(),
                                  stdin=subprocess.DEVNULL if text is None else None, capture_output=True,
                                  timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as late:
            raise StoryError(f"still running after {TIMEOUT_S} s") from late
        self.remember(" ".join(words), done.returncode, done.stdout, done.stderr)

    def remember(self, command, status, out, err):
        self.command, self.status, self.status_checked = command, status, False
        try:
            self.out, self.err = out.decode(), err.decode()
        except UnicodeDecodeError as failure:
            raise StoryError(f"the program printed invalid UTF-8: {failure}") from failure
        if status < 0:
            raise StoryError(f"killed by signal {-status}")

    def last_output(self):
        def shown(text):
            lines = text.splitlines()
            return "".join(f"    {line}\n" for line in lines[:60]) + ("    ...\n" if len(lines) > 60 else "")
        return f"  ran: {self.command}\n  exit {self.status}\n  out:\n{shown(self.out)}  err:\n{shown(self.err)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loam", required=True)
    parser.add_argument("--models", default=os.environ.get("LOAM_TEST_MODELS"))
    parser.add_argument("stories", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.models or not pathlib.Path(arguments.models).is_dir():
        sys.exit("LOAM_TEST_MODELS must name the folder with smollm2-135m-instruct-q4_1.gguf and all-minilm-l6-v2.gguf; "
                 "scripts/test sets it")
    runner = Runner(str(pathlib.Path(arguments.loam).resolve()), pathlib.Path(arguments.models).resolve(), False)
    failed = 0
    paths = []
    for path in arguments.stories:
        paths += sorted(path.rglob("*.story")) if path.is_dir() else [path]
    for path in paths:
        begun = time.monotonic()
        failure = runner.run(path)
        if failure:
            failed += 1
            print(f"FAILED {failure}")
        else:
            print(f"ok {path} ({time.monotonic() - begun:.1f} s)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
