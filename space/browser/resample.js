// A waveform at another rate, by a windowed sinc in as many phases as the two rates have in common.

const CROSSINGS = 32; // zeros of the sinc on each side
const KAISER = 9; // 90 dB of stopband
const PASSBAND = 0.95; // of the lower Nyquist frequency

/** The bank of one pair of rates: a row of taps for each phase. */
const banks = new Map();

/**
 * @param {Float32Array} waveform - samples at `rate`
 * @param {number} rate - Hz
 * @param {number} target - Hz
 * @returns {Float32Array} as long as the waveform lasts, to the nearest sample
 */
export function resample(waveform, rate, target) {
  if (rate === target) return waveform;
  const { up, down, reach, taps } = bank(rate, target);
  const resampled = new Float32Array(Math.round((waveform.length * target) / rate));
  for (let n = 0; n < resampled.length; n++) {
    const centre = Math.floor((n * down) / up);
    const row = ((n * down) % up) * (2 * reach + 1);
    const first = Math.max(centre - reach, 0);
    const last = Math.min(centre + reach, waveform.length - 1);
    let sum = 0;
    for (let k = first; k <= last; k++) sum += waveform[k] * taps[row + k - centre + reach];
    resampled[n] = sum;
  }
  return resampled;
}

function bank(rate, target) {
  const key = `${rate} ${target}`;
  if (!banks.has(key)) {
    const common = divisor(rate, target);
    const up = target / common;
    const cutoff = PASSBAND * Math.min(1, target / rate); // relative to the Nyquist frequency of `rate`
    const reach = Math.ceil(CROSSINGS / cutoff);
    const taps = new Float32Array(up * (2 * reach + 1));
    for (let phase = 0; phase < up; phase++) {
      for (let k = -reach; k <= reach; k++) {
        const distance = k - phase / up;
        taps[phase * (2 * reach + 1) + k + reach] = cutoff * sinc(cutoff * distance) * kaiser(distance / (reach + 1));
      }
    }
    banks.set(key, { up, down: rate / common, reach, taps });
  }
  return banks.get(key);
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const kaiser = (x) => bessel(KAISER * Math.sqrt(Math.max(0, 1 - x * x))) / bessel(KAISER);

function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-9 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
