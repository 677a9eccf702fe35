/* The browser's part of page_bench: see there. */
import assert from "node:assert/strict";
import { api, base, call, until, Walk } from "../tests/page/harness.mjs";

const [, , traces, chainlets] = process.argv.map(Number);
const LONG_MS = 50, WHEELS = 120;

/** What the page's main thread did meanwhile, from the browser's own trace: its longest task, in ms. */
async function tasksOf(walk, act) {
    await walk.browser.startTracing(walk.page, { categories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "__metadata"] });
    await act();
    const { traceEvents } = JSON.parse(await walk.browser.stopTracing());
    const mains = new Set(traceEvents.filter((event) => event.name === "thread_name" && event.args.name === "CrRendererMain")
        .map((event) => `${event.pid}/${event.tid}`));
    const tasks = traceEvents.filter((event) => event.ph === "X" && event.dur && mains.has(`${event.pid}/${event.tid}`) &&
        /RunTask$/.test(event.name));
    assert(tasks.length > 0, "the browser told of no task");
    const most = (name) => tasks.reduce((longest, event) => Math.max(longest, (event[name] ?? 0) / 1000), 0);
    return {
        tasks: tasks.length, longest: most("dur"), longestOfCpu: most("tdur"),
        long: tasks.filter(({ dur }) => dur / 1000 > LONG_MS).length,
    };
}

function print(name, { tasks, longest, longestOfCpu, long }) {
    console.log(`${name.padEnd(36)} ${String(tasks).padStart(5)} tasks, longest ${longest.toFixed(1).padStart(5)} ms ` +
        `(${longestOfCpu.toFixed(1)} of CPU), ${long} above ${LONG_MS} ms`);
}

async function wheel(page, deltaY) {
    for (let i = 0; i < WHEELS; i++) {
        await page.mouse.wheel(0, deltaY);
        await page.evaluate(() => new Promise(requestAnimationFrame));
    }
}

const walk = await Walk.start("bench");
try {
    const { page } = walk;
    let received = 0;
    const session = await walk.context.newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", (event) => { received += event.encodedDataLength; });
    await walk.goto("/");
    await page.getByRole("link", { name: "poem_generator" }).waitFor();
    console.log(`first view: ${(received / 1000).toFixed(1)} kB received, with headers, without the live stream`);

    const { kept } = (await api("/api/v1/traces?limit=1")).value;
    assert(kept >= traces, `${kept} traces are kept`);
    await page.goto(`${base}/#/traces`);
    const rows = page.getByRole("table", { name: "Traces" });
    const scroll = rows.locator(".scroll");
    await scroll.waitFor();
    /* All pages of the list, by going to its end again and again. */
    await until(async () => {
        await scroll.evaluate((each) => { each.scrollTop = each.scrollHeight; });
        return Number(await rows.getAttribute("aria-rowcount")) > kept;
    }, "all traces in the list");
    console.log(`traces in the list: ${Number(await rows.getAttribute("aria-rowcount")) - 1}`);
    await scroll.hover();
    print("traces: scrolling up", await tasksOf(walk, () => wheel(page, -900)));
    print("traces: scrolling down", await tasksOf(walk, () => wheel(page, 900)));
    print("traces: from end to end", await tasksOf(walk, async () => {
        for (let i = 0; i < 40; i++) {
            await scroll.evaluate((each, part) => { each.scrollTop = each.scrollHeight * part; }, i % 2 ? 1 : 0);
            await page.evaluate(() => new Promise(requestAnimationFrame));
        }
    }));

    await page.goto(`${base}/#/chains/many0/production`);
    const drawing = page.getByRole("group", { name: "Drawing of the graph" });
    await until(async () => await drawing.getByRole("link").count() === chainlets, "all boxes");
    await page.getByRole("button", { name: "Fit" }).click();
    await drawing.hover();
    print("graph: scrolling", await tasksOf(walk, async () => {
        await wheel(page, 300);
        await wheel(page, -300);
    }));
    await call("many0", { folder: "" });
    print("graph: scrolling, with calls", await tasksOf(walk, async () => {
        const calls = Promise.all([1, 2, 3].map(() => call("many0", { folder: "" })));
        await wheel(page, 300);
        await calls;
    }));

    const { id } = await call("many0", { folder: "" });
    await page.goto(`${base}/#/traces/${id}`);
    const tree = page.getByRole("tree", { name: "Spans" });
    await tree.waitFor();
    await tree.hover();
    print("trace of all Chainlets: scrolling", await tasksOf(walk, () => wheel(page, 400)));
    await walk.end();
} catch (error) {
    await walk.abandon();
    console.error(error, walk.said);
    process.exit(1);
}
