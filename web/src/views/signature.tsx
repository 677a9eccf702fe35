/* What a Chainlet takes and gives, with what its author says of it. */
import type { Document, Schema } from "../api/types";
import { Text } from "../ui/bits";
import { inputOf, outputOf, resolve, streamOf, typeWords } from "./schema";

function Row({ name, schema, document, required, depth }:
    { name: string; schema: Schema; document: Document; required: boolean; depth: number }) {
    const inner = resolve(document, schema).schema;
    const item = inner.items ? resolve(document, inner.items).schema
        : inner.additionalProperties ? resolve(document, inner.additionalProperties).schema : inner;
    return (
        <>
            <tr>
                <th scope="row" class={`depth-${Math.min(depth, 4)}`}>
                    {name ? <code><Text>{name}</Text></code> : <span class="dim">the value itself</span>}
                </th>
                <td><code><Text>{typeWords(document, schema)}</Text></code></td>
                <td>
                    <Text>{schema.description ?? inner.description}</Text>
                    {schema.default !== undefined
                        ? <span class="dim"> Default <code><Text>{JSON.stringify(schema.default)}</Text></code>.</span>
                        : !required && <span class="dim"> May be left out.</span>}
                </td>
            </tr>
            {depth < 4 && item.properties && Object.entries(item.properties).map(([field, each]) => (
                <Row key={field} name={field} schema={each} document={document} depth={depth + 1}
                    required={item.required?.includes(field) ?? false} />
            ))}
        </>
    );
}

function Fields({ title, schema, document }: { title: string; schema: Schema; document: Document }) {
    const { properties, required } = resolve(document, schema).schema;
    const rows: [string, Schema, boolean][] = properties
        ? Object.entries(properties).map(([name, each]) => [name, each, required?.includes(name) ?? false])
        : [["", schema, true]];
    return (
        <>
            <h3>{title}</h3>
            {rows.length ? (
                <table class="small">
                    <thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">What it is</th></tr></thead>
                    <tbody>
                        {rows.map(([name, each, must]) => (
                            <Row key={name} name={name} schema={each} document={document} required={must} depth={0} />
                        ))}
                    </tbody>
                </table>
            ) : <p class="dim">Nothing.</p>}
        </>
    );
}

export function Signature({ name, document }: { name: string; document: Document }) {
    const operation = document.paths["/run_remote"]?.post;
    const item = streamOf(document);
    const input = inputOf(document), output = outputOf(document);
    return (
        <>
            <p><b><Text>{document.info.description ?? name}</Text></b></p>
            {operation?.description && <p><Text>{operation.description}</Text></p>}
            {input && <Fields title="Takes" schema={input} document={document} />}
            {item && <Fields title="Emits, as it runs" schema={item} document={document} />}
            {output && <Fields title="Gives" schema={output} document={document} />}
        </>
    );
}
