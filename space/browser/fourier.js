// Spectra of short frames.

/**
 * Power spectra of frames under a Hann window.
 * @param {Float32Array} waveform - silent after its end
 * @param {number} frame - samples, a power of two
 * @param {number[]} starts - of each frame, samples
 * @returns {Float64Array[]} of each frame, `frame / 2 + 1` bins
 */
export function powerSpectra(waveform, frame, starts) {
  return starts.map((start) => {
    const [real, imaginary] = [new Float64Array(frame), new Float64Array(frame)];
    for (let n = 0; n < frame; n++) {
      real[n] = (waveform[start + n] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (frame - 1)));
    }
    transform(real, imaginary);
    return Float64Array.from({ length: frame / 2 + 1 }, (_, bin) => real[bin] ** 2 + imaginary[bin] ** 2);
  });
}

/** Fourier transform in place, of a length that is a power of two (Cooley and Tukey, 1965). */
function transform(real, imaginary) {
  const length = real.length;
  for (let n = 1, reversed = 0; n < length; n++) {
    let bit = length >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (n < reversed) {
      [real[n], real[reversed]] = [real[reversed], real[n]];
      [imaginary[n], imaginary[reversed]] = [imaginary[reversed], imaginary[n]];
    }
  }
  for (let half = 1; half < length; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [cosine, sine] = [Math.cos((Math.PI * k) / half), -Math.sin((Math.PI * k) / half)];
      for (let at = k; at < length; at += 2 * half) {
        const other = at + half;
        const re = real[other] * cosine - imaginary[other] * sine;
        const im = real[other] * sine + imaginary[other] * cosine;
        [real[other], imaginary[other]] = [real[at] - re, imaginary[at] - im];
        real[at] += re;
        imaginary[at] += im;
      }
    }
  }
}
