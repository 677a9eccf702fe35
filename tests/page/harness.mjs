/* A browser for one walk: Debian's Chromium, driven by playwright-core. Whatever the page says on its console, throws,
 * or shows in spite of its Content-Security-Policy fails the walk. */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import assert from "node:assert/strict";

const modules = createRequire(path.join(process.env.CHAINS_PAGE_MODULES, "x.js"));
const { chromium } = modules("playwright-core");
const axe = modules.resolve("axe-core/axe.min.js");

export const base = process.env.CHAINS_URL;
export const token = process.env.CHAINS_TOKEN;
const shots = process.env.CHAINS_PAGE_SHOTS;
const LIMIT_MS = Number(process.env.CHAINS_PAGE_LIMIT_MS ?? 60_000);

export async function api(pathname, { method = "GET", body, key = token } = {}) {
    const response = await fetch(base + pathname, {
        method, body: body === undefined ? undefined : JSON.stringify(body),
        headers: {
            ...(key ? { Authorization: `Bearer ${key}` } : {}),
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
    });
    const text = await response.text();
    return { status: response.status, value: text ? JSON.parse(text) : null, id: response.headers.get("x-request-id") };
}

/** Calls a chain's entrypoint, or one of its Chainlets. */
export function call(chain, input, chainlet = null) {
    return api(`/chains/${chain}/production${chainlet ? `/chainlets/${chainlet}` : ""}/run_remote`, { method: "POST", body: input });
}

/** Until it gives something true. */
export async function until(condition, what) {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
        const value = await condition();
        if (value) return value;
        assert(Date.now() < end, `not within ${LIMIT_MS} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

export class Walk {
    static async start(name, options = {}) {
        const walk = new Walk();
        walk.name = name;
        walk.said = [];
        walk.refused = [];
        walk.browser = await chromium.launch({ executablePath: process.env.CHAINS_CHROMIUM, args: ["--no-sandbox"] });
        walk.context = await walk.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
        walk.context.setDefaultTimeout(LIMIT_MS);
        await walk.context.grantPermissions(["clipboard-read", "clipboard-write"]);
        walk.page = await walk.context.newPage();
        walk.listen(walk.page);
        return walk;
    }

    listen(page) {
        page.on("console", (message) => {
            /* Chromium itself notes answers of 4xx and 5xx: those that a walk asks for are no errors of the page. */
            const about = message.location().url;
            if (/^Failed to load resource/.test(message.text()) && this.refused.some((part) => about.includes(part))) return;
            if (["error", "warning"].includes(message.type())) this.said.push(`${message.type()}: ${message.text()} ${about}`);
        });
        page.on("pageerror", (error) => this.said.push(`thrown: ${error.stack}`));
    }

    /** Answers with an error below these paths are what the walk asks for. */
    expectRefusals(...parts) {
        this.refused.push(...parts);
    }

    async goto(place = "/", { signedIn = true } = {}) {
        const first = this.page.url() === "about:blank";
        await this.page.goto(first && signedIn ? `${base}/#token=${token}&${place}` : `${base}/#${place}`);
        await this.page.locator("main").waitFor();
    }

    async live() {
        await this.page.locator(".light.live").waitFor();
    }

    async shot(name) {
        mkdirSync(shots, { recursive: true });
        await this.page.screenshot({ path: path.join(shots, `${name}.png`), animations: "disabled" });
    }

    /** No violation of axe-core's rules, which include WCAG 2.1's A and AA. */
    async accessible(where) {
        /* The page's own policy refuses foreign scripts; evaluate() is the debugger's. */
        if (!await this.page.evaluate(() => "axe" in window)) {
            const { readFile } = await import("node:fs/promises");
            await this.page.evaluate(await readFile(axe, "utf8"));
        }
        const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`), [],
            `${where}: what axe-core finds`);
    }

    async end() {
        await this.browser.close();
        assert.deepEqual(this.said, [], "what the page said on its console");
    }

    async abandon() {
        await this.shot(`failed-${this.name}`).catch(() => {});
        await this.browser.close();
    }
}
