// One clock for every relative time on the page, so that they tick together.

/** Fine enough for "42 s ago", and cheap with a thousand rows. */
const TICK_MS = 5000;

class Clock {
  nowMs = $state(Date.now());

  constructor() {
    setInterval(() => (this.nowMs = Date.now()), TICK_MS);
  }
}

export const clock = new Clock();
