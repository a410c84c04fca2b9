// Keeps every file of the page, so that it works without a network. Its address holds the version of the files.

const OURS = "speech-emotion-"; // others may share this page's origin
const NAME = OURS + new URL(self.location).searchParams.get("version");

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

async function keep() {
  const { files } = await (await fetch("files.json", { cache: "no-cache" })).json();
  const cache = await caches.open(NAME);
  await cache.addAll(["./", "files.json", ...files].map((file) => new Request(file, { cache: "no-cache" })));
}

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOldOnes().then(() => self.clients.claim()));
});

async function forgetOldOnes() {
  for (const name of await caches.keys()) if (name.startsWith(OURS) && name !== NAME) await caches.delete(name);
}

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(NAME);
  const kept = () => cache.match(request, { ignoreSearch: true });
  // The list of files says whether there is a newer page.
  if (new URL(request.url).pathname.endsWith("/files.json")) return fetch(request, { cache: "no-cache" }).catch(kept);
  return (await kept()) ?? fetch(request);
}
