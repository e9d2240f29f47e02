/** What people read, in English: the list that every other language has to fill, held by its type. */
export const words = {
  /** of this language in itself, and as the browser calls it (BCP 47) */
  language: { name: 'English', tag: 'en' },
  signIn: {
    title: 'Sign in',
    lead: 'Every message gets a number, and keeps it.',
    name: 'Your name',
    enter: 'Come in',
  },
};
