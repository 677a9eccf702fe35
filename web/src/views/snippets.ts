/* A call as one would write it elsewhere. Pure functions: text in, text out. */

export interface Call {
    url: string;
    /** JSON, as it is sent. */
    body: string;
    /** Whether a key is needed: it is never written out. */
    key: boolean;
    stream: boolean;
}

function shellQuoted(text: string): string {
    return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curl({ url, body, key, stream }: Call): string {
    return [
        `curl${stream ? " -N" : ""} ${shellQuoted(url)}`,
        ...(key ? [`-H "Authorization: Bearer $CHAINS_KEY"`] : []),
        `-H 'Content-Type: application/json'`,
        ...(stream ? [`-H 'Accept: text/event-stream'`] : []),
        `-d ${shellQuoted(body)}`,
    ].join(" \\\n    ");
}

/** A C string, cut into lines. Bytes beyond ASCII are written in octal, which ends after three digits. */
export function cQuoted(text: string): string {
    const named: Record<number, string> = { 0x22: '\\"', 0x5c: "\\\\", 0x0a: "\\n", 0x0d: "\\r", 0x09: "\\t" };
    const pieces = [...new TextEncoder().encode(text)].map((byte) =>
        named[byte] ?? (byte >= 0x20 && byte < 0x7f && byte !== 0x3f ? String.fromCharCode(byte)
            : `\\${byte.toString(8).padStart(3, "0")}`));
    const lines: string[] = [];
    let line = "";
    for (const piece of pieces) {
        if (line.length + piece.length > 90) {
            lines.push(line);
            line = "";
        }
        line += piece;
    }
    lines.push(line);
    return lines.map((each) => `"${each}"`).join("\n        ");
}

export function c({ url, body, key, stream }: Call): string {
    const headers = [
        `    headers = curl_slist_append(headers, "Content-Type: application/json");`,
        ...(stream ? [`    headers = curl_slist_append(headers, "Accept: text/event-stream");`] : []),
        ...(key ? [
            `    char key[512];`,
            `    snprintf(key, sizeof key, "Authorization: Bearer %s", getenv("CHAINS_KEY"));`,
            `    headers = curl_slist_append(headers, key);`,
        ] : []),
    ];
    return `/* cc call.c -lcurl -o call */
#include <curl/curl.h>
#include <stdio.h>${key ? "\n#include <stdlib.h>" : ""}

int main(void)
{
    static const char body[] =
        ${cQuoted(body)};
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
${headers.join("\n")}
    curl_easy_setopt(curl, CURLOPT_URL,
        ${cQuoted(url)});
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 0L);
    CURLcode code = curl_easy_perform(curl); /* prints the answer */
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code)
        fprintf(stderr, "%s\\n", curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code || status != 200;
}
`;
}

export function python({ url, body, key, stream }: Call): string {
    const headers = [
        `"Content-Type": "application/json"`,
        ...(stream ? [`"Accept": "text/event-stream"`] : []),
        ...(key ? [`"Authorization": "Bearer " + os.environ["CHAINS_KEY"]`] : []),
    ];
    /* JSON's strings are Python's, but for a few escapes; a literal of the whole text needs none of that. */
    return `${key ? "import os\n" : ""}import json
import urllib.request

request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=${JSON.stringify(body)}.encode(),
    headers={${headers.join(", ")}},
)
with urllib.request.urlopen(request) as answer:
${stream
        ? "    for line in answer:\n        if line.startswith(b\"data:\"):\n            print(json.loads(line[5:]))"
        : "    print(json.load(answer))"}
`;
}
