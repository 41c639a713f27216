"""The official Anthropic package, unmodified, against the server's `/v1/messages`."""

import asyncio
import time
import unittest

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from support import (
    DEFAULT_TOKENS,
    EXEC,
    GATEWAY,
    PARAMETERS,
    PROMPT_TOKENS,
    Case,
    arguments,
    gateway_only,
    stats,
    text,
)

MESSAGES = [{"role": "user", "content": "hello"}]
TOOLS = [
    {"name": name, "description": name, "input_schema": PARAMETERS} for name in ("search", "weather")
]


def said(message):
    return "".join(block.text for block in message.content if block.type == "text")


def used(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


class Base(Case):
    def setUp(self):
        super().setUp()
        self.client = Anthropic(base_url=EXEC, api_key="any", max_retries=0, timeout=10)
        self.addCleanup(self.client.close)

    @staticmethod
    def request(model, **options):
        base = {"model": model, "messages": MESSAGES, "max_tokens": 1000, "system": "be short"}
        return {**base, **options}

    def ask(self, model, **options):
        return self.client.messages.create(**self.request(model, **options))


class Answers:
    """What must hold whatever wire format the upstream speaks; `prefix` chooses the provider."""

    prefix = "claude/"

    def model(self, name):
        return (self.prefix if GATEWAY else "") + name

    def test_unary(self):
        message = self.ask(self.model("m-1"))
        self.assertEqual((message.type, message.role), ("message", "assistant"))
        self.assertEqual(said(message), text())
        self.assertEqual(message.stop_reason, "end_turn")
        self.assertEqual(message.usage.input_tokens, PROMPT_TOKENS)
        self.assertEqual(message.usage.output_tokens, DEFAULT_TOKENS)
        self.assertTrue(message.id and message.model)

    def test_streaming(self):
        with self.client.messages.stream(**self.request(self.model("m-1"))) as stream:
            heard = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(heard, text())
        self.assertEqual(said(final), text())
        self.assertEqual(final.stop_reason, "end_turn")
        self.assertEqual(final.usage.output_tokens, DEFAULT_TOKENS)

    def test_raw_events_keep_their_order(self):
        kinds = [event.type for event in self.ask(self.model("fault:tokens=3"), stream=True)]
        kinds = [kind for kind in kinds if kind != "ping"]
        self.assertEqual(kinds[:2], ["message_start", "content_block_start"])
        self.assertEqual(kinds[2:5], ["content_block_delta"] * 3)
        self.assertEqual(kinds[5:], ["content_block_stop", "message_delta", "message_stop"])

    def test_stop_reason_max_tokens(self):
        message = self.ask(self.model("fault:tokens=3,finish=length"))
        self.assertEqual(message.stop_reason, "max_tokens")

    def test_tools_unary_and_streamed_are_equal(self):
        for count in (1, 2, 3):
            with self.subTest(count):
                request = self.request(self.model(f"fault:tools={count}"), tools=TOOLS)
                unary = self.client.messages.create(**request)
                with self.client.messages.stream(**request) as stream:
                    folded = stream.get_final_message()
                names = ["search", "weather", "search"][:count]
                self.assertEqual(used(unary), [(name, arguments(i, count)) for i, name in enumerate(names)])
                self.assertEqual(used(folded), used(unary))
                self.assertEqual((unary.stop_reason, folded.stop_reason), ("tool_use", "tool_use"))
                ids = {block.id for block in folded.content if block.type == "tool_use"}
                self.assertEqual(len(ids), count)

    def test_results_of_tools_go_back(self):
        first = self.ask(self.model("fault:tools=2"), tools=TOOLS)
        uses = [block for block in first.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "ok"} for use in uses]
        turn = MESSAGES + [
            {"role": "assistant", "content": [use.model_dump(include={"type", "id", "name", "input"}) for use in uses]},
            {"role": "user", "content": results},
        ]
        self.assertEqual(said(self.ask(self.model("m-1"), messages=turn, tools=TOOLS)), text())

    def test_error_classes(self):
        for name, kind, status in (
            ("fault:status=400", anthropic.BadRequestError, 400),
            ("fault:error=context_length", anthropic.BadRequestError, 400),
            ("missing-model", anthropic.NotFoundError, 404),
            ("fault:status=429", anthropic.RateLimitError, 429),
        ):
            for stream in (False, True):
                with self.subTest(name, stream=stream), self.assertRaises(kind) as caught:
                    self.ask(self.model(name), stream=stream)
                self.assertEqual(caught.exception.status_code, status)
                self.assertEqual(caught.exception.body["type"], "error")
                self.assertTrue(caught.exception.body["error"]["message"])
        with self.assertRaises(anthropic.InternalServerError):
            self.ask(self.model("fault:status=500"))

    def test_retry_after_is_visible(self):
        with self.assertRaises(anthropic.RateLimitError) as caught:
            self.ask(self.model("fault:status=429,retry-after=2"))
        self.assertEqual(caught.exception.response.headers["retry-after"], "2")

    def test_a_broken_stream_does_not_end_normally(self):
        for fault, tokens in (("stream-error=20", 20), ("cut=40", 40), ("cut=59", 59)):
            # Without a gateway a broken connection is the HTTP library's own exception.
            kind = anthropic.APIError if GATEWAY else Exception
            heard = ""
            with self.subTest(fault):
                with self.assertRaises(kind):
                    request = self.request(self.model(f"fault:{fault}"))
                    with self.client.messages.stream(**request) as stream:
                        for part in stream.text_stream:
                            heard += part
                self.assertEqual(heard, text(tokens))

    def test_an_aborted_stream_leaves(self):
        model = "fault:tokens=1000,gap=20ms"
        with self.client.messages.stream(**self.request(self.model(model))) as stream:
            heard = next(iter(stream.text_stream))
        self.assert_part_of_answer(heard, 1000)
        self.assert_upstream_saw_leave(model)

    def test_a_client_that_times_out_leaves(self):
        with self.assertRaises(anthropic.APITimeoutError):
            client = self.client.with_options(timeout=0.4)
            client.messages.create(**self.request(self.model("fault:hang")))
        self.assert_upstream_saw_leave("fault:hang")


