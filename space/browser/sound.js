// Files to waveforms, and what can be followed in a waveform without a network.

import { settings } from "./settings.js";

const MOST_BYTES = 1e9;
const FRAME = 0.025; // seconds

/** A sentence with what stands at its {} in turn. */
export const filled = (sentence, ...values) => values.reduce((text, value) => text.replace("{}", () => value), sentence);

/** What is wrong with a sound, in a sentence for the visitor. */
export class SoundError extends Error {}

/**
 * Decodes whatever the browser decodes, the sound of videos included, at its own rate.
 * @param {File} file
 * @param {number} longest - seconds
 * @returns {Promise<{waveform: Float32Array, rate: number}>} mono
 * @throws {SoundError}
 */
export async function decode(file, longest) {
  if (file.size === 0) throw new SoundError("This file is empty. Record again, or choose another file.");
  if (file.size > MOST_BYTES) {
    throw new SoundError(`This file has ${Math.round(file.size / 1e6)} MB; ${MOST_BYTES / 1e6} MB is the most. Cut it, or save its sound alone.`);
  }
  const bytes = await file.arrayBuffer();
  const rate = Math.min(Math.max(rateOf(new DataView(bytes)), 8000), 96000); // what every browser can decode at
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  } catch {
    throw new SoundError("I cannot read this file as audio. Open it as WAV, FLAC, MP3, OGG, M4A, or a video that plays here.");
  }
  checkDuration(sound.duration, longest);
  return { waveform: mono(sound), rate };
}

function mono(sound) {
  if (sound.numberOfChannels === 1) return sound.getChannelData(0);
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    const samples = sound.getChannelData(channel);
    for (let n = 0; n < mixed.length; n++) mixed[n] += samples[n] / sound.numberOfChannels;
  }
  return mixed;
}

/** @throws {SoundError} It is too short or too long. */
export function checkDuration(seconds, longest) {
  if (seconds < settings.shortest_clip) {
    throw new SoundError(filled(settings.sentences.too_short, "This clip", seconds.toFixed(2), settings.shortest_clip));
  }
  if (seconds > longest) {
    const written = (value) => (value < 120 ? `${Math.round(value)} s` : `${(value / 60).toFixed(1)} minutes`);
    const elsewhere = longest < settings.longest_recording ? " or use the tab for long recordings" : "";
    throw new SoundError(`This clip lasts ${written(seconds)}; ${written(longest)} is the most here. Cut it${elsewhere}.`);
  }
}

/** @throws {SoundError} It holds samples that are not numbers. */
export function checkSamples(waveform) {
  if (waveform.some((sample) => !Number.isFinite(sample))) {
    throw new SoundError("This file holds samples that are not numbers. Save it again as 16-bit audio.");
  }
}

/** Root mean square in frames of 25 ms every 10 ms, dB below full scale. */
export function loudness(waveform, rate) {
  const frame = Math.round(FRAME * rate);
  const step = Math.round(settings.track_step * rate);
  const levels = new Float32Array(Math.ceil(waveform.length / step));
  for (let index = 0; index < levels.length; index++) {
    const start = index * step - (frame >> 1);
    let energy = 0;
    for (let n = Math.max(start, 0); n < Math.min(start + frame, waveform.length); n++) energy += waveform[n] ** 2;
    levels[index] = 10 * Math.log10(energy / frame + 1e-12);
  }
  return levels;
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Standard deviation. */
export function deviation(values) {
  const mean = sum(values) / values.length;
  return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length);
}

/** What a share of the values lies below, between 0 and 1. */
export function percentile(values, share) {
  return between(Float64Array.from(values).sort(), share);
}

/** What a row of values has at a place between 0 and 1. */
export function between(values, place) {
  const at = place * (values.length - 1);
  const left = Math.floor(at);
  const right = Math.min(left + 1, values.length - 1);
  return values[left] + (at - left) * (values[right] - values[left]);
}

export function loudest(waveform, rate) {
  return loudness(waveform, rate).reduce((a, b) => Math.max(a, b), -Infinity);
}

/** A file's own sampling rate, so that the browser does not resample it; 48,000 Hz where its head does not say. */
export function rateOf(view) {
  const text = (start, length) => (start + length <= view.byteLength ? String.fromCharCode(...new Uint8Array(view.buffer, start, length)) : "");
  if (text(0, 4) === "RIFF") {
    for (let at = 12; at + 16 <= view.byteLength; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2)) {
      if (text(at, 4) === "fmt ") return view.getUint32(at + 12, true);
    }
  }
  if (text(0, 4) === "fLaC" && view.byteLength > 21) return view.getUint32(18) >>> 12;
  if (text(0, 4) === "OggS" && text(29, 6) === "vorbis" && view.byteLength > 44) return view.getUint32(40, true);
  return rateOfMp3(view, text(0, 3) === "ID3" ? 10 + synchsafe(view, 6) : 0) ?? 48000;
}

const synchsafe = (view, at) => (view.byteLength < at + 4 ? 0 : [0, 1, 2, 3].reduce((sum, k) => sum * 128 + view.getUint8(at + k), 0));

function rateOfMp3(view, at) {
  if (view.byteLength < at + 4 || view.getUint16(at) >>> 5 !== 0x7ff) return undefined;
  const version = (view.getUint8(at + 1) >> 3) & 3; // 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5
  const rate = [44100, 48000, 32000][(view.getUint8(at + 2) >> 2) & 3];
  return rate && rate / { 3: 1, 2: 2, 0: 4 }[version];
}

/** A 16-bit WAV file of a recording, to be played. */
export function wav(waveform, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * waveform.length));
  const write = (at, text) => [...text].forEach((letter, k) => view.setUint8(at + k, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * waveform.length, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * waveform.length, true);
  waveform.forEach((sample, n) => view.setInt16(44 + 2 * n, 32767 * Math.min(Math.max(sample, -1), 1), true));
  return new Blob([view], { type: "audio/wav" });
}
