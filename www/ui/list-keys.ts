/**
 * Arrow keys, Home and End move the focus among the elements below `list` that match `selector`.
 * True if the key was one of those and moved it.
 */
export function moveFocus(event: KeyboardEvent, list: Element, selector: string, axis: "row" | "column"): boolean {
  const [back, on] = axis === "column" ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  const items = [...list.querySelectorAll<HTMLElement>(selector)];
  const at = items.indexOf(document.activeElement as HTMLElement);
  let next: HTMLElement | undefined;
  if (event.key === "Home") next = items[0];
  else if (event.key === "End") next = items.at(-1);
  else if (event.key === back) next = items[Math.max(at - 1, 0)];
  else if (event.key === on) next = items[Math.min(at + 1, items.length - 1)];
  if (!next) return false;
  event.preventDefault();
  next.focus();
  return true;
}
