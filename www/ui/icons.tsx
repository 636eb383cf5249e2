// The demo's icons: strokes of one weight on a 24 by 24 grid, hidden from screen readers, since
// whatever carries one has a label.

import type { ComponentChildren } from "preact";

function icon(paths: ComponentChildren) {
  return function Icon() {
    return (
      <svg
        class="icon"
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
        aria-hidden="true"
      >
        {paths}
      </svg>
    );
  };
}

export const Add = icon(<path d="M12 5v14M5 12h14" />);
export const Back = icon(<path d="m15 5-7 7 7 7" />);
export const Chat = icon(<path d="M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H11l-5 4v-4.1a2.5 2.5 0 0 1-2-2.4z" />);
export const Check = icon(<path d="m5 12.5 4.5 4.5L19 7.5" />);
export const Clock = icon(<><circle cx="12" cy="12" r="8" /><path d="M12 8v4.3l2.7 1.7" /></>);
export const Close = icon(<path d="m6 6 12 12M18 6 6 18" />);
export const Columns = icon(<><rect x="3.5" y="5" width="17" height="14" rx="2.5" /><path d="M12 5v14" /></>);
export const Delete = icon(<path d="M5 7h14M10 7V5h4v2m-7 0 .8 12h8.4L17 7M10.5 11v4.5m3-4.5v4.5" />);
export const Down = icon(<path d="M12 5v14m-6-6 6 6 6-6" />);
export const Edit = icon(<path d="m5 19 .9-4L16 4.9a1.8 1.8 0 0 1 2.6 0l.5.5a1.8 1.8 0 0 1 0 2.6L9 18.1z" />);
export const Info = icon(<><circle cx="12" cy="12" r="8.5" /><path d="M12 11v5m0-8.2v.1" /></>);
export const Invite = icon(<><circle cx="10" cy="8.5" r="3.5" /><path d="M4 19c.6-3.4 3-5 6-5s5.4 1.6 6 5M18.5 7v6M15.5 10h6" /></>);
export const Lock = icon(<><rect x="5.5" y="10.5" width="13" height="9" rx="2.2" /><path d="M8.5 10.500V8a3.5 3.5 0 0 1 7 0v2.5" /></>);
export const Picture = icon(<><rect x="4" y="5" width="16" height="14" rx="2.5" /><circle cx="9" cy="10" r="1.6" /><path d="m5 17.5 4.5-4 3 2.5 3-3.5 4 4" /></>);
export const React = icon(<><circle cx="12" cy="12" r="8.5" /><path d="M8.5 14c.8 1.4 2 2.1 3.5 2.100s2.7-.7 3.5-2.100M9.2 9.600v.1m5.6-.1v.1" /></>);
export const Reply = icon(<path d="M10 6 4.5 11.5 10 17m-5-5.500h8.500c3.5 0 5.5 2 6 6" />);
export const Send = icon(<path d="M5 12 4 5l16 7-16 7 1-7zm0 0h7" />);
export const Server = icon(<><rect x="4" y="4.5" width="16" height="6" rx="1.8" /><rect x="4" y="13.5" width="16" height="6" rx="1.8" /><path d="M7.5 7.500h.1m-.1 9h.1M11 7.500h5.500M11 16.500h5.5" /></>);
export const SignOut = icon(<path d="M14 5H7.500A1.5 1.5 0 0 0 6 6.500v11A1.5 1.5 0 0 0 7.5 19H14m-3-7h9m-3-3 3 3-3 3" />);
