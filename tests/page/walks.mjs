/* What a user does on the status page, one walk after the other: `node walks.mjs NAME`. The daemon and its chains are
 * page_test.py's. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { api, base, call, token, until, Walk } from "./harness.mjs";

const HOSTILE = "<img src=x onerror=\"document.title='hacked'\">\u001b[2J";

const walks = {
    async chains(walk) {
        const { page } = walk;
        await walk.goto("/");
        await walk.live();
        const row = page.getByRole("row").filter({ hasText: "studio" });
        await row.getByText("ready").waitFor();
        assert.match(await row.innerText(), /production/);
        assert.match(await row.innerText(), /v000[12]-[0-9a-f]{6}/);
        assert.equal(await page.getByRole("row").count(), 1 + (await api("/api/v1/chains")).value.length);
        assert(!page.url().includes("token"), "the token has left the address");
        await call("studio", studioInput());
        await until(async () => Number((await row.getByRole("cell").nth(2).innerText())) > 0, "calls a second in the list");
        await walk.shot("chains");
        await walk.accessible("chains");
        await row.getByRole("link", { name: "studio" }).click();
        await page.getByRole("heading", { name: "studio", level: 1 }).waitFor();
    },

    async graph(walk) {
        const { page } = walk;
        await walk.goto("/chains/guide/production");
        await walk.live();
        const drawing = page.getByRole("group", { name: "Drawing of the graph" });
        for (const name of ["guide", "porter", "singer", "hand"])
            await drawing.getByRole("link", { name: new RegExp(`^${name}: `) }).waitFor();
        assert.equal(await drawing.locator(".arrow").count(), 3);
        await call("guide", { bags: 4 });
        await drawing.locator(".arrow.good").first().waitFor(); /* it becomes live without a reload */
        await walk.shot("graph");
        await walk.accessible("graph");
        await drawing.getByRole("link", { name: /^porter: / }).click();
        const panel = page.getByRole("complementary", { name: "Chainlet porter" });
        await panel.getByText("Slots in use").waitFor();
        await panel.getByRole("cell", { name: "ready" }).waitFor();
        await walk.shot("chainlet");
        for (const [tab, seen] of [["Metrics", "Calls a second"], ["Signature", "Takes"], ["Config", "drain_timeout_s"],
            ["Errors", /No call that failed is kept|raised by/], ["Logs", "Log"]]) {
            await panel.getByRole("link", { name: tab, exact: true }).click();
            await panel.getByText(seen).or(panel.getByRole("table", { name: seen })).or(panel.getByText("Nothing has been")).first().waitFor();
            await walk.accessible(`Chainlet, ${tab}`);
        }
        await panel.getByRole("link", { name: "Metrics", exact: true }).click();
        await panel.locator("canvas").first().waitFor();
        await walk.shot("metrics");
        await panel.getByRole("link", { name: "Close" }).click();
        await panel.waitFor({ state: "detached" });
    },

    /** Boxes that are no process of their own say what they are, and offer nothing that isn't there. */
    async corner(walk) {
        const { page } = walk;
        await walk.goto("/chains/corner/production");
        const drawing = page.getByRole("group", { name: "Drawing of the graph" });
        await drawing.getByRole("link", { name: "afar: external service" }).click();
        const panel = page.getByRole("complementary", { name: /^Chainlet / });
        await panel.getByText("A service that is deployed elsewhere").waitFor();
        assert.equal(await panel.getByRole("link").count(), 1, "there is only Close");
        await drawing.getByRole("link", { name: "nook: in the process of corner" }).click();
        await panel.getByText("Runs in the process of corner").waitFor();
        assert.equal(await panel.getByRole("link").count(), 1, "there is only Close");
        await walk.shot("corner");
        await walk.accessible("corner");
        /* A link to a part that there isn't shows the same. */
        await walk.goto("/chains/corner/production/chainlets/afar?show=metrics");
        await panel.getByText("A service that is deployed elsewhere").waitFor();
    },

    async keyboard(walk) {
        const { page } = walk;
        await walk.goto("/chains/guide/production");
        const box = page.getByRole("link", { name: /^porter: / });
        await box.waitFor();
        await box.focus();
        await page.keyboard.press("Enter");
        await page.getByRole("complementary", { name: "Chainlet porter" }).waitFor();
        /* The keyboard goes on in what was opened. */
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Try it");
        await page.keyboard.press("Shift+Tab");
        /* A dialog keeps the focus, and Escape closes it. */
        await page.getByRole("button", { name: "Scale…" }).focus();
        await page.keyboard.press("Enter");
        const dialog = page.getByRole("dialog", { name: "Scale porter" });
        await dialog.waitFor();
        for (let i = 0; i < 20; i++) {
            await page.keyboard.press("Tab");
            assert(await page.evaluate(() => document.activeElement === document.body ||
                !!document.activeElement.closest("dialog")), "the focus stays in the dialog");
        }
        await walk.accessible("dialog");
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "detached" });
        await until(() => page.evaluate(() => document.activeElement.textContent === "Scale…"), "the focus is back where it was");
        await page.keyboard.press("Enter");
        await dialog.getByRole("button", { name: "Cancel" }).press("Enter");
        await dialog.waitFor({ state: "detached" });
        await until(() => page.evaluate(() => document.activeElement.textContent === "Scale…"), "by Cancel, too");
        await page.goto(`${base}/#/`);
        await page.reload();
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Skip to content");
    },

    async traces(walk) {
        const { page } = walk;
        await call("guide", { bags: 3, stumble: true });
        const failed = await call("guide", { bags: 2, drop: true });
        assert.notEqual(failed.status, 200);
        await walk.goto("/traces?chain=guide");
        const table = page.getByRole("table", { name: "Traces" });
        await until(async () => await table.getByRole("row").count() >= 3, "two calls in the list");
        await walk.shot("traces");
        await walk.accessible("traces");
        await page.getByLabel("State").selectOption("failed");
        await until(async () => {
            const states = await table.locator(".badge").allInnerTexts();
            return states.length > 0 && states.every((state) => /^[A-Z_]+$/.test(state));
        }, "only those that failed");
        await page.getByLabel("Request").fill(failed.id);
        await page.getByLabel("Request").press("Enter");
        await until(async () => await table.getByRole("row").count() === 2, "the one");
        await table.getByRole("link", { name: /guide/ }).click();
        const tree = page.getByRole("tree", { name: "Spans" });
        await until(async () => await tree.getByRole("treeitem").count() > 6, "its spans");
        await until(async () => (await page.locator(".hops li").allInnerTexts()).map((hop) => hop.replace(/\s+/g, " ").replace(/:\d+/, "").trim()).join(", ") ===
            "guide guide_run_remote guide.c, porter porter_run_remote porter.c, hand hand_run_remote hand.c",
        "the failure's way, with functions, files and lines");
        await page.getByRole("alert").getByText(/hand\.c:\d+|porter\.c:\d+/).first().waitFor();
        /* Keys go through the tree, close and open it. */
        const whole = await tree.getByRole("treeitem").count();
        await tree.focus();
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowLeft");
        await until(async () => await tree.getByRole("treeitem").count() < whole, "what hangs below is closed");
        await page.keyboard.press("ArrowRight");
        await until(async () => await tree.getByRole("treeitem").count() === whole, "and open again");
        await page.getByRole("region", { name: "The span that is chosen" }).waitFor();
        await walk.shot("trace");
        await walk.accessible("trace");
        /* The link leads whoever follows it to the same. */
        await page.reload();
        await until(async () => await tree.getByRole("treeitem").count() === whole, "the same after a reload");
    },

    async retries(walk) {
        const { page } = walk;
        const { id } = await call("guide", { bags: 3, stumble: true });
        await walk.goto(`/traces/${id}`);
        const tree = page.getByRole("tree", { name: "Spans" });
        await tree.getByRole("treeitem", { name: /^attempt 1 UNAVAILABLE/ }).waitFor();
        await tree.getByRole("treeitem", { name: /^attempt 2 OK/ }).waitFor();
        await tree.getByRole("treeitem", { name: /^hand OK.*run/ }).first().waitFor();
        await walk.shot("retries");
    },

    async form(walk) {
        const { page } = walk;
        await walk.goto("/chains/studio/production/try");
        const form = page.getByRole("form", { name: "Arguments" });
        await form.getByLabel(/^name text/).fill("Ada");
        await form.getByRole("button", { name: "Add to authors" }).click();
        await form.getByLabel(/^name text/).nth(1).fill("Zoë \"Z\" O'Neil");
        await form.getByLabel("quality is given").check();
        await form.getByLabel(/^quality /).last().selectOption("finished");
        await form.getByLabel("New key of weights").fill("red");
        await form.getByRole("button", { name: "Add to weights" }).click();
        await form.getByLabel(/^red number/).fill("2.5");
        await form.getByLabel(/^extra JSON/).fill("[1, {\"a\": null}]");
        await form.getByLabel(/^photo bytes/).setInputFiles({ name: "photo.bin", mimeType: "", buffer: Buffer.from([0, 255, 1, 2]) });
        const json = page.getByLabel("As JSON");
        await until(async () => (await json.inputValue()).includes("AP8BAg=="), "the photo in base64");
        assert.deepEqual(JSON.parse(await json.inputValue()), {
            authors: [{ name: "Ada" }, { name: "Zoë \"Z\" O'Neil" }].map((author) => author),
            quality: "finished", weights: { red: 2.5 }, extra: [1, { a: null }], photo: "AP8BAg==",
        });
        await walk.accessible("form");
        await form.getByRole("button", { name: "Call", exact: true }).click();
        const answer = page.getByRole("region", { name: "Answer" });
        await answer.getByText("finished Ada (2000), Zoë").waitFor();
        /* Pictures are shown, sound is played, the rest can be saved. */
        const image = answer.getByRole("img", { name: "Picture picture" });
        await until(() => image.evaluate((each) => each.complete && each.naturalWidth === 1), "the picture");
        await until(() => answer.locator("audio").evaluate((each) => each.duration > 0.09 && each.duration < 0.2), "the sound");
        assert.equal(await answer.getByRole("link", { name: "Save" }).count(), 3);
        await answer.getByRole("treeitem", { name: /^painter OK/ }).waitFor(); /* its trace */
        await walk.shot("form");
        await walk.accessible("answer");
        await snippets(walk);
    },

    async json(walk) {
        const { page } = walk;
        walk.expectRefusals("/run_remote");
        await walk.goto("/chains/studio/production/try");
        const json = page.getByLabel("As JSON");
        const run = page.getByRole("button", { name: "Call", exact: true });
        await json.fill("{");
        assert(await run.isDisabled());
        await page.getByRole("alert").waitFor();
        await json.fill(JSON.stringify({ authors: [], weights: {}, extra: 12345678901234567890n.toString(), photo: "" }).replace('"12345678901234567890"', "12345678901234567890"));
        await run.click();
        const answer = page.getByRole("region", { name: "Answer" });
        await answer.getByText("12345678901234567890").waitFor(); /* digit for digit */
        await json.fill("{\"authors\": [{\"name\": \"\"}], \"weights\": {}, \"extra\": 1, \"photo\": \"\"}");
        await run.click();
        await answer.getByText("INVALID_ARGUMENT").first().waitFor();
        await answer.getByText("authors[0].name").first().waitFor();
    },

    /** A number beyond a double's keeps its digits: in the form, in the JSON, in what is sent and in what is shown. */
    async digits(walk) {
        const { page } = walk;
        await walk.goto("/chains/corner/production/try");
        const json = page.getByLabel("As JSON"), answer = page.getByRole("region", { name: "Answer" });
        const number = page.getByLabel(/^number integer/);
        await number.fill("18446744073709551615");
        assert.match(await json.inputValue(), /"number": 18446744073709551615\b/);
        await json.fill("{\"number\": 9007199254740993}");
        assert.equal(await number.inputValue(), "9007199254740993");
        await page.getByLabel("label is given").check(); /* the JSON is written anew */
        assert.match(await json.inputValue(), /"number": 9007199254740993\b/);
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await answer.getByLabel("Result").getByText("9007199254740993").waitFor();
        await page.getByRole("button", { name: "Copy as curl" }).click();
        await page.getByRole("button", { name: "Copied" }).waitFor();
        assert.match(await page.evaluate(() => navigator.clipboard.readText()), /"number":9007199254740993\b/);
        await page.getByRole("button", { name: "Call asynchronously" }).click();
        await page.getByRole("link", { name: "The request" }).click();
        await page.getByLabel("Result").getByText("9007199254740993").waitFor();
        /* Typed key by key, as "1." and "-" are no numbers yet. */
        await walk.goto("/chains/studio/production/try");
        await json.fill("{\"weights\": {\"red\": 7}}");
        const red = page.getByLabel(/^red number/);
        for (const [keys, text] of [["1.05", "1.05"], ["-0.25", "-0.25"], ["1e3", "1000"], ["0.001", "0.001"]]) {
            await red.press("Control+a");
            await red.pressSequentially(keys);
            assert.equal(await red.inputValue(), keys);
            await until(async () => (await json.inputValue()).includes(`"red": ${text}\n`), `${keys} in the JSON`);
        }
    },

    async chainlets(walk) {
        const { page } = walk;
        await walk.goto("/chains/studio/production/try");
        await page.getByLabel("Chainlet").selectOption("painter");
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await page.getByRole("img", { name: "Picture result" }).waitFor();
        /* Each form begins with its own arguments, whichever was there before. */
        assert.deepEqual(JSON.parse(await page.getByLabel("As JSON").inputValue()), {});
        await page.getByLabel("Chainlet").selectOption("studio");
        await page.getByRole("group", { name: /^authors/ }).waitFor();
        assert.deepEqual(Object.keys(JSON.parse(await page.getByLabel("As JSON").inputValue())), ["authors", "weights", "extra", "photo"]);
        await walk.goto("/chains/transcribe/production/try");
        await page.getByRole("textbox", { name: /^media_url/ }).waitFor();
        assert.deepEqual(JSON.parse(await page.getByLabel("As JSON").inputValue()), { media_url: "" });
    },

    async stream(walk) {
        const { page } = walk;
        await walk.goto("/chains/stream/production/try");
        await page.getByLabel("As JSON").fill("{\"count\": 5}");
        await page.getByRole("button", { name: "Call", exact: true }).click();
        const answer = page.getByRole("region", { name: "Answer" });
        await answer.getByRole("heading", { name: "5 items" }).waitFor();
        await answer.getByText("\"said\": 5").waitFor();
        await answer.getByRole("treeitem", { name: /5 items/ }).first().waitFor();
        await walk.shot("stream");
        /* One that fails on its way keeps what came. */
        await page.getByLabel("As JSON").fill("{\"count\": 5, \"trouble_at\": 2}");
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await answer.getByRole("heading", { name: "2 items" }).waitFor();
        await answer.getByRole("alert").waitFor();
    },

    /** A call that is cancelled ends at once, keeps what came, and has its trace. */
    async cancel(walk) {
        const { page } = walk;
        await walk.goto("/chains/stream/production/try");
        await page.getByLabel("As JSON").fill("{\"count\": 3, \"trouble_at\": 2, \"trouble\": \"wait\"}");
        await page.getByRole("button", { name: "Call", exact: true }).click();
        const answer = page.getByRole("region", { name: "Answer" });
        await answer.getByRole("heading", { name: "2 items" }).waitFor();
        await page.getByRole("button", { name: "Cancel" }).click();
        await answer.getByText("you cancelled it").waitFor();
        await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
        await answer.getByRole("treeitem", { name: /^talker / }).waitFor();
        await answer.getByRole("link", { name: "Trace" }).click();
        await page.getByRole("treeitem", { name: /^talker CANCELLED/ }).waitFor();
    },

    /** A long stream comes through: the page keeps up with it, and shows its end. */
    async long_stream(walk) {
        const { page } = walk;
        await walk.goto("/chains/stream/production/try");
        await page.getByLabel("As JSON").fill("{\"count\": 10000}");
        /* How often the list is made anew: each item by itself would be 10,000 times. */
        await page.evaluate(() => {
            window.renders = 0;
            new MutationObserver(() => { window.renders++; }).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
        });
        await page.getByRole("button", { name: "Call", exact: true }).click();
        const answer = page.getByRole("region", { name: "Answer" });
        await answer.getByText("\"said\": 10000").waitFor();
        await answer.getByRole("heading", { name: "10000 items, the last 200 of them" }).waitFor();
        const items = answer.getByRole("list", { name: "Items" });
        assert.equal(await items.getByRole("listitem").count(), 200);
        assert.equal(await items.getAttribute("start"), "9801");
        await items.getByText("\"index\":9999").waitFor();
        assert(await page.evaluate(() => window.renders) < 5000, "items that come at once are shown at once");
        await walk.shot("long-stream");
    },

    async transcribe(walk) {
        const { page } = walk;
        await walk.goto("/chains/transcribe/production/try");
        await page.getByLabel(/^media_url/).fill(`${process.env.CHAINS_MEDIA}/goforward.wav`);
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await page.getByRole("region", { name: "Answer" }).getByText("go forward ten meters").first().waitFor();
        await walk.shot("transcribe");
        await page.getByRole("link", { name: "Graph" }).click();
        await page.getByRole("link", { name: /^speech: / }).waitFor();
        await until(async () => await page.locator(".arrow.good").count() >= 2, "both arrows carry calls");
        await walk.shot("transcribe-graph");
    },

    async requests(walk) {
        const { page } = walk;
        await walk.goto("/chains/studio/production/try");
        await page.getByLabel("As JSON").fill(JSON.stringify(studioInput()));
        await page.getByRole("button", { name: "Call asynchronously" }).click();
        await page.getByRole("link", { name: "The request" }).click();
        const card = page.getByRole("region", { name: /^Request / });
        await card.getByText("SUCCEEDED").waitFor();
        await card.getByText("draft Ada").waitFor();
        await walk.shot("requests");
        await walk.accessible("requests");
        await card.getByRole("link", { name: "Trace" }).click();
        await page.getByRole("treeitem", { name: /^studio OK/ }).waitFor();
    },

    async events(walk) {
        const { page } = walk;
        await walk.goto("/events");
        await walk.live();
        await page.getByRole("listitem").filter({ hasText: "studio" }).first().waitFor();
        const before = await page.getByRole("listitem").count();
        await api("/api/v1/chains/studio/environments/production/chainlets/painter/scaling", { method: "PUT", body: { max_replicas: 2 } });
        await until(async () => await page.getByRole("listitem").count() > before, "the event comes by itself");
        await page.getByRole("listitem").filter({ hasText: "scale set" }).first().waitFor();
        await walk.shot("events");
        await walk.accessible("events");
        await page.getByLabel("Kind").selectOption("promoted");
        await until(async () => (await page.locator(".events .badge").allInnerTexts()).every((kind) => kind === "promoted"), "only those");
    },

    async logs(walk) {
        const { page } = walk;
        await walk.goto("/chains/studio/production/logs");
        const { id } = await call("studio", studioInput());
        const log = page.getByRole("table", { name: "Log" });
        await log.getByRole("link", { name: id.slice(0, 12) }).first().waitFor(); /* followed live */
        await page.getByLabel("Contains").fill("no such words");
        const { id: another } = await call("studio", studioInput());
        await log.getByRole("link", { name: another.slice(0, 12) }).first().waitFor();
        assert.equal(await page.getByLabel("Contains").inputValue(), "no such words", "what is typed stays while lines come");
        await page.getByLabel("Contains").press("Enter");
        await page.getByText("Nothing has been said yet.").waitFor();
        await page.getByLabel("Contains").fill("onerror");
        await page.getByLabel("Contains").press("Enter");
        await log.getByText("<img src=x").first().waitFor();
        await walk.shot("logs");
        await walk.accessible("logs");
        /* A line is opened in whole by the keyboard, which goes on there. */
        await log.getByRole("button", { name: "<img src=x" }).last().press("Enter");
        const line = page.getByRole("region", { name: "The line that is chosen" });
        await line.getByLabel("Message").getByText("<img src=x").waitFor();
        await page.keyboard.press("Tab");
        assert(await line.evaluate((each) => each.contains(document.activeElement)), "the focus is in the line");
        await walk.accessible("a line of the log");
        await log.getByRole("link", { name: id.slice(0, 12) }).first().click();
        await page.getByRole("tree", { name: "Spans" }).waitFor();
    },

    async actions(walk) {
        const { page } = walk;
        await walk.goto("/chains/studio/production/versions");
        const versions = (await api("/api/v1/chains/studio/versions")).value;
        const first = versions.at(-1).id, second = versions[0].id;
        assert.notEqual(first, second, "page_test.py has deployed it twice");
        /* A version that is kept is deployed to another environment, after a question. */
        await page.getByRole("button", { name: `Deploy ${first}` }).click();
        let dialog = page.getByRole("dialog", { name: `Deploy ${first}` });
        await dialog.getByLabel("Environment").fill("staging");
        await walk.shot("promote");
        await dialog.getByRole("button", { name: "Deploy" }).click();
        await dialog.waitFor({ state: "detached" });
        await page.getByRole("link", { name: "staging" }).click();
        await page.getByText(first).first().waitFor();
        /* Rolled back: production goes to the version before. */
        await page.goto(`${base}/#/chains/studio/production`);
        await page.getByRole("button", { name: "Roll back studio production" }).click();
        dialog = page.getByRole("dialog", { name: "Roll studio back" });
        await dialog.getByRole("button", { name: "Roll back" }).click();
        await dialog.waitFor({ state: "detached" });
        await until(async () => (await api("/api/v1/chains/studio/environments/production")).value.version_id === first, "rolled back");
        await page.locator(".title").getByText(first).waitFor();
        /* Scaled. */
        await page.getByRole("link", { name: /^painter: / }).click();
        await page.getByRole("button", { name: "Scale…" }).click();
        dialog = page.getByRole("dialog", { name: "Scale painter" });
        await dialog.getByLabel("Least replicas").fill("2");
        const share = dialog.getByLabel("Utilization");
        await share.press("Control+a");
        await share.pressSequentially("0.65");
        assert.equal(await share.inputValue(), "0.65");
        await dialog.getByRole("button", { name: "Apply" }).click();
        await dialog.waitFor({ state: "detached" });
        await page.getByRole("link", { name: /^painter: ready, 2 of 2 replicas/ }).waitFor();
        /* Deleting wants the name typed. */
        await page.goto(`${base}/#/chains/studio/staging`);
        await page.getByRole("button", { name: "Delete environment staging of studio" }).click();
        dialog = page.getByRole("dialog", { name: "Delete staging of studio" });
        const go = dialog.getByRole("button", { name: "Delete", exact: true });
        assert(await go.isDisabled());
        await dialog.getByLabel("Type studio to go on").fill("studio");
        await walk.shot("delete");
        await go.click();
        await page.getByRole("heading", { name: "Chains", level: 1 }).waitFor();
        await until(async () => !(await api("/api/v1/chains")).value.some((each) => each.environment === "staging"), "it is gone");
    },

    async hostile(walk) {
        const { page } = walk;
        walk.expectRefusals("/run_remote", encodeURIComponent("<img")); /* a chain that there isn't */
        await walk.goto("/chains/studio/production/try");
        await page.getByLabel("As JSON").fill(JSON.stringify({ ...studioInput(), refusal: HOSTILE }));
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await page.getByRole("alert").getByText("<img src=x onerror=\"document.title='hacked'\">␛[2J").first().waitFor();
        await page.getByLabel("As JSON").fill(JSON.stringify({ ...studioInput(), authors: [{ name: HOSTILE }] }));
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await page.getByLabel("Result").getByText("<img src=x").waitFor();
        await page.goto(`${base}/#/traces?chain=studio&state=failed`);
        await page.getByRole("table", { name: "Traces" }).getByText("<img src=x").first().waitFor();
        await page.goto(`${base}/#/chains/studio/production/logs`);
        await page.getByRole("table", { name: "Log" }).getByText("\\x1b[2J").first().waitFor();
        await page.goto(`${base}/#/chains/studio/production/chainlets/painter?show=signature`);
        await page.getByText("Paints <b onclick=\"alert(1)\">one colour</b>.").waitFor();
        await walk.shot("hostile");
        await page.goto(`${base}/#/chains/${encodeURIComponent(HOSTILE)}/production`);
        await page.getByRole("heading", { level: 1 }).getByText("<img").waitFor();
        assert.equal(await page.locator("main img, main b[onclick]").count(), 0);
        assert.notEqual(await page.title(), "hacked");
    },

    async phone(walk) {
        const { page } = walk;
        const { id } = await call("guide", { bags: 2 });
        await page.setViewportSize({ width: 375, height: 740 });
        const places = ["/", "/chains/guide/production", "/chains/guide/production/chainlets/porter", "/chains/studio/production/try",
            "/chains/guide/production/versions", "/traces", `/traces/${id}`, "/events", "/requests", "/logs?chain=studio", "/keys"];
        for (const place of places) {
            await walk.goto(place);
            await page.getByRole("heading", { level: 1 }).first().waitFor();
            await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
            await page.getByText("Waiting for the daemon…").waitFor({ state: "detached" });
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.equal(wide, 0, `${place} is wider than the screen by ${wide} pixels`);
            await walk.shot(`phone${place.replace(/[^a-z]+/g, "-").slice(0, 40)}`);
        }
        await walk.accessible("phone");
    },

    async dark(walk) {
        const { page } = walk;
        const { id } = await call("guide", { bags: 2 });
        await page.emulateMedia({ colorScheme: "dark" });
        for (const [i, place] of ["/", "/chains/guide/production/chainlets/porter?show=metrics", `/traces/${id}`, "/events",
            "/chains/studio/production/try"].entries()) {
            await walk.goto(place);
            await page.getByRole("heading", { level: 1 }).first().waitFor();
            await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
            await page.getByText("Waiting for the daemon…").waitFor({ state: "detached" });
            await walk.shot(`dark-${i + 1}`);
            await walk.accessible(`${place}, dark`);
        }
        /* The choice stays. */
        await page.getByRole("button", { name: "Colours: system" }).click();
        await page.getByRole("button", { name: "Colours: dark" }).click();
        await page.reload();
        await page.getByRole("button", { name: "Colours: light" }).waitFor();
        assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
    },

    /** The daemon is killed and comes back: the page says so, and what it shows goes on by itself. */
    async restart(walk) {
        const { page } = walk;
        walk.expectRefusals("/api/v1/"); /* connections that break, and those that find nobody */
        const events = await walk.context.newPage();
        walk.listen(events);
        await walk.goto("/chains/studio/production/logs");
        await walk.live();
        await call("studio", studioInput());
        const log = page.getByRole("table", { name: "Log" });
        await log.getByRole("link").first().waitFor();
        await events.goto(`${base}/#token=${token}&/events`);
        await events.locator(".light.live").waitFor();
        await events.getByRole("listitem").first().waitFor();
        const pidFile = path.join(process.env.CHAINS_HOME, "pid");
        const before = readFileSync(pidFile, "utf8");
        await page.evaluate(() => {
            window.lost = false;
            new MutationObserver(() => { window.lost ||= !!document.querySelector(".light.lost"); })
                .observe(document.body, { subtree: true, attributes: true });
        });
        process.kill(Number(before), "SIGKILL");
        await until(() => page.evaluate(() => window.lost), "it says that the daemon is gone");
        await until(async () => readFileSync(pidFile, "utf8") !== before &&
            (await call("studio", studioInput()).catch(() => null))?.status === 200, "the daemon is back");
        await walk.live();
        const { id } = await call("studio", studioInput());
        await log.getByRole("link", { name: id.slice(0, 12) }).first().waitFor();
        await api("/api/v1/chains/studio/environments/production/chainlets/painter/scaling", { method: "PUT", body: { max_replicas: 3 } });
        const newest = (await api("/api/v1/events?kind=scale_set&limit=1")).value[0];
        await events.locator(`time[datetime="${newest.at}"]`).first().waitFor();
    },

    /* Goes last: from the first key on, the door is shut. */
    async keys(walk) {
        const { page } = walk;
        await walk.goto("/keys");
        await page.getByRole("button", { name: "Set a secret…" }).click();
        let dialog = page.getByRole("dialog", { name: "Set a secret" });
        await dialog.getByLabel("Name").fill("hf_token");
        await dialog.getByLabel("Value").fill("sesame-open-9876");
        await dialog.getByRole("button", { name: "Set" }).click();
        await page.getByRole("rowheader", { name: "hf_token" }).waitFor();
        assert(!(await page.content()).includes("sesame"), "what a secret holds is nowhere");
        await page.getByRole("button", { name: "Delete hf_token" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
        await page.getByRole("rowheader", { name: "hf_token" }).waitFor({ state: "detached" });

        await page.getByRole("button", { name: "New key…" }).click();
        dialog = page.getByRole("dialog", { name: "New key" });
        await dialog.getByLabel("Note").fill("for <b>calls</b>");
        await dialog.getByRole("button", { name: "Make it" }).click();
        const key = await page.getByLabel("Key", { exact: true }).innerText();
        assert.match(key, /^\S{20,}$/);
        await page.getByRole("button", { name: "Done" }).click();
        await page.getByRole("cell", { name: "for <b>calls</b>" }).waitFor();
        await walk.shot("keys");
        await walk.accessible("keys");

        /* Signed out, nothing is shown; with a wrong key neither; with one that may call, what it may not is not offered. */
        walk.expectRefusals("/api/v1/");
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.getByText("This daemon wants an API key.").waitFor();
        await walk.accessible("door");
        await page.getByRole("button", { name: "Sign in with a key" }).click();
        dialog = page.getByRole("dialog", { name: "Sign in" });
        await dialog.getByLabel(/API key/).fill("nonsense");
        await dialog.getByRole("button", { name: "Sign in" }).click();
        await dialog.getByRole("alert").waitFor();
        await dialog.getByLabel(/API key/).fill(key);
        await dialog.getByRole("button", { name: "Sign in" }).click();
        await dialog.waitFor({ state: "detached" });
        await page.getByText("are shown to who signs in with the scope admin").waitFor();
        await page.goto(`${base}/#/chains/studio/production`);
        await page.getByRole("link", { name: /^studio: / }).waitFor();
        assert.equal(await page.getByRole("button", { name: /^(Delete|Roll back|Scale)/ }).count(), 0);
        assert.equal(await page.getByRole("link", { name: /^(Logs|Events|Traces)$/ }).count(), 0);
        await page.goto(`${base}/#/chains/studio/production/versions`);
        await page.getByRole("region", { name: "Versions" }).waitFor();
        assert.equal(await page.getByRole("button", { name: /^(Deploy|Delete)/ }).count(), 0);
        await page.goto(`${base}/#/chains/studio/production/try`);
        await page.getByLabel("As JSON").fill(JSON.stringify(studioInput()));
        await page.getByRole("button", { name: "Call", exact: true }).click();
        await page.getByRole("region", { name: "Answer" }).getByText("draft Ada").waitFor();
        await page.getByLabel("Chainlet").selectOption("painter");
        await page.getByText("sign in with the scope admin").waitFor();
        await walk.shot("call-key");

        /* Revoked, it shuts the door at once. */
        const [{ id }] = (await api("/api/v1/keys")).value;
        await api(`/api/v1/keys/${id}`, { method: "DELETE" });
        await page.getByText("This daemon wants an API key.").waitFor();
    },
};

function studioInput() {
    return { authors: [{ name: "Ada" }], weights: { red: 1 }, extra: null, photo: "" };
}

/** The three ways of writing the call elsewhere do what the form does. */
async function snippets(walk) {
    const { page } = walk;
    const folder = mkdtempSync(path.join(tmpdir(), "chains-page-"));
    const copied = async (name) => {
        await page.getByRole("button", { name: `Copy as ${name}`, exact: true }).click();
        await page.getByRole("button", { name: "Copied" }).waitFor();
        const text = await page.evaluate(() => navigator.clipboard.readText());
        await page.getByRole("button", { name: `Copy as ${name}`, exact: true }).waitFor();
        return text;
    };
    const run = (command, words) => {
        const done = spawnSync(command, words, { encoding: "utf8", env: { ...process.env, CHAINS_KEY: token } });
        assert.equal(done.status, 0, `${command} ${words.join(" ")}: ${done.stdout}${done.stderr}`);
        return done.stdout;
    };
    try {
        const expected = "finished Ada (2000), Zoë \"Z\" O'Neil (2000) 2.5 [1,{\"a\":null}]";
        assert.equal(JSON.parse(run("sh", ["-c", await copied("curl")])).caption, expected);
        const source = path.join(folder, "call.c"), program = path.join(folder, "call");
        writeFileSync(source, await copied("C"));
        run("cc", ["-Wall", "-Wextra", "-Werror", source, "-lcurl", "-o", program]);
        assert.equal(JSON.parse(run(program, [])).caption, expected);
        writeFileSync(path.join(folder, "call.py"), await copied("Python"));
        assert.match(run("python3", [path.join(folder, "call.py")]), /finished Ada \(2000\), Zoë/);
        assert(!readFileSync(source, "utf8").includes(token), "no snippet has the key");
    } finally {
        rmSync(folder, { recursive: true });
    }
}

const [, , name] = process.argv;
if (!walks[name]) {
    console.error(`usage: node walks.mjs ${Object.keys(walks).join("|")}`);
    process.exit(2);
}
const walk = await Walk.start(name);
try {
    await walks[name](walk);
    await walk.end();
} catch (error) {
    await walk.abandon();
    console.error(error, walk.said);
    process.exit(1);
}
