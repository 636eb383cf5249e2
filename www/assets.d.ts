// What esbuild takes in or fills in for the demo.

declare module "*.css";

/** In the demo's service worker: the demo's files, and a hash of them. */
declare const ASSETS: readonly string[];
declare const BUILD: string;
