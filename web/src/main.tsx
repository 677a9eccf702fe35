import { render } from "preact";
import { refreshSession, takeTokenFromAddress } from "./api/client";
import { reconnect } from "./api/live";
import { App } from "./app";

/* Also where the page is open already and a link of `chains open` is followed. */
function enter(): void {
    if (!takeTokenFromAddress()) return;
    dispatchEvent(new HashChangeEvent("hashchange"));
    void refreshSession().then(reconnect);
}

if (takeTokenFromAddress()) dispatchEvent(new HashChangeEvent("hashchange"));
addEventListener("hashchange", enter);
void refreshSession().then(reconnect);
render(<App />, document.getElementById("page")!);
