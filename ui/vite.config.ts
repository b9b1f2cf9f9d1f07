// Builds the page for a strict content security policy: one script file and one that is loaded
// after the first paint, one style file, nothing inline, every asset under a hashed name that may
// be cached for ever.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the page itself and passes API calls to a running BanGUI.
const SERVICE_URL = process.env["BANGUI_DEV_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [svelte()],
  // What the page loads lies beside it, so that it also works below a path of a proxy.
  base: "./",
  build: {
    outDir: "dist",
    assetsDir: "assets",
    target: "es2022",
    // A data: URI would save one request and cost the policy its simplicity.
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    sourcemap: false,
  },
  server: { proxy: { "/api": SERVICE_URL, "/health": SERVICE_URL, "/v1": SERVICE_URL } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
