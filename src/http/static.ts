/**
 * The files of public/, by koa-static. Only names that were there as plain files at the start are served: no path can
 * climb out, and no link leads elsewhere.
 */
import { readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import type Koa from 'koa';
import serve from 'koa-static';

/** The build names these by what is in them (build.js). */
const HASHED = /^\/js\/[\w-]+-[A-Z0-9]{8}\.(js|css)(\.map)?$/;
const FOR_EVER = 'public, max-age=31536000, immutable';

export function staticFiles(publicDir: string): Koa.Middleware {
  const files = filesBelow(publicDir, '/');
  const send = serve(publicDir, { index: false });
  return async (ctx, next) => {
    if (!files.has(ctx.path)) return next();
    ctx.set('Cache-Control', HASHED.test(ctx.path) ? FOR_EVER : 'no-cache'); // asked again each time, answered 304
    return send(ctx, next);
  };
}

/** URL paths of all plain files; the page and the form have routes of their own. */
function filesBelow(dir: string, prefix: string): ReadonlySet<string> {
  const files = new Set<string>();
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = posix.join(prefix, entry.name);
    if (entry.isDirectory()) for (const file of filesBelow(join(dir, entry.name), path)) files.add(file);
    else if (entry.isFile() && !entry.name.endsWith('.html') && !entry.name.startsWith('.')) files.add(path);
  }
  return files;
}
