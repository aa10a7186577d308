// Reads a QR code off a moving picture: by the browser where it can, else by the
// server, which is sent a small picture a few times a second.
"use strict";

{
  const EVERY = 120;
  const EVERY_BY_SERVER = 330;
  const EVERY_WHEN_BUSY = 1500;
  const LIMIT = 4000;
  const SIDE = 800;
  const BUSY = [429, 503];
  const QUALITY = 0.8;

  const canvas = document.createElement("canvas");

  async function detector() {
    try {
      const formats = await window.BarcodeDetector.getSupportedFormats();
      if (!formats.includes("qr_code")) return null;
      return new window.BarcodeDetector({ formats: ["qr_code"] });
    } catch {
      return null; // no such thing here, or one that finds nothing
    }
  }

  function photo(video) {
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((put) => canvas.toBlob(put, "image/jpeg", QUALITY));
  }

  // What the server saw: texts, and what stands in the way.
  async function ask(video) {
    const picture = await photo(video);
    if (!picture) return { texts: [] };
    let answer;
    try {
      answer = await fetch("/till/frames", {
        method: "POST",
        headers: {
          "Content-Type": picture.type,
          "X-CSRF-Token": document.querySelector("[data-queue]").dataset.csrf,
        },
        body: picture,
        signal: Till.network.limit(LIMIT),
      });
      if (answer.status === 200) return { texts: [(await answer.json()).text] };
    } catch {
      Till.network.check();
      return { texts: [], problem: "unheard", wait: EVERY_WHEN_BUSY };
    }
    if (answer.status === 401 || answer.status === 403) {
      return { texts: [], problem: "signedOut", wait: EVERY_WHEN_BUSY };
    }
    return { texts: [], wait: BUSY.includes(answer.status) ? EVERY_WHEN_BUSY : 0 };
  }

  // Looks until `isOver()`; one picture at a time, however long an answer takes.
  async function watch(video, isOver, tell) {
    let own = await detector();
    while (!isOver()) {
      const began = performance.now();
      let seen = { texts: [] };
      if (own) {
        try {
          seen.texts = (await own.detect(video)).map((code) => code.rawValue);
        } catch {
          own = null; // a browser that only says that it can
        }
      } else {
        seen = await ask(video);
      }
      if (isOver()) return;
      tell(seen);
      const pause = seen.wait || (own ? EVERY : EVERY_BY_SERVER);
      const left = Math.max(0, began + pause - performance.now());
      await new Promise((go) => window.setTimeout(go, left));
    }
  }

  Till.reader = { watch, canAlone: async () => Boolean(await detector()) };
}
