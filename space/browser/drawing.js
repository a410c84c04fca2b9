// Answers as HTML, in the shapes and colours of the Gradio Space (its page.css styles both).

import { settings } from "./settings.js";

const MOST_COLUMNS = 900; // pixels of a spectrogram; more than a page is wide
const PEAKS = 250; // columns of a waveform

export const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

const percent = (share) => `${Math.round(100 * share)}`;

const colour = (index) => settings.colours[index % settings.colours.length];

const dot = (index) => `<span class="dot"${index === undefined ? "" : ` style="background:${colour(index)}"`}></span>`;

/** The likeliest label, its probability, and whether that is enough. */
export function best({ probabilities }) {
  const index = probabilities.indexOf(Math.max(...probabilities));
  const probability = probabilities[index];
  return { index, emotion: settings.labels[index], probability, sure: probability >= settings.unsure_threshold };
}

export const hint = (text) => `<p class="hint">${escape(text)}</p>`;

export const sentence = (text) => `<p class="sentence" role="alert">${escape(text)}</p>`;

export const progress = (share) => `<p class="hint"><label>Listening <progress value="${share}"></progress> ${percent(share)} %</label></p>`;

/** What an answer is worth; rounded to the side of the threshold on which it is. */
function worth(answer) {
  const { probability, sure } = best(answer);
  const place = sure ? Math.max(Math.round(100 * probability), Math.ceil(100 * settings.unsure_threshold)) : Math.floor(100 * probability);
  return settings[answer.unlikeness > 1 ? "worth_unlike" : "worth"][Math.min(place, 100)];
}

/** The answer in words, what it is worth, and a warning where the sound is unlike those that the network learned from. */
export function headline(answer, worth = "") {
  const { index, emotion, probability, sure } = best(answer);
  const said = sure
    ? `${escape(emotion[0].toUpperCase() + emotion.slice(1))} <small>${percent(probability)} % sure</small>`
    : `Not sure <small>closest: ${escape(emotion)}, ${percent(probability)} %; below ${percent(settings.unsure_threshold)} % I do not commit myself</small>`;
  const notes = worth ? `<p class="worth">${escape(worth)}</p>` : "";
  const unlike = answer.unlikeness > 1 ? `<ul class="advice" aria-label="About this recording"><li>${escape(settings.unlike)}</li></ul>` : "";
  return `<h2 class="headline">${dot(index)}${said}</h2>${notes}${unlike}`;
}

export function bars(probabilities, caption) {
  const rows = settings.labels.map(
    (label, index) =>
      `<tr><th scope="row">${escape(label)}</th><td><span class="bar" style="width:${(100 * probabilities[index]).toFixed(1)}%;` +
      `background:${colour(index)}"></span></td><td class="figure">${percent(probabilities[index])} %</td></tr>`,
  );
  return `<table class="bars"><caption>${escape(caption)}</caption><tbody>${rows.join("")}</tbody></table>`;
}

/** Everything about one clip; `address` is that of its sound. */
export function clip({ answer, spectrogram, evidence, levels }, { waveform, rate }, address) {
  const { index, emotion, probability, sure } = best(answer);
  const { bands, frames } = spectrogram;
  const tracks = [
    track("Waveform", `marked where it spoke for ${emotion}`, waveformOf(waveform, columnMeans(evidence, bands, frames), colour(index))),
    track("Mel spectrogram", "low to high; marked likewise", spectrogramOf(spectrogram, evidence, colour(index)), "tall"),
    track("Loudness", `${Math.round(Math.max(...levels))} dB at most`, line(levels, settings.loudness_range, "Loudness")),
  ];
  const seconds = waveform.length / rate;
  const spans = [[0, seconds, sure ? emotion : `not sure (${emotion})`, probability]];
  return (
    `<section class="answer">${headline(answer, worth(answer))}` +
    `${bars(answer.probabilities, "Calibrated probability of each emotion")}` +
    `<label class="switch"><input type="checkbox" checked> Show what spoke for “${escape(emotion)}”</label>` +
    `${player(address, seconds, spans, tracks.join(""))}</section>`
  );
}

