/** Initial on a colour that is always the same for `id`. The name stands beside it as text. */
export function Avatar({ id, name, size = 36 }: { id: string; name: string; size?: number }) {
  const initial = [...name.replace(/^[@#!]/, "")][0] ?? "?";
  const style = { "--hue": hue(id), width: `${size}px`, height: `${size}px`, fontSize: `${size * 0.44}px` };
  return (
    <span class="avatar" style={style} aria-hidden="true">
      {initial.toUpperCase()}
    </span>
  );
}

function hue(text: string): number {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)!) % 360_000;
  // The golden angle keeps similar names apart.
  return Math.round((hash * 137.508) % 360);
}
