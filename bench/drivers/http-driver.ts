// Drives GET of one URL in a closed loop over kept-alive connections from a process of its own.
import { Agent, get } from "node:http";
import { answerParent, tellReady } from "../child.ts";

export interface HttpDrive {
  url: string;
  inFlight: number;
  seconds: number;
}

function getOnce(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.on("data", () => {});
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", reject);
    }).on("error", reject);
  });
}

async function drive({ url, inFlight, seconds }: HttpDrive): Promise<{ perSecond: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  let count = 0;
  let end = performance.now() + 500; // warm-up, not counted
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      const status = await getOnce(url, agent);
      if (status !== 200) throw new Error(`GET answered ${status}`);
      count++;
    }
  };
  const run = (): Promise<unknown> => Promise.all(Array.from({ length: inFlight }, loop));
  await run();
  count = 0;
  const began = performance.now();
  end = began + seconds * 1000;
  await run();
  const perSecond = (count * 1000) / (performance.now() - began);
  agent.destroy();
  return { perSecond };
}

answerParent<HttpDrive>(drive);
tellReady({});