class AnthropicUpstream(Answers, Base):
    """The same wire format in front and behind."""


@gateway_only
class OpenAIUpstream(Answers, Base):
    """The SDK is served from the other wire format."""

    prefix = "up/"


class TakenOver(Base):
    @gateway_only
    def test_another_provider_goes_on_and_the_end_says_so(self):
        with self.client.messages.stream(**self.request("relay/fault:cut=40")) as stream:
            told = [event.model_extra["exec"] for event in stream if "exec" in (event.model_extra or {})]
            final = stream.get_final_message()
        self.assertEqual((said(final), final.stop_reason), (text(), "end_turn"))
        self.assertEqual([(extra["integrity"], extra["provider"]) for extra in told], [("continued", "well")])


class Refusals(Base):
    @gateway_only
    def test_unauthorized_upstream(self):
        with self.assertRaises(anthropic.AuthenticationError) as caught:
            self.ask("denied/m-1")
        self.assertNotIn("bad-key", str(caught.exception))

    @gateway_only
    def test_unknown_provider(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.ask("m-1", extra_headers={"x-exec-provider": "nowhere"})
        self.assertEqual(stats()["calls"], 0)

    def test_empty_messages(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.ask("m-1", messages=[])
        self.assertIn("messages", caught.exception.body["error"]["message"])

    def test_the_sdk_waits_as_long_as_a_429_says(self):
        start = time.monotonic()
        model = ("claude/" if GATEWAY else "") + "fault:status=429,retry-after=1"
        client = self.client.with_options(max_retries=1)
        with self.assertRaises(anthropic.RateLimitError):
            client.messages.create(**self.request(model))
        self.assertGreaterEqual(time.monotonic() - start, 0.95)
        self.assertEqual(stats()["calls"], 2)


class Async(Case):
    def test_unary_and_streaming(self):
        asyncio.run(self.walk())

    async def walk(self):
        async with AsyncAnthropic(base_url=EXEC, api_key="any", max_retries=0, timeout=10) as client:
            request = Base.request("m-1")
            self.assertEqual(said(await client.messages.create(**request)), text())
            async with client.messages.stream(**request) as stream:
                parts = [part async for part in stream.text_stream]
                final = await stream.get_final_message()
            self.assertEqual("".join(parts), text())
            self.assertEqual(said(final), text())


if __name__ == "__main__":
    unittest.main()
