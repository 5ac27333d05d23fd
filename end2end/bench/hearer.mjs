// One reader of streaming text, a process of its own, as a browser would be. Every word of the text is the moment at
// which it was sent: tells how old words were when they came, and how old the oldest of each piece was.
const [url] = process.argv.slice(2);

const now = () => performance.timeOrigin + performance.now();
let words = [];
let oldest = [];
let other = 0;

const socket = new WebSocket(url);
socket.onmessage = ({ data }) => {
  const at = now();
  if (!data.startsWith('{"kind":"delta"')) {
    other += 1;
    return;
  }
  const { text } = JSON.parse(data);
  let first = true;
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const age = at - Number(word);
    words.push(age);
    if (first) oldest.push(age);
    first = false;
  }
};
socket.onopen = () => process.send('ready');
socket.onerror = () => process.exit(1);
process.on('message', () => {
  process.send({ words, oldest, other });
  words = [];
  oldest = [];
});
