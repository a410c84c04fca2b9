// What can be no speech at all: the rule of the checkpoint's speech_mel_cnn.py, whose limits and sentences are in the settings.

import { powerSpectra } from "./fourier.js";
import { settings } from "./settings.js";
import { deviation, sum } from "./sound.js";

const { remedies, ...limits } = settings.speech;

/** @returns {string | null} what it is and what to do, without a subject; null where it may be speech */
export function whyNoSpeech(waveform, rate) {
  const fact = noSpeech(waveform, rate);
  return fact && `${fact}. ${remedies[fact]}`;
}

function noSpeech(waveform, rate) {
  const frames = framesOf(waveform, Math.round(limits.level_frame * rate)).map(measured);
  const loudest = frames.reduce((most, { power }) => Math.max(most, power), 0);
  if (loudest < 10 ** (limits.silent / 10)) return "holds only silence";
  const active = frames.filter(({ power }) => power > loudest * 10 ** (-limits.active / 10));
  const clipped = active.filter(({ peak, power }) => peak / Math.sqrt(power) < limits.lowest_crest);
  if (clipped.length >= limits.clipped * active.length) return "is clipped throughout";
  return isTone(waveform, rate) ? "holds only a steady tone" : null;
}

/** Whole frames side by side; one, where the waveform is shorter than that. */
function framesOf(waveform, length) {
  const frames = Math.floor(waveform.length / length);
  return frames ? Array.from({ length: frames }, (_, k) => waveform.subarray(k * length, (k + 1) * length)) : [waveform];
}

/** Mean square and peak around the mean: an offset is no sound. */
function measured(frame) {
  const mean = sum(frame) / frame.length;
  const power = frame.reduce((total, sample) => total + (sample - mean) ** 2, 0) / frame.length;
  return { power, peak: frame.reduce((most, sample) => Math.max(most, Math.abs(sample - mean)), 0) };
}

/** Whether nearly all of the power lies in one line of the spectrum, or in a few that do not swell. */
function isTone(waveform, rate) {
  const length = Math.round(limits.line_frame * rate);
  const step = Math.max(length >> 1, Math.floor(waveform.length / limits.most_line_frames));
  const starts = [];
  for (let start = 0; start + length <= waveform.length; start += step) starts.push(start);
  const spectra = powerSpectra(waveform, length, starts);
  const powers = spectra.map(sum);
  const loudest = powers.reduce((most, power) => Math.max(most, power), 0);
  const active = spectra.filter((_, k) => powers[k] > loudest * 10 ** (-limits.active / 10));
  if (active.length < limits.fewest_line_frames) return false;
  const lines = new Float64Array(spectra[0].length);
  for (const spectrum of active) {
    const power = sum(spectrum);
    spectrum.forEach((bin, k) => (lines[k] += bin / power / active.length));
  }
  lines.sort().reverse();
  const levels = powers.filter((power) => power > 0.1 * loudest).map((power) => 10 * Math.log10(power));
  const steady = deviation(levels) < limits.steady;
  return sum(lines.slice(0, limits.one_line)) > limits.in_one_line || (steady && sum(lines.slice(0, limits.few_lines)) > limits.in_few_lines);
}
