// A model server for benchmarks that talks much, a process of its own. Waits until as many streams are open as it was
// told, then sends 50 chunks a second on each; every chunk says in its text when it was sent. Streams take turns, as
// they would if they came from many servers. Told to flood, it sends chunks as fast as they are taken.
import { createServer } from 'node:net';

const EVERY_MS = 20;
const [count, chunks, flood] = process.argv.slice(2).map(Number);

const now = () => performance.timeOrigin + performance.now();

/** A chunk as OpenRouter sends it, in a piece of its own. */
const framed = (data) => `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
const event = (delta, more = '') =>
  framed(
    `data: {"id":"gen-1790000001-AbCdEfGhIjKlMnOpQrSt","object":"chat.completion.chunk","created":1790000001,"model":"fake","provider":"Fake","system_fingerprint":null,` +
      `"choices":[{"index":0,"delta":{"role":"assistant",${delta}},"finish_reason":${more ? '"stop"' : 'null'},"native_finish_reason":null,"logprobs":null}]${more}}\n\n`,
  );
const spoken = () => Buffer.from(event(`"content":"${now().toFixed(1)} "`));
const end = Buffer.from(
  `${event('"content":""', `,"usage":{"prompt_tokens":1,"completion_tokens":${chunks},"total_tokens":${chunks + 1},"cost":0.001}`)}` +
    `${framed('data: [DONE]\n\n')}0\r\n\r\n`,
);
const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';

const streams = [];

function talk() {
  process.send('talking');
  const began = now();
  let turn = 0;
  let open = streams.length;
  // Each stream has its place within every 20 ms.
  const step = () => {
    const due = Math.floor(((now() - began) / EVERY_MS) * streams.length);
    let piece = spoken();
    for (let done = 0; turn < due; turn += 1, done += 1) {
      if (done % 50 === 49) piece = spoken();
      const stream = streams[turn % streams.length];
      if (stream.sent === chunks) continue;
      stream.sent += 1;
      stream.socket.write(piece);
      if (stream.sent === chunks) {
        stream.socket.write(end);
        open -= 1;
      }
    }
    if (open > 0) setTimeout(step, 1);
  };
  step();
}

async function pour() {
  const { socket } = streams[0];
  process.send('talking');
  for (let sent = 0; sent < chunks; sent += 1) {
    if (!socket.write(spoken())) await new Promise((go) => socket.once('drain', go));
  }
  socket.write(end);
}

const server = createServer({ noDelay: true }, (socket) => {
  let asked = '';
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    asked += bytes.latin1Slice();
    const at = asked.indexOf('\r\n\r\n');
    if (at < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(asked)?.[1] ?? 0);
    if (asked.length < at + 4 + length) return;
    const get = asked.startsWith('GET');
    asked = '';
    if (get) {
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\nconnection: close\r\n\r\n{"data":[{"id":"fake"}]}');
      return;
    }
    socket.write(head);
    streams.push({ socket, sent: 0 });
    if (streams.length === count) (flood ? pour : talk)();
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => process.send(server.address().port));
