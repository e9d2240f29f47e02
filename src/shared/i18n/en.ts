/** The page's texts in English. Type `Translations` makes every other language provide the same keys. */
import { countFormatter } from '../locale.js';
import { type ErrorCode, LIMITS } from '../protocol.js';

const numeral = countFormatter('en');

/** Returns "1 message", "2,000 messages". */
function plural(count: number, one: string, other: string): string {
  return `${numeral(count)} ${count === 1 ? one : other}`;
}

/** Isolates a user's text inside a sentence (U+2068 … U+2069), so that its writing direction cannot reorder the rest. */
function isolate(text: string): string {
  return `\u2068${text}\u2069`;
}

export const translations = {
  /** The language's own name, and its BCP 47 tag. */
  language: { name: 'English', tag: 'en' },
  signIn: {
    title: 'Sign in',
    lead: 'Pick a name and start chatting. No password needed.',
    readers: 'Everyone who can open this page can read every room.',
    name: 'Your name',
    enter: 'Start chatting',
    languages: 'Language',
    taken:
      'That name (or one too similar) is taken. Try another. Is it yours? In Settings on your other device, choose “Use on another device”.',
    noCookies:
      'Your browser blocks cookies, so you can’t stay signed in. Allow them for this site, then try again.',
    tooMany: (seconds: number) =>
      `Too many sign-ins from your address. Try again in ${plural(seconds, 'second', 'seconds')}.`,
    failed: 'Couldn’t sign you in. Try again in a moment.',
    noScript: 'This chat needs JavaScript. Turn it on in your browser and reload the page.',
  },
  /** The pages of one-time links: to another device, and back after a sign-out. */
  link: {
    title: 'Sign in by link',
    lead: (name: string) => `Continue as ${isolate(name)} on this device?`,
    replaces: (name: string) =>
      `You are signed in here as ${isolate(name)}. If you continue, ${isolate(name)} is signed out here and can’t come back without another device.`,
    same: (name: string) => `You are already signed in here as ${isolate(name)}.`,
    enter: 'Continue',
    once: 'This link works once.',
    signedOut: 'You are signed out',
    back: (name: string) =>
      `Keep this link to come back as ${isolate(name)}. It works once, within 30 days, for anyone who has it.`,
    open: 'Come back',
  },
  /** Why a name is refused. */
  names: {
    empty: 'Enter a name.',
    broken: 'That name contains a broken character. Type it again.',
    long: `Names can have at most ${LIMITS.nameGraphemes} characters.`,
    hidden: 'Names can’t contain invisible characters.',
    stacked: 'That name has too many accents on one letter.',
    blank: 'A name needs at least one visible character.',
  },
  /** The page for an address that leads nowhere. */
  errorPage: {
    home: 'Back to the chat',
    status: (status: number) => `Error ${status}`,
  },
  /** The web manifest of the installable app. */
  app: {
    description: 'Chat on one port: numbered messages, never lost, repeated or reordered',
    lobby: 'Lobby',
  },
  header: {
    skip: 'Skip to messages',
    rooms: 'Rooms',
    roomsUnread: (count: number) => `Rooms, ${plural(count, 'unread message', 'unread messages')}`,
    search: 'Search',
    mentions: 'Mentions',
    mentionsUnread: (count: number) => `Mentions, ${numeral(count)} unread`,
    people: (count: number) => `People here: ${numeral(count)}`,
    menu: 'Menu',
    signedIn: (name: string) => `Signed in as ${isolate(name)}`,
    settings: 'Settings',
    keys: 'Keyboard shortcuts',
    signOut: 'Sign out',
    discardAndSignOut: (count: number) =>
      `Discard ${plural(count, 'unsent message', 'unsent messages')} and sign out?`,
  },
  rooms: {
    title: 'Rooms',
    mine: 'My rooms',
    others: 'Other rooms',
    find: 'Find or create a room',
    create: (room: string) => `Create “${isolate(room)}”`,
    invalidName: `Room names use letters, numbers, - and _ (${LIMITS.roomNameLength} at most).`,
    none: 'No other rooms yet.',
    unread: (count: number) => plural(count, 'unread message', 'unread messages'),
    mentioned: 'you were mentioned or answered',
    people: (count: number) => `${plural(count, 'person', 'people')} here now`,
    many: '99+',
  },
  people: {
    title: 'People here',
    now: 'Here now',
    before: 'Here before you went offline',
    you: 'you',
    more: (count: number) => `and ${numeral(count)} more`,
  },
  status: {
    connected: 'Connected',
    connecting: 'Connecting…',
    reconnecting: 'Reconnecting…',
    disconnected: 'Connection lost.',
    offline: 'You’re offline. Messages you write will be sent when you’re back.',
    pending: (count: number) => `${plural(count, 'message', 'messages')} waiting to be sent.`,
    retryIn: (seconds: number) => `Trying again in ${numeral(seconds)} s.`,
    retryNow: 'Try now',
    reconnect: 'Reconnect',
    signedOut: 'You are signed out.',
    signIn: 'Sign in',
    closed: (code: number, reason: string) =>
      `The server closed the connection (${code} ${isolate(reason)}).`,
    newVersion: 'A new version of this page is available.',
    reload: 'Reload',
    later: 'Later',
  },
  /** Why the server closed the connection for good, by close code. */
  closeReasons: {
    4000: 'That isn’t a valid room name.',
    4003: 'This chat is open in too many tabs or devices. Close one of them, then reconnect.',
    4004: 'A moderator removed you from this room.',
  },
  /** New messages, as a screen reader announces them. */
  announcer: {
    message: (name: string, text: string) => `${isolate(name)}: ${isolate(text)}`,
    count: (count: number) => plural(count, 'new message', 'new messages'),
  },
  dialog: {
    close: 'Close',
    loading: 'Loading…',
    failed: 'Couldn’t load this.',
    retry: 'Try again',
  },
  search: {
    title: 'Search',
    field: 'Search messages',
    hint: 'Type words or “a phrase”. Narrow it down with from:name and in:room.',
    where: 'Search in',
    here: (room: string) => `In ${isolate(room)}`,
    everywhere: 'In all rooms',
    busy: 'Searching…',
    none: 'No messages found.',
    failed: 'The search failed. Try again in a moment.',
    indexing: 'Older messages are still being indexed. Some results may be missing.',
    found: (count: number) => plural(count, 'result', 'results'),
    foundMany: (count: number) => plural(count, 'newest result', 'newest results'),
    more: 'Show more',
    number: (id: number) => `Message ${id}`,
    in: (room: string) => `in ${isolate(room)}`,
  },
  mentions: {
    title: 'Mentions',
    none: 'No mentions yet.',
    how: 'When someone writes @you, it shows up here.',
    failed: 'Couldn’t load your mentions. Try again in a moment.',
  },
  switch: {
    title: 'Go to a room',
    field: 'Room name',
    rooms: 'Rooms',
    count: (count: number) => plural(count, 'room', 'rooms'),
  },
  message: {
    log: 'Messages',
    number: (id: number) => `Link to message ${id}`,
    numberHow: (id: number) =>
      `Message ${id}. Numbers count everything that happens in a room, edits and reactions too, so some are skipped here.`,
    /** What a screen reader says when a message gets the focus. */
    row: (name: string, id: number, text: string) => `${isolate(name)}, message ${id}: ${isolate(text)}`,
    rowReply: (name: string, id: number, to: string, text: string) =>
      `${isolate(name)}, message ${id}, in reply to ${isolate(to)}: ${isolate(text)}`,
    you: 'You',
    deleted: 'Message deleted',
    undo: 'Undo',
    /** A link that leads nowhere, or to a change. */
    noNumber: (id: number) => `There is no message ${id} yet.`,
    changeOf: (id: number, of: number) => `#${id} is a change of message ${of}, which is shown here.`,
    edited: 'edited',
    editedAt: (time: string) => `edited ${time}`,
    waiting: 'waiting',
    saving: 'saving…',
    unsaved: 'This browser can’t save the message. Keep this page open until it is sent.',
    /** A command that failed, by its type. */
    failed: {
      chat: 'Couldn’t send the message.',
      edit: 'Couldn’t save the edit.',
      delete: 'Couldn’t delete the message.',
      react: 'Couldn’t add the reaction.',
      unreact: 'Couldn’t remove the reaction.',
    },
    replyGone: 'The message you replied to was deleted. “Try again” sends yours as a new message.',
    retry: 'Try again',
    discard: 'Discard',
    showAll: (count: number) => `Show all ${plural(count, 'character', 'characters')}`,
    showLess: 'Show less',
    copyCode: 'Copy code',
    copied: 'Copied',
    notCopied: 'Couldn’t copy this.',
    goToQuoted: 'Go to the original message',
    /** Followed by a name. */
    inReplyTo: 'In reply to',
    reactions: 'Reactions',
    more: (count: number) => `${numeral(count)} more`,
    actions: 'Message actions',
    react: 'Add a reaction',
    reactWith: (emoji: string) => `React with ${emoji}`,
    reply: 'Reply',
    moreActions: 'More actions',
    edit: 'Edit',
    remove: 'Delete',
    confirmDelete: 'Delete this message for everyone?',
    cancel: 'Cancel',
    copyText: 'Copy text',
    copyLink: 'Copy link',
    typing: (names: string, count: number) => `${names} ${count === 1 ? 'is' : 'are'} typing…`,
    manyTyping: 'Several people are typing…',
    newMessages: 'New',
    loadingOlder: 'Loading older messages…',
    start: (room: string) => `This is the start of ${isolate(room)}.`,
    sayHello: 'Say hello!',
    newBelow: (count: number) => plural(count, 'new message', 'new messages'),
    toLatest: 'Jump to latest',
  },
  composer: {
    label: 'Message',
    placeholder: (room: string) => `Message ${isolate(room)}`,
    send: 'Send',
    save: 'Save edit',
    emoji: 'Insert emoji',
    editing: (id: number) => `Editing #${id}`,
    replying: (name: string, id: number) => `Replying to ${isolate(name)}, #${id}`,
    cancel: 'Cancel (Esc)',
    emptyEdit: 'To remove a message, use Delete in its menu.',
    suggestions: 'Suggestions',
    suggested: (count: number) =>
      `${plural(count, 'suggestion', 'suggestions')}. Use the arrow keys to choose.`,
    left: (count: number) => `${plural(count, 'character', 'characters')} left`,
    tooMany: (count: number) => `${plural(count, 'character', 'characters')} too many`,
  },
  emoji: {
    title: 'Emoji',
    search: 'Search emoji',
    groups: 'Categories',
    recent: 'Recently used',
    tone: 'Skin tone',
    tones: (tone: number) =>
      ['default', 'light', 'medium-light', 'medium', 'medium-dark', 'dark'][tone] ?? 'default',
    none: 'No emoji found.',
  },
  keys: {
    title: 'Keyboard shortcuts',
    anywhere: 'Anywhere',
    writing: 'Writing',
    reading: 'Reading',
    switch: 'Go to a room',
    search: 'Search',
    help: 'Show shortcuts',
    adjacentRoom: 'Previous, next room',
    unread: 'Previous, next unread room',
    escape: 'Close what is open, then jump to latest',
    send: 'Send',
    line: 'New line',
    editLast: 'Edit your last message',
    mention: 'Mention someone',
    emoji: 'Insert emoji by name',
    scroll: 'Scroll the messages',
    ends: 'Oldest loaded, latest message',
    nextSection: 'Next section',
    /** On the focused message, by key. */
    message: {
      '↑ ↓': 'Previous, next message',
      r: 'Reply',
      '+': 'Add a reaction',
      e: 'Edit your message',
      Delete: 'Delete your message',
      c: 'Copy text',
      Enter: 'Open message actions',
    },
    bold: 'Bold, italic',
    or: 'or',
  },
  settings: {
    title: 'Settings',
    appearance: 'Appearance',
    theme: 'Theme',
    system: 'System',
    light: 'Light',
    dark: 'Dark',
    language: 'Language',
    showNumbers: 'Always show message numbers',
    showNumbersHow: 'Otherwise a number appears when you point at a message, focus it or tap it.',
    asBrowser: (name: string) => `Browser default (${name})`,
    notifications: 'Notifications',
    notify: 'Notify me about',
    mentions: 'Mentions',
    all: 'All messages',
    none: 'Nothing',
    inRoom: (room: string) => `In ${isolate(room)}`,
    sameAsOthers: 'Default',
    sound: 'Play a sound',
    doNotDisturb: 'Do not disturb',
    doNotDisturbHow: 'No notifications and no sounds while this is on.',
    keyboard: 'Keyboard',
    singleKeys: 'Single-key shortcuts',
    singleKeysHow:
      'While you are not typing: ? lists the keys, / searches, and r, e, c, + and Delete act on a message chosen by keyboard. The shortcuts with Ctrl always work.',
    allowed: 'Notifications are allowed in this browser.',
    ask: 'Allow notifications',
    notAsked: 'Notifications aren’t allowed in this browser yet.',
    denied: 'This browser blocks notifications from this page. Allow them in its settings for this site.',
    unsupported: 'This browser can’t show notifications here.',
  },
  /** What went wrong and what to do, by the server's error code. */
  problems: {
    bad_command: 'The server couldn’t read the request. Reload the page.',
    unknown_type: 'The server doesn’t support this action. Reload the page.',
    bad_cid: 'The server couldn’t read the request. Reload the page.',
    bad_text: 'This text can’t be sent.',
    empty_text: 'Write something first.',
    get text_too_long() {
      return `Messages can have at most ${numeral(LIMITS.textCodePoints)} characters. Send it in parts.`;
    },
    bad_target: 'There is no message with this number.',
    bad_emoji: 'A reaction must be a single emoji.',
    no_message: 'This message doesn’t exist.',
    not_yours: 'Only the author can change a message.',
    deleted: 'This message was deleted.',
    already_there: 'You already added this reaction.',
    not_there: 'You haven’t added this reaction.',
    too_many_reactions: 'This message can’t take any more reactions.',
    cid_conflict: 'Something went wrong. Please send it again.',
    too_fast: 'That was too fast. Wait a moment.',
    storage: 'The server can’t save anything right now. Try again later.',
    signed_out: 'You are signed out. Sign in again.',
    stopping: 'The server is restarting. Try again in a moment.',
    internal: 'Something went wrong on the server and was logged. Please try again.',
    bad_body: 'The server couldn’t read the request. Reload the page.',
    bad_request: 'The server couldn’t read the request. Reload the page.',
    not_signed_in: 'Sign in first.',
    wrong_host: 'Use this server’s proper address.',
    wrong_origin: 'This request came from another site.',
    invalid_room: 'That isn’t a valid room name.',
    not_found: 'Page not found',
    wrong_method: 'The server couldn’t read the request. Reload the page.',
    too_big: 'This is too big to send.',
    bad_name: 'That name can’t be used. Try another.',
    name_taken: 'That name (or one too similar) is taken. Try another.',
    too_many: 'Too many tries. Wait a moment.',
    link_over: 'This link was already used or has expired. Create a new one.',
    full: 'Too many people are connected right now. Try again in a moment.',
    forbidden: 'You’re not allowed to do this.',
    not_kept: 'This browser couldn’t save the message, so it wasn’t sent.',
    unknown: 'Something went wrong. Please try again.',
  } satisfies Readonly<Record<ErrorCode, string> & Record<string, string>>,
};

/** A text, or a function that makes one from numbers and names. */
type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Widened<T[K]> };

/** The shape of a language file. English is the reference, and is shown until another language has loaded. */
export type Translations = Widened<typeof translations>;
