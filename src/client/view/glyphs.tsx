/** The drawings on what is done with messages, in the colour of the text around them. */
function drawn(path: string) {
  return () => (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}

export const ReactIcon = drawn(
  'M20.3 11.5a8.5 8.5 0 1 1-7.8-7.8M18 2.500v6M15 5.500h6M8.500 14c.8 1.300 2 2 3.500 2s2.700-.7 3.500-2M9 9.500v.5M14.500 9.500v.5',
);
export const EmojiIcon = drawn(
  'M12 3.5a8.5 8.5 0 1 0 0 17a8.500 8.500 0 0 0 0-17ZM8.500 14c.8 1.300 2 2 3.500 2s2.700-.7 3.500-2M9.300 9.500v.5M14.700 9.500v.5',
);
export const ReplyIcon = drawn('M9.500 6 4 11.500 9.500 17M4.500 11.500H14c3.500 0 6 2.500 6 6.500');
export const EditIcon = drawn('M4.500 19.500l.8-4L16 4.800l3.200 3.200L8.500 18.700ZM14 7l3.200 3.200');
export const CopyIcon = drawn('M9 9h10.500v10.500H9zM15 5.500V4.500H4.500V15h1');
export const CheckIcon = drawn('m5 12.500 4.500 4.500L19 7.500');
