/** The HTML files of public/, with the names that the build gave to what they load (public/js/files.json), and what is filled in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObject } from '../parse.js';

/**
 * A page's HTML. What its script loads first is named too, the words of a language among it, so that it need not be found
 * out by loading the script.
 */
export function readHtml(publicDir: string, name: string, tag?: string): string {
  const files = parseObject(readFileSync(join(publicDir, 'js', 'files.json'), 'utf8')) ?? {};
  const html = readFileSync(join(publicDir, name), 'utf8').replace(/\/js\/\w+\.(?:js|css)/g, (path) => {
    const file = files[path];
    return typeof file === 'string' ? file : path;
  });
  const words = tag === undefined ? undefined : files[`words ${tag}`];
  const first = [files['first'], words].flat().filter((file) => typeof file === 'string');
  const links = first.map((path) => `    <link rel="modulepreload" href="${path}" />\n`).join('');
  return html.includes('type="module"') ? html.replace('  </head>', `${links}  </head>`) : html;
}

/** A page with `{{blanks}}` in a language: what is filled in is text, whatever it looks like. */
export function filled(html: string, tag: string, blanks: Readonly<Record<string, string>>): string {
  return html
    .replace('<html lang="en">', `<html lang="${tag}">`)
    .replace(/\{\{(\w+)\}\}/g, (_, key: string) => escapeHtml(blanks[key] ?? ''));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
