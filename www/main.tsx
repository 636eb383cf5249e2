// The demo: a Matrix client, and in the same tab the homeserver that it talks to.

import "./styles/index.css";

import { render } from "preact";

import { Start } from "./app/Start.js";

render(<Start />, document.getElementById("app")!);
