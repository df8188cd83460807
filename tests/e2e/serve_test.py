#!/usr/bin/env python3
"""`loam serve` as its clients see it: a real server with the real models, over real sockets.
usage: serve_test.py LOAM EXAMPLES_FOLDER; LOAM_TEST_MODELS names the folder with the models"""
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

LOAM, EXAMPLES = sys.argv[1:3]
MODELS = os.environ["LOAM_TEST_MODELS"]
QUESTION = "How many weeks of paid parental leave does the other parent get?"


class Server:
    def __init__(self, home, *options):
        command = [LOAM, "serve", "--home", home, "--models", MODELS, "--port", "0", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the server did not start: " + self.process.stderr.read())
        ready = json.loads(line)
        self.port = int(ready["address"].rsplit(":", 1)[1])
        self.worker = ready["worker"]

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        connection.request(method, path, text, headers or {})
        answer = connection.getresponse()
        status, content, sent = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return status, content, sent

    def json(self, method, path, body=None, headers=None):
        status, content, _ = self.ask(method, path, body, headers)
        return status, json.loads(content)

    def chat(self, model, text, **more):
        return self.json("POST", "/v1/chat/completions",
                         {"model": model, "messages": [{"role": "user", "content": text}], **more})

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def events_of(content):
    return [line[6:] for line in content.decode().splitlines() if line.startswith("data: ")]


class Serve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="loam-serve-test-")
        subprocess.run([LOAM, "ingest", EXAMPLES, "-c", "examples", "--home", cls.home, "--models", MODELS, "-q"],
                       check=True, stdout=subprocess.DEVNULL)
        cls.server = Server(cls.home)
        cls.model = cls.server.json("GET", "/v1/models")[1]["data"][0]["id"]

    @classmethod
    def tearDownClass(cls):
        status, _, _ = cls.server.stop()
        shutil.rmtree(cls.home)
        assert status == 0, f"the server ended with status {status}"

    def test_models_and_collections_are_listed(self):
        status, models = self.server.json("GET", "/v1/models")
        self.assertEqual(status, 200)
        names = [one["id"] for one in models["data"]]
        self.assertIn("docs:examples", names)
        self.assertIn("smollm2-135m-instruct-q4_1", names)

    def test_a_chat_is_answered_whole_and_as_a_stream_alike(self):
        status, whole = self.server.chat(self.model, "Say hello.", temperature=0, max_tokens=12)
        self.assertEqual(status, 200, whole)
        text = whole["choices"][0]["message"]["content"]
        self.assertTrue(text)
        self.assertLessEqual(whole["usage"]["completion_tokens"], 12)
        status, content, headers = self.server.ask(
            "POST", "/v1/chat/completions",
            {"model": self.model, "messages": [{"role": "user", "content": "Say hello."}], "temperature": 0,
             "max_tokens": 12, "stream": True, "stream_options": {"include_usage": True}})
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/event-stream")
        events = events_of(content)
        self.assertEqual(events[-1], "[DONE]")
        parsed = [json.loads(one) for one in events[:-1]]
        said = "".join(choice["delta"].get("content") or "" for one in parsed for choice in one["choices"])
        self.assertEqual(said, text)
        self.assertEqual(parsed[-1]["usage"]["completion_tokens"], whole["usage"]["completion_tokens"])

    def test_json_is_answered_by_its_schema(self):
        schema = {"type": "object", "properties": {"weeks": {"type": "integer"}}, "required": ["weeks"]}
        status, answer = self.server.chat(
            self.model, "How many weeks has a year?", temperature=0, max_tokens=40,
            response_format={"type": "json_schema", "json_schema": {"name": "weeks", "schema": schema}})
        self.assertEqual(status, 200, answer)
        self.assertIsInstance(json.loads(answer["choices"][0]["message"]["content"])["weeks"], int)

    # proves P-SERVE-01
    def test_documents_are_asked_as_a_model_and_answer_as_the_command_line_does(self):
        printed = subprocess.run([LOAM, "ask", QUESTION, "-c", "examples", "--home", self.home, "--models", MODELS,
                                  "--json"], check=True, capture_output=True, text=True).stdout
        expected = json.loads(printed)
        status, answer = self.server.chat("docs:examples", QUESTION)
        self.assertEqual(status, 200, answer)
        message = answer["choices"][0]["message"]
        self.assertIn("8 weeks", message["content"])
        self.assertIn("[1]", message["content"])
        self.assertEqual(message["citations"], expected["citations"])
        self.assertEqual(message["loam"]["answer"] if "answer" in expected else message["loam"].get("text"),
                         expected["answer"] if "answer" in expected else expected.get("text"))
        self.assertEqual(message["loam"]["confidence"], expected["confidence"])

    def test_what_the_documents_do_not_hold_is_said(self):
        status, answer = self.server.chat("docs:examples", "What does a parking space in the garage cost?")
        self.assertEqual(status, 200, answer)
        message = answer["choices"][0]["message"]
        self.assertTrue(message["loam"]["abstained"])
        self.assertEqual(message["citations"], [])

    def test_an_answer_from_documents_streams_its_citations_last(self):
        status, content, _ = self.server.ask(
            "POST", "/v1/chat/completions",
            {"model": "docs:examples", "messages": [{"role": "user", "content": QUESTION}], "stream": True})
        self.assertEqual(status, 200)
        events = events_of(content)
        self.assertEqual(events[-1], "[DONE]")
        last = json.loads(events[-2])["choices"][0]
        self.assertEqual(last["finish_reason"], "stop")
        self.assertTrue(last["delta"]["citations"])

    def test_embeddings_have_unit_length(self):
        status, answer = self.server.json("POST", "/v1/embeddings", {"model": "any", "input": ["one", "two"]})
        self.assertEqual(status, 200, answer)
        for one in answer["data"]:
            self.assertAlmostEqual(sum(x * x for x in one["embedding"]), 1.0, places=4)

    def test_mistakes_name_their_field(self):
        for body, field in [({"model": self.model}, "messages"),
                            ({"model": self.model, "messages": [{"role": "user"}]}, "messages[0].content"),
                            ({"model": "nobody", "messages": [{"role": "user", "content": "x"}]}, "model"),
                            ({"model": "docs:nothing", "messages": [{"role": "user", "content": "x"}]}, "model")]:
            status, answer = self.server.json("POST", "/v1/chat/completions", body)
            self.assertIn(status, (400, 404))
            self.assertEqual(answer["error"]["param"], field)
        status, answer = self.server.json("POST", "/v1/chat/completions", "{")
        self.assertEqual(status, 400)
        status, answer = self.server.json("GET", "/v1/nothing")
        self.assertEqual(status, 404)
        self.assertIn("/v1/nothing", answer["error"]["message"])

    def test_a_prompt_beyond_the_context_is_the_clients_mistake(self):
        status, answer = self.server.chat(self.model, "word " * 20000)
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["code"], "context_length_exceeded")

    def test_another_sites_name_is_not_answered(self):
        status, _, _ = self.server.ask("GET", "/v1/models", headers={"Host": "evil.example"})
        self.assertEqual(status, 421)

    # proves P-SERVE-02
    def test_z_a_killed_worker_costs_its_own_request_and_is_back(self):
        before = self.server.json("GET", "/health")[1]
        self.assertEqual(before["worker"], "ready")
        os.kill(self.server.worker, signal.SIGKILL)
        killed = time.monotonic()
        while self.server.json("GET", "/health")[1]["worker"] == "ready":  # until it is noticed
            self.assertLess(time.monotonic() - killed, 30)
        status, answer = self.server.chat(self.model, "hi", max_tokens=4)
        if status != 200:
            self.assertEqual(status, 503)
            self.assertEqual(answer["error"]["code"], "worker_unavailable")
        while self.server.json("GET", "/health")[1]["worker"] != "ready":
            self.assertLess(time.monotonic() - killed, 60)
        status, answer = self.server.chat(self.model, "hi", max_tokens=4)
        self.assertEqual(status, 200, answer)


