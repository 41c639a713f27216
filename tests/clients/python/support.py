"""What the suites share: where the servers are, what the upstream says, and what it saw.

EXEC_URL is the server under test, UPSTREAM_URL the fault-injecting upstream behind it. The two may be the same: then
the tests that need a gateway are skipped, and the rest check the suites themselves.
"""

import json
import os
import time
import unittest
import urllib.request

EXEC = os.environ["EXEC_URL"].rstrip("/")
UPSTREAM = os.environ["UPSTREAM_URL"].rstrip("/")
GATEWAY = EXEC != UPSTREAM

gateway_only = unittest.skipUnless(GATEWAY, "EXEC_URL is the upstream itself")

PROMPT_TOKENS = 21
DEFAULT_TOKENS = 60
TAILS = {3: "汉字", 13: "汉字", 7: "🦀", 9: '"q"', 15: "é\n", 17: "👩\u200d💻"}


def text(tokens=DEFAULT_TOKENS):
    """The text of an answer of that many tokens."""
    return " ".join(f"tok{i}{TAILS.get(i % 20, '')}" for i in range(tokens))


def arguments(call, calls):
    """The arguments of one of several parallel tool calls; the last of three or more takes none."""
    if calls >= 3 and call + 1 == calls:
        return {}
    return {
        "query": 'say "hi" café',
        "path": "C:\\tmp\n",
        "city": "東京 特別",
        "mood": "🦀👩\u200d💻",
        "call": call,
    }


PARAMETERS = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("query", "path", "city", "mood")}
    | {"call": {"type": "integer"}},
    "required": ["query", "path", "city", "mood", "call"],
    "additionalProperties": False,
}


def ask(path, method="GET"):
    request = urllib.request.Request(UPSTREAM + path, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read()


def stats():
    return json.loads(ask("/__stats"))


def departures(model):
    """How many clients left while the upstream was answering for this model."""
    return sum(1 for gone in stats()["departures"] if gone["model"] == model)


class Case(unittest.TestCase):
    """A test that begins with an upstream that remembers nothing."""

    maxDiff = 2000

    def setUp(self):
        ask("/__reset", "POST")

    def assert_upstream_saw_leave(self, model, within=1.0):
        deadline = time.monotonic() + within
        while departures(model) == 0:
            self.assertLess(time.monotonic(), deadline, f"nobody left {model} within {within} s")
            time.sleep(0.01)

    def assert_no_upstream_leave(self, model):
        self.assertEqual(departures(model), 0, f"somebody left {model}")

    def assert_part_of_answer(self, got, tokens=DEFAULT_TOKENS):
        """What came before a break is the beginning of the answer, and not the whole."""
        self.assertTrue(text(tokens).startswith(got), got)
        self.assertNotEqual(text(tokens), got)
