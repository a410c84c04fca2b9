// The microphone as pieces of sound, uncompressed.

import { settings } from "./settings.js";
import { filled } from "./sound.js";

const sentences = settings.sentences.microphone;
const NO_OUTPUT = "The browser does not start its sound, for which Firefox needs a loudspeaker or headphones. Connect one and try again, or choose a file.";
const PATIENCE = 10_000; // milliseconds

/**
 * Opens the microphone.
 * @param {(piece: Float32Array) => void} onPiece - called with every tenth of a second or so
 * @returns {Promise<{rate: number, close: () => Promise<void>}>}
 * @throws {Error} in a sentence for the visitor
 */
export async function openMicrophone(onPiece) {
  if (!navigator.mediaDevices) throw new Error(sentences.insecure);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: settings.microphone });
  } catch (error) {
    throw new Error(sentences[error.name] ?? filled(sentences.other, error.message));
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(new URL("microphone-worklet.js", import.meta.url));
    const pieces = new AudioWorkletNode(context, "pieces", { numberOfOutputs: 0 });
    pieces.port.onmessage = (event) => onPiece(event.data);
    context.createMediaStreamSource(stream).connect(pieces);
    await start(context);
  } catch (error) {
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    throw error;
  }
  return {
    rate: context.sampleRate,
    close: async () => {
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
    },
  };
}

/** Firefox starts no sound where nothing can play it, and does not say so either. */
async function start(context) {
  let patience;
  const silence = new Promise((_, reject) => {
    patience = setTimeout(() => reject(new Error(NO_OUTPUT)), PATIENCE);
  });
  await Promise.race([context.resume(), silence]);
  clearTimeout(patience);
}

/** One waveform of many pieces. */
export function joined(pieces) {
  const waveform = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    waveform.set(piece, at);
    at += piece.length;
  }
  return waveform;
}
