// The official OpenAI package for Node, unmodified, against the server.
// EXEC_URL is the server, UPSTREAM_URL the fault-injecting upstream behind it; the two may be the same to check this file.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';

const EXEC = process.env.EXEC_URL.replace(/\/$/, '');
const UPSTREAM = process.env.UPSTREAM_URL.replace(/\/$/, '');
const GATEWAY = EXEC !== UPSTREAM;
const gatewayOnly = { skip: GATEWAY ? false : 'EXEC_URL is the upstream itself' };
const PROMPT_TOKENS = 21;
const TAILS = { 3: '汉字', 13: '汉字', 7: '🦀', 9: '"q"', 15: 'é\n', 17: '👩\u200d💻' };

const messages = [{ role: 'system', content: 'be short' }, { role: 'user', content: 'hello' }];
const tools = ['search', 'weather'].map((name) => ({
  type: 'function',
  function: { name, description: name, parameters: { type: 'object', properties: {} } },
}));
const client = new OpenAI({ baseURL: `${EXEC}/v1`, apiKey: 'any', maxRetries: 0, timeout: 10_000 });

/** The text of an answer of that many tokens. */
function text(tokens = 60) {
  return Array.from({ length: tokens }, (_, i) => `tok${i}${TAILS[i % 20] ?? ''}`).join(' ');
}

/** The arguments of one of several parallel tool calls; the last of three or more takes none. */
function toolArguments(call, calls) {
  if (calls >= 3 && call + 1 === calls) return {};
  return { query: 'say "hi" café', path: 'C:\\tmp\n', city: '東京 特別', mood: '🦀👩\u200d💻', call };
}

async function stats() {
  return (await fetch(`${UPSTREAM}/__stats`)).json();
}

async function upstreamSawLeave(model, within = 1000) {
  const deadline = performance.now() + within;
  while (!(await stats()).departures.some((gone) => gone.model === model)) {
    assert.ok(performance.now() < deadline, `nobody left ${model} within ${within} ms`);
    await sleep(10);
  }
}

function chat(model, options = {}) {
  return client.chat.completions.create({ model, messages, ...options });
}

/** All that a stream of chunks says. */
async function read(stream) {
  const heard = { text: '', finishes: [], usages: [] };
  for await (const chunk of stream) {
    if (chunk.usage) heard.usages.push(chunk.usage);
    for (const choice of chunk.choices) {
      heard.text += choice.delta.content ?? '';
      if (choice.finish_reason) heard.finishes.push(choice.finish_reason);
    }
  }
  return heard;
}

function parsed(message) {
  return message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
}

async function failure(promise, kind) {
  let caught;
  await assert.rejects(promise, (error) => (caught = error) instanceof kind);
  return caught;
}

beforeEach(() => fetch(`${UPSTREAM}/__reset`, { method: 'POST' }));

// What must hold whatever wire format the upstream speaks; the prefix chooses the provider.
for (const prefix of GATEWAY ? ['', 'claude/'] : ['']) {
  describe(`answers of ${prefix || 'the default provider'}`, () => {
    test('unary', async () => {
      const answer = await chat(`${prefix}m-1`);
      assert.equal(answer.object, 'chat.completion');
      assert.equal(answer.choices[0].message.content, text());
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.usage.prompt_tokens, PROMPT_TOKENS);
      assert.equal(answer.usage.completion_tokens, 60);
    });

    test('streaming', async () => {
      const heard = await read(await chat(`${prefix}m-1`, { stream: true }));
      assert.deepEqual(heard, { text: text(), finishes: ['stop'], usages: [] });
    });

    test('include_usage comes last and equals the unary usage', async () => {
      const { usage } = await chat(`${prefix}m-1`);
      const heard = await read(await chat(`${prefix}m-1`, { stream: true, stream_options: { include_usage: true } }));
      assert.equal(heard.usages.length, 1);
      assert.equal(heard.usages[0].total_tokens, usage.total_tokens);
      assert.equal(heard.usages[0].completion_tokens, usage.completion_tokens);
    });

    for (const count of [1, 2, 3]) {
      test(`${count} tool calls: unary, and folded by the SDK from the stream`, async () => {
        const model = `${prefix}fault:tools=${count}`;
        const unary = (await chat(model, { tools })).choices[0];
        const expected = ['search', 'weather', 'search'].slice(0, count);
        assert.deepEqual(parsed(unary.message), expected.map((name, i) => [name, toolArguments(i, count)]));
        assert.equal(unary.finish_reason, 'tool_calls');
        const stream = client.chat.completions.stream({ model, messages, tools });
        const folded = (await stream.finalChatCompletion()).choices[0];
        assert.deepEqual(parsed(folded.message), parsed(unary.message));
        assert.equal(folded.finish_reason, 'tool_calls');
        assert.equal(new Set(folded.message.tool_calls.map((call) => call.id)).size, count);
      });
    }

    test('error classes', async () => {
      for (const [model, kind, status] of [
        ['fault:status=400', OpenAI.BadRequestError, 400],
        ['missing-model', OpenAI.NotFoundError, 404],
        ['fault:status=429', OpenAI.RateLimitError, 429],
      ]) {
        for (const stream of [false, true]) {
          const error = await failure(chat(prefix + model, { stream }), kind);
          assert.equal(error.status, status);
          assert.ok(error.error.message);
        }
      }
      await failure(chat(`${prefix}fault:status=500`), OpenAI.InternalServerError);
      const limited = await failure(chat(`${prefix}fault:status=429,retry-after=2`), OpenAI.RateLimitError);
      assert.equal(limited.headers.get('retry-after'), '2');
    });

    for (const [fault, tokens] of [['stream-error=20', 20], ['cut=40', 40]]) {
      test(`${fault} does not end normally`, async () => {
        let said = '';
        const finishes = [];
        const walk = async () => {
          for await (const chunk of await chat(`${prefix}fault:${fault}`, { stream: true })) {
            for (const choice of chunk.choices) {
              said += choice.delta.content ?? '';
              if (choice.finish_reason) finishes.push(choice.finish_reason);
            }
          }
        };
        // Without a gateway a broken connection is the HTTP library's own exception.
        await failure(walk(), GATEWAY ? OpenAI.APIError : Error);
        assert.equal(said, text(tokens));
        assert.deepEqual(finishes, []);
      });
    }

    test('an aborted stream leaves', async () => {
      const model = 'fault:tokens=1000,gap=20ms';
      const stream = await chat(prefix + model, { stream: true });
      let chunks = 0;
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content && ++chunks === 3) break;
      }
      assert.equal(chunks, 3);
      await upstreamSawLeave(model);
    });
  });
}

