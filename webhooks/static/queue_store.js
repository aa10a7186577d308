// Stamps that wait on this device. Each has a place of its own in the browser's store,
// so that two open pages never write over each other's.
"use strict";

{
  const PREFIX = "till-late:";
  const page = document.querySelector("[data-queue]");

  function read(name) {
    try {
      const item = JSON.parse(localStorage.getItem(name));
      return item && typeof item.key === "string" ? item : null;
    } catch {
      return null;
    }
  }

  function names() {
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
    } catch {
      return []; // the store is shut off in this browser
    }
  }

  Till.store = {
    // Of the merchant who is signed in; another one's wait for them.
    all() {
      const mine = (item) => item && item.merchant === page.dataset.merchant;
      return names().map(read).filter(mine).sort((a, b) => a.at - b.at);
    },
    get: (key) => read(PREFIX + key),
    // False where the browser keeps nothing: then nobody may be told that it is kept.
    put(item) {
      try {
        localStorage.setItem(PREFIX + item.key, JSON.stringify(item));
        return read(PREFIX + item.key) !== null;
      } catch {
        return false;
      }
    },
    change(key, values) {
      const item = read(PREFIX + key);
      return item !== null && Till.store.put({ ...item, ...values });
    },
    drop: (key) => localStorage.removeItem(PREFIX + key),
    is: (name) => name === null || name.startsWith(PREFIX),
  };

  Till.newKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };
}
