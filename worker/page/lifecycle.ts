// When the browser puts a page aside and takes it up again: it goes into the back/forward cache, or
// is frozen as a tab in the background. Nothing runs in it meanwhile.

/** Calls `suspend` as long as there is still time to do something, and `resume` afterwards. */
export function watchLifecycle(suspend: () => void, resume: () => void, signal: AbortSignal): void {
  window.addEventListener("pagehide", ({ persisted }) => persisted && suspend(), { signal });
  window.addEventListener("pageshow", ({ persisted }) => persisted && resume(), { signal });
  // Not in all browsers.
  document.addEventListener("freeze", suspend, { signal });
  document.addEventListener("resume", resume, { signal });
}
