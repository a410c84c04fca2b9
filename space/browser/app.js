// The page: which tab shows, and what happens in it.

import * as drawing from "./drawing.js";
import * as listener from "./listener.js";
import { joined, openMicrophone } from "./microphone.js";
import { Result, offer, record, takeFiles } from "./panel.js";
import { settings } from "./settings.js";
import { SoundError, checkDuration, decode, filled, wav } from "./sound.js";
import { csv } from "./table.js";

const element = (selector) => document.querySelector(selector);

/** Everything is heard against a voice, where there is one and until it is forgotten. */
function voiceFirst(panel) {
  if (!settings.adapting) return;
  panel.hidden = false;
  const result = new Result(panel);
  const { hints, voice } = settings.sentences;
  let turn = 0;
  const tell = (open) => result.show(async () => {
    const ours = ++turn;
    await listener.forget(); // also where there is something wrong with the new one
    const sound = await open();
    if (ours !== turn) return null;
    return drawing.sentence(filled(voice.told, await listener.tell(sound)));
  });
  const forget = () => result.show(async () => {
    turn++;
    await listener.forget();
    return drawing.hint(hints.voice);
  });

  takeFiles(panel, ([file]) => tell(() => decode(file, settings.longest_clip)));
  record(panel, settings.longest_clip, (sound) => tell(() => sound), result);
  panel.querySelector("button.forget").addEventListener("click", forget);
}

function clipTab(panel) {
  const result = new Result(panel);
  const hear = (sound, blob) => result.show(async () => drawing.clip(await listener.hear(sound), sound, result.addressOf(blob)));
  const hearFile = (file) => result.show(async () => {
    const sound = await decode(file, settings.longest_clip);
    return drawing.clip(await listener.hear(sound), sound, result.addressOf(file));
  });

  takeFiles(panel, ([file]) => hearFile(file));
  record(panel, settings.longest_clip, (sound) => hear(sound, wav(sound.waveform, sound.rate)), result);
  for (const [name, label] of Object.entries(settings.examples)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", async () => hearFile(await (await fetch(`examples/${name}`)).blob()));
    panel.querySelector(".examples").append(button);
  }
}

function liveTab(panel) {
  const result = new Result(panel);
  const button = panel.querySelector("button.listen");
  let microphone = null;
  let pieces = [];
  let history = [];
  let busy = false;

  async function update() {
    if (busy || !microphone) return; // what comes while an answer is on its way is heard with the next one
    busy = true;
    const { rate } = microphone;
    const time = performance.now() / 1000; // of the sound, not of the answer
    const waveform = joined(pieces).slice(-Math.round(settings.live_window * rate));
    try {
      checkDuration(waveform.length / rate, settings.longest_clip);
      const heard = await listener.listen({ waveform, rate });
      if (!microphone) return;
      history = [...history.filter((entry) => time - entry.time < settings.live_memory), { time, ...heard }];
      result.node.innerHTML = drawing.live(history);
    } catch (error) {
      if (!(error instanceof SoundError)) result.node.innerHTML = drawing.sentence(error.message);
    } finally {
      busy = false;
    }
  }

  async function start() {
    pieces = [];
    history = [];
    microphone = await openMicrophone((piece) => {
      pieces.push(piece);
      const most = Math.ceil((settings.live_window * microphone?.rate) / piece.length);
      if (pieces.length > most) pieces = pieces.slice(-most);
      update();
    });
  }

  async function stop() {
    const open = microphone;
    microphone = null;
    await open.close();
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await (microphone ? stop() : start());
    } catch (error) {
      result.node.innerHTML = drawing.sentence(error.message);
    }
    button.textContent = microphone ? "Stop" : "Listen";
    button.setAttribute("aria-pressed", String(Boolean(microphone)));
    button.classList.toggle("on", Boolean(microphone));
    button.disabled = false;
  });
}

function recordingTab(panel) {
  const result = new Result(panel);
  const sliders = ["window", "step"].map((name) => panel.querySelector(`#${name}`));
  let chosen = null;

  async function follow() {
    const [window, step] = sliders.map((slider) => Number(slider.value));
    let followed = null;
    const shown = await result.show(async (write) => {
      const seconds = chosen.sound.waveform.length / chosen.sound.rate;
      if (seconds / step > settings.most_windows) {
        throw new SoundError(filled(settings.sentences.too_many_windows, step, Math.round(seconds / step), settings.most_windows));
      }
      followed = await listener.follow({ ...chosen.sound, window, step }, (share) => write(drawing.progress(share)));
      return followed && drawing.recording(followed, result.addressOf(chosen.file));
    });
    if (shown && followed) offer(result.node, "timeline.csv", csv(followed.rows.map((row) => ({ file: chosen.file.name, ...row }))));
  }

  async function open(file) {
    chosen = null;
    const decoded = await result.show(async () => {
      chosen = { file, sound: await decode(file, settings.longest_recording) };
      return null;
    });
    if (decoded) await follow();
  }

  takeFiles(panel, ([file]) => open(file));
  record(panel, settings.longest_recording, (sound) => open(new File([wav(sound.waveform, sound.rate)], "recording.wav")), result);
  for (const slider of sliders) {
    const show = () => (panel.querySelector(`output[for=${slider.id}]`).value = `${slider.value} s`);
    slider.addEventListener("input", show);
    slider.addEventListener("change", () => chosen && follow());
    show();
  }
}

function batchTab(panel) {
  const result = new Result(panel);
  takeFiles(panel, async (files) => {
    const rows = [];
    const shown = await result.show(async (write) => {
      if (files.length > settings.most_files) {
        throw new SoundError(filled(settings.sentences.too_many_files, files.length, settings.most_files));
      }
      for (const file of files) {
        rows.push(await hearFile(file));
        write(drawing.progress(rows.length / files.length));
      }
      return drawing.batch(rows);
    });
    if (shown && rows.length) offer(result.node, "emotions.csv", csv(rows));
  });

  async function hearFile(file) {
    try {
      const sound = await decode(file, settings.longest_clip);
      const end = sound.waveform.length / sound.rate;
      return { file: file.name, start: 0, end, answer: await listener.classify(sound) };
    } catch (error) {
      return { file: file.name, answer: null, problem: error.message };
    }
  }
}

function tabs() {
  const all = [...document.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const tab of all) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      element(`#${tab.getAttribute("aria-controls")}`).hidden = tab !== chosen;
    }
  };
  all.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: all.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const tab = all.at(next % all.length);
      choose(tab);
      tab.focus();
    });
  });
}

tabs();
voiceFirst(element("#voice"));
clipTab(element("#clip"));
liveTab(element("#live"));
recordingTab(element("#recording"));
batchTab(element("#batch"));

const readiness = element("#readiness");
readiness.textContent = "The network is being loaded.";
listener.warm().then(
  () => (readiness.textContent = "The network is ready."),
  (error) => (readiness.textContent = error.message),
);

// Everything that the page is made of, for the next visit without a network.
if ("serviceWorker" in navigator) {
  fetch("files.json").then((response) => response.json()).then(({ version }) => navigator.serviceWorker.register(`service-worker.js?version=${version}`));
}
