/**
 * The files of public/, by koa-static. Only plain files that exist at the start are served, so no path and no symbolic link
 * leads elsewhere. The build compresses the page's files; clients that accept compression get the compressed files.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type Koa from 'koa';
import serve from 'koa-static';
import { HttpError } from './errors.js';

/** Files whose name has a hash of their content (build.js). */
const hashedName = /^\/js\/[\w-]+-[A-Z0-9]{8}\.(js|css)(\.map)?$/;
const immutableCaching = 'public, max-age=31536000, immutable';

export function staticFiles(publicDir: string): Koa.Middleware {
  const files = listFiles(publicDir, '/');
  const tags = etagsOf(publicDir, files);
  const send = serve(publicDir, { index: false });
  return async (ctx, next) => {
    if (!files.has(ctx.path)) return next();
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD')
      throw new HttpError(405, 'wrong_method', 'Method not allowed.', { Allow: 'GET, HEAD' });
    ctx.set('Cache-Control', hashedName.test(ctx.path) ? immutableCaching : 'no-cache'); // revalidated on each request
    ctx.vary('Accept-Encoding');
    if (clientFile.test(ctx.path)) allowImport(ctx);
    await send(ctx, next);
    const tag = tags.get(ctx.path);
    if (tag && ctx.status === 200) ctx.etag = tag;
    if (ctx.fresh) ctx.status = 304;
  };
}

/** The client for programs, which pages of any origin may import. */
const clientFile = /^\/client\.(js|d\.ts)$/;

function allowImport(ctx: Koa.Context): void {
  ctx.set('Access-Control-Allow-Origin', '*');
  ctx.set('Cross-Origin-Resource-Policy', 'cross-origin');
  if (ctx.path.endsWith('.ts')) ctx.type = 'application/typescript; charset=utf-8'; // by its name it would be a video
}

/** Dates are not enough: after a downgrade the files are older than those in the browsers' caches. */
function etagsOf(dir: string, files: ReadonlySet<string>): ReadonlyMap<string, string> {
  const revalidated = [...files].filter((path) => !hashedName.test(path));
  return new Map(revalidated.map((path) => [path, hash(readFileSync(join(dir, path)))]));
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 16);
}

/** Templates, and compressed variants, which are served under the name of the original. */
const unservedFile = /^\.|\.(html|gz|br)$/;

/** URL paths of all plain files that are served as they are. */
function listFiles(dir: string, prefix: string): ReadonlySet<string> {
  const files = new Set<string>();
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = posix.join(prefix, entry.name);
    if (entry.isDirectory()) for (const file of listFiles(join(dir, entry.name), path)) files.add(file);
    else if (entry.isFile() && !unservedFile.test(entry.name)) files.add(path);
  }
  return files;
}