/** A long recording: its emotions over time, and how they share it. */
export function recording({ rows, waveform }, address) {
  const heard = rows.filter((row) => row.answer);
  if (!heard.length) return sentence("I hear only silence in this recording.");
  const overall = settings.labels.map((_, index) => heard.reduce((sum, row) => sum + row.answer.probabilities[index], 0) / heard.length);
  const end = rows.at(-1).end;
  const spans = rows.map((row, place) => [row.start, rows[place + 1]?.start ?? end, ...said(row.answer)]);
  const columns = rows.map((row, place) => stack((1000 * row.start) / end, (1000 * (spans[place][1] - row.start)) / end, row.answer));
  const { index, emotion } = best({ probabilities: overall });
  const picture = svg(columns.join(""), `Probability of every emotion over ${clock(end)} minutes`, "stack");
  const silent = rows.length - heard.length;
  return (
    `<section class="answer"><h2 class="headline">${dot(index)}Mostly ${escape(emotion)} <small>${rows.length} windows` +
    `${silent ? `, ${silent} of them silent` : ""}</small></h2>` +
    `${player(address, end, spans, track("Emotions over time", "the taller, the likelier", picture, "tall") + track("Waveform", "", waveformOf(waveform)))}` +
    `${legend()}${bars(overall, "Overall: mean probability where somebody speaks")}</section>`
  );
}

function said(answer) {
  if (!answer) return ["silence", null];
  const { emotion, probability, sure } = best(answer);
  return [sure ? emotion : `not sure (${emotion})`, probability];
}

/** Tracks that are played from wherever they are pressed; `player.js` does it. */
const player = (address, seconds, spans, tracks) =>
  `<div class="player" data-spans="${escape(JSON.stringify(spans))}"><div class="tracks timed">${tracks}${timeAxis(seconds)}<p class="tip" hidden></p></div>` +
  `<div class="controls"><button type="button" class="play">Play</button><input type="range" class="seek" min="0" max="${seconds.toFixed(2)}" step="0.1" ` +
  `value="0" aria-label="Place in the sound; Enter plays from here"><output class="now"></output></div><audio preload="none" src="${escape(address)}"></audio></div>`;

/**
 * What the microphone hears now, and over the last minute.
 * @param {{time: number, answer: object | null}[]} history - oldest first, seconds; null for silence
 */
export function live(history) {
  const { time: now, answer } = history.at(-1);
  const silence = `<h2 class="headline">${dot()}Silence <small>say something</small></h2>`;
  const columns = history.map((entry, place) => {
    const before = place ? history[place - 1].time : entry.time - 0.2;
    const width = (1000 * Math.min(entry.time - before, 1)) / settings.live_memory;
    const x = 1000 * (1 - (now - entry.time) / settings.live_memory) - width;
    if (!entry.answer) return rectangle(x, 97, width, 3, 'class="mute"');
    const { index, probability, sure } = best(entry.answer);
    return rectangle(x, 100 - 100 * probability, width, 100 * probability, `fill="${colour(index)}" opacity="${sure ? 1 : 0.4}"`);
  });
  const picture = svg(columns.join(""), "The likeliest emotion over the last minute", "stack");
  const axis = `<div class="axis"><span style="left:0">${settings.live_memory} s ago</span><span style="left:50%">${settings.live_memory / 2} s</span><span>now</span></div>`;
  return (
    `<section class="answer">${answer ? headline(answer) : silence}` +
    `${bars(answer?.probabilities ?? settings.labels.map(() => 0), `Probability of each emotion, last ${settings.live_window} seconds`)}` +
    `<div class="tracks">${track("The last minute", "the taller, the likelier; pale: not sure", picture, "tall")}${axis}</div>${legend()}</section>`
  );
}

/** Several files: each with its answer, or what is wrong with it. */
export function batch(rows) {
  const bad = rows.filter((row) => row.problem).length;
  const lines = rows.map((row) => {
    const cell = row.problem ? `<span class="problem">${escape(row.problem)}</span>` : answered(row.answer);
    return `<tr><td class="said">${cell}</td><th scope="row" class="file">${escape(row.file)}</th></tr>`;
  });
  const note = bad ? `${bad} could not be heard, and the table says why` : "";
  return (
    `<section class="answer"><h2 class="headline">${rows.length - bad} of ${rows.length} clips heard <small>${note}</small></h2>` +
    `<div class="scroll" role="region" tabindex="0" aria-label="The clips"><table class="rows"><caption>The clips</caption>` +
    `<thead><tr><th scope="col">Answer</th><th scope="col">File</th></tr></thead><tbody>${lines.join("")}</tbody></table></div></section>`
  );
}

function answered(answer) {
  const [words, probability] = said(answer);
  return `${dot(best(answer).index)} ${escape(words)} <small>${percent(probability)} %</small>`;
}

function legend() {
  const items = settings.labels.map((label, index) => `<li>${dot(index)}${escape(label)}</li>`);
  return `<ul class="legend" aria-label="Colours of the emotions">${items.join("")}<li>${dot()}silence</li></ul>`;
}

const track = (name, note, picture, size = "") =>
  `<figure class="track"><figcaption>${escape(name)} <small>${escape(note)}</small></figcaption><div class="frame ${size}">${picture}</div></figure>`;

const svg = (content, description, kind) =>
  `<svg class="${kind}" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="${escape(description)}">${content}</svg>`;

