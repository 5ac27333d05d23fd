// A model server for benchmarks, a process of its own: streams 20 pieces over 2 seconds to everyone who asks. Told
// to hold, it takes calls and answers nothing. Tells when calls came in.
import { createServer } from 'node:http';

const PIECES = 20;
const EVERY_MS = 100;

let calls = [];
let held = false;
const open = new Set();

const piece = (text) => `data: ${JSON.stringify({ id: 'x', model: 'fake', choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
const end = `data: ${JSON.stringify({
  id: 'x',
  model: 'fake',
  choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: PIECES, total_tokens: PIECES + 1 },
})}\n\ndata: [DONE]\n\n`;

// One clock for all: a timer for each of ten thousand would measure timers.
setInterval(() => {
  for (const stream of open) {
    stream.sent += 1;
    if (stream.sent < PIECES) {
      stream.response.write(piece('word '));
    } else {
      stream.response.end(piece('word.') + end);
      open.delete(stream);
    }
  }
}, EVERY_MS);

const server = createServer({ keepAlive: true }, (request, response) => {
  request.resume();
  request.on('end', () => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json');
      response.end('{"data":[{"id":"fake"}]}');
      return;
    }
    calls.push(performance.timeOrigin + performance.now());
    if (held) return;
    response.setHeader('content-type', 'text/event-stream');
    response.flushHeaders();
    const stream = { response, sent: 0 };
    open.add(stream);
    response.on('close', () => open.delete(stream));
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 20_000 }, () => process.send(server.address().port));

process.on('message', (what) => {
  if (what === 'hold') held = true;
  if (what === 'go') {
    held = false;
    calls = [];
  }
  process.send(calls);
});
