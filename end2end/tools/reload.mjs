// reload.mjs FILE: tells open pages to reload whenever FILE changes.
//
// Speaks as much of the WebSocket protocol as Leptos' <AutoReload> script needs: an answer to the handshake, and one
// short text frame. `./x dev` runs it; it is no part of the product.
import { createHash } from 'node:crypto';
import { watchFile } from 'node:fs';
import { createServer } from 'node:http';

const pages = new Set();
const text = Buffer.from(JSON.stringify({ all: 'reload' }));
const frame = Buffer.concat([Buffer.from([0x81, text.length]), text]);

createServer((_, response) => response.writeHead(426).end())
  .on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    pages.add(socket);
    socket.on('close', () => pages.delete(socket)).on('error', () => pages.delete(socket)).resume();
  })
  .listen(3001, '127.0.0.1');

watchFile(process.argv[2], { interval: 200 }, () => {
  for (const socket of pages) socket.write(frame);
});