const rectangle = (x, y, width, height, style) =>
  `<rect x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${width.toFixed(2)}" height="${height.toFixed(2)}" ${style}/>`;

/** One window as a stack of all probabilities; each reaches down behind the ones below it, so that no gap shows. */
function stack(x, width, answer) {
  if (!answer) return rectangle(x, 97, width, 3, 'class="mute"');
  let below = 0;
  const tops = answer.probabilities.map((probability) => 100 * (1 - (below += probability)));
  return tops.map((top, index) => rectangle(x, top, width, 100 - top, `fill="${colour(index)}"`)).reverse().join("");
}

/** Peaks in columns; those that spoke for the answer are in its colour. */
function waveformOf(waveform, strength, shade) {
  const columns = Math.min(PEAKS, waveform.length);
  const peaks = Array.from({ length: columns }, (_, k) =>
    peak(waveform.subarray(Math.floor((k * waveform.length) / columns), Math.floor(((k + 1) * waveform.length) / columns))));
  const most = Math.max(...peaks, 1e-6);
  const width = 1000 / columns;
  const drawn = (style) => peaks.map((value, k) => {
    const height = Math.max((96 * value) / most, 1.5);
    return rectangle(k * width, 50 - height / 2, 0.7 * width, height, style(k));
  }).join("");
  if (!strength) return svg(drawn(() => ""), "Waveform", "waveform");
  const strongest = Math.max(...strength, 1e-6);
  const marked = (k) => `opacity="${(between(strength, k / Math.max(columns - 1, 1)) / strongest).toFixed(2)}"`;
  return svg(`${drawn(() => "")}<g class="marks" fill="${shade}">${drawn(marked)}</g>`, "Waveform", "waveform");
}

const peak = (samples) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

/** What a row of values has at a place between 0 and 1. */
function between(values, place) {
  const at = place * (values.length - 1);
  const left = Math.floor(at);
  const right = Math.min(left + 1, values.length - 1);
  return values[left] + (at - left) * (values[right] - values[left]);
}

function columnMeans(values, bands, frames) {
  const means = new Float32Array(frames);
  for (let place = 0; place < bands * frames; place++) means[place % frames] += values[place] / bands;
  return means;
}

function spectrogramOf({ values, bands, frames }, evidence, shade) {
  const sorted = Float32Array.from(values).sort();
  const [low, high] = [0.05, 0.995].map((share) => between(sorted, share));
  const tint = [1, 3, 5].map((at) => parseInt(shade.slice(at, at + 2), 16));
  const ink = (value) => {
    const light = Math.min(Math.max((value - low) / Math.max(high - low, 1e-6), 0), 1);
    return [0, 1, 2].map((channel) => between(settings.ink.map((stop) => stop[channel]), light)).concat(255);
  };
  const image = (pixels, style, description) => `<img ${style}src="${picture(pixels, bands, frames)}" alt="${description}">`;
  return (
    image((place) => ink(values[place]), "", "Mel spectrogram, time from left to right, frequency from bottom to top") +
    image((place) => [...tint, 215 * evidence[place]], 'class="marks" ', "The regions that spoke for the answer")
  );
}

/** A PNG of bands by frames, the lowest band at the bottom; every second, third, ... frame of a long one. */
function picture(colourAt, bands, frames) {
  const stride = Math.ceil(frames / MOST_COLUMNS);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.ceil(frames / stride), bands];
  const pixels = new ImageData(canvas.width, bands);
  for (let y = 0; y < bands; y++) {
    for (let x = 0; x < canvas.width; x++) pixels.data.set(colourAt((bands - 1 - y) * frames + x * stride), 4 * (y * canvas.width + x));
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

function line(values, [low, high], description) {
  const stride = Math.ceil(values.length / MOST_COLUMNS);
  const points = [...values].filter((_, k) => k % stride === 0);
  const path = points.map((value, k) => {
    const y = 96 - 92 * Math.min(Math.max((value - low) / (high - low), 0), 1);
    return `${k ? "L" : "M"}${((1000 * k) / Math.max(points.length - 1, 1)).toFixed(1)} ${y.toFixed(1)}`;
  });
  return svg(`<path d="${path.join("")}" vector-effect="non-scaling-stroke"/>`, description, description.toLowerCase());
}

function timeAxis(seconds) {
  const written = seconds < 120 ? (time) => `${time.toFixed(1)} s` : clock;
  const ticks = [0, 1, 2, 3].map((place) => `<span style="left:${25 * place}%">${written((seconds * place) / 4)}</span>`);
  return `<div class="axis">${ticks.join("")}<span>${written(seconds)}</span></div>`;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds) % 60).padStart(2, "0")}`;
