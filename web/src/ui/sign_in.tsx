import { useState } from "preact/hooks";
import { signIn } from "../api/client";
import { reconnect } from "../api/live";
import { Act, Dialog, Field } from "./bits";

export function SignIn({ onClose }: { onClose: () => void }) {
    const [key, setKey] = useState("");
    const [refused, setRefused] = useState(false);
    async function go(event: Event) {
        event.preventDefault();
        if (await signIn(key.trim())) {
            reconnect();
            onClose();
        } else {
            setRefused(true);
        }
    }
    return (
        <Dialog title="Sign in" onClose={onClose}>
            <form onSubmit={go}>
                <Field label="API key, or the home's token"
                    hint="chains key create --scope admin makes a key; chains open signs you in by itself. It is kept until this tab is closed.">
                    {(id, hint) => (
                        <input id={id} aria-describedby={hint} type="password" autocomplete="off" required
                            value={key} onInput={(e) => { setKey(e.currentTarget.value); setRefused(false); }} />
                    )}
                </Field>
                {refused && <p class="note bad" role="alert">The daemon doesn't know this key.</p>}
                <div class="buttons">
                    <Act kind="quiet" onClick={onClose}>Cancel</Act>
                    <button type="submit" class="act main" disabled={!key.trim()}>Sign in</button>
                </div>
            </form>
        </Dialog>
    );
}
