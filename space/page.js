() => {
  const say = (text) => { document.getElementById("microphone-notice").textContent = text; };
  const sentences = {
    NotAllowedError: "The microphone is blocked. Allow it beside the page's address and press Record again, or upload a file.",
    NotFoundError: "No microphone was found. Connect one and press Record again, or upload a file.",
    NotReadableError: "The microphone is in use by another program. Close that program, or upload a file.",
  };
  if (!navigator.mediaDevices) {
    say("The browser gives the microphone only to pages on https:// or localhost. Uploading works.");
  } else {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      try {
        const stream = await ask(constraints);
        say("");
        return stream;
      } catch (error) {
        say(sentences[error.name] ?? `The microphone cannot be opened: ${error.message}.`);
        throw error;
      }
    };
  }
  for (const id of ["clip-answer", "long-answer", "batch-answer"]) document.getElementById(id)?.setAttribute("aria-live", "polite");
}
