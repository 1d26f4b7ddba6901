// TLS of a whole server: one certificate for all its ports, followed as its files change. node:tls is loaded with the
// first port that listens, 7 ms that a server without a certificate does not pay.
import { MICROS_PER_MS, wallClockInstant } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Certificate } from "./certificate.ts";
import { FileWatch } from "./file-watch.ts";
import type { TlsAcceptor } from "./tls-acceptor.ts";
import type { AlpnProtocol, TlsOptions } from "./tls-options.ts";

/** How often the files are looked at. A change counts once it was seen twice. */
const WATCH_PERIOD_MS = 2_000;

/** A certificate that ends sooner is told about. */
const EXPIRY_NOTICE_MS = 14 * 24 * 3_600_000;

type Modules = typeof import("./tls-acceptor.ts") & typeof import("./certificate.ts");

export class ServerTls {
  readonly options: TlsOptions;
  readonly #logger: Logger;
  readonly #watchPeriodMs: number;
  readonly #acceptors: TlsAcceptor[] = [];
  #loading: Promise<Modules> | undefined;
  #certificate: Certificate | undefined;
  #watch: FileWatch | undefined;
  #isClosed = false;

  constructor(options: TlsOptions, logger: Logger, watchPeriodMs: number = WATCH_PERIOD_MS) {
    this.options = options;
    this.#logger = logger;
    this.#watchPeriodMs = watchPeriodMs;
  }

  /**
   * The TLS side of a port; `preference` wins over the options' one. Rejects with a CertificateError when the files
   * cannot be used.
   */
  async acceptor(preference?: AlpnProtocol): Promise<TlsAcceptor> {
    this.#loading ??= loadModules();
    const { TlsAcceptor, readCertificate } = await this.#loading;
    if (!this.#certificate) {
      const { certFile, keyFile } = this.options;
      // Before the files are read: a change in between is seen as one.
      const watch = new FileWatch([certFile, keyFile], this.#watchPeriodMs, () =>
        this.#renew(readCertificate),
      );
      try {
        this.#certificate = readCertificate(this.options);
      } catch (error) {
        watch.close();
        throw error;
      }
      if (this.#isClosed) watch.close();
      this.#watch = watch;
      this.#noticeExpiry(this.#certificate);
    }
    const settled = preference ?? this.options.alpnPreference ?? "http/1.1";
    const acceptor = new TlsAcceptor(this.#certificate, settled);
    this.#acceptors.push(acceptor);
    return acceptor;
  }

  /** Follows the files no longer. Closing twice is fine. */
  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
  }

  #renew(readCertificate: Modules["readCertificate"]): void {
    try {
      const certificate = readCertificate(this.options);
      for (const acceptor of this.#acceptors) acceptor.setCertificate(certificate);
      this.#certificate = certificate;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#logger.error(`the new certificate is not used, the old one stays: ${problem}`);
      return;
    }
    const { names, expiresMs } = this.#certificate;
    this.#logger.info({ names, expires: new Date(expiresMs).toISOString() }, "the certificate was renewed");
    this.#noticeExpiry(this.#certificate);
  }

  #noticeExpiry({ expiresMs }: Certificate): void {
    const leftMs = expiresMs - wallClockInstant() / MICROS_PER_MS;
    if (leftMs > EXPIRY_NOTICE_MS) return;
    const ends = `${leftMs > 0 ? "ends" : "ended"} at ${new Date(expiresMs).toISOString()}`;
    this.#logger.warn(`the certificate ${this.options.certFile} ${ends}`);
  }
}

async function loadModules(): Promise<Modules> {
  const [acceptor, certificate] = await Promise.all([
    import("./tls-acceptor.ts"),
    import("./certificate.ts"),
  ]);
  return { ...acceptor, ...certificate };
}
