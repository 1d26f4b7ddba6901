// What a parser of text answers: a value, or why there is none. The caller knows where the text stood and
// throws.

/** A value or a problem, in words that follow the name of the field: "is no int32". */
export type Parsed<T> = { value: T } | { problem: string };
