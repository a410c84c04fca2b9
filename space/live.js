// The microphone, live. One request at a time; what is older than an answer hears is never sent.
const UPDATE = 0.35;  // seconds from one request to the next
const LATE = 1.5;  // seconds
let stream = null;

const status = (text) => {
  const place = document.getElementById("live-status");
  if (place && place.textContent !== text) place.textContent = text;
};

const button = (running) => {
  const place = document.getElementById("live-record");
  place.textContent = running ? "Stop" : "Record";
  place.classList.toggle("stop", running);
};

const start = async () => {
  const visitor = crypto.randomUUID?.() ?? String(Math.random());
  const media = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  const own = { visitor, context, media, rate: context.sampleRate, pieces: [], total: 0, sent: 0, heard: 0 };
  const code = URL.createObjectURL(new Blob([settings.recorder], { type: "text/javascript" }));
  await context.audioWorklet.addModule(code);
  URL.revokeObjectURL(code);
  const recorder = new AudioWorkletNode(context, "pieces", { numberOfOutputs: 0 });
  recorder.port.onmessage = ({ data }) => {
    if (stream !== own) return;  // what comes after the end
    own.pieces.push(data);
    own.total += data.length;
    tell(own);
    for (let kept = own.pieces.reduce((sum, piece) => sum + piece.length, 0); kept > settings.live_window * own.rate;) {
      kept -= own.pieces.shift().length;
    }
  };
  stream = own;
  context.createMediaStreamSource(media).connect(recorder);
  button(true);
  while (stream === own) {
    const began = performance.now();
    await ask(own).catch(() => status("The server does not answer. I try again."));
    await new Promise((resolve) => setTimeout(resolve, Math.max(1000 * UPDATE - (performance.now() - began), 0)));
  }
};

const tell = (own) => {
  if (own.left === undefined) return;
  const delay = (own.total - own.heard) / own.rate;
  const late = delay > LATE ? ` The server is busy: I am ${delay.toFixed(1)} s behind.` : "";
  status(`Listening, ${Math.round(own.left)} s left.${late}`);
};

const address = (own, end) => {
  const voice = document.querySelector("[data-voice]")?.dataset.voice ?? "";
  return `live?${new URLSearchParams({ visitor: own.visitor, rate: own.rate, end, voice })}`;
};

const ask = async (own) => {
  const end = own.total;
  let start = end - own.pieces.reduce((sum, piece) => sum + piece.length, 0);
  const samples = new Int16Array(end - Math.max(start, own.sent));
  let filled = 0;
  for (const piece of own.pieces) {
    for (let index = Math.max(own.sent - start, 0); index < piece.length; index += 1) {
      samples[filled++] = 32767 * Math.max(-1, Math.min(1, piece[index]));
    }
    start += piece.length;
  }
  own.sent = end;
  const answer = await (await fetch(address(own, end), { method: "POST", body: samples.buffer, headers: { "Content-Type": "application/octet-stream" } })).json();
  if (stream !== own) return;
  if (answer.over) return stop(`The ${answer.over / 60} minutes are over. Press Record to go on.`);
  if ("waiting" in answer) {
    Object.assign(own, { pieces: [], total: 0, sent: 0, left: undefined });
    const before = answer.waiting === 1 ? "1 visitor waits" : `${answer.waiting} visitors wait`;
    return status(`All places are taken: ${before} before you, the next place is free within ${answer.seconds} s.`);
  }
  if (answer.error) return stop(answer.error);
  if (answer.html) {
    document.getElementById("live-answer").innerHTML = answer.html;
    own.heard = end;
  }
  own.left = answer.left;
  tell(own);
};

const stop = (reason = "") => {
  const own = stream;
  stream = null;
  own?.media.getTracks().forEach((track) => track.stop());
  own?.context.close();
  if (own) fetch(`${address(own, own.total)}&stop=1`, { method: "POST", keepalive: true }).catch(() => {});
  button(false);
  status(reason);
};

document.addEventListener("click", (event) => {
  if (event.target.id !== "live-record") return;
  if (stream) stop();
  else start().catch(() => stop());  // the notice at the head of the page says why
});
window.addEventListener("pagehide", () => { if (stream) stop(); });
