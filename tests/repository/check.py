#!/usr/bin/env python3
"""What must hold for the tree as a whole. Each function whose docstring starts with "Check:" is one test.

  check.py --list          names of the checks
  check.py NAME...         runs them; every finding is one line; exit status 1 when there is one
Environment: LOAM_BUILD (a configured build folder), LOAM_PROGRAM (the built loam). Standard library only.
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = (".h", ".cpp")
findings = []


def found(place, what):
    findings.append(f"{place}: {what}")


def tracked(*suffixes):
    """Files of the tree that are, or could be, committed."""
    done = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                          capture_output=True, check=False)
    if done.returncode == 0:
        names = [n for n in done.stdout.decode().split("\0") if n]
    else:  # an unpacked archive instead of a clone
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")
                 if p.is_file() and not {"build", ".git", "__pycache__"} & set(p.relative_to(ROOT).parts)]
    return sorted(ROOT / n for n in set(names) if (ROOT / n).is_file() and (not suffixes or n.endswith(suffixes)))


def name(path):
    return str(path.relative_to(ROOT))


def text(path):
    return path.read_text(encoding="utf-8", errors="replace")


def layers():
    """{room: (level, allowed rooms)} from src/layers.txt."""
    rooms = {}
    for line in text(ROOT / "src/layers.txt").splitlines():
        match = re.fullmatch(r"(\d+) ([a-z]+):(.*)", line)
        if match:
            rooms[match[2]] = (int(match[1]), match[3].split())
    return rooms


def without_comments_and_strings(source):
    pattern = r'//[^\n]*|/\*.*?\*/|R"([^(]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: "\n" * m[0].count("\n"), source, flags=re.S)


# Foreign headers and the rooms that may include them; "apps" is apps/, "tests" every *_test.cpp and tests/.
FOREIGN = [
    (r"llama(-cpp)?\.h|gg(ml|uf).*\.h|common/.*|(chat|sampling|json-schema-to-grammar|jinja/.*)\.h", {"engine"}),
    (r"httplib\.h|cpp-httplib/.*", {"engine", "apps", "tests"}),
    (r"sqlite3\.h", {"store", "tests"}),
    (r"gumbo\.h|fpdf.*\.h", {"reader"}),
    (r"nlohmann/.*", {"base", "engine"}),
    (r"openssl/.*", {"base", "engine"}),
    (r"toml\+\+/.*", {"engine", "apps"}),
    (r"CLI/.*|spdlog/.*", {"apps"}),
    (r"seccomp\.h|linux/(seccomp|filter|audit|landlock)\.h", {"reader", "guard", "apps"}),
    (r"gtest/.*|gmock/.*", {"tests"}),
    (r"benchmark/.*", {"bench"}),
]


def includes_obey_the_map_of_rooms():
    """Check: each #include names a room that src/layers.txt allows; foreign headers stay in their room."""
    rooms = layers()
    for room, (level, below) in rooms.items():
        for other in below:
            if other not in rooms or rooms[other][0] >= level:
                found("src/layers.txt", f"{room} may not include {other}: it is not on a lower level")

    def closure(room):
        return set(rooms[room][1]).union(*(closure(r) for r in rooms[room][1])) if rooms[room][1] else set()

    for path in tracked(*CODE):
        parts = path.relative_to(ROOT).parts
        top = parts[0] if parts[0] in ("apps", "tests", "bench", "fuzz") else parts[1] if parts[0] == "src" else None
        if top is None:
            continue
        is_test = path.name.endswith("_test.cpp") or "_test_" in path.name or path.name.startswith("test_") or {"tests", "testing"} & set(parts)
        if parts[0] == "src" and top not in rooms:
            found(name(path), f"{top} is not a room of src/layers.txt")
            continue
        # A test may use whatever its room is built upon, one room further down included.
        allowed = None if parts[0] != "src" else {top} | (closure(top) if is_test else set(rooms[top][1]))
        for number, line in enumerate(text(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            header = match[2]
            first = header.split("/")[0]
            if match[1] == '"' and first in rooms and "/" in header:
                if allowed is not None and first not in allowed:
                    found(f"{name(path)}:{number}", f"{top} may not include {header}")
                continue
            for pattern, homes in FOREIGN:
                if re.fullmatch(pattern, header):
                    here = {top} | ({"tests"} if is_test else set())
                    if top in ("bench", "fuzz", "tests"):
                        here |= {"tests", "bench"}
                    if not here & homes:
                        found(f"{name(path)}:{number}", f"{header} belongs in {', '.join(sorted(homes))} only")
                    break


def rooms_do_not_print_or_exit():
    """Check: libraries compute, doors talk: no printing, no environment, no exit in src/ outside tests."""
    banned = [(r"\bstd::(cout|cerr|clog)\b", "prints"), (r"(?<![\w.>])(std::)?(v?printf|puts|putchar|perror)\s*\(", "prints"),
              (r"(?<![\w.>])(std::)?(v?fprintf|fputs)\s*\(\s*(stdout|stderr)", "prints"),
              (r"\b(secure_)?getenv\s*\(|\benviron\b", "reads the environment"),
              (r"(?<![\w.>_])(std::)?(exit|quick_exit)\s*\(", "exits")]
    for path in tracked(*CODE):
        if not name(path).startswith("src/") or path.name.endswith("_test.cpp") or "testing" in path.parts:
            continue
        for number, line in enumerate(without_comments_and_strings(text(path)).splitlines(), 1):
            for pattern, what in banned:
                if re.search(pattern, line):
                    found(f"{name(path)}:{number}", f"{what}; return a value or use the logger that was handed in")


def every_header_compiles_alone():
    """Check: a header needs no other include before it. Uses the flags of the build in LOAM_BUILD."""
    build = Path(os.environ.get("LOAM_BUILD", ROOT / "build/release"))
    commands = json.loads((build / "compile_commands.json").read_text())
    flags_of = {}
    for entry in commands:
        path = Path(entry["file"])
        if not path.is_relative_to(ROOT):
            continue
        parts = path.relative_to(ROOT).parts
        room = "/".join(parts[:2])
        words = entry.get("arguments") or shlex.split(entry["command"])
        compiler = next(w for w in words if re.search(r"(c\+\+|g\+\+|clang\+\+)(-\d+)?$", w))
        flags, skip = [], False
        for word in words[words.index(compiler) + 1:]:
            if skip:
                skip = False
            elif word in ("-o", "-c", "-MF", "-MT"):
                skip = True
            elif not word.startswith("-M") and word != entry["file"]:
                flags.append(word)
        # A test's flags see the most libraries.
        if room not in flags_of or "_test" in path.name:
            flags_of[room] = (compiler, flags, entry["directory"])

    def compile_alone(header):
        known = flags_of.get("/".join(header.relative_to(ROOT).parts[:2]))
        if known is None:
            return None
        compiler, flags, folder = known
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
            source.write(f'#include "{header}"\n')
            source.flush()
            done = subprocess.run([compiler, *flags, "-O0", "-U_FORTIFY_SOURCE", "-fsyntax-only", source.name], cwd=folder,
                                  capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else (header, done.stderr.strip().splitlines())

    headers = [h for h in tracked(".h") if h.relative_to(ROOT).parts[0] in ("src", "apps")]
    if not headers or not flags_of:
        found(build, "nothing to compile; configure the build first")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(compile_alone, headers):
            if result:
                found(name(result[0]), "does not compile alone: " + " | ".join(result[1][:4]))


def every_promise_has_its_proof():
    """Check: docs/promises.md and the tests that say "proves P-..." name the same promises."""
    promised = {}
    for number, line in enumerate(text(ROOT / "docs/promises.md").splitlines(), 1):
        match = re.match(r"(?:[-*] )?`?(P-[A-Z]+-\d\d+)`?[ :]+(\S.*)", line)
        if match:
            if match[1] in promised:
                found(f"docs/promises.md:{number}", f"{match[1]} is promised twice")
            if not match[2].rstrip().endswith("."):
                found(f"docs/promises.md:{number}", f"{match[1]} is not a sentence")
            promised[match[1]] = number
    if not promised:
        found("docs/promises.md", "holds no promise")
    proved = {}
    for path in tracked():
        parts = path.relative_to(ROOT).parts
        if not (path.name.endswith(("_test.cpp", ".story")) or parts[0] == "tests" or parts[0] == "fuzz" and path.suffix == ".cpp"):
            continue
        for line in text(path).splitlines():
            if "proves" in line:
                for promise in re.findall(r"\bP-[A-Z]+-\d\d+\b", line.split("proves", 1)[1]):
                    proved.setdefault(promise, name(path))
    for promise in sorted(set(promised) - set(proved)):
        found(f"docs/promises.md:{promised[promise]}", f"no test proves {promise}")
    for promise in sorted(set(proved) - set(promised)):
        found(proved[promise], f"proves {promise}, which docs/promises.md does not name")


def every_path_in_the_docs_exists():
    """Check: links and `paths` in the Markdown files lead somewhere."""
    tops = {p.name for p in ROOT.iterdir() if p.is_dir()} - {"build", ".git"}
    for path in tracked(".md"):
        if name(path).startswith(("examples/", "fuzz/corpus/", "tests/stories/")) or "/testdata/" in name(path):
            continue
        fenced = False
        for number, line in enumerate(text(path).splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            if fenced:
                continue
            links = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", line) if not re.match(r"[a-z]+:", t)]
            for target in filter(None, links):
                if not (path.parent / target).exists():
                    found(f"{name(path)}:{number}", f"dead link {target}")
            for target in re.findall(r"`([\w.+/-]+)`", line):
                if "/" in target and target.split("/")[0] in tops and not re.search(r"YYYY|NAME|/\d{4}-\d\d-", target):
                    if not (ROOT / target).exists() and not (ROOT / f"{target}.h").exists():
                        found(f"{name(path)}:{number}", f"no such path {target}")


def commands_in_the_readme_exist():
    """Check: each `loam` command shown in README.md is a verb, with options, that the program's help knows."""
    program = os.environ.get("LOAM_PROGRAM", str(ROOT / "build/release/bin/loam"))
    verbs_help = {}

    def help_of(words):
        key = tuple(words)
        if key not in verbs_help:
            done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
            verbs_help[key] = done.stdout if done.returncode == 0 else None
        return verbs_help[key]

    seen, fenced = 0, False
    for number, line in enumerate(text(ROOT / "README.md").splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        candidates = re.findall(r"`(loam [^`]+)`", line)
        if fenced:
            match = re.match(r"\s*(?:\$ )?((?:build/release/bin/)?loam [^#]*)", line)
            candidates = [match[1]] if match else []
        for command in candidates:
            command = command.replace("build/release/bin/", "").replace("…", "").split(" && ")[0].split("|")[0]
            words = shlex.split(command)[1:]
            verb = []
            for word in words:
                if not re.fullmatch(r"[a-z]+", word) or help_of([*verb, word]) is None:
                    break
                verb.append(word)
                if len(verb) == 2:
                    break
            if not verb:
                found(f"README.md:{number}", f"`{command}` is not a command of {Path(program).name}")
                continue
            seen += 1
            known = help_of(verb)
            for option in (w.split("=")[0] for w in words if re.match(r"--?[a-z]", w)):
                if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known):
                    found(f"README.md:{number}", f"`loam {' '.join(verb)}` has no option {option}")
    if seen < 5:
        found("README.md", f"shows only {seen} commands")


def no_file_is_too_long():
    """Check: no file of src/, apps/ or tests/ has more than 800 lines."""
    for path in tracked(*CODE, ".py"):
        lines = text(path).count("\n")
        if lines > 800 and name(path).startswith(("src/", "apps/", "tests/", "fuzz/", "bench/")):
            found(name(path), f"{lines} lines; split it at 800")


def no_place_of_one_machine_is_named():
    """Check: nothing names a folder of one machine, a package registry's host, or unfinished work."""
    # Written in parts, so that this file does not find itself.
    hosts = [("py" + "pi", "org"), ("pythonhosted", "org"), ("registry.npm" + "js", "org"), ("npm" + "js", "com"),
             ("deb.deb" + "ian", "org"), ("security.deb" + "ian", "org"), ("cra" + "tes", "io"), ("proxy.go" + "lang", "org"),
             ("repo.maven" + ".apache", "org")]
    words = ["\\." .join(map(re.escape, pair)) for pair in hosts]
    words += ["(?<![\\w./])/wo" + "rk/", "(?<![\\w./])/ro" + "ot/", "\\bTO" + "DO\\b", "\\bFIX" + "ME\\b", "shared" + " tree"]
    pattern = re.compile("|".join(f"(?:{w})" for w in words))
    for path in tracked():
        if path.suffix in (".pdf", ".gguf", ".png", ".bin") or "corpus" in path.parts:
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            match = pattern.search(line)
            if match:
                found(f"{name(path)}:{number}", f"names {match[0]}")


def data_files_parse():
    """Check: every JSON, JSON lines and TOML file parses."""
    for path in tracked(".json", ".jsonl", ".toml"):
        if {"corpus", "testdata", "broken"} & set(path.parts):
            continue  # some of these are damaged on purpose
        try:
            if path.suffix == ".toml":
                tomllib.loads(text(path))
            elif path.suffix == ".json":
                json.loads(text(path))
            else:
                for line in filter(str.strip, text(path).splitlines()):
                    json.loads(line)
        except ValueError as error:
            found(name(path), error)


def scripts_are_sound():
    """Check: scripts parse, can be executed, and stop at the first failure."""
    for path in tracked():
        if path.parent not in (ROOT / "scripts", ROOT / ".ci"):
            continue
        first = text(path).split("\n", 1)[0]
        if path.suffix == ".txt":
            continue
        if "bash" in first or path.name == "lib.sh":
            done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
            if done.returncode:
                found(name(path), done.stderr.strip())
            if "lib.sh" not in text(path) and "set -euo pipefail" not in text(path):
                found(name(path), "does not stop at the first failure: source scripts/lib.sh")
        if path.name != "lib.sh" and not os.access(path, os.X_OK):
            found(name(path), "is not executable")


def each_room_introduces_itself():
    """Check: every room of the map that has code has a README of at most 40 lines."""
    for room in layers():
        readme = ROOT / "src" / room / "README.md"
        if not list((ROOT / "src" / room).glob("*.cpp")):
            continue
        if not readme.is_file():
            found(f"src/{room}", "has no README.md")
        elif text(readme).count("\n") > 40:
            found(name(readme), "is longer than 40 lines")


def decisions_are_numbered():
    """Check: docs/decisions/ holds 0001, 0002, ... without gaps, each listed in its README."""
    folder = ROOT / "docs/decisions"
    listed = text(folder / "README.md")
    records = sorted(p.name for p in folder.glob("[0-9]*.md"))
    for index, record in enumerate(records, 1):
        if int(record[:4]) != index:
            found(f"docs/decisions/{record}", f"number {index:04} was expected here")
        if record not in listed:
            found("docs/decisions/README.md", f"does not list {record}")


def the_manual_is_what_its_script_makes():
    """Check: examples/coffee-machine-manual.pdf equals the output of scripts/make-manual, byte for byte."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "manual.pdf"
        subprocess.run([sys.executable, ROOT / "scripts/make-manual", made], check=True, stdout=subprocess.DEVNULL)
        if made.read_bytes() != (ROOT / "examples/coffee-machine-manual.pdf").read_bytes():
            found("examples/coffee-machine-manual.pdf", "differs from its script; run scripts/make-manual and commit both")


def quotes_of_the_example_questions_are_exact():
    """Check: each quote of tests/examples/questions.jsonl stands in the text that loam extracts from its source."""
    program = os.environ.get("LOAM_PROGRAM", str(ROOT / "build/release/bin/loam"))
    texts, rows, unanswerable = {}, [], 0
    for line in text(ROOT / "tests/examples/questions.jsonl").splitlines():
        rows.append(json.loads(line))
    with tempfile.TemporaryDirectory() as home:
        for row in rows:
            if row["answer"] is None:
                unanswerable += 1
                continue
            source = row["source"]
            if source not in texts:
                done = subprocess.run([program, "ingest", "--home", home, "--show-text", ROOT / "examples" / source],
                                      capture_output=True, check=False, stdin=subprocess.DEVNULL)
                if done.returncode:
                    found(source, done.stderr.decode(errors="replace").strip())
                texts[source] = done.stdout.decode()
            if row["quote"] not in texts[source]:
                found(row["id"], f"the quote is not in the text of {source}: {row['quote'][:60]}")
    if len({r["id"] for r in rows}) != len(rows) or len(rows) < 60 or unanswerable < 20:
        found("tests/examples/questions.jsonl", "ids repeat, or there are too few questions")


CHECKS = {n: f for n, f in list(globals().items()) if callable(f) and (getattr(f, "__doc__", None) or "").startswith("Check:")}

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CHECKS))
        sys.exit(0)
    unknown = [w for w in sys.argv[1:] if w not in CHECKS]
    if unknown:
        sys.exit(f"usage: check.py [--list] [CHECK ...]; there is no {unknown[0]}. The checks: {', '.join(CHECKS)}")
    for wanted in sys.argv[1:] or list(CHECKS):
        CHECKS[wanted]()
    for line in findings:
        print(line)
    sys.exit(1 if findings else 0)
