/** Neurite's mark: a cell that reaches out. The same as icon.svg. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="15" class="mark-ground" />
      <g class="mark-lines">
        <path d="M32 32C26 24 22 20 15 18M32 32c8-4 12-9 14-17M32 32c7 4 12 5 18 4M32 32c-2 8-2 12 1 18M32 32c-8 2-12 5-16 11" />
      </g>
      <circle cx="32" cy="32" r="8" class="mark-cell" />
      <g class="mark-ends">
        <circle cx="15" cy="18" r="4" />
        <circle cx="46" cy="15" r="4" />
        <circle cx="50" cy="36" r="4" />
        <circle cx="33" cy="50" r="4" />
        <circle cx="16" cy="43" r="4" />
      </g>
    </svg>
  );
}
