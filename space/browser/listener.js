// The worker as functions that promise an answer.

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let last = 0;

worker.onmessage = ({ data: { id, result, problem, progress } }) => {
  const { resolve, reject, onProgress } = waiting.get(id);
  if (progress !== undefined) {
    onProgress?.(progress);
    return;
  }
  waiting.delete(id);
  problem === undefined ? resolve(result) : reject(new Error(problem));
};

worker.onerror = (event) => {
  const problem = new Error(`The network could not be started: ${event.message ?? "its files are missing"}. Reload the page.`);
  for (const { reject } of waiting.values()) reject(problem);
  waiting.clear();
};

function ask(kind, details = {}, onProgress) {
  const id = ++last;
  const promise = new Promise((resolve, reject) => waiting.set(id, { resolve, reject, onProgress }));
  worker.postMessage({ id, kind, ...details });
  return promise;
}

/** Resolves when the network can hear. */
export const warm = () => ask("warm");

/** One clip, with its pictures. */
export const hear = (sound) => ask("hear", sound);

/** One clip, the answer alone. */
export const classify = (sound) => ask("classify", sound);

/** The last seconds of a microphone. */
export const listen = (sound) => ask("listen", sound);

/** Hears everything against a voice from now on; resolves to its whole seconds, or to null where it was forgotten meanwhile. */
export const tell = (sound) => ask("tell", sound);

/** Hears everything without a voice to compare again. */
export const forget = () => ask("forget");

/** A recording in windows; an earlier one that is still on its way is given up and resolves to null. */
export function follow(sound, onProgress) {
  worker.postMessage({ stop: last });
  return ask("follow", sound, onProgress);
}
