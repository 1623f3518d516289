// Adds to a run's log what it says, as it says it. Without it the page shows what was said until it was opened.
"use strict";
const log = document.getElementById("log");
if (log !== null && log.dataset.live !== undefined) {
  const events = new EventSource(log.dataset.live);
  events.onmessage = (event) => {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(event.data + "\n");
    if (isAtEnd) {
      log.scrollTop = log.scrollHeight;
    }
  };
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
  // The server ends a connection after a while, and a browser would begin again from the first address.
  events.onerror = () => {
    events.close();
    setTimeout(() => location.reload(), 3000);
  };
}
