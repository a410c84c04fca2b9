// What the recorder and uploader of Gradio lack.
const say = (text) => { document.getElementById("microphone-notice").textContent = text; };
const sentences = settings.sentences.microphone;
if (!navigator.mediaDevices) {
  say(sentences.insecure);
} else {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const asItIs = ({ audio, ...others }) => ({ ...others, audio: audio && { ...settings.microphone, ...(audio === true ? {} : audio) } });
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    try {
      const stream = await ask(asItIs(constraints));
      say("");
      return stream;
    } catch (error) {
      say(sentences[error.name] ?? sentences.other.replace("{}", () => error.message));
      throw error;
    }
  };
}
// A file that is dropped while the recorder shows would replace the page: hand it to the uploader behind the recorder.
for (const id of ["clip", "recording", "first", "second", "voice"]) {
  const recorder = document.getElementById(id);
  recorder?.addEventListener("dragover", (event) => event.preventDefault());
  recorder?.addEventListener("drop", (event) => {
    if (recorder.querySelector("input[type=file]") || !event.dataTransfer.files.length) return;
    event.preventDefault();
    const files = event.dataTransfer.files;
    recorder.querySelector("button[aria-label='Clear']")?.click();
    recorder.querySelector("button[aria-label='Upload file']")?.click();
    setTimeout(() => {
      const input = recorder.querySelector("input[type=file]");
      if (!input) return;
      input.files = files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }, 100);
  });
}
for (const id of ["clip-answer", "compare-answer", "long-answer", "batch-answer"]) document.getElementById(id)?.setAttribute("aria-live", "polite");

// Phones and browsers keep sound in .webm and .mp4, which count as films by their names: say that they are sound.
const asSound = (file) => /\.(webm|mp4|mov|mkv|3gp)$/i.test(file.name) && !file.type.startsWith("audio/")
  ? new File([file], file.name, { type: `audio/${file.name.split(".").at(-1).toLowerCase()}` })
  : file;
const asSounds = (files) => {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(asSound(file));
  return transfer.files;
};
const isFilm = (files) => [...files].some((file) => asSound(file) !== file);
document.addEventListener("change", (event) => {
  if (event.target.type !== "file" || !isFilm(event.target.files)) return;
  event.target.files = asSounds(event.target.files);
}, true);
document.addEventListener("drop", (event) => {
  const input = event.target.closest?.(".block")?.querySelector("input[type=file]");
  if (!input || !isFilm(event.dataTransfer.files)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  input.files = asSounds(event.dataTransfer.files);
  input.dispatchEvent(new Event("change", { bubbles: true }));
}, true);

// Gradio hides its link to the API on phones, and its address opens nothing: the link in About presses it.
document.addEventListener("click", (event) => {
  const link = document.querySelector("footer .show-api");
  if (!event.target.closest?.("a[href='?view=api']") || !link) return;
  event.preventDefault();
  link.click();
});
