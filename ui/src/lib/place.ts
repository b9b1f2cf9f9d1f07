// Where the service is, as its page is found: at the root of its host, or below a path of a proxy
// that takes the path away before it passes a request on.

/** The path in front of the service's own, without a slash at its end: empty at the root. */
export function placeOf(baseUri: string): string {
  return new URL(".", baseUri).pathname.replace(/\/$/, "");
}

const PLACE = typeof document === "undefined" ? "" : placeOf(document.baseURI);

/** A path of the service as the browser has to ask for it. */
export function at(path: string): string {
  return PLACE + path;
}

/** `fetch` for paths of the service, for what tells it of the page itself. */
export const fetchAt: typeof fetch = (path, init) => fetch(at(String(path)), init);
