/**
 * Messages by their place in the log: what the index holds of an era begins with the era's number. A word is looked for in
 * one era at a time, so how long that takes has a bound: FTS5 stops only where it has found something or a word has no
 * more messages. Longer eras make rare words quicker to find, shorter ones hold up others less.
 */
export const ERA = 65_536;
