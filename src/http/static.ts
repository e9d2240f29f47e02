/**
 * The files of public/, by koa-static. Only names that were there as plain files at the start are served: no path can
 * climb out, and no link leads elsewhere. Beside those of the page lie packed ones (build.js): who takes that is given them.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type Koa from 'koa';
import serve from 'koa-static';

/** The build names these by what is in them (build.js). */
const HASHED_NAME = /^\/js\/[\w-]+-[A-Z0-9]{8}\.(js|css)(\.map)?$/;
const IMMUTABLE = 'public, max-age=31536000, immutable';

export function staticFiles(publicDir: string): Koa.Middleware {
  const files = listFiles(publicDir, '/');
  const tags = etagsOf(publicDir, files);
  const send = serve(publicDir, { index: false });
  return async (ctx, next) => {
    if (!files.has(ctx.path)) return next();
    ctx.set('Cache-Control', HASHED_NAME.test(ctx.path) ? IMMUTABLE : 'no-cache'); // asked again each time, answered 304
    ctx.vary('Accept-Encoding');
    await send(ctx, next);
    const tag = tags.get(ctx.path);
    if (tag && ctx.status === 200) ctx.etag = tag;
    if (ctx.fresh) ctx.status = 304;
  };
}

/** The date alone would not do: after going back to an older version the files are older than what browsers have. */
function etagsOf(dir: string, files: ReadonlySet<string>): ReadonlyMap<string, string> {
  const asked = [...files].filter((path) => !HASHED_NAME.test(path));
  return new Map(asked.map((path) => [path, hash(readFileSync(join(dir, path)))]));
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 16);
}

/** HTML is filled in, and packed files are given under the names of what is in them. */
const NOT_SERVED = /^\.|\.(html|gz|br)$/;

/** URL paths of all plain files; the page and the form have routes of their own. */
function listFiles(dir: string, prefix: string): ReadonlySet<string> {
  const files = new Set<string>();
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = posix.join(prefix, entry.name);
    if (entry.isDirectory()) for (const file of listFiles(join(dir, entry.name), path)) files.add(file);
    else if (entry.isFile() && !NOT_SERVED.test(entry.name)) files.add(path);
  }
  return files;
}
