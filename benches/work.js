// Work in a page that may take as long as it takes: the bench begins it and then looks at it, since
// the browser's driver waits for one answer for a few minutes only.

let work;

/** Shows how far the work is. */
export function tell(progress) {
  work.progress = progress;
}

/** Has the bench begin `tasks` here, by their names and one at a time. */
export function offer(tasks) {
  globalThis.begin = (name, args) => {
    const begun = (work = { progress: "", done: false });
    const end = (result) => Object.assign(begun, { done: true }, result);
    Promise.resolve()
      .then(() => tasks[name](...args))
      .then((value) => end({ value }), (error) => end({ error: String(error?.stack ?? error) }));
  };
  globalThis.look = () => work;
}
