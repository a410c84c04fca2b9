// The pitch of a waveform, as the Gradio Space's sound.py follows it: YIN (de Cheveigné and Kawahara, 2002).

import { settings } from "./settings.js";
import { percentile } from "./sound.js";

const WIDTH = 0.03; // seconds that are compared
const DIP = 0.3; // a frame that repeats itself differs by less
const { lowest, highest, most } = settings.pitch;

/**
 * @param {Float32Array} waveform
 * @param {number} rate - Hz
 * @param {Float32Array} levels - its loudness
 * @returns {{track: number[], stride: number}} Hz, NaN where there is no pitch, at every `stride`-th place of `levels`
 */
export function pitch(waveform, rate, levels) {
  const stride = Math.ceil(levels.length / most);
  const [width, longest, step] = [WIDTH, 1 / lowest, settings.track_step * stride].map((seconds) => Math.round(seconds * rate));
  const before = (width + longest) >> 1;
  const padded = new Float32Array(waveform.length + before + width + longest);
  padded.set(waveform, before);
  const found = [];
  for (let start = 0; start < waveform.length; start += step) {
    const voiced = levels[found.length * stride] > settings.silent_clip;
    found.push(voiced ? frequencyOf(padded.subarray(start, start + width + longest), width, longest, rate) : NaN);
  }
  const track = found.map((value, k) => {
    const near = found.slice(Math.max(k - 2, 0), k + 3).filter(Number.isFinite);
    return Number.isFinite(value) && near.length >= 3 ? percentile(near, 0.5) : NaN;
  });
  return { track, stride };
}

/** The first lag at which a frame all but repeats itself, as a frequency. */
function frequencyOf(frame, width, longest, rate) {
  const relative = new Float64Array(longest + 1); // of each lag
  let total = 0;
  for (let lag = 1; lag <= longest; lag++) {
    let difference = 0;
    for (let n = 0; n < width; n++) difference += (frame[n] - frame[n + lag]) ** 2;
    total += difference;
    relative[lag] = (difference * lag) / Math.max(total, 1e-9);
  }
  for (let lag = 2; lag < longest; lag++) {
    const [left, dip, right] = relative.subarray(lag - 1, lag + 2);
    if (dip < DIP && dip <= left && dip < right && lag > rate / highest) {
      return rate / (lag + (left - right) / (2 * Math.max(left - 2 * dip + right, 1e-9)));
    }
  }
  return NaN;
}
