import { number } from "../ui/format.js";

/** A number that lights up for a moment whenever it changes: another key is another element. */
export function Moving({ value }: { value: number }) {
  return (
    <span key={value} class="moving">
      {number(value)}
    </span>
  );
}
