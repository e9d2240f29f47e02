import { expect, it, vi } from 'vitest';
import { Database, outboxStoreName } from '../../src/client/outbox/db.js';

it('gives up when a page of an older version keeps the database open, and closes it once it opens', async () => {
  const requests: { onblocked?: () => void; onsuccess?: () => void; result: { close: () => void } }[] = [];
  const open = () => {
    const request = { result: { close: vi.fn() } };
    requests.push(request);
    return request;
  };
  vi.stubGlobal('indexedDB', { open });
  const result = new Database().run(outboxStoreName, 'readonly', () => undefined);
  const rejected = expect(result).rejects.toThrow('keeps the database open');
  requests[0]?.onblocked?.();
  await vi.waitFor(() => expect(requests).toHaveLength(2)); // it tries once more
  requests[1]?.onblocked?.();
  await rejected;
  for (const { onsuccess } of requests) onsuccess?.();
  for (const { result } of requests) expect(result.close).toHaveBeenCalledOnce();
});
