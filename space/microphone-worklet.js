// Hands the microphone's samples on in pieces of about a tenth of a second, mixed down to mono.

class Pieces extends AudioWorkletProcessor {
  piece = new Float32Array(128 * Math.round(sampleRate / 1280));
  filled = 0;

  process([channels]) {
    if (!channels.length) return true;
    for (let n = 0; n < channels[0].length; n++) {
      this.piece[this.filled++] = channels.reduce((sum, samples) => sum + samples[n], 0) / channels.length;
      if (this.filled === this.piece.length) {
        this.port.postMessage(this.piece.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("pieces", Pieces);
