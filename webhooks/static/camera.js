// The viewfinder: opens the camera, says in plain words why it does not, and puts what
// was read where a scanner would have typed it.
"use strict";

{
  const CHOICE = "till-camera";
  const SAY_FOR = 2500;
  const SHAPES = /\/c\/[0-9A-Za-z]{1,16}(?:[?#/]|$)|^[0-9A-Z]{13}$|^M\d{8}[0-9A-Z]{7}$|^T\d{14}$|^\d{4}-?\d{4}$/;

  const finder = document.querySelector("[data-finder]");
  const video = finder.querySelector("video");
  const said = finder.querySelector("[data-said]");
  const keys = (name) => finder.querySelector(`[data-do=${name}]`);

  let stream = null;
  let target = null;
  let turn = 0; // counts up with each opening: what an older one started is void

  function say(what, kind = "") {
    said.textContent = finder.dataset[what];
    finder.dataset.kind = kind;
  }

  function wanted(name) {
    try {
      if (name !== undefined) localStorage.setItem(CHOICE, name);
      return localStorage.getItem(CHOICE);
    } catch {
      return null;
    }
  }

  function stop() {
    turn += 1;
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
    video.srcObject = null;
  }

  function close() {
    stop();
    if (finder.open) finder.close();
  }

  function failed(error) {
    stop();
    const why = {
      NotAllowedError: window.isSecureContext ? "denied" : "insecure",
      SecurityError: "denied",
      NotFoundError: "none",
      OverconstrainedError: "none",
      NotReadableError: "busy",
      AbortError: "busy",
    }[error.name] || "failed";
    say(why, "bad");
    keys("again").hidden = why === "insecure";
    keys("switch").hidden = true;
  }

  async function open() {
    stop();
    const mine = turn;
    keys("again").hidden = keys("switch").hidden = true;
    say("starting");
    if (!finder.open) finder.showModal();
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
      say(window.isSecureContext ? "none" : "insecure", "bad");
      return;
    }
    let opened;
    try {
      opened = await ask();
    } catch (error) {
      if (mine === turn) failed(error);
      return;
    }
    // Closed while the browser was still asking: the lamp must go out again.
    if (mine !== turn) return opened.getTracks().forEach((track) => track.stop());
    stream = opened;
    stream.getTracks().forEach((track) => {
      track.addEventListener("ended", () => mine === turn && failed({ name: "AbortError" }));
    });
    video.srcObject = stream;
    await video.play().catch(() => {});
    if (mine !== turn) return;
    say("aim");
    offerOthers();
    look(mine);
  }

  async function ask() {
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    const get = (video) => navigator.mediaDevices.getUserMedia({ video, audio: false });
    const id = wanted();
    if (id) {
      try {
        return await get({ deviceId: { exact: id }, ...size });
      } catch (error) {
        if (error.name !== "OverconstrainedError") throw error;
      }
    }
    return get({ facingMode: "environment", ...size });
  }

  async function cameras() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((device) => device.kind === "videoinput");
  }

  async function offerOthers() {
    keys("switch").hidden = (await cameras()).length < 2;
  }

  async function next() {
    const all = await cameras();
    const track = stream && stream.getVideoTracks()[0];
    const id = track && track.getSettings().deviceId;
    const at = all.findIndex((device) => device.deviceId === id);
    wanted(all[(at + 1) % all.length].deviceId);
    open();
  }

  function look(mine) {
    let until = 0;
    const isOver = () => mine !== turn;
    Till.reader.watch(video, isOver, ({ texts, problem }) => {
      const text = texts.find((each) => SHAPES.test(each.trim()));
      if (text) return found(text.trim());
      const now = performance.now();
      if (problem) say(problem, "bad");
      else if (texts.length) say("other", "bad");
      else if (now > until) say("aim");
      if (problem || texts.length) until = now + SAY_FOR;
    });
  }

  function found(text) {
    say("got", "good");
    if (navigator.vibrate) navigator.vibrate(60);
    // The page may have drawn its box anew meanwhile.
    const form = target && target.isConnected
      ? target
      : document.querySelector("form.scan");
    close();
    if (!form) {
      window.location.assign(`/till/find?q=${encodeURIComponent(text)}`);
      return;
    }
    form.elements.q.value = text;
    form.requestSubmit();
  }

  // Without a server only some browsers can read: no button that cannot work.
  async function offer() {
    const canAlone = await Till.reader.canAlone();
    for (const button of document.querySelectorAll("[data-camera]")) {
      button.hidden = Boolean(button.closest("[data-late]")) && !canAlone;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-camera]");
    if (button) {
      target = button.form;
      open();
    }
  });
  keys("close").addEventListener("click", close);
  keys("again").addEventListener("click", open);
  keys("switch").addEventListener("click", next);
  finder.addEventListener("close", stop);
  window.addEventListener("pagehide", close);
  document.addEventListener("visibilitychange", () => document.hidden && close());
  document.addEventListener("till:shown", offer);
  offer();
}