describe('lists', () => {
  test('embeddings', async () => {
    const input = ['one', 'two', 'ünïcode 東京'];
    const packed = await client.embeddings.create({ model: 'e-1', input });
    const floats = await client.embeddings.create({ model: 'e-1', input, encoding_format: 'float' });
    assert.deepEqual(packed.data.map((item) => item.index), [0, 1, 2]);
    packed.data.forEach((item, at) => {
      const other = floats.data[at].embedding;
      assert.ok(item.embedding.length > 1);
      assert.equal(item.embedding.length, other.length);
      item.embedding.forEach((value, i) => assert.ok(Math.abs(value - other[i]) < 1e-5));
    });
  });

  test('models', async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.length > 0 && ids.every(Boolean));
    assert.equal(new Set(ids).size, ids.length);
  });
});

describe('refusals', () => {
  test('unauthorized upstream', gatewayOnly, async () => {
    const error = await failure(chat('denied/m-1'), OpenAI.AuthenticationError);
    assert.ok(!String(error).includes('bad-key'));
  });

  test('unknown provider', gatewayOnly, async () => {
    const asked = client.chat.completions.create(
      { model: 'm-1', messages },
      { headers: { 'x-exec-provider': 'nowhere' } },
    );
    const error = await failure(asked, OpenAI.NotFoundError);
    assert.equal(error.code, 'unknown_provider');
  });

  test('temperature out of range is named', gatewayOnly, async () => {
    const error = await failure(chat('m-1', { temperature: 2.1 }), OpenAI.BadRequestError);
    assert.match(error.message, /temperature/);
  });

  test('empty messages', async () => {
    const error = await failure(chat('m-1', { messages: [] }), OpenAI.BadRequestError);
    assert.match(error.message, /messages/);
  });
});

describe('patience', () => {
  test('the SDK waits as long as a 429 says', async () => {
    const start = performance.now();
    const request = { model: 'fault:status=429,retry-after=1', messages };
    await failure(client.chat.completions.create(request, { maxRetries: 1 }), OpenAI.RateLimitError);
    assert.ok(performance.now() - start >= 950);
    assert.equal((await stats()).calls, 2);
  });

  test('the SDK succeeds once the upstream is back', async () => {
    const request = { model: 'fault:flap=1,retry-after=1', messages };
    const answer = await client.chat.completions.create(request, { maxRetries: 1 });
    assert.equal(answer.choices[0].message.content, text());
    assert.equal((await stats()).calls, 2);
  });

  test('a client that times out leaves', async () => {
    const request = { model: 'fault:hang', messages };
    const call = client.chat.completions.create(request, { timeout: 400 });
    await failure(call, OpenAI.APIConnectionTimeoutError);
    await upstreamSawLeave('fault:hang');
  });

  test('a call aborted before its answer leaves', async () => {
    const abort = new AbortController();
    const request = { model: 'fault:headers=20s', messages };
    const call = client.chat.completions.create(request, { signal: abort.signal });
    setTimeout(() => abort.abort(), 200);
    await failure(call, OpenAI.APIUserAbortError);
    await upstreamSawLeave('fault:headers=20s');
  });
});

test('another provider goes on where one broke off, and the last chunk says so', gatewayOnly, async () => {
  const chunks = [];
  for await (const chunk of await chat('relay/fault:cut=40', { stream: true })) chunks.push(chunk);
  const heard = await read(chunks);
  assert.deepEqual([heard.text, heard.finishes], [text(), ['stop']]);
  const told = chunks.filter((chunk) => chunk.exec).map(({ exec }) => [exec.integrity, exec.provider]);
  assert.deepEqual(told, [['continued', 'well']]);
});
