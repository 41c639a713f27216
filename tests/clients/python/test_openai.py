"""The official OpenAI package, unmodified, against the server."""

import asyncio
import json
import time
import unittest

import openai
from openai import AsyncOpenAI, OpenAI

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

MESSAGES = [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": name, "strict": True, "parameters": PARAMETERS},
    }
    for name in ("search", "weather")
]


def connect(**options):
    return OpenAI(base_url=EXEC + "/v1", api_key="any", **{"max_retries": 0, "timeout": 10, **options})


def read(stream):
    """All that a stream of chunks says: text, finish reasons and usages."""
    parts, finishes, usages = [], [], []
    for chunk in stream:
        usages += [chunk.usage] if chunk.usage else []
        for choice in chunk.choices:
            parts.append(choice.delta.content or "")
            finishes += [choice.finish_reason] if choice.finish_reason else []
    return "".join(parts), finishes, usages


def calls(message):
    return [(call.function.name, call.function.arguments) for call in message.tool_calls]


class Base(Case):
    def setUp(self):
        super().setUp()
        self.client = connect()
        self.addCleanup(self.client.close)

    def chat(self, model, **options):
        return self.client.chat.completions.create(**{"model": model, "messages": MESSAGES, **options})


class Answers:
    """What must hold whatever wire format the upstream speaks; `prefix` chooses the provider."""

    prefix = ""

    def model(self, name):
        return self.prefix + name

    def test_unary(self):
        answer = self.chat(self.model("m-1"))
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(len(answer.choices), 1)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, text())
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.prompt_tokens, PROMPT_TOKENS)
        self.assertEqual(answer.usage.completion_tokens, DEFAULT_TOKENS)
        self.assertEqual(answer.usage.total_tokens, PROMPT_TOKENS + DEFAULT_TOKENS)
        self.assertTrue(answer.id and answer.created and answer.model)

    def test_streaming(self):
        said, finishes, usages = read(self.chat(self.model("m-1"), stream=True))
        self.assertEqual(said, text())
        self.assertEqual(finishes, ["stop"])
        self.assertEqual(usages, [])

    def test_streaming_is_not_gathered_up(self):
        start, times = time.monotonic(), []
        for chunk in self.chat(self.model("fault:tokens=10,gap=100ms"), stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                times.append(time.monotonic() - start)
        self.assertEqual(len(times), 10)
        self.assertGreater(times[-1] - times[0], 0.6)

    def test_streaming_survives_every_split_of_the_bytes(self):
        for fault in ("bytewise", "utf8split", "crlf", "comments"):
            with self.subTest(fault):
                said, finishes, _ = read(self.chat(self.model(f"fault:tokens=25,{fault}"), stream=True))
                self.assertEqual((said, finishes), (text(25), ["stop"]))

    def test_include_usage_comes_last_and_equals_the_unary_usage(self):
        options = {"include_usage": True}
        chunks = list(self.chat(self.model("m-1"), stream=True, stream_options=options))
        self.assertEqual(chunks[-1].choices, [])
        usage = self.chat(self.model("m-1")).usage
        for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
            self.assertEqual(getattr(chunks[-1].usage, field), getattr(usage, field), field)
        self.assertEqual([chunk for chunk in chunks[:-1] if chunk.usage], [])

    def test_finish_reason_length(self):
        model = self.model("fault:tokens=3,finish=length")
        self.assertEqual(self.chat(model).choices[0].finish_reason, "length")
        self.assertEqual(read(self.chat(model, stream=True))[1], ["length"])

    def test_parallel_tool_calls(self):
        answer = self.chat(self.model("fault:tools=3"), tools=TOOLS)
        choice = answer.choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        got = [(name, json.loads(args)) for name, args in calls(choice.message)]
        names = ["search", "weather", "search"]
        self.assertEqual(got, [(name, arguments(i, 3)) for i, name in enumerate(names)])
        self.assertEqual(len({call.id for call in choice.message.tool_calls}), 3)
        self.assertTrue(all(call.id and call.type == "function" for call in choice.message.tool_calls))

    def test_streamed_tool_calls_folded_by_the_sdk_equal_the_unary_ones(self):
        for count in (1, 2, 3):
            with self.subTest(count):
                model = self.model(f"fault:tools={count}")
                unary = self.chat(model, tools=TOOLS).choices[0]
                request = {"model": model, "messages": MESSAGES, "tools": TOOLS}
                with self.client.chat.completions.stream(**request) as stream:
                    folded = stream.get_final_completion().choices[0]
                self.assertEqual(folded.finish_reason, "tool_calls")
                self.assertEqual(self.parsed(folded.message), self.parsed(unary.message))
                self.assertEqual(len({call.id for call in folded.message.tool_calls}), count)

    @staticmethod
    def parsed(message):
        return [(name, json.loads(args)) for name, args in calls(message)]

    def test_text_and_tool_calls_in_one_stream(self):
        request = {"model": self.model("fault:tokens=5,tools=2"), "messages": MESSAGES, "tools": TOOLS}
        with self.client.chat.completions.stream(**request) as stream:
            folded = stream.get_final_completion().choices[0].message
        self.assertEqual(folded.content, text(5))
        self.assertEqual(len(folded.tool_calls), 2)

    def test_results_of_tools_go_back(self):
        first = self.chat(self.model("fault:tools=2"), tools=TOOLS).choices[0].message
        turn = MESSAGES + [first.model_dump(exclude_none=True)]
        turn += [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in first.tool_calls]
        second = self.chat(self.model("m-1"), messages=turn, tools=TOOLS)
        self.assertEqual(second.choices[0].message.content, text())

    def test_error_classes(self):
        for fault, kind, status in (
            ("status=400", openai.BadRequestError, 400),
            ("error=context_length", openai.BadRequestError, 400),
            ("status=429", openai.RateLimitError, 429),
        ):
            for stream in (False, True):
                with self.subTest(fault, stream=stream), self.assertRaises(kind) as caught:
                    self.chat(self.model(f"fault:{fault}"), stream=stream)
                self.assertEqual(caught.exception.status_code, status)
                self.assertTrue(caught.exception.body["message"])
        with self.assertRaises(openai.InternalServerError):
            self.chat(self.model("fault:status=500"))

    def test_missing_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.chat(self.model("missing-model"))
        self.assertIn("missing-model", str(caught.exception))

    def test_context_length_keeps_its_code(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(self.model("fault:error=context_length"))
        self.assertEqual(caught.exception.code, "context_length_exceeded")

    def test_retry_after_is_visible(self):
        with self.assertRaises(openai.RateLimitError) as caught:
            self.chat(self.model("fault:status=429,retry-after=2"))
        self.assertEqual(caught.exception.response.headers["retry-after"], "2")

    def test_error_in_mid_stream_is_an_exception(self):
        self.breaks("stream-error=20", 20)

    def test_a_cut_stream_does_not_end_normally(self):
        self.breaks("cut=40", 40)
        self.breaks("cut=59", 59)

    @gateway_only
    def test_a_stream_that_stops_without_its_end_does_not_end_normally(self):
        self.breaks("cut-clean=40", 40)
        self.breaks("cut-clean=60", 60)

    def breaks(self, fault, tokens):
        said, finishes = "", []
        # Without a gateway a broken connection is the HTTP library's own exception.
        kind = openai.APIError if GATEWAY else Exception
        with self.subTest(fault), self.assertRaises(kind):
            for chunk in self.chat(self.model(f"fault:{fault}"), stream=True):
                for choice in chunk.choices:
                    said += choice.delta.content or ""
                    finishes += [choice.finish_reason] if choice.finish_reason else []
        self.assertEqual(finishes, [])
        self.assertEqual(said, text(tokens))

    def test_a_cut_unary_answer_is_an_error(self):
        with self.assertRaises(openai.APIError):
            self.chat(self.model("fault:cut=40"))


class OpenAIUpstream(Answers, Base):
    def test_system_fingerprint_and_unknown_fields_do_no_harm(self):
        answer = self.chat("m-1", extra_body={"x_unknown": {"a": [1, 2]}}, seed=7, temperature=0.5)
        self.assertEqual(answer.choices[0].message.content, text())

    def test_named_provider(self):
        if GATEWAY:
            self.assertEqual(self.chat("up/m-1").choices[0].message.content, text())
        self.assertEqual(self.chat("m-1").choices[0].message.content, text())


@gateway_only
class AnthropicUpstream(Answers, Base):
    """The same through `claude/…`: the SDK is served from the other wire format."""

    prefix = "claude/"


class Lists(Base):
    def test_embeddings(self):
        inputs = ["one", "two", "ünïcode 東京"]
        create = self.client.embeddings.create
        packed = create(model="e-1", input=inputs)
        floats = create(model="e-1", input=inputs, encoding_format="float")
        self.assertEqual([item.index for item in packed.data], [0, 1, 2])
        self.assertGreater(packed.usage.prompt_tokens, 0)
        for one, other in zip(packed.data, floats.data, strict=True):
            self.assertGreater(len(one.embedding), 1)
            self.assertEqual(len(one.embedding), len(other.embedding))
            for a, b in zip(one.embedding, other.embedding, strict=True):
                self.assertAlmostEqual(a, b, places=5)
        self.assertNotEqual(packed.data[0].embedding, packed.data[1].embedding)

    def test_base64_as_it_comes(self):
        answer = self.client.embeddings.create(model="e-1", input="one", encoding_format="base64")
        self.assertIsInstance(answer.data[0].embedding, str)

    def test_models(self):
        ids = [model.id for model in self.client.models.list()]
        self.assertTrue(ids)
        self.assertTrue(all(ids))
        self.assertEqual(len(ids), len(set(ids)))


class TakenOver(Base):
    @gateway_only
    def test_another_provider_goes_on_and_the_last_chunk_says_so(self):
        chunks = list(self.chat("relay/fault:cut=40", stream=True))
        said, finishes, _ = read(chunks)
        self.assertEqual((said, finishes), (text(), ["stop"]))
        told = [chunk.model_extra["exec"] for chunk in chunks if "exec" in (chunk.model_extra or {})]
        self.assertEqual([(extra["integrity"], extra["provider"]) for extra in told], [("continued", "well")])

    @gateway_only
    def test_the_helper_of_the_package_folds_it(self):
        request = {"model": "relay/fault:cut=40", "messages": MESSAGES}
        with self.client.chat.completions.stream(**request) as stream:
            answer = stream.get_final_completion()
        self.assertEqual(answer.choices[0].message.content, text())
        self.assertEqual(answer.choices[0].finish_reason, "stop")


class Refusals(Base):
    @gateway_only
    def test_unauthorized_upstream(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.chat("denied/m-1")
        self.assertNotIn("bad-key", str(caught.exception))

    @gateway_only
    def test_unknown_provider(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.chat("m-1", extra_headers={"x-exec-provider": "nowhere"})
        self.assertEqual(caught.exception.code, "unknown_provider")
        self.assertEqual(stats()["calls"], 0)

    @gateway_only
    def test_temperature_out_of_range_is_named(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat("m-1", temperature=2.1)
        self.assertIn("temperature", caught.exception.body["message"])
        self.assertEqual(stats()["calls"], 0)

    def test_empty_messages(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat("m-1", messages=[])
        self.assertIn("messages", caught.exception.body["message"])


class Patience(Base):
    def test_the_sdk_waits_as_long_as_a_429_says(self):
        start = time.monotonic()
        with self.assertRaises(openai.RateLimitError):
            self.retrying("fault:status=429,retry-after=1")
        took = time.monotonic() - start
        self.assertGreaterEqual(took, 0.95)
        self.assertLess(took, 4)
        self.assertEqual(stats()["calls"], 2)

    def test_the_sdk_succeeds_once_the_upstream_is_back(self):
        start = time.monotonic()
        answer = self.retrying("fault:flap=1,retry-after=1")
        self.assertEqual(answer.choices[0].message.content, text())
        self.assertGreaterEqual(time.monotonic() - start, 0.95)
        self.assertEqual(stats()["calls"], 2)

    def retrying(self, model):
        client = self.client.with_options(max_retries=1)
        return client.chat.completions.create(model=model, messages=MESSAGES)

    def test_a_client_that_times_out_leaves(self):
        for model in ("fault:hang", "fault:first=20s", "fault:headers=20s"):
            for stream in (False, True):
                with self.subTest(model, stream=stream):
                    super().setUp()
                    client = self.client.with_options(timeout=0.4)
                    with self.assertRaises(openai.APITimeoutError):
                        answer = client.chat.completions.create(
                            model=model, messages=MESSAGES, stream=stream
                        )
                        for _ in answer if stream else ():
                            pass
                    self.assert_upstream_saw_leave(model)

    def test_an_aborted_stream_leaves(self):
        for prefix in ("", "claude/") if GATEWAY else ("",):
            with self.subTest(prefix):
                super().setUp()
                model = "fault:tokens=1000,gap=20ms"
                stream = self.chat(prefix + model, stream=True)
                said = ""
                while len(said) < 20:
                    for choice in next(stream).choices:
                        said += choice.delta.content or ""
                self.assert_part_of_answer(said, 1000)
                stream.close()
                self.assert_upstream_saw_leave(model)

    def test_a_stream_read_to_its_end_leaves_nobody(self):
        read(self.chat("fault:tokens=4", stream=True))
        self.assert_no_upstream_leave("fault:tokens=4")


class Async(Case):
    def test_unary_streaming_and_many_at_once(self):
        asyncio.run(self.walk())

    async def walk(self):
        async with AsyncOpenAI(base_url=EXEC + "/v1", api_key="any", max_retries=0, timeout=10) as client:
            create = client.chat.completions.create
            answer = await create(model="m-1", messages=MESSAGES)
            self.assertEqual(answer.choices[0].message.content, text())
            parts = []
            async for chunk in await create(model="m-1", messages=MESSAGES, stream=True):
                parts += [choice.delta.content or "" for choice in chunk.choices]
            self.assertEqual("".join(parts), text())
            many = [create(model=f"fault:tokens={n}", messages=MESSAGES) for n in range(1, 33)]
            answers = await asyncio.gather(*many)
            said = [answer.choices[0].message.content for answer in answers]
            self.assertEqual(said, [text(n) for n in range(1, 33)])


if __name__ == "__main__":
    unittest.main()
