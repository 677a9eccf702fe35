import { defineConfig, type ProxyOptions } from "vite";

/* Everything but index.html lies under page/, where chainsd serves it. Files are never inlined: the page's
 * Content-Security-Policy allows only what comes from the daemon itself. `npx vite` while working on the page
 * passes the API on to the daemon of CHAINS_URL. */
const daemon = process.env.CHAINS_URL ?? "http://127.0.0.1:8600";

export default defineConfig({
    build: {
        assetsDir: "page",
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        target: "es2022",
        emptyOutDir: true,
    },
    esbuild: { jsx: "automatic", jsxImportSource: "preact" },
    worker: { format: "es" },
    server: {
        proxy: Object.fromEntries(["/api", "/chains", "/requests", "/healthz", "/metrics"].map((path) => [path, {
            target: daemon,
            changeOrigin: true,
            /* To the daemon the page of this server is another site's, which may not call. */
            configure: (proxy) => proxy.on("proxyReq", (request) => {
                for (const header of ["origin", "referer", "sec-fetch-site"]) request.removeHeader(header);
            }),
        } satisfies ProxyOptions])),
    },
});
