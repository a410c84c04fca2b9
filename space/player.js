// Sound is played from wherever its picture is pressed; a cursor runs along, and a tip says what was heard there.
const playerOf = (element) => element.closest?.(".player");
const audioOf = (player) => player.querySelector("audio");
const seekOf = (player) => player.querySelector(".seek");
const clock = (seconds) => seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const saidAt = (player, seconds) => {
  player.spans ??= JSON.parse(player.dataset.spans);
  const span = player.spans.find(([start, end]) => seconds >= start && seconds < end) ?? player.spans.at(-1);
  return `${clock(seconds)}: ${span[2]}${span[3] === null ? "" : `, ${Math.round(100 * span[3])} %`}`;
};

const place = (player, seconds) => {
  const seek = seekOf(player);
  seek.value = seconds;
  seek.setAttribute("aria-valuetext", saidAt(player, seconds));
  player.style.setProperty("--at", seconds / seek.max);
  player.querySelector(".now").textContent = saidAt(player, seconds);
};

const play = (player, seconds) => {
  for (const other of document.querySelectorAll(".player audio")) if (other !== audioOf(player)) other.pause();
  const audio = audioOf(player);
  if (seconds !== undefined) {
    audio.currentTime = seconds;
    place(player, seconds);
  } else if (audio.ended || audio.currentTime >= seekOf(player).max - 0.05) {
    audio.currentTime = 0;
  }
  player.classList.add("used");
  audio.play().catch(() => {});
};

const toggle = (player) => audioOf(player).paused ? play(player) : audioOf(player).pause();

const run = (player) => {
  if (audioOf(player).paused || !player.isConnected) return;
  place(player, audioOf(player).currentTime);
  requestAnimationFrame(() => run(player));
};

const secondsAt = (event, frame) => {
  const { left, width } = frame.getBoundingClientRect();
  return Math.max(0, Math.min(1, (event.clientX - left) / width)) * seekOf(playerOf(frame)).max;
};

document.addEventListener("click", (event) => {
  const frame = event.target.closest?.(".timed .frame");
  if (frame) play(playerOf(frame), secondsAt(event, frame));
  else if (event.target.closest?.(".player .play")) toggle(playerOf(event.target));
});
document.addEventListener("pointermove", (event) => {
  const frame = event.target.closest?.(".timed .frame");
  for (const tip of document.querySelectorAll(".player .tip:not([hidden])")) tip.hidden = true;
  if (!frame) return;
  const tip = playerOf(frame).querySelector(".tip");
  const around = frame.parentElement.parentElement.getBoundingClientRect();
  tip.textContent = saidAt(playerOf(frame), secondsAt(event, frame));
  tip.hidden = false;
  tip.style.left = `${Math.max(0, Math.min(around.width - tip.offsetWidth, event.clientX - around.left + 12))}px`;
  tip.style.top = `${event.clientY - around.top - 34}px`;
});
document.addEventListener("input", (event) => {
  if (!event.target.matches?.(".player .seek")) return;
  const player = playerOf(event.target);
  player.classList.add("used");
  audioOf(player).currentTime = event.target.value;
  place(player, Number(event.target.value));
});
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.(".player .seek") || ![" ", "Enter"].includes(event.key)) return;
  event.preventDefault();
  toggle(playerOf(event.target));
});
// Events of sounds do not bubble; they are caught on their way down.
for (const [name, text] of [["play", "Pause"], ["pause", "Play"], ["ended", "Play"]]) {
  document.addEventListener(name, (event) => {
    const player = playerOf(event.target);
    if (!player) return;
    player.querySelector(".play").textContent = text;
    if (name === "play") run(player);
    else place(player, audioOf(player).currentTime);
  }, true);
}
// What is taken away falls silent.
new MutationObserver((changes) => {
  for (const { removedNodes } of changes) {
    for (const node of removedNodes) node.querySelectorAll?.(".player audio").forEach((audio) => audio.pause());
  }
}).observe(document.body, { childList: true, subtree: true });
