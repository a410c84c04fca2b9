// Whether somebody speaks, and what is wrong with a recording: the rules of the Gradio Space's advice.py, whose limits and
// sentences are in the settings. Everything here is at the network's own sampling rate.

import { powerSpectra } from "./fourier.js";
import { settings } from "./settings.js";
import { deviation, loudness, percentile, sum } from "./sound.js";
import { pitch } from "./pitch.js";

const { sentences, ...limits } = settings.advice;

/** @returns {string | null} why a clip holds no voice, without a subject; null where it may hold one, or is silent */
export function noVoice(waveform, rate) {
  const levels = loudness(waveform, rate);
  if (!levels.some((level) => level > settings.silent_clip)) return null; // there is nothing to be judged
  const kind = kindOf(natureOf(waveform, rate, levels));
  return kind && sentences.no_voice.replace("{}", kind);
}

/** @returns {string[]} what is wrong with a recording, each in a sentence that says what to do */
export function aboutSound(waveform, rate) {
  const levels = loudness(waveform, rate);
  const [loud, soft] = [percentile(levels, 0.95), percentile(levels, 0.1)];
  const audible = levels.filter((level) => level > audibleFrom(loud)).length / levels.length;
  const peak = waveform.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const louderThan = (limit) => waveform.reduce((count, sample) => count + (Math.abs(sample) > limit), 0);
  const seconds = waveform.length / rate;
  const found = [];
  const say = (name, value) => found.push(sentences[name].replace("{}", value));
  if (seconds < limits.short) say("short", seconds.toFixed(1));
  if (peak > limits.full_scale && louderThan(limits.full_scale) > limits.clipped * louderThan(0.5 * peak)) say("clipped");
  if (loud < limits.quiet) say("quiet", loud.toFixed(0));
  else if (loud - soft < limits.noisy) say("noisy");
  if (1 - audible > limits.mostly_silence && seconds > limits.long) say("mostly_silence", Math.floor(100 * audible));
  return found;
}

const audibleFrom = (loud) => Math.max(loud - limits.audible, settings.silent_clip);

function kindOf({ spread, voiced, flatPitch, lasting, hiss, voiceBand }) {
  const hisses = hiss > limits.hiss && !(limits.steady < spread && spread < limits.struck);
  if (voiced < limits.unvoiced && (spread < limits.steady || hisses || voiceBand < limits.rumble)) return "noise";
  if (spread < limits.steady) return "a steady tone";
  const deep = lasting > limits.lasting_deep && voiceBand < limits.deep;
  return lasting > limits.lasting || flatPitch > limits.mostly || deep ? "tones or music" : null;
}

/** What `Nature` of advice.py measures. */
function natureOf(waveform, rate, levels) {
  const from = audibleFrom(percentile(levels, 0.95));
  const { track, stride } = pitch(waveform, rate, levels);
  const pitches = track.map((value, k) => (levels[k * stride] > from ? Math.log2(value) : NaN));
  const width = Math.max(Math.floor(9 / stride), 2);
  const moves = [];
  for (let k = 0; k + width <= pitches.length; k++) {
    const piece = pitches.slice(k, k + width);
    if (piece.every(Number.isFinite)) moves.push(deviation(piece));
  }
  const flat = moves.filter((move) => move < limits.flat).length / moves.length;
  const frames = Math.max(Math.floor((waveform.length - limits.frame) / limits.step), 0) + 1;
  const starts = Array.from({ length: frames }, (_, index) => index * limits.step);
  return {
    spread: deviation(levels.filter((level) => level > from)),
    voiced: pitches.filter(Number.isFinite).length * settings.track_step * stride,
    flatPitch: moves.length * stride >= limits.enough ? flat : 0,
    ...spectralNature(powerSpectra(waveform, limits.frame, starts), rate),
  };
}

function spectralNature(power, rate) {
  const energies = power.map(sum);
  const from = Math.max(percentile(energies, 0.95), 1e-12) * 10 ** (-limits.audible / 10);
  const heard = energies.map((energy) => energy > from);
  const hiss = power.filter((_, k) => heard[k]).map((bins) => {
    const upper = bins.slice(4);
    const logarithms = upper.reduce((total, bin) => total + Math.log(bin + 1e-12), 0);
    return Math.exp(logarithms / upper.length) / (sum(upper) / upper.length + 1e-12);
  });
  const [low, high] = limits.voice_band.map((frequency) => (frequency * limits.frame) / rate);
  const inBand = power.map((bins) => sum(bins.filter((_, bin) => bin > low && bin < high)));
  const likeness = [];
  for (let k = 0; k + limits.apart < power.length; k++) {
    if (heard[k] && heard[k + limits.apart]) likeness.push(alike(power[k], power[k + limits.apart]));
  }
  return {
    lasting: likeness.length ? percentile(likeness, 0.5) : 0,
    hiss: percentile(hiss, 0.5),
    voiceBand: sum(inBand) / Math.max(sum(energies), 1e-12),
  };
}

/** Cosine between the roots of two spectra. */
function alike(first, second) {
  const product = first.reduce((total, bin, k) => total + Math.sqrt(bin * second[k]), 0);
  return product / Math.max(Math.sqrt(sum(first)) * Math.sqrt(sum(second)), 1e-12);
}
