// The network against a voice: its biases take back what it favours in some ordinary speech of that voice. It is what the
// checkpoint's `adapt` does; model/model.json has it in words, and the numbers are in the settings.

import { settings } from "./settings.js";
import { whyNoSpeech } from "./speech.js";

/**
 * A voice in pieces of like length, without those that are no speech.
 * @param {Float32Array} waveform - at the network's own rate, a minute at most
 * @returns {Float32Array[]}
 */
export function piecesOfSpeech(waveform) {
  const { sampling_rate: rate, adapting } = settings;
  const number = Math.max(rounded(waveform.length / (adapting.piece_duration * rate)), 1);
  const length = Math.floor(waveform.length / number);
  const longer = waveform.length % number; // the first ones have a sample more
  const start = (index) => index * length + Math.min(index, longer);
  const pieces = Array.from({ length: number }, (_, index) => waveform.slice(start(index), start(index + 1)));
  return pieces.filter((piece) => whyNoSpeech(piece, rate) === null);
}

/**
 * The adapted network.
 * @param {Uint8Array} model - the ONNX file
 * @param {{logits: Float32Array, unlikeness: number}[]} heard - of every piece
 * @returns {Uint8Array} another ONNX file
 */
export function adapted(model, heard) {
  const { adapting } = settings;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const common = adapting.common_labels.map((label) => ({ label, favour: mean(heard.map((piece) => piece.logits[label] * temperature(piece.unlikeness))) }));
  const level = mean(common.map(({ favour }) => favour));
  const share = heard.length / (heard.length + adapting.half_way);
  const other = model.slice();
  const biases = new DataView(other.buffer, adapting.bias_offset);
  for (const { label, favour } of common) {
    biases.setFloat32(4 * label, biases.getFloat32(4 * label, true) - share * (favour - level), true);
  }
  return other;
}

/** What calibration divided a clip's logits by. */
function temperature(unlikeness) {
  const { unlike_temperature, slightly_unlike, clearly_unlike } = settings.adapting;
  const excess = Math.min(Math.max((unlikeness - slightly_unlike) / (clearly_unlike - slightly_unlike), 0), 1);
  return settings.calibration_temperature * (1 + unlike_temperature * excess);
}

/** To whole numbers as in Python: halves to the even one. */
export function rounded(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
