// HTTP rules that a service declares in place of its methods' annotations, in the terms of google.api.HttpRule.

/** Exactly one of the HTTP methods is given. */
export interface HttpRule {
  get?: string;
  post?: string;
  delete?: string;
  /** `*`: the whole request is the body. Absent: there is no body. */
  body?: string;
  /** The verb may come escaped (`x%3Acancel`): Yandex clients do that. Default false. */
  encodedVerb?: boolean;
}

/** The rules of a service's methods, by the name of the RPC. */
export type HttpRules = Readonly<Record<string, readonly HttpRule[]>>;
