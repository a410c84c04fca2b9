// Answers as a file: the columns of modeling.predict.

import { best } from "./drawing.js";
import { settings } from "./settings.js";

// What spreadsheets compute, as in tables_mel_cnn.py.
const FORMULA = /^'*(\s*[=+\-@＝＋－＠]|[\t\r\n])/;

/**
 * @param {{file: string, start: number, end: number, answer: object | null, silence?: string, problem?: string}[]} rows
 * @returns {Blob} CSV; silence and what is no voice have no probabilities, and where a file has a problem there is one column more
 */
export function csv(rows) {
  const problems = rows.some((row) => row.problem) ? ["problem"] : [];
  const header = ["path", "start", "end", "emotion", "probability", "sure", ...settings.labels, ...problems];
  const lines = rows.map(({ file, start, end, answer, silence, problem }) => {
    const found = answer && best(answer);
    const known = answer ? [found.emotion, found.probability, found.sure ? "True" : "False"] : [silence ?? "", "", ""];
    return [file, start, end, ...known, ...(answer?.probabilities ?? settings.labels.map(() => "")), ...problems.map(() => problem)];
  });
  const text = [header, ...lines].map((line) => `${line.map(cell).join(",")}\n`).join("");
  return new Blob(["\ufeff", text], { type: "text/csv" });
}

function cell(value) {
  if (typeof value === "number") return Number.isInteger(value) ? `${value}.0` : `${value}`;
  const text = `${value ?? ""}`;
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
