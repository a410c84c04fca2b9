// The network, in a thread of its own so that the page never waits.

import * as ort from "./runtime/ort.wasm.bundle.min.mjs";
import { adapted, piecesOfSpeech, rounded } from "./adapting.js";
import { resample } from "./resample.js";
import { aboutSound, noVoice } from "./advice.js";
import { settings } from "./settings.js";
import { SoundError, checkSamples, filled, loudest, loudness } from "./sound.js";
import { whyNoSpeech } from "./speech.js";

ort.env.wasm.numThreads = 1; // more would need headers that plain file servers do not send
ort.env.wasm.wasmPaths = { wasm: new URL("./runtime/ort-wasm-simd-threaded.wasm", import.meta.url).href };

const network = load();
let told = null; // the session that was told a voice
let forgotten = 0; // voices that were told up to this job are no longer wanted
let stopped = 0; // jobs up to this number are no longer wanted
const running = new Set(); // jobs

async function load() {
  const model = new Uint8Array(await (await fetch(new URL("./model/model.onnx", import.meta.url))).arrayBuffer());
  return { model, session: await start(model) };
}

async function start(model) {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  await run(session, new Float32Array(settings.sampling_rate)); // the first run allocates
  return session;
}

/** Who hears. */
const listening = async () => told ?? (await network).session;

/** From now on another session hears; the one that was told a voice before ends with the jobs that still use it. */
function hearBy(session) {
  const before = told;
  told = session;
  if (before) Promise.allSettled([...running]).then(() => before.release());
}

async function run(session, waveform, outputs = ["probabilities"]) {
  const shape = [1, waveform.length];
  const feeds = {
    input_values: new ort.Tensor("float32", waveform, shape),
    attention_mask: new ort.Tensor("int64", new BigInt64Array(waveform.length).fill(1n), shape),
  };
  return session.run(feeds, outputs);
}

const jobs = {
  /** One clip: its answer and its pictures. */
  async hear({ waveform, rate }) {
    const session = await listening();
    const heard = voiceAt(waveform, rate);
    const outputs = await run(session, heard, settings.outputs);
    const [, bands, frames] = outputs.spectrogram.dims;
    return {
      answer: answer(outputs, heard),
      spectrogram: { values: outputs.spectrogram.data, bands, frames },
      evidence: outputs.evidence.data,
      levels: loudness(heard, settings.sampling_rate),
    };
  },

  /** The answer alone. */
  async classify({ waveform, rate }) {
    const heard = voiceAt(waveform, rate);
    return answer(await run(await listening(), heard, settings.answers), heard);
  },

  /** The last seconds of a microphone: an answer, or why there is none. */
  async listen({ waveform, rate }) {
    const session = await listening();
    const levels = [...loudness(waveform.subarray(-Math.round(settings.live_pause * rate)), rate)].sort((a, b) => a - b);
    if (!(levels[Math.round(0.9 * (levels.length - 1))] >= settings.silent_room)) return { answer: null, silence: "silence" };
    const heard = resample(waveform, rate, settings.sampling_rate);
    if (holdsNoVoice(heard)) return { answer: null, silence: "no voice" };
    return { answer: answer(await run(session, heard, settings.answers), heard) };
  },

  /** Windows over a recording; the last one ends with it, and a recording shorter than a window is one. */
  async follow({ waveform, rate, window, step }, id) {
    const session = await listening();
    const sampling_rate = settings.sampling_rate;
    const recording = speechAt(waveform, rate);
    const length = Math.min(Math.round(window * sampling_rate), recording.length);
    const hop = Math.round(step * sampling_rate);
    const windows = Math.ceil(Math.max(recording.length - length, 0) / hop) + 1;
    const rows = [];
    for (let index = 0; index < windows; index++) {
      if (id <= stopped) return null;
      const start = Math.min(index * hop, recording.length - length);
      const piece = recording.slice(start, start + length);
      const silence = loudest(piece, sampling_rate) < settings.silent_clip ? "silence" : holdsNoVoice(piece) ? "no voice" : undefined;
      rows.push({
        start: start / sampling_rate,
        end: (start + length) / sampling_rate,
        answer: silence ? null : answer(await run(session, piece, settings.answers), piece),
        silence,
      });
      self.postMessage({ id, progress: (index + 1) / windows });
      await new Promise((resolve) => setTimeout(resolve)); // lets a message in that says stop
    }
    return { rows, waveform: recording };
  },

  /** Ordinary speech of one voice, against which everything is heard from then on. */
  async tell({ waveform, rate }, id) {
    const heard = voiceAt(waveform, rate);
    const seconds = heard.length / settings.sampling_rate;
    if (seconds < settings.shortest_voice) {
      throw new SoundError(filled(settings.sentences.voice.too_short, seconds.toFixed(1), settings.shortest_voice));
    }
    const pieces = piecesOfSpeech(heard);
    if (!pieces.length) refuse("holds no speech. Record a voice.");
    const { model, session } = await network;
    const outputs = [];
    for (const piece of pieces) {
      const { logits, unlikeness } = await run(session, piece, ["logits", "unlikeness"]);
      outputs.push({ logits: logits.data, unlikeness: unlikeness.data[0] });
    }
    const other = await start(adapted(model, outputs));
    if (id > forgotten) hearBy(other);
    else await other.release();
    return rounded(seconds);
  },

  async forget(_, id) {
    forgotten = id;
    hearBy(null);
    return true;
  },

  async warm() {
    await network;
    return true;
  },
};

/** A clip at the network's rate; an error in a sentence where nobody speaks. */
function voiceAt(waveform, rate) {
  const heard = speechAt(waveform, rate);
  refuse(noVoice(heard, settings.sampling_rate));
  return heard;
}

/** A sound at the network's rate; an error in a sentence where it can be no speech. */
function speechAt(waveform, rate) {
  const heard = resample(waveform, rate, settings.sampling_rate);
  checkSamples(heard);
  refuse(whyNoSpeech(heard, settings.sampling_rate));
  return heard;
}

function refuse(problem) {
  if (problem) throw new SoundError(`This clip ${problem}`);
}

/** Of a window; a short one is not judged. */
const holdsNoVoice = (piece) =>
  piece.length >= settings.shortest_judged * settings.sampling_rate && noVoice(piece, settings.sampling_rate) !== null;

function answer({ probabilities, unlikeness }, waveform) {
  const unlike = unlikeness?.data[0];
  const advice = aboutSound(waveform, settings.sampling_rate);
  if (unlike > 1) advice.push(settings.advice.unlike);
  return { probabilities: [...probabilities.data], unlikeness: unlike, advice };
}

self.onmessage = async ({ data: { id, kind, stop, ...details } }) => {
  if (stop) {
    stopped = Math.max(stopped, stop);
    return;
  }
  const job = jobs[kind](details, id);
  running.add(job);
  try {
    self.postMessage({ id, result: await job });
  } catch (error) {
    self.postMessage({ id, problem: error.message });
  } finally {
    running.delete(job);
  }
};
