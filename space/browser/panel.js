// What panels have in common: a result, files, and a recorder.

import * as drawing from "./drawing.js";
import { joined, openMicrophone } from "./microphone.js";

/** What a panel shows; an answer that comes late, after another sound was chosen, is dropped. */
export class Result {
  constructor(panel) {
    this.node = panel.querySelector(".result");
    this.turn = 0;
    this.address = "";
  }

  /** The address of the sound that is shown; the one before it is forgotten. */
  addressOf(blob) {
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(blob);
    return this.address;
  }

  async show(work) {
    const turn = ++this.turn;
    const write = (html) => turn === this.turn && (this.node.innerHTML = html);
    write(drawing.hint("Listening …"));
    this.node.setAttribute("aria-busy", "true");
    try {
      const html = await work(write);
      if (html !== null) write(html);
      return turn === this.turn;
    } catch (error) {
      write(drawing.sentence(error.message));
      return false;
    } finally {
      if (turn === this.turn) this.node.removeAttribute("aria-busy");
    }
  }
}

/** A table to download, under the headline. */
export function offer(node, name, blob) {
  const link = document.createElement("a");
  link.className = "download";
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.textContent = "Download the table as CSV";
  node.querySelector(".headline")?.after(link);
}

/** Files by the picker and by drag and drop. */
export function takeFiles(panel, onFiles) {
  const picker = panel.querySelector("input[type=file]");
  picker.addEventListener("change", () => {
    if (picker.files.length) onFiles([...picker.files]);
    picker.value = ""; // the same file may be chosen again
  });
  const drop = panel.querySelector(".drop");
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) onFiles([...event.dataTransfer.files]);
  });
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
}

// A file that is dropped beside its place would replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

/** A button that records until it is pressed again, or the sound is as long as it may be. */
export function record(panel, longest, onSound, result) {
  const button = panel.querySelector("button.record");
  let recording = null;

  async function stop() {
    const { microphone, pieces } = recording;
    recording = null;
    button.textContent = "Record";
    button.classList.remove("on");
    await microphone.close();
    onSound({ waveform: joined(pieces), rate: microphone.rate });
  }

  button.addEventListener("click", async () => {
    if (recording) return stop();
    button.disabled = true;
    try {
      const pieces = [];
      const microphone = await openMicrophone((piece) => {
        if (!recording) return;
        pieces.push(piece);
        const seconds = pieces.length * (piece.length / microphone.rate);
        button.textContent = `Stop (${seconds.toFixed(1)} s)`;
        if (seconds >= longest) stop();
      });
      recording = { microphone, pieces };
      button.textContent = "Stop";
      button.classList.add("on");
    } catch (error) {
      result.node.innerHTML = drawing.sentence(error.message);
    } finally {
      button.disabled = false;
    }
  });
}