class Keys(unittest.TestCase):
    def test_without_the_key_nothing_is_told(self):
        home = tempfile.mkdtemp(prefix="loam-serve-test-")
        keys = os.path.join(home, "keys")
        with open(keys, "w") as file:
            file.write("# the office\n0123456789abcdef-secret\n")
        refused = subprocess.run([LOAM, "serve", "--home", home, "--models", MODELS, "--key-file", keys],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("chmod 600", refused.stderr)
        os.chmod(keys, 0o600)
        server = Server(home, "--key-file", keys)
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)
        self.assertEqual(server.ask("GET", "/v1/models", headers={"Authorization": "Bearer wrong"})[0], 401)
        self.assertEqual(server.ask("GET", "/health")[0], 200)
        good = {"Authorization": "Bearer 0123456789abcdef-secret"}
        self.assertEqual(server.ask("GET", "/v1/models", headers=good)[0], 200)
        self.assertEqual(server.ask("GET", "/v1/models", headers={"x-api-key": "0123456789abcdef-secret"})[0], 200)
        self.assertEqual(server.stop()[0], 0)
        shutil.rmtree(home)

    def test_beyond_this_machine_a_key_is_needed(self):
        home = tempfile.mkdtemp(prefix="loam-serve-test-")
        refused = subprocess.run([LOAM, "serve", "--home", home, "--models", MODELS, "--host", "0.0.0.0"],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--key-file", refused.stderr)
        shutil.rmtree(home)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
