// Readers of the live stream, many in one process: frames are cut by hand, because a full client for each would measure
// clients. Each checks that no event is missing; all report how old events were when they came.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const latencies = [];
let frames = 0;
let gaps = 0;
let closed = 0;

const number = (text, key) => {
  const at = text.indexOf(key);
  return at < 0 ? undefined : Number.parseInt(text.slice(at + key.length, at + key.length + 16), 10);
};

/** Takes whole frames off the front of `bytes`; gives back the rest. */
function take(bytes, reader) {
  let at = 0;
  for (;;) {
    if (bytes.length - at < 2) break;
    let length = bytes[at + 1] & 127;
    let body = at + 2;
    if (length === 126) {
      if (bytes.length - at < 4) break;
      length = bytes.readUInt16BE(at + 2);
      body = at + 4;
    } else if (length === 127) {
      if (bytes.length - at < 10) break;
      length = Number(bytes.readBigUInt64BE(at + 2));
      body = at + 10;
    }
    if (bytes.length < body + length) break;
    if ((bytes[at] & 15) === 1) reader.text(bytes.latin1Slice(body, body + Math.min(length, 96)));
    if ((bytes[at] & 15) === 9) reader.ping();
    at = body + length;
  }
  return bytes.subarray(at);
}

function reader() {
  return new Promise((ready) => {
    const socket = connect(port, '127.0.0.1');
    let rest = Buffer.alloc(0);
    let greeted = false;
    let last;
    const on = {
      text(text) {
        if (!text.startsWith('{"kind":"event"')) return;
        frames += 1;
        const seq = number(text, '"seq":');
        if (last !== undefined && seq !== last + 1) gaps += 1;
        last = seq;
        // One in a hundred says enough.
        if (frames % 100 === 0) latencies.push(Date.now() - number(text, '"at":'));
      },
      // A pong with nothing in it, masked as a client's has to be.
      ping: () => socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0])),
    };
    socket.setNoDelay(true);
    socket.write(
      `GET /ws/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    socket.on('data', (chunk) => {
      rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
      if (!greeted) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!rest.latin1Slice(0, 12).endsWith('101')) throw new Error(rest.latin1Slice(0, end));
        greeted = true;
        rest = rest.subarray(end + 4);
        ready();
      }
      rest = take(rest, on);
    });
    socket.on('close', () => (closed += 1));
    socket.on('error', () => {});
  });
}

for (let at = 0; at < count; at += 50) {
  await Promise.all(Array.from({ length: Math.min(50, count - at) }, reader));
}
process.send('ready');
process.on('message', () => {
  process.send({ frames, gaps, closed, latencies: latencies.splice(0) });
  frames = 0;
});
