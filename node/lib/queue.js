'use strict';

/** Settles with `promise`, or when the signal aborts before. */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    promise.then(() => {
      signal.removeEventListener('abort', leave);
      resolve();
    });
  });
}

/** Runs asynchronous tasks one after the other, in the order of their calls. */
class Queue {
  #last = Promise.resolve();

  /**
   * The result of `task`, which starts when those before it have ended. A signal that aborts before takes the task
   * out of the queue.
   */
  async run(task, signal) {
    signal?.throwIfAborted();
    const before = this.#last;
    let end;
    this.#last = new Promise((resolve) => (end = resolve));
    try {
      await (signal === undefined ? before : unlessAborted(before, signal));
      return await task();
    } finally {
      // A task that left the queue early lets the next one start no earlier.
      before.then(end);
    }
  }
}

module.exports = { Queue };
