// Reads one JSON line per delivery ({secret, headers, body in base64}); prints "ok", or why not, for each library.
import { createInterface } from "node:readline";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

for await (const line of createInterface({ input: process.stdin })) {
    const { secret, headers, body } = JSON.parse(line);
    const said = [Standard, Svix].map((Webhook) => {
        try {
            new Webhook(secret).verify(Buffer.from(body, "base64").toString(), headers);
            return "ok";
        } catch (error) {
            return `${error.name}: ${error.message}`;
        }
    });
    console.log(JSON.stringify(said));
}
